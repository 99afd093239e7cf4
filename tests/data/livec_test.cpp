#include "data/dataset.h"

#include "mat_files.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

namespace steadyiqa::data {
namespace {

namespace fs = std::filesystem;
using ::testing::Test;

/// The official layout in small, written with matio: 7 entries that trained the raters, then 5 samples.
class LivecTest : public Test {
 protected:
  void SetUp() override {
    root_ = scratch_folder();
    data_ = root_ / "ChallengeDB_release" / "Data";
    fs::create_directories(data_);
    for (int i = 1; i <= 7; ++i) {
      names_.push_back(fmt::format("t{}.bmp", i));
    }
    names_.insert(names_.end(), {"100.bmp", "101.bmp", "1000.JPG", "a b.JPG", "7.bmp"});
    for (int i = 0; i < 12; ++i) {
      mos_.push_back(10.0 + i / 3.0);
      std_.push_back(1.0 + i / 7.0);
    }
  }

  void write_all() {
    write_names();
    write_numbers("AllMOS_release", mos_);
    write_numbers("AllStdDev_release", std_);
  }

  void write_names() { write("AllImages_release", mat_names("AllImages_release", names_)); }
  void write_numbers(const std::string& name, const std::vector<double>& values) {
    write(name, mat_numbers(name, values));
  }
  /// Takes `variable`.
  void write(const std::string& file_name, matvar_t* variable) { write_packed_mat(path(file_name), variable); }

  [[nodiscard]] fs::path path(const std::string& name) const { return data_ / (fmt::format("{}.mat", name)); }
  [[nodiscard]] std::string read_error() const {
    return error_of([this] { static_cast<void>(read_livec(root_)); });
  }
  /// The error must name the file, the variable and what is wrong.
  void expect_error(const std::string& variable, const std::string& what) const {
    const std::string message = read_error();
    EXPECT_NE(message.find(path(variable).string()), std::string::npos) << message;
    EXPECT_NE(message.find(fmt::format(": {}: ", variable)), std::string::npos) << message;
    EXPECT_NE(message.find(what), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }

  fs::path root_;
  fs::path data_;
  std::vector<std::string> names_;
  std::vector<double> mos_;
  std::vector<double> std_;
};

TEST_F(LivecTest, DropsTheSevenTrainingEntriesAndKeepsTheOrder) {
  write_all();
  const Dataset dataset = read_livec(root_);
  ASSERT_EQ(dataset.samples.size(), 5U);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(dataset.samples[i].name, names_[i + 7]);
    EXPECT_EQ(dataset.samples[i].path, root_ / "ChallengeDB_release" / "Images" / names_[i + 7]);
    EXPECT_EQ(dataset.samples[i].mos, mos_[i + 7]);
    EXPECT_EQ(dataset.samples[i].std, std_[i + 7]);
    EXPECT_EQ(dataset.samples[i].set, "");
  }
}

TEST_F(LivecTest, NamesItsRawScale) {
  write_all();
  const LabelScale scale = open_dataset(fmt::format("livec:{}", root_.string())).scale;
  EXPECT_EQ(scale.min, 3.42);
  EXPECT_EQ(scale.max, 92.43195);
  EXPECT_EQ(scale.direction, Direction::kHigherIsBetter);
  EXPECT_EQ(scale.name, "livec raw MOS 3.42..92.43195");
}

TEST_F(LivecTest, ACountThatIsNotTheReleasesIsNoted) {
  write_all();
  EXPECT_THAT(read_livec(root_).notes, ::testing::ElementsAre("5 images listed, the release has 1162"));
}

// The first bytes of a file that MATLAB saves with -v7.3.
TEST_F(LivecTest, AMatlab73FileIsRefusedWithAdvice) {
  write_all();
  write_text(path("AllMOS_release"), std::string("MATLAB 7.3 MAT-file, Platform: GLNXA64").append(4096, ' '));
  EXPECT_NE(read_error().find("MATLAB 7.3 (HDF5), which is not read: save it with -v7, or export the list as CSV"),
            std::string::npos);
  write_text(path("AllMOS_release"), std::string(512, ' ') + "\x89HDF\r\n\x1a\n" + std::string(4096, ' '));
  EXPECT_NE(read_error().find("MATLAB 7.3 (HDF5)"), std::string::npos);
}

TEST_F(LivecTest, TakesTheReleaseFolderItself) {
  write_all();
  EXPECT_EQ(read_livec(root_ / "ChallengeDB_release").samples.size(), 5U);
}

TEST_F(LivecTest, FolderWithoutDataIsRefused) {
  fs::remove_all(data_);
  EXPECT_NE(read_error().find(fmt::format("{}: no LIVE in the Wild here", root_.string())), std::string::npos);
}

TEST_F(LivecTest, MissingFileIsNamed) {
  write_all();
  fs::remove(path("AllMOS_release"));
  EXPECT_NE(read_error().find(path("AllMOS_release").string()), std::string::npos);
}

TEST_F(LivecTest, OtherFileTypesAreRefused) {
  write_all();
  write_text(path("AllMOS_release"), std::string(4096, 'x'));
  EXPECT_NE(read_error().find("AllMOS_release.mat: not a little-endian MATLAB v5 file"), std::string::npos);
  write_text(path("AllMOS_release"), "");
  EXPECT_NE(read_error().find("AllMOS_release.mat: 0 bytes are too few"), std::string::npos);
}

TEST_F(LivecTest, TruncatedFilesAreErrors) {
  write_all();
  for (const std::string name : {"AllImages_release", "AllMOS_release", "AllStdDev_release"}) {
    const auto size = fs::file_size(path(name));
    for (auto kept = size - 1; kept > 128; kept -= std::min<std::uintmax_t>(kept - 128, 5)) {
      fs::resize_file(path(name), kept);
      EXPECT_NE(read_error().find(path(name).string()), std::string::npos) << kept;
    }
    write_all();
  }
}

TEST_F(LivecTest, MissingVariable) {
  write_all();
  fs::copy_file(path("AllStdDev_release"), path("AllMOS_release"), fs::copy_options::overwrite_existing);
  expect_error("AllMOS_release", "no such variable");
}

TEST_F(LivecTest, CountsMustAgree) {
  mos_.pop_back();
  write_all();
  expect_error("AllMOS_release", "11 entries where");
}

TEST_F(LivecTest, OnlyTrainingEntries) {
  names_.resize(7);
  mos_.resize(7);
  std_.resize(7);
  write_all();
  expect_error("AllImages_release", "7 entries");
}

TEST_F(LivecTest, ImagesMustBeACell) {
  write_all();
  write_numbers("AllImages_release", mos_);
  expect_error("AllImages_release", "not a cell array");
}

TEST_F(LivecTest, CellsMustBeText) {
  write_all();
  std::size_t dims[2] = {12, 1};
  std::size_t one[2] = {1, 1};
  double value = 5;
  matvar_t* list = Mat_VarCreate("AllImages_release", MAT_C_CELL, MAT_T_CELL, 2, dims, nullptr, 0);
  for (int i = 0; i < 12; ++i) {
    Mat_VarSetCell(list, i, Mat_VarCreate(nullptr, MAT_C_DOUBLE, MAT_T_DOUBLE, 2, one, &value, 0));
  }
  write("AllImages_release", list);
  expect_error("AllImages_release", "entry 1 is not a line of text");
}

TEST_F(LivecTest, MosMustBeDoubles) {
  write_all();
  std::vector<float> values(12, 5.0F);
  std::size_t dims[2] = {1, 12};
  write("AllMOS_release", Mat_VarCreate("AllMOS_release", MAT_C_SINGLE, MAT_T_SINGLE, 2, dims, values.data(), 0));
  expect_error("AllMOS_release", "neither real doubles nor bytes");
}

TEST_F(LivecTest, MosMustBeAList) {
  write_all();
  std::size_t dims[2] = {3, 4};
  write("AllMOS_release", Mat_VarCreate("AllMOS_release", MAT_C_DOUBLE, MAT_T_DOUBLE, 2, dims, mos_.data(), 0));
  expect_error("AllMOS_release", "3x4");
}

TEST_F(LivecTest, MosMustBeFiniteAndInRange) {
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), -1e9}) {
    mos_[9] = bad;
    write_all();
    expect_error("AllMOS_release", "entry 10 is");
  }
}

