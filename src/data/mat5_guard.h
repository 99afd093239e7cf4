// A look at a MATLAB file before matio reads it.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace steadyiqa::data {

/// Throws Error(kInput), beginning with `name`, unless the bytes are a little-endian MATLAB v5 file of matrices and of
/// cell arrays of matrices, which unpacks to at most 8 MiB. matio follows cells within cells without a limit (a file
/// of 200 KB overflows the stack), and opens other versions of the format as HDF5.
void check_mat5(const std::string& name, std::span<const std::byte> bytes);

}  // namespace steadyiqa::data
