#include "mat_files.h"
#include "reader_test_support.h"

#include <limits>

namespace steadyiqa::data {
namespace {

/// All 982 entries, as the index alone says which image a label is of; every fifth is a pristine copy.
class LiveTest : public ReaderTest {
 protected:
  void SetUp() override {
    ReaderTest::SetUp();
    for (const std::string folder : {"jp2k", "jpeg", "wn", "gblur", "fastfading", "refimgs"}) {
      std::filesystem::create_directories(root_ / folder);
    }
    for (int i = 0; i < 982; ++i) {
      dmos_.push_back(i / 10.0);
      pristine_.push_back(i % 5 == 0 ? 1 : 0);
      references_.push_back(i % 2 == 0 ? "bikes.bmp" : "sailing4.bmp");
    }
  }
  void write_all() const {
    write_mat(root_ / "dmos_realigned.mat", {mat_numbers("dmos_new", dmos_), mat_numbers("orgs", pristine_)});
    write_packed_mat(root_ / "refnames_all.mat", mat_names("refnames_all", references_));
  }

  std::vector<double> dmos_;
  std::vector<double> pristine_;
  std::vector<std::string> references_;
};

// models.md section 5: img<N>.bmp of jp2k 227, jpeg 233, wn 174, gblur 174, fastfading 174, in this order.
TEST_F(LiveTest, IndexesAreImagesOfTheFiveFoldersInOrder) {
  write_all();
  const Dataset dataset = open("live");
  EXPECT_EQ(dataset.samples.size(), 785U);
  std::map<double, std::string> name_of;
  for (const Sample& sample : dataset.samples) {
    name_of[sample.mos] = sample.name;
    EXPECT_EQ(below(sample.path), sample.name);
  }
  EXPECT_EQ(name_of.at(0.1), "jp2k/img2.bmp");
  EXPECT_EQ(name_of.at(22.6), "jp2k/img227.bmp");
  EXPECT_EQ(name_of.at(22.7), "jpeg/img1.bmp");
  EXPECT_EQ(name_of.at(45.9), "jpeg/img233.bmp");
  EXPECT_EQ(name_of.at(46.1), "wn/img2.bmp");
  EXPECT_EQ(name_of.at(63.4), "gblur/img1.bmp");
  EXPECT_EQ(name_of.at(98.1), "fastfading/img174.bmp");
  EXPECT_EQ(name_of.count(0.5), 0U) << "a pristine copy";
}

TEST_F(LiveTest, LowerIsBetterAndReferencesStayTogether) {
  write_all();
  const Dataset dataset = open("live");
  EXPECT_EQ(dataset.scale.direction, Direction::kLowerIsBetter);
  EXPECT_DOUBLE_EQ(dataset.scale.to_0_100(30), 70);
  EXPECT_EQ(dataset.scale.transformation(), "100 - 100 * (label - 0) / (100 - 0)");
  EXPECT_EQ(dataset.samples[0].reference, "sailing4");
  EXPECT_EQ(below(dataset.references.at("bikes")), "refimgs/bikes.bmp");
  EXPECT_THAT(dataset.notes, ElementsAre("785 images listed, the release has 779"));
  expect_no_leak(dataset);
}

TEST_F(LiveTest, TheOlderLabelsServeWhereTheRealignedAreMissingOrOnRequest) {
  write_all();
  write_mat(root_ / "dmos.mat", {mat_numbers("dmos", std::vector<double>(982, 7)), mat_numbers("orgs", pristine_)});
  EXPECT_EQ(open("live").samples[0].mos, 0.1);
  EXPECT_EQ(open("live", ",labels=dmos").samples[0].mos, 7);
  std::filesystem::remove(root_ / "dmos_realigned.mat");
  const Dataset dataset = open("live");
  EXPECT_EQ(dataset.samples[0].mos, 7);
  EXPECT_THAT(dataset.notes.at(0), HasSubstr("older dmos.mat"));
  EXPECT_THAT(open_error("live", ",labels=dmos_realigned"), HasSubstr("it has no dmos_realigned.mat"));
  EXPECT_THAT(open_error("live", ",labels=mos", ErrorKind::kUsage), HasSubstr("must be one of dmos_realigned, dmos"));
}

TEST_F(LiveTest, TruthValuesServeAsMarks) {
  write_all();
  std::vector<std::uint8_t> marks(pristine_.begin(), pristine_.end());
  std::size_t dims[2] = {1, marks.size()};
  write_mat(root_ / "dmos_realigned.mat",
            {mat_numbers("dmos_new", dmos_),
             Mat_VarCreate("orgs", MAT_C_UINT8, MAT_T_UINT8, 2, dims, marks.data(), MAT_F_LOGICAL)});
  EXPECT_EQ(open("live").samples.size(), 785U);
}

TEST_F(LiveTest, LabelsOverTheScaleAreNoted) {
  dmos_[1] = 104.5;
  write_all();
  EXPECT_THAT(open("live").notes.at(1), HasSubstr("1 labels lie outside 0..100"));
}

TEST_F(LiveTest, DamageIsNamed) {
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), 1e9}) {
    dmos_[4] = bad;
    write_all();
    EXPECT_THAT(open_error("live"), HasSubstr("dmos_realigned.mat: dmos_new: entry 5 is"));
  }
  dmos_[4] = 1;
  pristine_[4] = 2;
  write_all();
  EXPECT_THAT(open_error("live"), HasSubstr("orgs: entry 5 is 2"));
  pristine_[4] = 0;
  references_.pop_back();
  write_all();
  EXPECT_THAT(open_error("live"), HasSubstr("refnames_all: 981 entries where the release has 982"));
}

TEST_F(LiveTest, MissingPartsAreNamed) {
  write_all();
  for (const std::string part : {"refimgs", "wn", "refnames_all.mat", "dmos_realigned.mat"}) {
    std::filesystem::rename(root_ / part, root_ / "away");
    EXPECT_THAT(open_error("live"), HasSubstr("no LIVE here: it has no " + part));
    std::filesystem::rename(root_ / "away", root_ / part);
  }
}

}  // namespace
}  // namespace steadyiqa::data
