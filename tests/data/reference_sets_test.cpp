// CSIQ, TID2013, KADID-10k and PIPAL: sets of distorted versions of reference images.
#include "reader_test_support.h"

namespace steadyiqa::data {
namespace {

class CsiqTest : public ReaderTest {
 protected:
  void SetUp() override {
    ReaderTest::SetUp();
    touch("src_imgs/1600.png");
    touch("src_imgs/snow_leaves.png");
    // Names and values as in the list that HyperIQA's repository comes with.
    put("csiq_label.txt",
        "1600.AWGN.1.png 0.061989\n1600.jpeg2000.5.png 0.826916\nsnow_leaves.JPEG.2.png 0.059661\n"
        "snow_leaves.contrast.1.png 0.0\nsnow_leaves.fnoise.4.png 0.5\n1600.BLUR.3.png 1.000000\n");
  }
};

TEST_F(CsiqTest, FlatFolder) {
  touch("dst_imgs_all/1600.AWGN.1.png");
  touch("dst_imgs_all/1600.JPEG2000.5.PNG");
  const Dataset dataset = open("csiq");
  ASSERT_EQ(dataset.samples.size(), 6U);
  EXPECT_EQ(dataset.samples[0].mos, 0.061989);
  EXPECT_EQ(dataset.samples[0].reference, "1600");
  EXPECT_EQ(below(dataset.samples[0].path), "dst_imgs_all/1600.AWGN.1.png");
  EXPECT_EQ(below(dataset.samples[1].path), "dst_imgs_all/1600.JPEG2000.5.PNG") << "whatever the case";
  EXPECT_EQ(dataset.samples[2].reference, "snow_leaves");
  EXPECT_EQ(below(dataset.samples[2].path), "dst_imgs_all/snow_leaves.JPEG.2.png") << "missing, but named";
  EXPECT_EQ(below(dataset.references.at("1600")), "src_imgs/1600.png");
  EXPECT_THAT(dataset.notes,
              ElementsAre("images in the flat folder dst_imgs_all", "6 images listed, the release has 866"));
  expect_no_leak(dataset);
}

TEST_F(CsiqTest, FoldersByType) {
  touch("dst_imgs/awgn/1600.AWGN.1.png");
  touch("dst_imgs/jpeg2000/1600.jpeg2000.5.png");
  touch("dst_imgs/JPEG/snow_leaves.JPEG.2.png");
  const Dataset dataset = open("csiq");
  EXPECT_EQ(below(dataset.samples[0].path), "dst_imgs/awgn/1600.AWGN.1.png");
  EXPECT_EQ(below(dataset.samples[1].path), "dst_imgs/jpeg2000/1600.jpeg2000.5.png");
  EXPECT_EQ(below(dataset.samples[2].path), "dst_imgs/JPEG/snow_leaves.JPEG.2.png");
  EXPECT_THAT(dataset.notes, ::testing::Contains("no folder dst_imgs/blur"));
}

TEST_F(CsiqTest, LowerIsBetter) {
  touch("dst_imgs_all/x");
  const LabelScale scale = open("csiq").scale;
  EXPECT_EQ(scale.direction, Direction::kLowerIsBetter);
  EXPECT_DOUBLE_EQ(scale.to_0_100(0.25), 75);
  EXPECT_EQ(scale.transformation(), "100 - 100 * (label - 0) / (1 - 0)");
}

TEST_F(CsiqTest, DamageIsNamed) {
  touch("dst_imgs_all/x");
  const std::map<std::string, std::string> expected = {{"1600.speckle.1.png 0.5", "unknown distortion type 'speckle'"},
                                                       {"1600.AWGN.6.png 0.5", "level of 1..5"},
                                                       {"1600.AWGN.1.jpg 0.5", "REFERENCE.TYPE.LEVEL.png"},
                                                       {"AWGN.1.png 0.5", "REFERENCE.TYPE.LEVEL.png"},
                                                       {"1600.AWGN.2.png nan", "not a finite number"},
                                                       {"1600.AWGN.2.png 61.9", "label 61.9 is outside 0..1"},
                                                       {"1600.awgn.1.PNG 0.5", "'1600.awgn.1.PNG' stands already at"},
                                                       {"../1600.AWGN.2.png 0.5", "no name of an image file"},
                                                       {"1600.AWGN.2.png", "1 words where 2 were expected"}};
  for (const auto& [line, problem] : expected) {
    put("csiq_label.txt", "1600.AWGN.1.png 0.061989\n" + line + "\n");
    const std::string message = open_error("csiq");
    EXPECT_THAT(message, HasSubstr("csiq_label.txt:2: "));
    EXPECT_THAT(message, HasSubstr(problem));
  }
}

TEST_F(CsiqTest, MissingPartsAreNamed) {
  EXPECT_THAT(open_error("csiq"), HasSubstr("no CSIQ here: it has no dst_imgs_all or dst_imgs"));
  touch("dst_imgs_all/x");
  std::filesystem::remove(root_ / "csiq_label.txt");
  EXPECT_THAT(open_error("csiq"), HasSubstr("it has no csiq_label.txt"));
}

class TidTest : public ReaderTest {
 protected:
  void SetUp() override {
    ReaderTest::SetUp();
    for (const std::string file :
         {"reference_images/I01.BMP", "reference_images/i25.bmp", "distorted_images/i01_01_1.bmp",
          "distorted_images/I01_24_5.BMP", "distorted_images/i25_02_3.bmp", "distorted_images/I25_02_3.bmp"}) {
      touch(file);
    }
    put("mos_with_names.txt", "5.51429 I01_01_1.bmp\n0 i01_24_5.bmp\n9 I25_02_3.bmp\n");
  }
};

TEST_F(TidTest, NamesAreComparedWhateverTheirCase) {
  const Dataset dataset = open("tid2013");
  ASSERT_EQ(dataset.samples.size(), 3U);
  EXPECT_EQ(dataset.samples[0].name, "I01_01_1.bmp");
  EXPECT_EQ(dataset.samples[0].mos, 5.51429);
  EXPECT_EQ(below(dataset.samples[0].path), "distorted_images/i01_01_1.bmp");
  EXPECT_EQ(below(dataset.samples[1].path), "distorted_images/I01_24_5.BMP");
  EXPECT_EQ(below(dataset.samples[2].path), "distorted_images/I25_02_3.bmp") << "the exact name before others";
  EXPECT_EQ(dataset.samples[1].reference, "I01") << "one content in either case";
  EXPECT_EQ(below(dataset.references.at("I25")), "reference_images/i25.bmp");
  EXPECT_EQ(dataset.scale.direction, Direction::kHigherIsBetter);
  EXPECT_DOUBLE_EQ(dataset.scale.to_0_100(4.5), 50);
  EXPECT_EQ(dataset.samples[0].std, std::nullopt);
  expect_no_leak(dataset);
}

TEST_F(TidTest, DeviationsComeInTheSameOrder) {
  put("mos_std.txt", "0.13\n0.2\n0.3\n");
  EXPECT_EQ(open("tid2013").samples[1].std, 0.2);
  put("mos_std.txt", "0.13\n0.2\n");
  EXPECT_THAT(open_error("tid2013"), HasSubstr("mos_std.txt: 2 lines where mos_with_names.txt has 3"));
}

TEST_F(TidTest, DamageIsNamed) {
  const std::map<std::string, std::string> expected = {
      {"5 I26_01_1.bmp", "reference content 26 is outside 1..25"},
      {"5 I01_25_1.bmp", "distortion type 25 is outside 1..24"},
      {"5 I01_01_6.bmp", "distortion level 6 is outside 1..5"},
      {"5 J01_01_1.bmp", "not of the form I01_02_3.bmp"},
      {"5 I1_01_1.bmp", "not of the form I01_02_3.bmp"},
      {"5 I01_01_1_1.bmp", "not of the form I01_02_3.bmp"},
      {"5 I01.bmp", "not of the form I01_02_3.bmp"},
      {"5 I01_+1_1.bmp", "not of the form I01_02_3.bmp"},
      {"I01_01_2.bmp 5", "label 'I01_01_2.bmp' is not a finite number"},
      {"NaN I01_01_2.bmp", "not a finite number"},
      {"9.5 I01_01_2.bmp", "label 9.5 is outside 0..9"},
      {"5 i01_01_1.bmp", "stands already at"}};
  for (const auto& [line, problem] : expected) {
    put("mos_with_names.txt", "5 I01_01_1.bmp\n" + line + "\n");
    const std::string message = open_error("tid2013");
    EXPECT_THAT(message, HasSubstr("mos_with_names.txt:2: "));
    EXPECT_THAT(message, HasSubstr(problem));
  }
}

class KadidTest : public ReaderTest {
 protected:
  void SetUp() override {
    ReaderTest::SetUp();
    put("dmos.csv", "dist_img,ref_img,dmos,var\nI01_01_01.png,I01.png,4.57,0.25\nI81_25_05.png,I81.png,1,0\n");
    touch("images/I01.png");
    touch("images/I01_01_01.png");
  }
};

TEST_F(KadidTest, CalledDmosButHigherIsBetter) {
  const Dataset dataset = open("kadid");
  ASSERT_EQ(dataset.samples.size(), 2U);
  EXPECT_EQ(dataset.samples[0].mos, 4.57);
  EXPECT_EQ(dataset.samples[0].std, 0.5) << "the root of var";
  EXPECT_EQ(dataset.samples[1].reference, "I81");
  EXPECT_EQ(below(dataset.samples[0].path), "images/I01_01_01.png");
  EXPECT_EQ(below(dataset.references.at("I01")), "images/I01.png");
  EXPECT_EQ(dataset.scale.direction, Direction::kHigherIsBetter);
  EXPECT_DOUBLE_EQ(dataset.scale.to_0_100(4), 75);
  EXPECT_THAT(dataset.notes, ElementsAre("2 images listed, the release has 10125"));
  expect_no_leak(dataset);
}

TEST_F(KadidTest, ReferencesAndDistortedImagesInTwoFolders) {
  std::filesystem::remove_all(root_ / "images");
  touch("distorted_images/I01_01_01.png");
  touch("reference_images/I01.png");
  const Dataset dataset = open("kadid");
  EXPECT_EQ(below(dataset.samples[0].path), "distorted_images/I01_01_01.png");
  EXPECT_EQ(below(dataset.references.at("I01")), "reference_images/I01.png");
  EXPECT_EQ(dataset.notes.at(0), "images in distorted_images");
}

TEST_F(KadidTest, ListsOfNameAndScoreServeInPlaceOfTheTable) {
  put("other.txt", "I02_01_01.png, 3.5\n");
  EXPECT_EQ(open("kadid", ",list=other.txt").samples.at(0).reference, "I02");
  EXPECT_EQ(open("kadid", fmt::format(",list={}", (root_ / "other.txt").string())).samples.at(0).mos, 3.5);
  std::filesystem::remove(root_ / "dmos.csv");
  put("kadid10k_label.txt", "I01_01_01.png, 4.57\n");
  const Dataset dataset = open("kadid");
  EXPECT_EQ(dataset.samples.at(0).mos, 4.57);
  EXPECT_EQ(dataset.notes.at(0), "labels of kadid10k_label.txt");
  EXPECT_THAT(open_error("kadid", ",list=none.txt"), HasSubstr("none.txt: no such list"));
}

TEST_F(KadidTest, DamageIsNamed) {
  const std::map<std::string, std::string> expected = {
      {"I01_26_01.png,I01.png,2,0", "distortion type 26 is outside 1..25"},
      {"I01_02_01.png,I02.png,2,0", "with reference 'I02.png', expected I01.png"},
      {"I01_02_01.png,,2,0", "with reference ''"},
      {"I01_02_01.png,I01.png,,0", "label '' is not a finite number"},
      {"I01_02_01.png,I01.png,nan,0", "not a finite number"},
      {"I01_02_01.png,I01.png,0.5,0", "label 0.5 is outside 1..5"},
      {"I01_02_01.png,I01.png,2,-1", "var -1 is outside 0..16"},
      {"I01_01_01.png,I01.png,2,0", "stands already at"},
      {"I01_02_01.png,I01.png,2", "3 fields where the header has 4"}};
  for (const auto& [line, problem] : expected) {
    put("dmos.csv", "dist_img,ref_img,dmos,var\nI01_01_01.png,I01.png,4.57,0\n" + line + "\n");
    const std::string message = open_error("kadid");
    EXPECT_THAT(message, HasSubstr("dmos.csv:3: "));
    EXPECT_THAT(message, HasSubstr(problem));
  }
  put("dmos.csv", "dist_img,dmos\nI01_01_01.png,2\n");
  EXPECT_THAT(open_error("kadid"), HasSubstr("no column 'ref_img'"));
}

class PipalTest : public ReaderTest {
 protected:
  void SetUp() override {
    ReaderTest::SetUp();
    touch("Train_Ref/A0000.bmp");
    put("Train_Label/A0001.txt", "A0001_00_00.bmp,917\n");
    put("Train_Label/A0000.txt", "A0000_00_00.bmp,1376.5\nA0000_06_18.bmp,1836\n");
  }
};

TEST_F(PipalTest, LabelFilesInOrder) {
  touch("Train_Dist/A0000_00_00.bmp");
  const Dataset dataset = open("pipal");
  ASSERT_EQ(dataset.samples.size(), 3U);
  EXPECT_EQ(dataset.samples[0].name, "A0000_00_00.bmp");
  EXPECT_EQ(dataset.samples[0].mos, 1376.5);
  EXPECT_EQ(dataset.samples[2].name, "A0001_00_00.bmp");
  EXPECT_EQ(dataset.samples[1].reference, "A0000");
  EXPECT_EQ(below(dataset.samples[0].path), "Train_Dist/A0000_00_00.bmp");
  EXPECT_EQ(below(dataset.references.at("A0001")), "Train_Ref/A0001.bmp");
  EXPECT_EQ(dataset.scale.direction, Direction::kHigherIsBetter);
  EXPECT_DOUBLE_EQ(dataset.scale.to_0_100(1376.5), 50);
  EXPECT_THAT(dataset.notes, ElementsAre("3 images listed, the release has 23200"));
  expect_no_leak(dataset);
}

TEST_F(PipalTest, ImagesInTheFourPartsOrInOneFolder) {
  touch("Distortion_1/A0000_00_00.bmp");
  touch("Distortion_3/A0000_06_18.bmp");
  touch("Dist_Imgs/A0001_00_00.bmp");
  const Dataset dataset = open("pipal");
  EXPECT_EQ(below(dataset.samples[0].path), "Distortion_1/A0000_00_00.bmp");
  EXPECT_EQ(below(dataset.samples[1].path), "Distortion_3/A0000_06_18.bmp");
  EXPECT_EQ(below(dataset.samples[2].path), "Dist_Imgs/A0001_00_00.bmp");
}

// The first line of MANIQA's validation list; its scores reach beyond those of the training set.
TEST_F(PipalTest, ListsOfNameAndScore) {
  touch("Train_Dist/x");
  put("pipal21_val.txt", "A0005_10_00.bmp, 1238.7325\nA0020_10_29.bmp, 1857.0000\n");
  const Dataset dataset = open("pipal", ",list=pipal21_val.txt");
  EXPECT_EQ(dataset.samples.at(0).mos, 1238.7325);
  EXPECT_EQ(dataset.samples.at(0).reference, "A0005");
  EXPECT_THAT(dataset.notes.at(0), HasSubstr("labels of pipal21_val.txt"));
  EXPECT_THAT(dataset.notes.at(2), HasSubstr("1 labels lie outside 917..1836"));
}

TEST_F(PipalTest, DamageIsNamed) {
  touch("Train_Dist/x");
  const std::map<std::string, std::string> expected = {{"A0000_00_00.bmp,1400", "stands already at"},
                                                       {"A0000_00_01.bmp,inf", "not a finite number"},
                                                       {"A0000_00_01.bmp,-5", "label -5 is outside"},
                                                       {"A000_00_01.bmp,1400", "not of the form A0000_01_02.bmp"},
                                                       {"A0000_00.bmp,1400", "not of the form A0000_01_02.bmp"}};
  for (const auto& [line, problem] : expected) {
    put("Train_Label/A0001.txt", line + "\n");
    const std::string message = open_error("pipal");
    EXPECT_THAT(message, HasSubstr("A0001.txt:1: "));
    EXPECT_THAT(message, HasSubstr(problem));
  }
  std::filesystem::remove_all(root_ / "Train_Label");
  EXPECT_THAT(open_error("pipal"), HasSubstr("it has no Train_Label"));
  touch("Train_Label/readme");
  EXPECT_THAT(open_error("pipal"), HasSubstr("no .txt files of labels"));
}

}  // namespace
}  // namespace steadyiqa::data
