// One variable of a MATLAB v5 file as a list.
#pragma once

#include <matio.h>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace steadyiqa::data {

/// Opened by its header first, so that its size is known before its data are read. Every function throws Error(kInput)
/// "FILE: VARIABLE: ..." for a missing variable, another type, damaged data, or more than a million entries.
class MatVariable {
 public:
  MatVariable(const std::filesystem::path& path, const std::string& name);

  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] const std::string& where() const { return where_; }
  /// Where entry `index` (from 0) stands, for messages.
  [[nodiscard]] std::string place(std::size_t index) const;

  /// The list (doubles, bytes or truth values) as doubles, each in [low, high].
  [[nodiscard]] std::vector<double> numbers(double low, double high) const;
  /// The cell array as file names: plain names in printable ASCII, no folders.
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  struct CloseMat {
    void operator()(mat_t* file) const { Mat_Close(file); }
  };
  struct FreeVariable {
    void operator()(matvar_t* variable) const { Mat_VarFree(variable); }
  };

  void read_data() const;
  void check_cell(const matvar_t* cell, std::size_t index) const;
  [[nodiscard]] std::string cell_text(const matvar_t& cell, std::size_t index) const;
  template <class T>
  [[nodiscard]] std::vector<double> values() const;

  std::string where_;
  std::unique_ptr<mat_t, CloseMat> file_;
  std::unique_ptr<matvar_t, FreeVariable> variable_;
  std::size_t count_ = 0;
};

/// Throws Error(kInput) unless both lists are equally long.
void require_same_count(const MatVariable& list, const MatVariable& other);

}  // namespace steadyiqa::data
