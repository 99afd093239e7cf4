#include "data/dataset.h"

#include "data_test_support.h"

#include <cmath>

namespace steadyiqa::data {
namespace {

TEST(LabelScale, MapsToZeroToHundredHigherIsBetter) {
  EXPECT_DOUBLE_EQ((LabelScale{1, 5, Direction::kHigherIsBetter, ""}.to_0_100(2)), 25);
  EXPECT_DOUBLE_EQ((LabelScale{1, 5, Direction::kLowerIsBetter, ""}.to_0_100(2)), 75);
  EXPECT_DOUBLE_EQ((LabelScale{}.to_0_100(37.5)), 37.5);
}

// python3: hashlib.sha256(b'a.png,12.5,train\n"b,c.png",0.1,\n').hexdigest()
constexpr const char* kDigest = "3c0a274ba1285697955d5cf263d324e309595f6e737a26fa24c6bd4a6ec952e3";

Dataset two_samples() {
  Dataset dataset;
  dataset.samples.push_back({"a.png", "somewhere/a.png", 12.5, 1.0, "r", "train"});
  dataset.samples.push_back({"b,c.png", "else/b,c.png", 0.1});
  return dataset;
}

TEST(DatasetDigest, IsThatOfNamesLabelsAndSets) { EXPECT_EQ(two_samples().digest(), kDigest); }

TEST(DatasetDigest, ChangesWithEachAndWithTheOrderButNotWithPaths) {
  Dataset moved = two_samples();
  moved.samples[0].path = "elsewhere.png";
  EXPECT_EQ(moved.digest(), kDigest);
  Dataset renamed = two_samples();
  renamed.samples[0].name = "A.png";
  EXPECT_NE(renamed.digest(), kDigest);
  Dataset relabelled = two_samples();
  relabelled.samples[1].mos = std::nextafter(0.1, 1.0);
  EXPECT_NE(relabelled.digest(), kDigest);
  Dataset other_set = two_samples();
  other_set.samples[0].set = "test";
  EXPECT_NE(other_set.digest(), kDigest);
  Dataset turned = two_samples();
  std::swap(turned.samples[0], turned.samples[1]);
  EXPECT_NE(turned.digest(), kDigest);
}

TEST(OpenDataset, ManifestByPrefixAndByEnding) {
  const auto folder = scratch_folder();
  const std::string csv = write_text(folder / "Set.CSV", "image,mos\na.png,1\n").string();
  EXPECT_EQ(open_dataset(csv).samples.size(), 1U);
  EXPECT_EQ(open_dataset(fmt::format("manifest:{}", csv)).samples.size(), 1U);
  const std::string with_colon = write_text(folder / "a:b.csv", "image,mos\na.png,1\n").string();
  EXPECT_EQ(open_dataset(with_colon).samples.size(), 1U);
}

TEST(OpenDataset, UnknownReaderNamesTheNearest) {
  for (const std::string spec : {"livc:/data", "livc:none.csv"}) {
    const std::string message = error_of([&] { static_cast<void>(open_dataset(spec)); }, ErrorKind::kUsage);
    EXPECT_NE(message.find("unknown reader 'livc'"), std::string::npos) << message;
    EXPECT_NE(message.find("'livec'"), std::string::npos) << message;
  }
}

TEST(OpenDataset, WhatIsNoSpecIsAUsageError) {
  for (const std::string spec : {"", "livec", "livec:", ":", "some/folder"}) {
    error_of([&] { static_cast<void>(open_dataset(spec)); }, ErrorKind::kUsage);
  }
}

TEST(OpenDataset, MissingFileIsAnInputError) {
  const std::string csv = (scratch_folder() / "none.csv").string();
  EXPECT_NE(error_of([&] { static_cast<void>(open_dataset(csv)); }).find(csv), std::string::npos);
}

TEST(OpenDataset, ReadersHaveNamesAndHelp) {
  ASSERT_EQ(dataset_readers().size(), 10U);
  EXPECT_EQ(dataset_readers()[0].name, "livec");
  EXPECT_EQ(dataset_readers()[1].name, "manifest");
  EXPECT_FALSE(dataset_readers()[0].help.empty());
}

}  // namespace
}  // namespace steadyiqa::data
