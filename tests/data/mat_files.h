// MATLAB v5 files as the tests of the readers need them, written with matio.
#pragma once

#include "base/file.h"
#include "data/data_test_support.h"

#include <matio.h>
#include <zlib.h>

#include <filesystem>
#include <string>
#include <vector>

namespace steadyiqa::data {

/// A MATLAB v5 file of one compressed element (type 15) that unpacks to `text`.
inline std::string compressed_mat(const std::string& text) {
  uLongf size = compressBound(text.size());
  std::string packed(size, '\0');
  compress2(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(text.data()), text.size(),
            9);
  const std::uint32_t tag[2] = {15, static_cast<std::uint32_t>(size)};
  std::string file(128, ' ');
  file.replace(124, 4, std::string("\x00\x01IM", 4));
  return file.append(reinterpret_cast<const char*>(tag), sizeof(tag)).append(packed, 0, size);
}

/// A row of doubles.
inline matvar_t* mat_numbers(const std::string& name, std::vector<double> values) {
  std::size_t dims[2] = {1, values.size()};
  return Mat_VarCreate(name.c_str(), MAT_C_DOUBLE, MAT_T_DOUBLE, 2, dims, values.data(), 0);
}

/// A cell array of texts.
inline matvar_t* mat_names(const std::string& name, std::vector<std::string> texts) {
  std::size_t dims[2] = {texts.size(), 1};
  matvar_t* list = Mat_VarCreate(name.c_str(), MAT_C_CELL, MAT_T_CELL, 2, dims, nullptr, 0);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    std::size_t length[2] = {1, texts[i].size()};
    Mat_VarSetCell(list, static_cast<int>(i),
                   Mat_VarCreate(nullptr, MAT_C_CHAR, MAT_T_UINT8, 2, length, texts[i].data(), 0));
  }
  return list;
}

/// Writes the variables, and takes them.
inline void write_mat(const std::filesystem::path& path, const std::vector<matvar_t*>& variables) {
  mat_t* file = Mat_CreateVer(path.c_str(), nullptr, MAT_FT_MAT5);
  ASSERT_NE(file, nullptr);
  for (matvar_t* variable : variables) {
    Mat_VarWrite(file, variable, MAT_COMPRESSION_NONE);
    Mat_VarFree(variable);
  }
  Mat_Close(file);
}

/// The same with one variable, packed as the released files are. Packed here: matio 1.5.23 writes wrong lengths into
/// compressed cell arrays.
inline void write_packed_mat(const std::filesystem::path& path, matvar_t* variable) {
  write_mat(path, {variable});
  write_text(path, compressed_mat(read_text_file(path).substr(128)));
}

}  // namespace steadyiqa::data
