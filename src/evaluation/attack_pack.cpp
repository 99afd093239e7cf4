#include "evaluation/attack_pack.h"

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json_text.h"
#include "base/text.h"
#include "data/loader.h"
#include "evaluation/evaluate.h"
#include "image/fidelity.h"
#include "models/network.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace steadyiqa::evaluation {
namespace {

constexpr const char* kConfigFile = "pack.json";
constexpr const char* kRowsFile = "rows.jsonl";
constexpr double kScoreTolerance = 1e-3;  // points: libraries and machines differ in the last bits

nlohmann::json to_json(const PackConfig& c) {
  return {{"format", kPackFormat},
          {"attack",
           {{"name", c.attack.name},
            {"parameters", c.attack.parameters},
            {"eps_px", c.attack.epsilon},
            {"eps_levels", c.attack.levels},
            {"direction", c.attack.direction},
            {"unit", c.attack.unit},
            {"seed", c.seed},
            {"adaptive", c.adaptive},
            {"judged", kJudged}}},
          {"victim",
           {{"name", c.victim},
            {"sha256", c.victim_sha256},
            {"preprocessing", c.preprocessing},
            {"calibration", {c.calibration.slope, c.calibration.intercept}}}},
          {"data", c.data_name}};
}

PackConfig config_from(const nlohmann::json& json) {
  const auto& attack = json.at("attack");
  const auto& victim = json.at("victim");
  PackConfig c;
  c.attack = {.name = attack.at("name").get<std::string>(),
              .parameters = attack.at("parameters"),
              .epsilon = attack.at("eps_px").get<double>(),
              .levels = attack.at("eps_levels").get<int>(),
              .direction = attack.at("direction").get<std::string>(),
              .unit = attack.at("unit").get<std::string>()};
  c.seed = attack.at("seed").get<std::int64_t>();
  c.adaptive = attack.value("adaptive", c.adaptive);  // packs from before purification have none
  c.victim = victim.at("name").get<std::string>();
  c.victim_sha256 = victim.at("sha256").get<std::string>();
  c.preprocessing = victim.at("preprocessing").get<std::string>();
  const auto line = victim.at("calibration").get<std::array<double, 2>>();
  c.calibration = {line[0], line[1]};
  c.data_name = json.at("data").get<std::string>();
  return c;
}

nlohmann::json to_json(const PackRow& row) {
  auto json = to_json(row.result, /*attacked=*/true);
  json["file"] = row.file;
  json["clean_sha256"] = row.clean_sha256;
  json["attacked_sha256"] = row.attacked_sha256;
  return json;
}

/// A file name that stays in its folder.
bool is_plain(const std::string& file) {
  return !file.empty() && file.find_first_of("/\\") == std::string::npos && file != "." && file != "..";
}

PackRow row_from(const nlohmann::json& json) {
  PackRow row;
  row.result = image_result_from(json);
  row.name = row.result.name;
  row.file = json.at("file").get<std::string>();
  row.clean_sha256 = json.at("clean_sha256").get<std::string>();
  row.attacked_sha256 = json.at("attacked_sha256").get<std::string>();
  if (!is_plain(row.file)) {
    fail_input("'{}' is no plain file name", row.file);
  }
  return row;
}

/// [N,3,H,W] as one picture: the items one below the other.
image::Image stacked(const torch::Tensor& items) {
  return data::to_image(items.permute({1, 0, 2, 3}).reshape({3, items.size(0) * items.size(2), items.size(3)}));
}

std::string file_of(std::size_t index, const std::string& name) {
  auto stem = std::filesystem::path(name).stem().string();
  std::ranges::replace_if(
      stem, [](unsigned char c) { return std::isalnum(c) == 0 && c != '-' && c != '_'; }, '_');
  constexpr std::size_t kLongest = 80;
  return fmt::format("{:06}-{}.png", index, stem.substr(0, kLongest));
}

}  // namespace

