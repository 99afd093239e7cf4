#include "checkpoint/convert.h"

#include "base/error.h"
#include "base/text.h"
#include "checkpoint/model_file.h"
#include "checkpoint/torch_writer.h"

namespace steadyiqa::checkpoint {
namespace {

bool is_safetensors(const std::filesystem::path& path) { return lower(path.extension().string()) == ".safetensors"; }

void write(const std::filesystem::path& path, const SafetensorsFile& file) {
  if (is_safetensors(path)) {
    write_safetensors(path, file);
  } else {
    write_torch_zip(path, file.tensors, file.metadata);
  }
}

}  // namespace

void require_output_ending(const std::filesystem::path& path) {
  const auto ending = lower(path.extension().string());
  if (ending != ".safetensors" && ending != ".pth" && ending != ".pt") {
    fail_usage("{}: the output ends in .safetensors, .pth or .pt", path.string());
  }
}

std::string convert(const std::filesystem::path& in, const std::filesystem::path& out, const ModelChoice& choice,
                    const std::optional<std::vector<models::Purifier>>& purification) {
  require_output_ending(out);
  auto file = read_checkpoint(in);
  const bool own = file.info.metadata.contains(kModelMetadata);
  const bool is_model = own || !choice.is_empty() || (file.info.detected && !file.info.detected->model.empty());
  if (is_model) {
    auto model = load_model(std::move(file), in, choice);
    auto options = model.scorer.options();
    options.purification = purification.value_or(options.purification);
    model.scorer.set_options(options);
    write(out, model_contents(model.scorer, model.provenance));
    return fmt::format("{} model {}{}", own ? "SteadyIQA" : "published", options.model,
                       options.backbone.empty() ? "" : " on " + options.backbone);
  }
  if (purification) {
    fail_usage("{}: no model, so there is nothing to purify for", in.string());
  }
  SafetensorsFile plain{std::move(file.tensors), std::move(file.info.metadata)};
  for (const auto& [name, value] : file.info.scalars) {
    plain.metadata[name] = value.is_string() ? value.get<std::string>()
                                             : value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  }
  write(out, plain);
  return fmt::format("{} tensors as they are{}", plain.tensors.size(),
                     file.info.detected ? ": " + file.info.detected->what : "");
}

}  // namespace steadyiqa::checkpoint
