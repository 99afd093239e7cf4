#include "data/split.h"

#include "data_test_support.h"

#include <map>
#include <set>

namespace steadyiqa::data {
namespace {

/// 000.png, 001.png, ... in a folder "img".
Dataset numbered(int count) {
  Dataset dataset;
  dataset.name = "numbered";
  for (int i = 0; i < count; ++i) {
    const std::string file = fmt::format("{:03}.png", i);
    dataset.samples.push_back({"img/" + file, "root/img/" + file, static_cast<double>(i)});
  }
  return dataset;
}

std::string initials(const Dataset& dataset) {
  const std::map<std::string, char> letters{{"train", 'r'}, {"val", 'v'}, {"test", 't'}, {"", '-'}};
  std::string text;
  for (const Sample& sample : dataset.samples) {
    text += letters.at(sample.set);
  }
  return text;
}

// A separate implementation in Python (FNV-1a and SplitMix64 as base/seed.h describes, Fisher-Yates, cumulative
// rounding):
//   split(12, (.5, .25, .25), 7)
TEST(SplitBySeed, IsTheSameOnEveryMachine) {
  Dataset dataset = numbered(12);
  split_by_seed(dataset, {0.5, 0.25, 0.25}, 7);
  EXPECT_EQ(initials(dataset), "rttrtvrrvvrr");
}

TEST(SplitBySeed, OtherSeedsGiveOtherSplits) {
  Dataset a = numbered(60);
  Dataset b = a;
  split_by_seed(a, {}, 1);
  split_by_seed(b, {}, 2);
  EXPECT_NE(initials(a), initials(b));
}

TEST(SplitBySeed, SharesAreRounded) {
  Dataset dataset = numbered(1162);
  split_by_seed(dataset, {0.8, 0.0, 0.2}, 3);
  EXPECT_EQ(subset(dataset, "train").samples.size(), 930U);
  EXPECT_EQ(subset(dataset, "test").samples.size(), 232U);
}

TEST(SplitBySeed, ReferencesNeverLeak) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Dataset dataset = numbered(200);
    for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
      dataset.samples[i].reference = fmt::format("scene-{}", (i * i) % 23);
    }
    split_by_seed(dataset, {0.6, 0.2, 0.2}, seed);
    std::map<std::string, std::set<std::string>> sets_of;
    std::set<std::string> sets;
    for (const Sample& sample : dataset.samples) {
      sets_of[sample.reference].insert(sample.set);
      sets.insert(sample.set);
    }
    EXPECT_EQ(sets, (std::set<std::string>{"train", "val", "test"}));
    for (const auto& [reference, in_sets] : sets_of) {
      EXPECT_EQ(in_sets.size(), 1U) << reference << " with seed " << seed;
    }
  }
}

TEST(SplitBySeed, SharesAreOfReferences) {
  Dataset dataset = numbered(100);
  for (std::size_t i = 0; i < 100; ++i) {
    dataset.samples[i].reference = i < 91 ? "big" : fmt::format("small-{}", i);
  }
  split_by_seed(dataset, {0.5, 0.2, 0.3}, 4);
  std::map<std::string, std::set<std::string>> references;
  for (const Sample& sample : dataset.samples) {
    references[sample.set].insert(sample.reference);
  }
  EXPECT_EQ(references["train"].size(), 5U);
  EXPECT_EQ(references["val"].size(), 2U);
  EXPECT_EQ(references["test"].size(), 3U);
}

TEST(SplitRatio, Parses) {
  const SplitRatio ratio = parse_split_ratio("0.7/ 0.1/0.2");
  EXPECT_EQ(ratio.train, 0.7);
  EXPECT_EQ(ratio.val, 0.1);
  EXPECT_EQ(ratio.test, 0.2);
}

TEST(SplitRatio, RefusesWhatIsNoRatio) {
  for (const std::string bad :
       {"", "0.8", "0.8/0.2", "0.8/0.1/0.1/0", "80/10/10", "1.2/-0.1/-0.1", "nan/0.5/0.5", "a/b/c", "0.8/0.1/", "//"}) {
    const std::string message = error_of([&] { static_cast<void>(parse_split_ratio(bad)); }, ErrorKind::kUsage);
    EXPECT_NE(message.find("split "), std::string::npos) << message;
  }
}

TEST(SplitByFile, MatchesNamesAndFileNamesAndLeavesTheRestUnused) {
  Dataset dataset = numbered(5);
  dataset.samples[4].set = "old";
  split_by_file(dataset,
                write_text(scratch_folder() / "split.csv",
                           "\xEF\xBB\xBFset,image\r\ntest,img/003.png\r\n\r\ntrain,000.png\r\nval,001.png\r\n"));
  EXPECT_EQ(initials(dataset), "rv-t-");
}

