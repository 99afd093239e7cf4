#include "cli/common.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/json_text.h"
#include "base/log.h"
#include "base/text.h"
#include "checkpoint/model_file.h"
#include "exporting/export_model.h"

#include <cmath>

namespace steadyiqa::cli {
namespace {

constexpr double kMaxBatch = 256;  // the network is traced with as many

struct ExportFlags {
  std::string model;
  std::string out;
  std::string size;
  std::string batch = "dynamic";
  bool json = false;
  RuntimeFlags runtime;
  PreprocessingFlags preprocessing;
};

std::int64_t parse_batch(const std::string& text) {
  if (text == "dynamic") {
    return 0;
  }
  const double count = parse_number(text).value_or(0);
  if (!(count >= 1 && count <= kMaxBatch && std::floor(count) == count)) {
    fail_usage("--batch {}: expected a number of images, 1 to {}, or dynamic", text, kMaxBatch);
  }
  return static_cast<std::int64_t>(count);
}

int run_export(const ExportFlags& flags) {
  exporting::ExportOptions options{.batch = parse_batch(flags.batch), .tool_version = kVersion};
  if (!flags.size.empty()) {
    const auto size = parse_size(flags.size);
    options.height = size.height;
    options.width = size.width;
  }
  if (lower(std::filesystem::path(flags.out).extension().string()) != ".onnx") {
    fail_usage("{}: the exported file's name must end in .onnx", flags.out);
  }
  flags.runtime.apply();
  auto model = checkpoint::load_model(flags.model);
  flags.preprocessing.apply(model.scorer);
  if (!model.scorer.options().scale.calibrated) {
    log_warning("{}: not calibrated, its score is raw network output", flags.model);
  }
  options.model_sha256 = model.sha256;
  const auto exported = exporting::export_onnx(model.scorer, options);
  write_file_atomic(flags.out, exported.bytes);
  const auto batch = options.batch == 0 ? std::string("N") : std::to_string(options.batch);
  const auto shape = fmt::format("[{},3,{},{}]", batch, exported.height, exported.width);
  if (!flags.json) {
    print(fmt::format("{}: {:.1f} MB, ONNX opset {}, pixels {} -> score [{}], raw [{}]\n", one_line(flags.out),
                      static_cast<double>(exported.bytes.size()) / 1e6, exporting::kOnnxOpset, shape, batch, batch));
    return 0;
  }
  auto json = output_head("export", {{"batch", flags.batch}, {"height", exported.height}, {"width", exported.width}});
  json["model"] = {{"path", flags.model}, {"sha256", model.sha256}};
  json["out"] = {{"path", flags.out},
                 {"sha256", sha256_hex(std::string_view(exported.bytes))},
                 {"bytes", exported.bytes.size()},
                 {"opset", exporting::kOnnxOpset},
                 {"ir_version", exporting::kOnnxIrVersion},
                 {"input", {{"name", "pixels"}, {"shape", shape}}},
                 {"metadata", nlohmann::json::object()}};
  for (const auto& [key, value] : exported.metadata) {
    json["out"]["metadata"][key] = value;
  }
  print(json_text(json, 1) + "\n");
  return 0;
}

}  // namespace

Command add_export(CLI::App& app) {
  auto flags = std::make_shared<ExportFlags>();
  auto* sub = app.add_subcommand("export", "a model as an ONNX file, calibration and metadata included");
  sub->add_option("MODEL", flags->model, "model file (.safetensors)")->required();
  sub->add_option("OUT", flags->out, "file to write (.onnx)")->required();
  sub->add_option("--size", flags->size, "HxW of the input, for models of any size (default: the model's crop)");
  sub->add_option("--batch", flags->batch, "images at a time: a number, or dynamic for any")->capture_default_str();
  sub->add_flag("--json", flags->json, "what was written, as JSON");
  flags->runtime.add_threads(*sub);
  flags->preprocessing.add(*sub);
  sub->footer(
      "The exported graph scores one crop (or whole image): it normalises and calibrates, but places no crops. Its "
      "metadata hold what the preprocessing flags say; steadyiqa-score reads them there.");
  return {sub, [flags] { return run_export(*flags); }};
}

}  // namespace steadyiqa::cli
