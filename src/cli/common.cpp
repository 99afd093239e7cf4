#include "cli/common.h"

#include "attacks/catalogue.h"
#include "base/text.h"
#include "data/split.h"
#include "image/paths.h"
#include "models/compat.h"
#include "parallel/device.h"
#include "parallel/runtime.h"

#include <algorithm>
#include <cmath>

namespace steadyiqa::cli {
namespace {

/// A side in pixels, 0 for anything that is none.
std::int64_t parse_side(std::string_view text) {
  const double side = parse_number(text).value_or(0);
  return side >= 16 && side <= 8192 && std::floor(side) == side ? static_cast<std::int64_t>(side) : 0;
}

}  // namespace

std::string TableFlags::describe(const FieldInfo& info, const std::vector<std::string>& choices) {
  std::string text = info.help;
  if (!choices.empty()) {
    text += fmt::format(" ({})", fmt::join(choices, "|"));
  }
  if (!info.unit.empty()) {
    text += fmt::format(" [{}]", info.unit);
  }
  if (std::isfinite(info.min) && std::isfinite(info.max)) {
    text += fmt::format(" in [{:g}, {:g}]", info.min, info.max);
  } else if (std::isfinite(info.min)) {
    text += fmt::format(" >= {:g}", info.min);
  }
  return text;
}

void RuntimeFlags::add(CLI::App& app) {
  add_threads(app);
  app.add_option("--device", device, "where networks run: cpu, or cuda or cuda:N of a libtorch that has it")
      ->capture_default_str();
}

void RuntimeFlags::add_threads(CLI::App& app) {
  app.add_option("--threads", threads, "threads of libtorch; 0 = physical cores")->check(CLI::Range(0, 1024));
}

void RuntimeFlags::apply() const {
  parallel::configure_threads(threads);
  parallel::use_device(device);
}

void DataFlags::add(CLI::App& app, bool required) {
  std::string readers;
  for (const auto& reader : data::dataset_readers()) {
    readers += fmt::format("{}{}:...", readers.empty() ? "" : ", ", reader.name);
  }
  app.add_option("--data", spec, "data set: " + readers + " or a .csv manifest")->required(required)->group("Data");
  add_split(app);
}

void DataFlags::add_split(CLI::App& app) {
  app.add_option("--split", split_file, "CSV of image,set (set: train, val, test)")->group("Data");
  app.add_option("--ratio", ratio, "split at random instead, by reference content where there is any: 0.8/0.1/0.1")
      ->group("Data");
  app.add_option("--split-seed", split_seed, "seed of --ratio")->group("Data");
}

data::Dataset DataFlags::open() const {
  auto dataset = data::open_dataset(spec);
  if (!split_file.empty() && !ratio.empty()) {
    fail_usage("--split and --ratio exclude each other");
  }
  if (!split_file.empty()) {
    data::split_by_file(dataset, split_file);
  } else if (!ratio.empty()) {
    data::split_by_seed(dataset, data::parse_split_ratio(ratio), split_seed);
  }
  return dataset;
}

void ImageFlags::add(CLI::App& app, const std::string& default_set) {
  set = default_set;
  app.add_option("PATH", paths, "image files, folders, or - for a list of paths on stdin");
  data.add(app, /*required=*/false);
  app.add_option("--set", set, "which set of the split: train, val, test, or all")->capture_default_str();
  app.add_option("--limit", limit, "only the first so many images")->check(CLI::NonNegativeNumber);
}

data::Dataset ImageFlags::open() const {
  data::Dataset dataset;
  if (!data.spec.empty()) {
    if (!paths.empty()) {
      fail_usage("takes images or --data, not both");
    }
    dataset = data.open();
    if (set != "all") {
      dataset = data::subset(dataset, set);
    }
    data::require_images(dataset);
  } else {
    for (const auto& path : image::image_paths(paths)) {
      dataset.samples.push_back({path.string(), path, std::nan("")});
    }
  }
  if (limit > 0 && static_cast<std::size_t>(limit) < dataset.samples.size()) {
    dataset.samples.resize(static_cast<std::size_t>(limit));
  }
  return dataset;
}

void PurifyFlag::add(CLI::App& app, const std::string& group) {
  std::vector<std::string> names;
  for (const auto& info : models::purifier_catalogue()) {
    names.push_back(info.name);
  }
  app.add_option("--purify", texts_,
                 fmt::format("what is done to the whole image first: {}, with options: jpeg:quality=50 (repeatable, in "
                             "turn), or none",
                             fmt::join(names, ", ")))
      ->type_name("NAME[:key=value,...]")
      ->allow_extra_args(false)
      ->group(group);
}

std::optional<std::vector<models::Purifier>> PurifyFlag::chain() const {
  return texts_.empty() ? std::nullopt : std::optional(models::parse_purification(texts_));
}

void PreprocessingFlags::add(CLI::App& app) {
  const std::string group = "Preprocessing (default: the model file's)";
  purify_.add(app, group);
  app.add_option("--compat", compat_,
                 fmt::format("whose preprocessing, pooling and score scale ({}); the flags below go over it",
                             fmt::join(models::compat_names(), "|")))
      ->type_name("CHOICE")
      ->group(group);
  flags_.add(app, "", image::input_policy_fields(), group);
  flags_.add(app, "", image::crop_policy_fields(), group);
}

void PreprocessingFlags::apply(models::Scorer& scorer) const {
  auto options = scorer.options();
  if (!compat_.empty()) {
    models::apply_compat(options, models::compat_from(compat_));
  }
  flags_.apply("", options.input, image::input_policy_fields());
  flags_.apply("", options.crops, image::crop_policy_fields());
  options.purification = purify_.chain().value_or(options.purification);
  scorer.set_options(std::move(options));
}

void AttackFlags::add(CLI::App& app) {
  app.add_option("--attack", names, "attack, with options: fgsm, ifgsm:steps=20 (repeatable)")->group("Attack");
  app.add_option("--eps", budgets, "l-infinity budget with its unit: 4/255 or 0.005px (repeatable)")->group("Attack");
  flags_.add(app, "", attacks::attack_fields(), "Attack");
}

std::vector<attacks::AttackOptions> AttackFlags::resolve() const {
  if (names.empty()) {
    return {};
  }
  if (budgets.empty()) {
    fail_usage("--attack needs a budget: --eps 4/255 or --eps 0.005px");
  }
  std::vector<attacks::AttackOptions> all;
  for (const auto& text : names) {
    auto options = base;
    flags_.apply("", options, attacks::attack_fields());
    options.attack = attacks::AttackSpec::parse(text);
    static_cast<void>(attacks::make_attack(options.attack));  // a wrong name or parameter fails here, before any work
    for (const auto& budget : budgets) {
      options.epsilon = parse_pixel_quantity(budget, "--eps");
      static_cast<void>(attacks::budget_levels(options.epsilon));
      all.push_back(options);
    }
  }
  return all;
}

PixelSize parse_size(const std::string& text) {
  PixelSize size;
  const auto cross = text.find('x');
  if (cross != std::string::npos) {
    size.height = parse_side(text.substr(0, cross));
    size.width = parse_side(text.substr(cross + 1));
  }
  if (size.height == 0 || size.width == 0) {
    fail_usage("--size {}: expected HxW in pixels, 16 to 8192, such as 224x224", text);
  }
  return size;
}

nlohmann::json output_head(const std::string& command, const nlohmann::json& config) {
  return {{"tool", "steadyiqa"}, {"version", kVersion}, {"command", command}, {"config", config}};
}

}  // namespace steadyiqa::cli