PackWriter::PackWriter(std::filesystem::path dir, PackConfig config) {
  if (std::filesystem::exists(dir / kConfigFile)) {
    pack_ = read_pack(dir);
    if (to_json(pack_.config) != to_json(config)) {
      fail_usage("{}: holds an attack pack of another attack, budget, model or data", dir.string());
    }
    std::string whole;  // without the line that a killed run did not finish
    for (const auto& row : pack_.rows) {
      whole += json_text(to_json(row)) + "\n";
    }
    write_file_atomic(dir / kRowsFile, whole);
    return;
  }
  std::filesystem::create_directories(dir / "clean");
  std::filesystem::create_directories(dir / "attacked");
  write_file_atomic(dir / kConfigFile, json_text(to_json(config), 1) + "\n");
  pack_ = {std::move(dir), std::move(config), {}};
}

bool PackWriter::has(const std::string& name) const {
  return std::ranges::any_of(pack_.rows, [&](const PackRow& row) { return row.name == name; });
}

void PackWriter::add(const torch::Tensor& clean, const torch::Tensor& attacked, const ImageResult& result) {
  PackRow row;
  row.name = result.name;
  row.file = file_of(pack_.rows.size(), result.name);
  row.result = result;
  const auto write = [&](const char* folder, const torch::Tensor& pixels) {
    const auto png = image::encode_png(stacked(pixels));
    write_file_atomic(pack_.dir / folder / row.file, std::as_bytes(std::span(png)));
    return sha256_hex(std::as_bytes(std::span(png)));
  };
  row.clean_sha256 = write("clean", clean);
  row.attacked_sha256 = write("attacked", attacked);
  append_line(pack_.dir / kRowsFile, json_text(to_json(row)));
  pack_.rows.push_back(std::move(row));
}

Pack read_pack(const std::filesystem::path& dir) {
  Pack pack{dir, {}, {}};
  std::string where = (dir / kConfigFile).string();
  try {
    const auto json = nlohmann::json::parse(read_text_file(dir / kConfigFile));
    if (json.at("format").get<int>() != kPackFormat) {
      fail_input("format {}, this version reads {}", json.at("format").get<int>(), kPackFormat);
    }
    pack.config = config_from(json);
    if (!std::filesystem::exists(dir / kRowsFile)) {
      return pack;
    }
    const auto text = read_text_file(dir / kRowsFile);
    std::size_t start = 0;
    for (std::size_t number = 1; start < text.size(); ++number) {
      const auto end = text.find('\n', start);
      if (end == std::string::npos) {
        break;  // a line that a killed run did not finish
      }
      where = fmt::format("{} line {}", (dir / kRowsFile).string(), number);
      pack.rows.push_back(row_from(nlohmann::json::parse(text.substr(start, end - start))));
      start = end + 1;
    }
  } catch (const nlohmann::json::exception& error) {
    fail_input("{}: {}", where, error.what());
  } catch (const Error& error) {
    if (std::string_view(error.what()).starts_with(dir.string())) {
      throw;
    }
    fail_input("{}: {}", where, error.what());
  }
  return pack;
}

