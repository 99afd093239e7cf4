// LIVE in the Wild Image Quality Challenge Database (Ghadiyaram, Bovik 2016) from its official release.
#include "data/dataset.h"

#include "data/mat5_guard.h"

#include "base/error.h"
#include "base/file.h"

#include <matio.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string_view>
#include <unordered_set>

namespace steadyiqa::data {
namespace {

namespace fs = std::filesystem;

/// The first entries (t1.bmp .. t7.bmp) trained the raters and are not part of the test set (the release's README).
constexpr std::size_t kRaterTrainingEntries = 7;
// The released files hold 1169 entries in under 10 KB each.
constexpr std::size_t kMaxEntries = 1'000'000;
constexpr std::size_t kMaxNameLength = 255;
constexpr std::uint64_t kMaxMatBytes = 1ULL << 20U;

struct CloseMat {
  void operator()(mat_t* file) const { Mat_Close(file); }
};
struct FreeVariable {
  void operator()(matvar_t* variable) const { Mat_VarFree(variable); }
};

/// One variable of a MATLAB v5 file: header first, so that its size is known before its data are read.
class MatVariable {
 public:
  MatVariable(const fs::path& path, const std::string& name) : where_(path.string() + ": " + name) {
    check_mat5(path.string(), read_file(path, kMaxMatBytes));
    file_.reset(Mat_Open(path.c_str(), MAT_ACC_RDONLY));
    if (!file_) {
      fail_input("{}: not a readable MATLAB v5 file", path.string());
    }
    variable_.reset(Mat_VarReadInfo(file_.get(), name.c_str()));
    if (!variable_) {
      fail_input("{}: no such variable, or a damaged file", where_);
    }
    if (variable_->rank != 2 || variable_->dims == nullptr) {
      fail_input("{}: {} dimensions where a list was expected", where_, variable_->rank);
    }
    const std::size_t rows = variable_->dims[0];
    const std::size_t columns = variable_->dims[1];
    if ((rows != 1 && columns != 1) || std::max(rows, columns) > kMaxEntries) {
      fail_input("{}: {}x{} where a list of at most {} entries was expected", where_, rows, columns, kMaxEntries);
    }
    count_ = rows * columns;
  }

  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] const std::string& where() const { return where_; }

  /// The list as doubles, each in [low, high].
  [[nodiscard]] std::vector<double> numbers(double low, double high) const {
    if (variable_->class_type != MAT_C_DOUBLE || variable_->isComplex != 0) {
      fail_input("{}: not real doubles", where_);
    }
    read_data();
    if (variable_->data == nullptr || variable_->data_type != MAT_T_DOUBLE ||
        variable_->nbytes != count_ * sizeof(double)) {
      fail_input("{}: damaged data", where_);
    }
    const auto* data = static_cast<const double*>(variable_->data);
    std::vector<double> values(data, data + count_);
    for (std::size_t i = 0; i < count_; ++i) {
      if (!(values[i] >= low && values[i] <= high)) {
        fail_input("{}: entry {} is {}, outside {}..{}", where_, i + 1, values[i], low, high);
      }
    }
    return values;
  }

  /// The cell array as file names.
  [[nodiscard]] std::vector<std::string> names() const {
    if (variable_->class_type != MAT_C_CELL) {
      fail_input("{}: not a cell array", where_);
    }
    auto* const* cells = static_cast<matvar_t* const*>(variable_->data);
    if (cells == nullptr || variable_->nbytes != count_ * sizeof(matvar_t*)) {
      fail_input("{}: damaged data", where_);
    }
    for (std::size_t i = 0; i < count_; ++i) {
      check_cell(cells[i], i);
    }
    read_data();
    std::vector<std::string> names;
    for (std::size_t i = 0; i < count_; ++i) {
      names.push_back(cell_text(*cells[i], i));
    }
    return names;
  }

 private:
  void read_data() const {
    if (Mat_VarReadDataAll(file_.get(), variable_.get()) != MATIO_E_NO_ERROR) {
      fail_input("{}: damaged data", where_);
    }
  }