TEST(SplitByFile, SetsMayBeSpelledInFull) {
  Dataset dataset = numbered(6);
  split_by_file(dataset, write_text(scratch_folder() / "split.csv",
                                    "image,set\n000.png,training\n001.png, Validation\n002.png,testing\n"
                                    "003.png,Train\n004.png,VAL\n005.png,test\n"));
  EXPECT_EQ(initials(dataset), "rvtrvt");
  EXPECT_EQ(subset(dataset, "validation").samples.size(), 2U);
}

TEST(CanonicalSet, OtherNamesStayAsTheyAre) {
  EXPECT_EQ(canonical_set(" Fold 3 "), "Fold 3");
  EXPECT_EQ(canonical_set(""), "");
  EXPECT_EQ(canonical_set("validate"), "validate");
}

TEST(SplitByFile, UnknownImagesAreCounted) {
  Dataset dataset = numbered(3);
  const auto csv = write_text(scratch_folder() / "split.csv", "image,set\n000.png,train\nx.png,val\ny.png,val\n");
  const std::string message = error_of([&] { split_by_file(dataset, csv); });
  EXPECT_NE(message.find("2 listed images"), std::string::npos) << message;
  EXPECT_NE(message.find("first 'x.png' in line 3"), std::string::npos) << message;
  EXPECT_EQ(initials(dataset), "---");
}

TEST(SplitByFile, RepeatedImagesAreCountedInEitherSpelling) {
  Dataset dataset = numbered(3);
  const auto csv = write_text(scratch_folder() / "split.csv", "image,set\n000.png,train\nimg/000.png,test\n");
  const std::string message = error_of([&] { split_by_file(dataset, csv); });
  EXPECT_NE(message.find("1 images listed again, first 'img/000.png' in line 3"), std::string::npos) << message;
}

TEST(SplitByFile, AFileNameInTwoFoldersNamesNeither) {
  Dataset dataset = numbered(1);
  dataset.samples.push_back({"other/000.png", "root/other/000.png", 1.0});
  const auto folder = scratch_folder();
  EXPECT_NE(error_of([&] {
              split_by_file(dataset, write_text(folder / "a.csv", "image,set\n000.png,train\n"));
            }).find("'000.png'"),
            std::string::npos);
  split_by_file(dataset, write_text(folder / "b.csv", "image,set\nother/000.png,train\n"));
  EXPECT_EQ(initials(dataset), "-r");
}

TEST(SplitByFile, AnEmptySetIsAnError) {
  Dataset dataset = numbered(2);
  const auto csv = write_text(scratch_folder() / "split.csv", "image,set\n000.png,\n");
  EXPECT_NE(error_of([&] { split_by_file(dataset, csv); }).find("split.csv:2: "), std::string::npos);
}

TEST(Subset, KeepsOrderNameAndScale) {
  Dataset dataset = numbered(4);
  dataset.scale.max = 9;
  dataset.samples[3].set = dataset.samples[1].set = "val";
  const Dataset val = subset(dataset, "val");
  EXPECT_EQ(val.name, "numbered");
  EXPECT_EQ(val.scale.max, 9);
  ASSERT_EQ(val.samples.size(), 2U);
  EXPECT_EQ(val.samples[0].mos, 1);
  EXPECT_EQ(val.samples[1].mos, 3);
}

TEST(Subset, AnEmptyOneListsTheSets) {
  Dataset dataset = numbered(3);
  dataset.samples[0].set = dataset.samples[1].set = "train";
  const std::string message = error_of([&] { static_cast<void>(subset(dataset, "tran")); });
  EXPECT_NE(message.find("'tran'"), std::string::npos) << message;
  EXPECT_NE(message.find("2 'train'"), std::string::npos) << message;
}

TEST(RequireImages, CountsAndNamesWhatIsMissing) {
  const auto folder = scratch_folder();
  Dataset dataset = numbered(6);
  for (Sample& sample : dataset.samples) {
    sample.path = folder / sample.name;
  }
  write_text(dataset.samples[0].path, "x");
  std::filesystem::create_directories(dataset.samples[5].path);  // a folder is no image
  const std::string message = error_of([&] { require_images(dataset); });
  EXPECT_NE(message.find("5 of 6 images are missing"), std::string::npos) << message;
  EXPECT_NE(message.find("001.png"), std::string::npos) << message;
  EXPECT_EQ(message.find("004.png"), std::string::npos) << message;
  dataset.samples.resize(1);
  EXPECT_NO_THROW(require_images(dataset));
}

}  // namespace
}  // namespace steadyiqa::data
