// KonIQ-10k, BID and SPAQ: sets of photographs without references.
#include "reader_test_support.h"
#include "xlsx_files.h"

namespace steadyiqa::data {
namespace {

class KoniqTest : public ReaderTest {
 protected:
  void SetUp() override {
    ReaderTest::SetUp();
    touch("1024x768/1.jpg");
    put("koniq10k_scores_and_distributions.csv",
        "\"image_name\",\"c1\",\"c2\",\"c3\",\"c4\",\"c5\",\"c_total\",\"MOS\",\"SD\",\"MOS_zscore\"\n"
        "\"1.jpg\",0,0,25,73,7,105,3.8,0.5,80.5\n2.jpg,0,3,45,47,1,96,3.5,0.6,70\n3.jpg,1,1,1,1,1,5,1.2,0.7,4\n"
        "4.jpg,0,0,25,73,7,105,4.2,0.5,88\n");
    put("koniq10k_distributions_sets.csv",
        "image_name,c1,c2,c3,c4,c5,c_total,MOS,SD,set\n2.jpg,0,3,45,47,1,96,70.25,15,validation\n"
        "1.jpg,0,0,25,73,7,105,80.75,14,training\n3.jpg,1,1,1,1,1,5,2,15,test\n4.jpg,0,0,25,73,7,105,88.5,9,"
        "training\n");
  }
};

TEST_F(KoniqTest, TheUsualLabelIsTheZScore) {
  const Dataset dataset = open("koniq");
  ASSERT_EQ(dataset.samples.size(), 4U);
  EXPECT_EQ(dataset.samples[0].name, "1.jpg");
  EXPECT_EQ(dataset.samples[0].mos, 80.5);
  EXPECT_EQ(dataset.samples[0].std, std::nullopt) << "SD is on another scale";
  EXPECT_EQ(below(dataset.samples[0].path), "1024x768/1.jpg");
  EXPECT_EQ(dataset.scale.name, "koniq raw MOS_zscore 0..100");
  EXPECT_EQ(dataset.scale.direction, Direction::kHigherIsBetter);
  EXPECT_EQ(dataset.samples[0].reference, "");
}

TEST_F(KoniqTest, OtherLabelsOnRequest) {
  const Dataset mos = open("koniq", ",labels=mos");
  EXPECT_EQ(mos.samples[1].mos, 3.5);
  EXPECT_EQ(mos.samples[1].std, 0.6);
  EXPECT_DOUBLE_EQ(mos.scale.to_0_100(3), 50);
  const Dataset mos_100 = open("koniq", ",labels=mos_100");
  EXPECT_EQ(mos_100.samples[0].name, "2.jpg") << "in the order of the sets' file";
  EXPECT_EQ(mos_100.samples[0].mos, 70.25);
  EXPECT_DOUBLE_EQ(mos_100.scale.to_0_100(1), 0);
  EXPECT_THAT(open_error("koniq", ",labels=mos_z_score", ErrorKind::kUsage), HasSubstr("did you mean 'mos_zscore'?"));
  EXPECT_THAT(open_error("koniq", ",label=mos", ErrorKind::kUsage), HasSubstr("unknown key 'label'"));
}

TEST_F(KoniqTest, TheOfficialSplitIsThereWithoutAsking) {
  const Dataset dataset = open("koniq");
  EXPECT_EQ(subset(dataset, "train").samples.size(), 2U);
  EXPECT_EQ(subset(dataset, "val").samples.at(0).name, "2.jpg");
  EXPECT_EQ(subset(dataset, "test").samples.at(0).name, "3.jpg");
  EXPECT_THAT(dataset.notes, ElementsAre("4 images listed, the release has 10073",
                                         "sets of 2/1/1 images, the official ones have 7058/1000/2015"));
}

TEST_F(KoniqTest, TheOfficialCountsAreTakenWithoutANote) {
  std::string scores = "image_name,MOS_zscore\n";
  std::string sets = "image_name,set\n";
  for (int i = 0; i < 10073; ++i) {
    scores += fmt::format("{}.jpg,50\n", i);
    sets += fmt::format("{}.jpg,{}\n", i, i < 7058 ? "training" : i < 8058 ? "validation" : "test");
  }
  put("koniq10k_scores_and_distributions.csv", scores);
  put("koniq10k_distributions_sets.csv", sets);
  const Dataset dataset = open("koniq");
  EXPECT_THAT(dataset.notes, IsEmpty());
  EXPECT_EQ(subset(dataset, "train").samples.size(), 7058U);
  EXPECT_EQ(subset(dataset, "val").samples.size(), 1000U);
  EXPECT_EQ(subset(dataset, "test").samples.size(), 2015U);
}

TEST_F(KoniqTest, ImageFolders) {
  touch("512x384/1.jpg");
  EXPECT_EQ(below(open("koniq").samples[0].path), "1024x768/1.jpg");
  EXPECT_EQ(below(open("koniq", ",images=512x384,labels=mos").samples[0].path), "512x384/1.jpg");
  std::filesystem::remove_all(root_ / "1024x768");
  const Dataset dataset = open("koniq");
  EXPECT_EQ(below(dataset.samples[0].path), "512x384/1.jpg");
  EXPECT_EQ(dataset.notes.at(0), "images in 512x384");
  std::filesystem::remove_all(root_ / "512x384");
  EXPECT_THAT(open_error("koniq"), HasSubstr("no KonIQ-10k here: it has no 1024x768 or 512x384"));
}

TEST_F(KoniqTest, OneFileOfTwoServes) {
  std::filesystem::remove(root_ / "koniq10k_scores_and_distributions.csv");
  const Dataset sets_only = open("koniq");
  EXPECT_EQ(sets_only.scale.name, "koniq raw MOS 1..100 of the sets' file");
  EXPECT_THAT(sets_only.notes.at(0), HasSubstr("no koniq10k_scores_and_distributions.csv"));
  std::filesystem::remove(root_ / "koniq10k_distributions_sets.csv");
  EXPECT_THAT(open_error("koniq"), HasSubstr("it has no koniq10k_scores_and_distributions.csv"));
  // Two lines of MANIQA's list, which has tabs.
  put("koniq10k_label.txt", "10004473376.jpg\t3.828571429\n10007357496.jpg\t3.479166667\n");
  const Dataset list_only = open("koniq");
  EXPECT_EQ(list_only.samples[1].mos, 3.479166667);
  EXPECT_EQ(list_only.scale.max, 5);
  EXPECT_THAT(list_only.notes, ::testing::Contains("no koniq10k_distributions_sets.csv, and so no official split"));
  EXPECT_EQ(open("koniq", ",list=koniq10k_label.txt").samples.size(), 2U);
  EXPECT_THAT(open_error("koniq", ",list=koniq10k_label.txt,labels=mos_zscore", ErrorKind::kUsage),
              HasSubstr("a list holds labels=mos"));
}

TEST_F(KoniqTest, ImagesThatOnlyOneFileHasAreNoted) {
  put("koniq10k_distributions_sets.csv", "image_name,set\n1.jpg,training\n9.jpg,test\n");
  const Dataset dataset = open("koniq");
  EXPECT_EQ(dataset.samples[1].set, "");
  EXPECT_THAT(dataset.notes.at(1), HasSubstr("3 images without an official set, 1 of 2"));
}

TEST_F(KoniqTest, DamageIsNamed) {
  put("koniq10k_distributions_sets.csv", "image_name,set\n1.jpg,training\n2.jpg,learning\n");
  EXPECT_THAT(open_error("koniq"), HasSubstr("koniq10k_distributions_sets.csv:3: unknown set 'learning'"));
  put("koniq10k_distributions_sets.csv", "image_name,set\n1.jpg,training\n1.jpg,test\n");
  EXPECT_THAT(open_error("koniq"), HasSubstr("koniq10k_distributions_sets.csv:3: image '1.jpg' stands twice"));
  const std::map<std::string, std::string> expected = {{"1.jpg,nan", "not a finite number"},
                                                       {"1.jpg,", "not a finite number"},
                                                       {"1.jpg,101", "label 101 is outside 0..100"},
                                                       {"a/1.jpg,50", "no name of an image file"},
                                                       {",50", "empty image name"},
                                                       {"2.JPG,50", "'2.JPG' stands already at"}};
  for (const auto& [line, problem] : expected) {
    put("koniq10k_scores_and_distributions.csv", "image_name,MOS_zscore\n2.jpg,40\n" + line + "\n");
    const std::string message = open_error("koniq");
    EXPECT_THAT(message, HasSubstr("koniq10k_scores_and_distributions.csv:3: "));
    EXPECT_THAT(message, HasSubstr(problem));
  }
  put("koniq10k_scores_and_distributions.csv", "image_name,MOS\n2.jpg,4\n");
  EXPECT_THAT(open_error("koniq"), HasSubstr("no column 'MOS_zscore' in the header"));
}

class BidTest : public ReaderTest {
 protected:
  void SetUp() override {
    ReaderTest::SetUp();
    touch("DatabaseImage0001.JPG");
    touch("DatabaseImage0586.jpg");
  }
  void expect_both(const Dataset& dataset) const {
    ASSERT_EQ(dataset.samples.size(), 2U);
    EXPECT_EQ(dataset.samples[0].mos, 3.0625);
    EXPECT_EQ(below(dataset.samples[0].path), "DatabaseImage0001.JPG");
    EXPECT_EQ(dataset.samples[1].name, "DatabaseImage0586.JPG");
    EXPECT_EQ(below(dataset.samples[1].path), "DatabaseImage0586.jpg");
    EXPECT_EQ(dataset.scale.direction, Direction::kHigherIsBetter);
    EXPECT_DOUBLE_EQ(dataset.scale.to_0_100(4), 80);
    EXPECT_THAT(dataset.notes, ElementsAre("2 images listed, the release has 586"));
  }
};

TEST_F(BidTest, Spreadsheet) {
  write_zip(root_ / "DatabaseGrades.xlsx",
            workbook_of({{"Image Number", "Average Subjective Grade"}, {"1", "3.0625"}, {}, {"586", "4.9"}}));
  expect_both(open("bid"));
}

TEST_F(BidTest, CsvExport) {
  put("DatabaseGrades.csv", "Image,Grade\n1,3.0625\n586,4.9\n");
  expect_both(open("bid"));
}

TEST_F(BidTest, DamageIsNamed) {
  EXPECT_THAT(open_error("bid"), HasSubstr("no BID here: it has no DatabaseGrades.xlsx or DatabaseGrades.csv"));
  const std::map<std::string, std::string> expected = {{"1.5,3", "image number 1.5 is not a whole number"},
                                                       {"0,3", "image number 0 is outside 1..9999"},
                                                       {"x,3", "image number 'x' is not a finite number"},
                                                       {"7,5.5", "label 5.5 is outside 0..5"},
                                                       {"7,#N/A", "label '#N/A' is not a finite number"},
                                                       {"7", "no grade"},
                                                       {"1,3", "stands already at"}};
  for (const auto& [line, problem] : expected) {
    put("DatabaseGrades.csv", "Image,Grade\n1,3\n" + line + "\n");
    const std::string message = open_error("bid");
    EXPECT_THAT(message, HasSubstr("DatabaseGrades.csv:3: "));
    EXPECT_THAT(message, HasSubstr(problem));
  }
  put("DatabaseGrades.csv", "1,3\n2,3\n");
  EXPECT_THAT(open_error("bid"), HasSubstr("no header in its first row"));
  put("DatabaseGrades.csv", "Image,Grade\n");
  EXPECT_THAT(open_error("bid"), HasSubstr("no images listed"));
}

class SpaqTest : public ReaderTest {
 protected:
  void SetUp() override {
    ReaderTest::SetUp();
    touch("TestImage/00001.jpg");
    write_zip(root_ / "Annotations/MOS and Image attribute scores.xlsx",
              workbook_of({{"Image name", "MOS", "Brightness", "Colorfulness", "Contrast", "Noisiness", "Sharpness"},
                           {"00001.jpg", "48.57", "36.86", "42.86", "43", "1", "2"},
                           {"00002.jpg", "0", "1", "1", "1", "1", "1"}}));
  }
};

TEST_F(SpaqTest, SpreadsheetWithItsOtherColumns) {
  const Dataset dataset = open("spaq");
  ASSERT_EQ(dataset.samples.size(), 2U);
  EXPECT_EQ(dataset.samples[0].name, "00001.jpg");
  EXPECT_EQ(dataset.samples[0].mos, 48.57);
  EXPECT_EQ(below(dataset.samples[1].path), "TestImage/00002.jpg");
  EXPECT_EQ(dataset.scale.direction, Direction::kHigherIsBetter);
  EXPECT_EQ(dataset.scale.max, 100);
  EXPECT_THAT(dataset.notes, ElementsAre("2 images listed, the release has 11125"));
}

TEST_F(SpaqTest, CsvExportAndDamage) {
  std::filesystem::remove(root_ / "Annotations/MOS and Image attribute scores.xlsx");
  const std::string csv = "Annotations/MOS and Image attribute scores.csv";
  EXPECT_THAT(open_error("spaq"), HasSubstr("it has no MOS and Image attribute scores.xlsx or "));
  put(csv, "Image name,MOS,Brightness\n00001.jpg,48.57,1\n");
  EXPECT_EQ(open("spaq").samples.at(0).mos, 48.57);
  put(csv, "Image name,Brightness\n00001.jpg,1\n");
  EXPECT_THAT(open_error("spaq"), HasSubstr("no column 'MOS' in the header"));
  put(csv, "Image name,MOS\n00001.jpg,100.5\n");
  EXPECT_THAT(open_error("spaq"), HasSubstr("scores.csv:2: label 100.5 is outside 0..100"));
}

// A folder may be called anything.
TEST_F(SpaqTest, APathThatExistsIsTakenWhole) {
  std::filesystem::create_directories(root_ / "set,labels=mos");
  EXPECT_THAT(
      error_of([&] { static_cast<void>(open_dataset(fmt::format("spaq:{}", (root_ / "set,labels=mos").string()))); }),
      HasSubstr("no SPAQ here"));
}

TEST_F(SpaqTest, ASetWithoutOptionsTakesNone) {
  EXPECT_THAT(open_error("spaq", ",labels=mos", ErrorKind::kUsage), HasSubstr("unknown key 'labels'"));
}

TEST_F(SpaqTest, AFolderThatIsNoneIsNamed) {
  EXPECT_THAT(open_error("spaq", "/none"), HasSubstr("/none: cannot list this folder"));
}

}  // namespace
}  // namespace steadyiqa::data