  void check_cell(const matvar_t* cell, std::size_t index) const {
    if (cell == nullptr || cell->class_type != MAT_C_CHAR || cell->rank != 2 || cell->dims == nullptr ||
        cell->dims[0] != 1 || cell->dims[1] < 1) {
      fail_input("{}: entry {} is not a line of text", where_, index + 1);
    }
    if (cell->dims[1] > kMaxNameLength) {
      fail_input("{}: entry {} has {} characters, more than {}", where_, index + 1, cell->dims[1], kMaxNameLength);
    }
  }

  /// The name that a cell holds. Only plain file names in printable ASCII pass: no folders, nothing that leaves
  /// Images/.
  [[nodiscard]] std::string cell_text(const matvar_t& cell, std::size_t index) const {
    const std::size_t length = cell.dims[1];
    const auto width = static_cast<std::size_t>(cell.data_size);
    if (cell.data == nullptr || (width != 1 && width != 2) || cell.nbytes < length * width) {
      fail_input("{}: entry {} is damaged or not ASCII", where_, index + 1);
    }
    std::string name;
    for (std::size_t i = 0; i < length; ++i) {
      const unsigned code =
          width == 1 ? static_cast<const std::uint8_t*>(cell.data)[i] : static_cast<const std::uint16_t*>(cell.data)[i];
      if (code < 0x20 || code > 0x7e || code == '/' || code == '\\') {
        fail_input("{}: entry {} holds character {:#x}, which no image name has", where_, index + 1, code);
      }
      name += static_cast<char>(code);
    }
    if (name == "." || name == "..") {
      fail_input("{}: entry {} is '{}', not an image name", where_, index + 1, name);
    }
    return name;
  }

  std::string where_;
  std::unique_ptr<mat_t, CloseMat> file_;
  std::unique_ptr<matvar_t, FreeVariable> variable_;
  std::size_t count_ = 0;
};

fs::path release_folder(const fs::path& dir) {
  for (const fs::path& folder : {dir, dir / "ChallengeDB_release"}) {
    std::error_code ignored;
    if (fs::is_directory(folder / "Data", ignored)) {
      return folder;
    }
  }
  fail_input("{}: no LIVE in the Wild here (neither Data/ nor ChallengeDB_release/Data/)", dir.string());
}

void require_same_count(const MatVariable& list, const MatVariable& names) {
  if (list.count() != names.count()) {
    fail_input("{}: {} entries where {} has {}", list.where(), list.count(), names.where(), names.count());
  }
}

}  // namespace

Dataset read_livec(const fs::path& dir) {
  const fs::path folder = release_folder(dir);
  const MatVariable image_list(folder / "Data" / "AllImages_release.mat", "AllImages_release");
  const MatVariable mos_list(folder / "Data" / "AllMOS_release.mat", "AllMOS_release");
  const MatVariable std_list(folder / "Data" / "AllStdDev_release.mat", "AllStdDev_release");
  require_same_count(mos_list, image_list);
  require_same_count(std_list, image_list);
  if (image_list.count() <= kRaterTrainingEntries) {
    fail_input("{}: {} entries, of which the first {} are not part of the data set", image_list.where(),
               image_list.count(), kRaterTrainingEntries);
  }
  const std::vector<std::string> names = image_list.names();
  const std::vector<double> mos = mos_list.numbers(0, 100);
  const std::vector<double> deviations = std_list.numbers(0, 100);

  Dataset dataset;
  dataset.name = "livec";
  dataset.scale = {3.42, 92.43195, Direction::kHigherIsBetter, "livec raw MOS 3.42..92.43195"};
  std::unordered_set<std::string> seen;
  for (std::size_t i = kRaterTrainingEntries; i < names.size(); ++i) {
    if (!seen.insert(names[i]).second) {
      fail_input("{}: image '{}' stands twice", image_list.where(), names[i]);
    }
    Sample sample;
    sample.name = names[i];
    sample.path = folder / "Images" / names[i];
    sample.mos = mos[i];
    sample.std = deviations[i];
    dataset.samples.push_back(std::move(sample));
  }
  return dataset;
}

}  // namespace steadyiqa::data