namespace {

/// The picture of a row, [1,3,H,W], its digest checked; what does not hold goes to `problems`.
std::optional<torch::Tensor> checked_picture(const Pack& pack, const PackRow& row, bool attacked,
                                             std::vector<std::string>& problems) {
  const auto path = pack.dir / (attacked ? "attacked" : "clean") / row.file;
  try {
    const auto bytes = read_file(path);
    if (sha256_hex(bytes) != (attacked ? row.attacked_sha256 : row.clean_sha256)) {
      problems.push_back(fmt::format("{}: not the file that was written (its SHA-256 differs)", path.string()));
      return std::nullopt;
    }
    const auto decoded = image::decode(bytes, path.string());
    if (!decoded) {
      problems.push_back(decoded.error());
      return std::nullopt;
    }
    return data::to_tensor(decoded.value()).unsqueeze(0);
  } catch (const Error& error) {
    problems.emplace_back(error.what());
    return std::nullopt;
  }
}

void verify_row(const Pack& pack, const PackRow& row, const checkpoint::LoadedModel* model,
                std::vector<std::string>& problems) {
  const auto clean = checked_picture(pack, row, /*attacked=*/false, problems);
  const auto attacked = checked_picture(pack, row, /*attacked=*/true, problems);
  if (!clean || !attacked) {
    return;
  }
  if (!clean->sizes().equals(attacked->sizes())) {
    problems.push_back(fmt::format("{}: the attacked image has another size", row.name));
    return;
  }
  const double levels = std::round((*attacked - *clean).abs().max().item<double>() * 255.0);
  // The clean crops of an enlarged image lie between grey levels, and are rounded in the file.
  const int allowed = pack.config.attack.levels + (pack.config.attack.unit == "crop" ? 1 : 0);
  if (levels > allowed) {
    problems.push_back(fmt::format("{}: changed by {} grey levels, the budget is {}", row.name, levels, allowed));
  }
  if (model == nullptr || pack.config.attack.unit == "crop") {
    return;
  }
  const auto score = [&](const torch::Tensor& pixels) {
    return pack.config.calibration(model->scorer.raw(pixels)[0].item<double>());
  };
  const std::pair<const char*, double> checks[] = {{"clean", score(*clean) - row.result.clean},
                                                   {"attacked", score(*attacked) - row.result.attacked}};
  for (const auto& [what, difference] : checks) {
    if (!(std::abs(difference) <= kScoreTolerance)) {
      problems.push_back(
          fmt::format("{}: its {} score is {:+.4f} points from what the pack says", row.name, what, difference));
    }
  }
}

/// How a pack treats the purification of a model: as made for it, or not at all.
std::string adaptive_to(const Pack& pack, const Evaluation& model, const models::ScorerOptions& options) {
  if (model.model_sha256 == pack.config.victim_sha256 && model.crops == pack.config.preprocessing) {
    return pack.config.adaptive;
  }
  return options.purification.empty() ? kNoneNeeded : fmt::format("{}, made for {}", kNotAdaptive, pack.config.victim);
}

}  // namespace

std::vector<std::string> verify_pack(const Pack& pack, const checkpoint::LoadedModel* model) {
  const torch::NoGradGuard no_grad;
  std::vector<std::string> problems;
  if (pack.rows.empty()) {
    problems.push_back(fmt::format("{}: no images", pack.dir.string()));
  }
  if (model != nullptr && model->sha256 != pack.config.victim_sha256) {
    problems.push_back(fmt::format("the model is not the attacked one (SHA-256 {} and {})", model->sha256.substr(0, 12),
                                   pack.config.victim_sha256.substr(0, 12)));
    model = nullptr;
  }
  for (const auto& row : pack.rows) {
    verify_row(pack, row, model, problems);
  }
  return problems;
}

Evaluation evaluate_pack(const checkpoint::LoadedModel& model, const std::string& model_path, const Pack& pack) {
  if (pack.config.attack.unit != "image") {
    fail_input("{}: a pack of crops cannot be run against another model", pack.dir.string());
  }
  if (pack.rows.empty()) {
    fail_input("{}: no images", pack.dir.string());
  }
  data::Dataset none;
  none.name = fmt::format("pack of {} images of {}, made for {}", pack.rows.size(),
                          pack.config.data_name.empty() ? "no data set" : pack.config.data_name, pack.config.victim);
  Evaluation evaluation = describe(model, model_path, none);
  evaluation.attack = pack.config.attack;
  evaluation.adaptive = adaptive_to(pack, evaluation, model.scorer.options());
  std::vector<std::string> problems;
  for (const auto& row : pack.rows) {
    const auto clean = checked_picture(pack, row, /*attacked=*/false, problems);
    const auto attacked = checked_picture(pack, row, /*attacked=*/true, problems);
    if (!problems.empty()) {
      fail_input("{}", problems.front());
    }
    auto result = clean_image(model.scorer, row.name, row.result.mos, *clean).result;
    const torch::NoGradGuard no_grad;
    result.attacked_raw = model.scorer.raw(*attacked)[0].item<double>();
    result.attacked = result.attacked_float = model.scorer.calibrate(result.attacked_raw);
    result.direction = row.result.direction;
    result.linf_levels = row.result.linf_levels;
    result.psnr = row.result.psnr;
    result.ssim = row.result.ssim;
    result.mse = row.result.mse;
    result.own_training_image = row.result.own_training_image;
    evaluation.images.push_back(result);
  }
  summarise(evaluation, raw_to_0_100(model.scorer, {}));
  return evaluation;
}

}  // namespace steadyiqa::evaluation