TEST_F(LivecTest, NamesMustStayInTheImagesFolder) {
  for (const std::string bad : {"../../etc/passwd", "..", "a\\b.bmp", "a\nb.bmp", "\x7f.bmp"}) {
    names_[8] = bad;
    write_all();
    expect_error("AllImages_release", "entry 9 ");
  }
}

TEST_F(LivecTest, OverlongNameIsRefused) {
  names_[8] = std::string(300, 'a');
  write_all();
  expect_error("AllImages_release", "300 characters");
}

TEST_F(LivecTest, RepeatedNameIsRefused) {
  names_[8] = names_[10];
  write_all();
  expect_error("AllImages_release", "entry 11: image 'a b.JPG' stands already at");
}

// matio 1.5.23 overflows the stack on this file.
TEST_F(LivecTest, CellsWithinCellsAreRefused) {
  write_all();
  constexpr std::uint32_t kDepth = 100'000;
  std::string text;
  for (std::uint32_t level = 0; level < kDepth; ++level) {
    // tag of a matrix with what follows; flags (class 1 = cell); dimensions 1x1; empty name
    const std::uint32_t words[12] = {14, 48 * (kDepth - level) - 8, 6, 8, 1, 0, 5, 8, 1, 1, 1, 0};
    text.append(reinterpret_cast<const char*>(words), sizeof(words));
  }
  write_text(path("AllImages_release"), compressed_mat(text));
  const std::string message = read_error();
  EXPECT_NE(message.find("AllImages_release.mat: holds MATLAB class 1 (a cell) within a cell"), std::string::npos)
      << message;
}

TEST_F(LivecTest, ABombIsRefused) {
  write_all();
  write_text(path("AllMOS_release"), compressed_mat(std::string(9U << 20U, '\0')));
  EXPECT_NE(read_error().find("AllMOS_release.mat: unpacks to more than"), std::string::npos);
}

}  // namespace
}  // namespace steadyiqa::data
