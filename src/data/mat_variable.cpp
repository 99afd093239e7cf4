#include "data/mat_variable.h"

#include "data/mat5_guard.h"

#include "base/error.h"
#include "base/file.h"

#include <algorithm>
#include <cstdint>

namespace steadyiqa::data {
namespace {

constexpr std::size_t kMaxCells = 1'000'000;
constexpr std::size_t kMaxVariableName = 255;
constexpr std::uint64_t kMaxMatBytes = 1ULL << 20U;  // the released files have under 100 KB

}  // namespace

MatVariable::MatVariable(const std::filesystem::path& path, const std::string& name)
    : where_(path.string() + ": " + name) {
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
  if ((rows != 1 && columns != 1) || std::max(rows, columns) > kMaxCells) {
    fail_input("{}: {}x{} where a list of at most {} entries was expected", where_, rows, columns, kMaxCells);
  }
  count_ = rows * columns;
}

std::string MatVariable::place(std::size_t index) const { return fmt::format("{}: entry {}", where_, index + 1); }

template <class T>
std::vector<double> MatVariable::values() const {
  if (variable_->data == nullptr || variable_->nbytes != count_ * sizeof(T)) {
    fail_input("{}: damaged data", where_);
  }
  const auto* data = static_cast<const T*>(variable_->data);
  return std::vector<double>(data, data + count_);
}

std::vector<double> MatVariable::numbers(double low, double high) const {
  const bool is_bytes = variable_->class_type == MAT_C_UINT8;
  if ((variable_->class_type != MAT_C_DOUBLE && !is_bytes) || variable_->isComplex != 0) {
    fail_input("{}: neither real doubles nor bytes", where_);
  }
  read_data();
  if (variable_->data_type != (is_bytes ? MAT_T_UINT8 : MAT_T_DOUBLE)) {
    fail_input("{}: damaged data", where_);
  }
  std::vector<double> list = is_bytes ? values<std::uint8_t>() : values<double>();
  for (std::size_t i = 0; i < count_; ++i) {
    if (!(list[i] >= low && list[i] <= high)) {
      fail_input("{} is {}, outside {}..{}", place(i), list[i], low, high);
    }
  }
  return list;
}

std::vector<std::string> MatVariable::names() const {
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

void MatVariable::read_data() const {
  if (Mat_VarReadDataAll(file_.get(), variable_.get()) != MATIO_E_NO_ERROR) {
    fail_input("{}: damaged data", where_);
  }
}

void MatVariable::check_cell(const matvar_t* cell, std::size_t index) const {
  if (cell == nullptr || cell->class_type != MAT_C_CHAR || cell->rank != 2 || cell->dims == nullptr ||
      cell->dims[0] != 1 || cell->dims[1] < 1) {
    fail_input("{} is not a line of text", place(index));
  }
  if (cell->dims[1] > kMaxVariableName) {
    fail_input("{} has {} characters, more than {}", place(index), cell->dims[1], kMaxVariableName);
  }
}

std::string MatVariable::cell_text(const matvar_t& cell, std::size_t index) const {
  const std::size_t length = cell.dims[1];
  const auto width = static_cast<std::size_t>(cell.data_size);
  if (cell.data == nullptr || (width != 1 && width != 2) || cell.nbytes < length * width) {
    fail_input("{} is damaged or not ASCII", place(index));
  }
  std::string name;
  for (std::size_t i = 0; i < length; ++i) {
    const unsigned code =
        width == 1 ? static_cast<const std::uint8_t*>(cell.data)[i] : static_cast<const std::uint16_t*>(cell.data)[i];
    if (code < 0x20 || code > 0x7e || code == '/' || code == '\\') {
      fail_input("{} holds character {:#x}, which no image name has", place(index), code);
    }
    name += static_cast<char>(code);
  }
  if (name == "." || name == "..") {
    fail_input("{} is '{}', not an image name", place(index), name);
  }
  return name;
}

void require_same_count(const MatVariable& list, const MatVariable& other) {
  if (list.count() != other.count()) {
    fail_input("{}: {} entries where {} has {}", list.where(), list.count(), other.where(), other.count());
  }
}

}  // namespace steadyiqa::data
