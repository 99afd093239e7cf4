#include "models/compat.h"

#include "base/error.h"
#include "base/text.h"

#include <vector>

namespace steadyiqa::models {
namespace {

using image::Filter;
using image::Orientation;

constexpr image::SmallImages kPyiqaSmall = image::SmallImages::kPastCrop;

image::InputPolicy input(const std::string& resize, Orientation orientation,
                         image::SmallImages small = image::SmallImages::kToCrop) {
  return {.resize = resize, .filter = Filter::kPillowBilinear, .small_images = small, .orientation = orientation};
}

image::CropPolicy crops(image::CropKind kind, std::int64_t count = 1, image::Pooling pooling = image::Pooling::kMean) {
  constexpr std::int64_t kManiqaSeed = 20;
  image::CropPolicy policy;
  policy.kind = kind;
  policy.count = count;
  policy.pooling = pooling;
  policy.seed = kind == image::CropKind::kNumpy ? kManiqaSeed : policy.seed;
  return policy;
}

NativeScale scale(const std::string& name, double max) {
  return {.labels = {.min = 0, .max = max, .direction = stats::Direction::kHigherIsBetter, .name = name}};
}

/// Sources: SSL92/hyperIQA demo.py; zwx8981/DBCNN-PyTorch; lidq92/LinearityIQA test_demo.py with --resize;
/// IIGROUP/MANIQA predict_one_image.py; chaofengc/IQA-PyTorch (facts only). Ours keeps aspect ratios, sees what a
/// person sees and draws nothing at random.
std::vector<CompatRow> make_table() {
  using enum image::CropKind;
  using enum Compat;
  constexpr auto kApplied = Orientation::kApplied;
  constexpr auto kIgnored = Orientation::kIgnored;
  const auto one = scale("KonIQ-10k MOS / 100", 1);
  const auto hundred = scale("KonIQ-10k MOS 0-100", 100);
  return {
      {"hyperiqa", kOurs, input("none", kApplied), crops(kGrid, 9)},
      {"hyperiqa", kOfficial, input("512x384", kIgnored), crops(kRandom, 10), hundred},
      {"hyperiqa", kPyiqa, input("none", kIgnored, kPyiqaSmall), crops(kUniform, 25), one},
      {"dbcnn", kOurs, input("none", kApplied), crops(kWhole)},
      {"dbcnn", kOfficial, input("none", kIgnored), crops(kWhole)},
      {"dbcnn", kPyiqa, input("none", kIgnored), crops(kWhole), one},
      {"linearityiqa", kOurs, input("short:498", kApplied), crops(kWhole)},
      {"linearityiqa", kOfficial, input("498x664", kIgnored), crops(kWhole), hundred},
      {"maniqa", kOurs, input("none", kApplied), crops(kGrid, 9)},
      {"maniqa", kOfficial, input("none", kApplied), crops(kNumpy, 20), scale("training labels, min-max to 0-1", 1)},
      {"maniqa", kPyiqa, input("none", kIgnored, kPyiqaSmall), crops(kUniform, 20, image::Pooling::kWeighted),
       scale("training labels, min-max to 0-1", 1)},
      {"korhonen", kOurs, input("short:384", kApplied), crops(kWhole)},
      {"compact", kOurs, input("none", kApplied), crops(kGrid, 9)},
  };
}

}  // namespace

std::span<const CompatRow> compat_table() {
  static const std::vector<CompatRow> kTable = make_table();
  return kTable;
}

const std::vector<std::string>& compat_names() {
  static const std::vector<std::string> kNames = {"ours", "official", "pyiqa"};
  return kNames;
}

Compat compat_from(const std::string& name) {
  const auto& names = compat_names();
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) {
      return static_cast<Compat>(i);
    }
  }
  fail_usage("compat '{}' is none of {}{}", name, fmt::join(names, ", "), suggestion(name, names));
}

const CompatRow& find_compat(const std::string& model, Compat compat) {
  std::vector<std::string> there;
  for (const auto& row : compat_table()) {
    if (row.model == model && row.compat == compat) {
      return row;
    }
    if (row.model == model) {
      there.push_back(compat_names().at(static_cast<std::size_t>(row.compat)));
    }
  }
  fail_usage("model '{}' has no preprocessing of '{}', only of: {}", model,
             compat_names().at(static_cast<std::size_t>(compat)), fmt::join(there, ", "));
}

void apply_compat(ScorerOptions& options, Compat compat) {
  const auto& row = find_compat(options.model, compat);
  options.input = row.input;
  options.crops = row.crops;
  options.compat = compat;
}

ScoreScale scale_of(const NativeScale& native) {
  return {fmt::format("0-100 from {}", native.labels.name), native.to_0_100(), true, native};
}

ScorerOptions published_options(const std::string& model, const std::string& backbone, Compat origin) {
  const auto& info = find_model(model);
  ScorerOptions options;
  options.model = model;
  options.backbone = backbone;
  options.crop = info.crop;
  options.normalisation = info.normalisation;
  apply_compat(options, origin);
  if (const auto& native = find_compat(model, origin).native) {
    options.scale = scale_of(*native);
  }
  return options;
}

}  // namespace steadyiqa::models
