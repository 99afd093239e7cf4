// The operator table: how each aten operation is said in ONNX.
#pragma once

#include "exporting/lowering.h"

#include <span>

namespace steadyiqa::exporting {

/// Adds the nodes of one operation and gives the names of its results: one, or those of a list of tensors.
struct OpRow {
  const char* name;  ///< without "aten::" and the "_" of the in-place form
  Names (*lower)(const Op& op);
};

[[nodiscard]] std::span<const OpRow> op_table();

}  // namespace steadyiqa::exporting
