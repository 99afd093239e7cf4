// A model as an ONNX file: pixels in, calibrated score out, and in the metadata what a caller must know.
#pragma once

#include "exporting/onnx_graph.h"
#include "models/scorer.h"

#include <cstdint>
#include <string>

namespace steadyiqa::exporting {

struct ExportOptions {
  std::int64_t height = 0;  ///< of the input, pixels; 0 = the model's crop
  std::int64_t width = 0;
  std::int64_t batch = 0;      ///< images at a time; 0 = any number
  std::string model_sha256{};  ///< of the model file, for the metadata
  std::string tool_version{};  ///< of SteadyIQA, for the metadata
};

struct ExportedModel {
  std::string bytes;  ///< of the file; the same model and options give the same
  Metadata metadata;  ///< as in the file
  std::int64_t height = 0;
  std::int64_t width = 0;
};

/// ONNX of one crop's way to its score: input "pixels" [N,3,H,W] float32 RGB in [0,1]; outputs "score" [N], calibrated
/// to 0-100, and "raw" [N], the network's. Normalisation and calibration are inside, placement and average of crops are
/// not. Throws Error(kUsage) for a size that the model does not take and for a model with purification, Error(kInput)
/// for an operation that cannot be exported.
[[nodiscard]] ExportedModel export_onnx(const models::Scorer& scorer, const ExportOptions& options);

}  // namespace steadyiqa::exporting
