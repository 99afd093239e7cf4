// Runs exported models with onnxruntime, in one node process for many of them.
#pragma once

#include "base/file.h"
#include "places.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <torch/torch.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace steadyiqa::testing {

/// Where scripts/npm_packages puts what it installs.
inline std::filesystem::path node_modules() { return repository() / "build" / "npm" / "node_modules"; }

/// Why no model can be run here, "" when one can.
inline std::string no_onnxruntime() {
  if (!std::filesystem::exists(node_modules() / "onnxruntime-node")) {
    return "onnxruntime-node is not installed (scripts/npm_packages does it)";
  }
  return std::system("node --version > /dev/null 2>&1") == 0 ? "" : "node is not installed (scripts/packages does it)";
}

/// Collects models and inputs, then runs them all.
class OnnxJobs {
 public:
  explicit OnnxJobs(std::filesystem::path folder) : folder_(std::move(folder)) {}

  void add(const std::string& model_bytes, const torch::Tensor& pixels) {
    const auto model = folder_ / fmt::format("{}.onnx", jobs_.size());
    const auto input = folder_ / fmt::format("{}.pixels", jobs_.size());
    const auto values = pixels.contiguous();
    write_file_atomic(model, model_bytes);
    write_file_atomic(input, std::string_view(static_cast<const char*>(values.data_ptr()), values.nbytes()));
    jobs_.push_back({{"model", model}, {"pixels", input}, {"shape", pixels.sizes().vec()}});
  }

  /// The outputs of each job by name, float32; empty, with a test failure, when a model does not run.
  [[nodiscard]] std::vector<std::map<std::string, torch::Tensor>> run() const {
    write_file_atomic(folder_ / "jobs.json", jobs_.dump());
    const auto out = folder_ / "results.json";
    const auto errors = folder_ / "errors.txt";
    const auto command = fmt::format("NODE_PATH='{}' node '{}' '{}' > '{}' 2> '{}'", node_modules().string(),
                                     (repository() / "tests" / "exporting" / "run_onnx.js").string(),
                                     (folder_ / "jobs.json").string(), out.string(), errors.string());
    if (std::system(command.c_str()) != 0) {
      ADD_FAILURE() << read_text_file(errors);
      return {};
    }
    std::vector<std::map<std::string, torch::Tensor>> results;
    for (const auto& job : nlohmann::json::parse(read_text_file(out))) {
      auto& outputs = results.emplace_back();
      for (const auto& [name, output] : job.items()) {
        const auto values = output.at("values").get<std::vector<double>>();
        outputs[name] = torch::tensor(values, torch::kFloat32).view(output.at("dims").get<std::vector<std::int64_t>>());
      }
    }
    return results;
  }

 private:
  std::filesystem::path folder_;
  nlohmann::json jobs_ = nlohmann::json::array();
};

}  // namespace steadyiqa::testing
