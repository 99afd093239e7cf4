#include "cli/common.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/json_text.h"
#include "base/log.h"
#include "checkpoint/model_file.h"
#include "data/loader.h"
#include "data/split.h"
#include "data/synthetic.h"
#include "evaluation/evaluate.h"
#include "report/picture.h"
#include "report/table.h"
#include "training/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

namespace steadyiqa::cli {
namespace {

constexpr std::size_t kPictureRows = 4;
constexpr double kDemoLambda = 3e-3;
constexpr std::int64_t kFreezeEpoch = 4;  // BatchNorm settles first; then it is frozen and NT sets in
constexpr double kDemoEpsilon = 2.0 / 255.0;

struct DemoFlags {
  std::string out = "steadyiqa-demo";
  std::string references;
  std::int64_t epochs = 0;
  std::int64_t seed = 1;
  bool json = false;
  RuntimeFlags runtime;
};

/// One of the two models: trained, evaluated, its attacked test images kept for the picture.
struct Contender {
  std::string name;
  std::string model_path;
  std::vector<evaluation::Evaluation> evaluations;
  std::vector<image::Image> attacked;  ///< under the first attack
};

training::Recipe demo_recipe(const DemoFlags& flags, bool nt) {
  training::Recipe recipe;
  recipe.model.name = "compact";
  recipe.data = {.crop = 96, .crops_per_image = 2, .batch = 32};
  recipe.optimiser.lr = 2e-3;
  recipe.optimiser.head_ratio = 1.0;
  recipe.optimiser.weight_decay = 0;
  recipe.optimiser.schedule = training::ScheduleKind::kCosine;
  recipe.optimiser.batch_norm = objective::BatchNormMode::kFrozen;
  recipe.optimiser.batch_norm_epochs = kFreezeEpoch;
  recipe.loss.plcc_weight = 10.0;
  recipe.scoring.count = 4;
  recipe.run.epochs = flags.epochs > 0 ? flags.epochs : 16;
  recipe.run.seed = flags.seed;
  recipe.run.select = training::Selection::kLast;
  if (nt) {
    recipe.regulariser.regulariser = objective::RegulariserKind::kNt;
    recipe.regulariser.lambda = kDemoLambda;
    recipe.regulariser.gradient = objective::NormGradient::kExact;
    recipe.regulariser.relative_to = objective::RelativeTo::kRelative;
    recipe.regulariser.start_epoch = kFreezeEpoch;
    recipe.regulariser.ramp_epochs = 4;
  }
  return recipe;
}

data::Dataset make_data(const DemoFlags& flags) {
  data::SyntheticOptions options;
  options.references = 60;
  options.seed = static_cast<std::uint64_t>(flags.seed);
  options.reference_dir = flags.references;
  auto set = data::make_synthetic_set(options);
  data::write_synthetic_set(set, std::filesystem::path(flags.out) / "data");
  return set.dataset;
}

std::vector<attacks::AttackOptions> demo_attacks() {
  attacks::AttackOptions fgsm;
  fgsm.epsilon = kDemoEpsilon;
  auto iterated = fgsm;
  iterated.attack.name = "ifgsm";
  return {fgsm, iterated};
}

Contender train_and_attack(const DemoFlags& flags, const std::string& name, bool nt, const data::Dataset& dataset) {
  const training::TrainingData data{data::subset(dataset, "train"), data::subset(dataset, "val")};
  const auto dir = std::filesystem::path(flags.out) / name;
  log_info("training {} ({} images)", name, data.train.samples.size());
  // A finished run is taken as it is and a stopped one continued, so that the demo can be repeated at little cost.
  const auto result = training::train(demo_recipe(flags, nt), data, dir, /*resume=*/true);
  Contender contender{name, result.best.string(), {}, {}};
  const auto model = checkpoint::load_model(result.best);
  const auto test = data::subset(dataset, "test");
  log_info("attacking {} ({} images)", name, test.samples.size());
  contender.evaluations = evaluation::evaluate(
      model, contender.model_path, test, demo_attacks(),
      [&](std::size_t, std::size_t attack, const torch::Tensor&, const attacks::AttackResult& attacked) {
        if (attack == 0) {
          contender.attacked.push_back(data::to_image(attacked.attacked));
        }
      });
  for (auto& evaluation : contender.evaluations) {
    evaluation.seconds_per_image.reset();  // the demo's results are the same every time
  }
  return contender;
}

/// A few test images of different quality: at even ranks of MOS.
std::vector<std::size_t> picture_images(const std::vector<evaluation::ImageResult>& images) {
  std::vector<std::size_t> order(images.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return images[a].mos < images[b].mos; });
  std::vector<std::size_t> chosen;
  for (std::size_t i = 0; i < kPictureRows && i < order.size(); ++i) {
    chosen.push_back(order[(2 * i + 1) * order.size() / (2 * kPictureRows)]);
  }
  return chosen;
}

report::Panel attacked_panel(const Contender& contender, std::size_t index) {
  const auto& result = contender.evaluations[0].images[index];
  return {contender.attacked[index], "attacked, " + contender.name,
          fmt::format("{}: {:.1f} -> {:.1f}", contender.name, result.clean, result.attacked)};
}

report::Panel perturbation_panel(const Contender& contender, std::size_t index, const image::Image& clean) {
  int factor = 1;
  auto amplified = report::amplify_perturbation(clean, contender.attacked[index], factor);
  return {std::move(amplified), fmt::format("perturbation x {}", factor),
          fmt::format("max {:.0f}/255", contender.evaluations[0].images[index].linf_levels)};
}

void write_picture(const std::filesystem::path& path, const Contender& baseline, const Contender& nt,
                   const data::Dataset& test) {
  std::vector<report::PictureRow> rows;
  for (const auto index : picture_images(baseline.evaluations[0].images)) {
    const auto clean = image::read_image(test.samples[index].path).value();
    const auto& result = baseline.evaluations[0].images[index];
    rows.push_back({test.samples[index].name,
                    {{clean, "clean", fmt::format("MOS {:.1f}", result.mos)},
                     attacked_panel(baseline, index),
                     perturbation_panel(baseline, index, clean),
                     attacked_panel(nt, index),
                     perturbation_panel(nt, index, clean)}});
  }
  image::write_png(path, report::compose_picture("FGSM at 2/255: the same image, another score", rows,
                                                 "scores calibrated to 0-100 on the training set, higher is better"));
}

nlohmann::json demo_json(const DemoFlags& flags, const std::vector<const Contender*>& contenders) {
  auto json = output_head("demo", {{"seed", flags.seed}, {"references", flags.references}, {"epochs", flags.epochs}});
  for (const auto* contender : contenders) {
    auto& entry = json["models"][contender->name];
    entry["path"] = contender->model_path;
    entry["sha256"] = sha256_file(contender->model_path);
    for (const auto& evaluation : contender->evaluations) {
      entry["evaluations"].push_back(evaluation::to_json(evaluation, /*images=*/true));
    }
  }
  return json;
}

int run_demo(const DemoFlags& flags) {
  flags.runtime.apply();
  const auto start = std::chrono::steady_clock::now();
  const std::filesystem::path out(flags.out);
  log_info("making the data set in {}", (out / "data").string());
  const auto dataset = make_data(flags);
  const auto baseline = train_and_attack(flags, "baseline", false, dataset);
  const auto nt = train_and_attack(flags, "nt", true, dataset);
  write_picture(out / "demo.png", baseline, nt, data::subset(dataset, "test"));
  const auto json = demo_json(flags, {&baseline, &nt});
  write_file_atomic(out / "results.json", json_text(json, 1) + "\n");
  if (flags.json) {
    print(json_text(json) + "\n");
    return 0;
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  print(report::demo_table(baseline.evaluations, nt.evaluations));
  print(fmt::format("\nmodels   {}\n         {}\nresults  {}\npicture  {}\n({:.0f} s)\n", baseline.model_path,
                    nt.model_path, (out / "results.json").string(), (out / "demo.png").string(), seconds.count()));
  return 0;
}

}  // namespace

Command add_demo(CLI::App& app) {
  auto flags = std::make_shared<DemoFlags>();
  auto* sub =
      app.add_subcommand("demo", "make data, train a baseline and its NT twin, attack both, compare: no download");
  sub->add_option("--out", flags->out, "folder for data, models, results.json and demo.png")->capture_default_str();
  sub->add_option("--references", flags->references, "folder of real pristine photographs instead of procedural scenes")
      ->check(CLI::ExistingDirectory);
  sub->add_option("--epochs", flags->epochs, "passes over the training set (0 = default)")->check(CLI::Range(0, 10000));
  sub->add_option("--seed", flags->seed, "of data, weights and crops")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  sub->add_flag("--json", flags->json, "the results as JSON");
  flags->runtime.add_threads(*sub);
  return {sub, [flags] { return run_demo(*flags); }};
}

}  // namespace steadyiqa::cli
