#include "checkpoint/model_file.h"

#include "base/digest.h"
#include "base/expect_error.h"
#include "base/file.h"
#include "base/temp_folder.h"
#include "models/model_test_support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <functional>
#include <limits>
#include <tuple>

namespace steadyiqa::checkpoint {
namespace {

using steadyiqa::testing::error_message;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class ModelFile : public steadyiqa::testing::TempFolder {
 protected:
  /// A compact model with nothing at its default.
  [[nodiscard]] static models::Scorer scorer() {
    auto network = models::compact_network(4);
    network->forward(models::hash_input(1, 4, 64, 64));  // running statistics of its own
    models::ScorerOptions options;
    options.model = "compact";
    options.crop = 64;
    options.purification =
        models::parse_purification({"jpeg:quality=80", "noise:sigma=0.0125,draws=2,seed=9", "blur:kernel=5"});
    options.input = {.resize = "short:70,90x80",
                     .filter = image::Filter::kOpencvCubic,
                     .small_images = image::SmallImages::kPastCrop,
                     .orientation = image::Orientation::kIgnored};
    options.crops = {.kind = image::CropKind::kRandom, .count = 5, .seed = 77, .pooling = image::Pooling::kWeighted};
    options.compat = models::Compat::kPyiqa;
    options.normalisation = {{0.5, 0.4, 0.3}, {0.2, 0.25, 0.3}};
    options.scale = {
        .name = "MOS 0-100 of a test",
        .calibration = {13.7, 1.0 / 3.0},
        .calibrated = true,
        .native = models::NativeScale{{-1.5, 7.25, stats::Direction::kLowerIsBetter, "DMOS"}, {0.1, 2.0 / 3.0}}};
    return {std::move(network), options};
  }
  [[nodiscard]] static Provenance provenance() {
    return {{{"lambda", 0.001}, {"epochs", 3}},
            {{"data", "abc"}, {"srocc", 0.75}},
            {"0123456789abcdef", "fedcba9876543210"}};
  }
  [[nodiscard]] std::filesystem::path saved() const {
    const auto path = folder() / "model.safetensors";
    save_model(path, scorer(), provenance());
    return path;
  }
  /// The saved model after a change to its tensors and metadata.
  [[nodiscard]] std::filesystem::path changed(const std::function<void(TensorMap&, nlohmann::json&)>& change) const {
    auto file = read_safetensors(saved());
    auto metadata = nlohmann::json::parse(file.metadata.at("steadyiqa"));
    change(file.tensors, metadata);
    file.metadata["steadyiqa"] = metadata.dump();
    auto path = folder() / "changed.safetensors";
    write_safetensors(path, file);
    return path;
  }
  /// The message of loading that file, which must name it.
  static std::string load_message(const std::filesystem::path& path) {
    auto message = error_message(ErrorKind::kInput, [&] { static_cast<void>(load_model(path)); });
    EXPECT_THAT(message, HasSubstr(path.string()));
    return message;
  }
};

TEST_F(ModelFile, RoundTripGivesTheSameScoresOptionsAndProvenance) {
  torch::NoGradGuard no_grad;
  const auto path = saved();
  auto original = scorer();
  original.fold_batch_norm();
  const auto loaded = load_model(path);
  const auto pixels = models::hash_pixels(8, 2, 90, 100);
  EXPECT_TRUE(torch::equal(loaded.scorer.score(pixels), original.score(pixels)));
  const auto& options = loaded.scorer.options();
  EXPECT_EQ(options.model, "compact");
  EXPECT_EQ(options.backbone, "");
  EXPECT_EQ(options.crop, 64);
  EXPECT_EQ(options_to_json(options.crops, image::crop_policy_fields()),
            options_to_json(original.options().crops, image::crop_policy_fields()));
  EXPECT_EQ(options_to_json(options.input, image::input_policy_fields()),
            options_to_json(original.options().input, image::input_policy_fields()));
  EXPECT_THAT(models::purification_texts(options.purification),
              ElementsAre("jpeg:quality=80", "noise:draws=2,seed=9,sigma=0.0125", "blur:kernel=5"));
  EXPECT_EQ(options.compat, models::Compat::kPyiqa);
  ASSERT_TRUE(options.scale.native);
  const auto& native = *options.scale.native;
  EXPECT_EQ(std::tie(native.labels.name, native.labels.min, native.labels.max, native.labels.direction),
            std::tuple("DMOS", -1.5, 7.25, stats::Direction::kLowerIsBetter));
  EXPECT_EQ(std::tie(native.line.slope, native.line.intercept), std::tuple(0.1, 2.0 / 3.0));
  EXPECT_EQ(options.normalisation.mean, original.options().normalisation.mean);
  EXPECT_EQ(options.normalisation.std, original.options().normalisation.std);
  EXPECT_EQ(options.scale.name, "MOS 0-100 of a test");
  EXPECT_TRUE(options.scale.calibrated);
  EXPECT_EQ(options.scale.calibration.slope, 13.7);
  EXPECT_EQ(options.scale.calibration.intercept, 1.0 / 3.0);
  EXPECT_EQ(loaded.provenance.recipe, provenance().recipe);
  EXPECT_EQ(loaded.provenance.training, provenance().training);
  EXPECT_EQ(loaded.provenance.training_images, provenance().training_images);
  EXPECT_EQ(loaded.sha256, sha256_file(path));
  EXPECT_FALSE(loaded.scorer.network().is_training());
}

TEST_F(ModelFile, SavingTwiceGivesTheSameBytes) {
  const auto first = saved();
  const auto loaded = load_model(first);
  const auto second = folder() / "again.safetensors";
  save_model(second, loaded.scorer, loaded.provenance);
  EXPECT_EQ(sha256_file(first), sha256_file(second));
}

TEST_F(ModelFile, ABrokenListOfTrainingImagesIsAnError) {
  const auto number = changed([](TensorMap&, nlohmann::json& metadata) { metadata["training_images"] = 7; });
  EXPECT_THAT(load_message(number), HasSubstr("broken 'steadyiqa' metadata"));
  for (const char* list : {"0123456789abcde", "0123456789ABCDEF", "0123456789abcdef 123456789abcdef"}) {
    const auto path = changed([&](TensorMap&, nlohmann::json& metadata) { metadata["training_images"] = list; });
    EXPECT_THAT(load_message(path), HasSubstr("digests of 16 hex digits")) << list;
  }
}

TEST_F(ModelFile, RenamedTensorsAreMissingAndUnexpected) {
  const auto path = changed([](TensorMap& tensors, nlohmann::json&) {
    for (const char* name : {"features.0.0.weight", "head.0.bias"}) {
      auto node = tensors.extract(name);
      node.key() = std::string("module.") + name;
      tensors.insert(std::move(node));
    }
  });
  EXPECT_THAT(load_message(path), AllOf(HasSubstr("2 missing (features.0.0.weight, head.0.bias)"),
                                        HasSubstr("2 unexpected (module.features.0.0.weight, module.head.0.bias)")));
}

TEST_F(ModelFile, WeightsOfAnotherModelAreCounted) {
  const auto path = changed([](TensorMap&, nlohmann::json& metadata) {
    metadata["model"] = "hyperiqa";
    metadata["backbone"] = "mobilenet_v2";
    metadata["crop"] = 224;
  });
  EXPECT_THAT(load_message(path), AllOf(HasSubstr("297 missing (conv1.0.bias, conv1.0.weight, conv1.2.bias, ...)"),
                                        HasSubstr("29 unexpected (features.0.0.weight,")));
}

TEST_F(ModelFile, WrongShapeIsNamedWithBothShapes) {
  const auto path = changed([](TensorMap& tensors, nlohmann::json&) { tensors["head.2.bias"] = torch::zeros({2}); });
  EXPECT_THAT(load_message(path), HasSubstr("1 of another shape (head.2.bias [2] for [1])"));
}

TEST_F(ModelFile, ValuesThatAreNotFiniteAreRefused) {
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    const auto path =
        changed([&](TensorMap& tensors, nlohmann::json&) { tensors.at("head.0.weight").view({-1})[17] = bad; });
    EXPECT_THAT(load_message(path), HasSubstr("head.0.weight holds values that are not finite"));
  }
}

TEST_F(ModelFile, OtherFilesAreRefused) {
  const auto path = folder() / "other.safetensors";
  SafetensorsFile file;
  file.tensors["w"] = torch::zeros({2});
  write_safetensors(path, file);
  EXPECT_THAT(load_message(path), HasSubstr("not a SteadyIQA model"));
  write_file_atomic(path, std::string_view("no safetensors at all"));
  load_message(path);
  EXPECT_THAT(load_message(folder() / "absent.safetensors"), Not(HasSubstr("steadyiqa metadata")));
}

TEST_F(ModelFile, NewerFormatIsRefused) {
  const auto path = changed([](TensorMap&, nlohmann::json& metadata) { metadata["format"] = kModelFormat + 1; });
  EXPECT_THAT(load_message(path), HasSubstr("newer SteadyIQA (format 4, this one reads 3)"));
}

TEST_F(ModelFile, FormatOneIsReadAsWhatItMeant) {
  const auto path = changed([](TensorMap&, nlohmann::json& metadata) {  // what the first version wrote
    metadata["format"] = 1;
    metadata.erase("purification");
    metadata.erase("input");
    metadata.erase("compat");
    metadata["crops"].erase("pooling");
    metadata["score"].erase("native");
  });
  const auto loaded = load_model(path);
  const auto& options = loaded.scorer.options();
  EXPECT_EQ(options.input.resize, "none");
  EXPECT_EQ(options.input.small_images, image::SmallImages::kToCrop);
  EXPECT_EQ(options.input.orientation, image::Orientation::kIgnored);
  EXPECT_EQ(options.crops.kind, image::CropKind::kRandom);
  EXPECT_EQ(options.crops.pooling, image::Pooling::kMean);
  EXPECT_EQ(options.compat, models::Compat::kOurs);
  EXPECT_FALSE(options.scale.native);
  EXPECT_TRUE(options.purification.empty());
}

TEST_F(ModelFile, FormatTwoPurifiesNothing) {
  const auto path = changed([](TensorMap&, nlohmann::json& metadata) {
    metadata["format"] = 2;
    metadata.erase("purification");
  });
  EXPECT_TRUE(load_model(path).scorer.options().purification.empty());
}

TEST_F(ModelFile, BrokenMetadataIsRefused) {
  auto file = read_safetensors(saved());
  const auto path = folder() / "broken.safetensors";
  const auto whole = file.metadata.at("steadyiqa");
  for (const std::string& text : {std::string(), std::string("{"), std::string("[]"), std::string("null"),
                                  whole.substr(0, whole.size() / 2), std::string(100'000, '[')}) {
    file.metadata["steadyiqa"] = text;
    write_safetensors(path, file);
    EXPECT_THAT(load_message(path), HasSubstr("broken 'steadyiqa' metadata")) << text.substr(0, 20);
  }
}

TEST_F(ModelFile, EveryMissingOrMistypedKeyIsAnError) {
  for (const char* key :
       {"model", "backbone", "crop", "purification", "input", "crops", "compat", "mean", "std", "score", "format"}) {
    SCOPED_TRACE(key);
    load_message(changed([&](TensorMap&, nlohmann::json& metadata) { metadata.erase(key); }));
    load_message(changed([&](TensorMap&, nlohmann::json& metadata) { metadata[key] = true; }));
    load_message(changed([&](TensorMap&, nlohmann::json& metadata) { metadata[key] = nullptr; }));
  }
  for (const auto& f : image::crop_policy_fields()) {
    SCOPED_TRACE(f.name);
    load_message(changed([&](TensorMap&, nlohmann::json& metadata) { metadata["crops"].erase(f.name); }));
  }
  for (const auto& f : image::input_policy_fields()) {
    SCOPED_TRACE(f.name);
    load_message(changed([&](TensorMap&, nlohmann::json& metadata) { metadata["input"].erase(f.name); }));
  }
  for (const char* key : {"name", "calibrated", "slope", "intercept", "native"}) {
    SCOPED_TRACE(key);
    load_message(changed([&](TensorMap&, nlohmann::json& metadata) { metadata["score"].erase(key); }));
  }
}

TEST_F(ModelFile, ValuesOutOfRangeAreRefusedWithThePath) {
  const auto message_with = [&](const nlohmann::json& patch) {
    return load_message(changed([&](TensorMap&, nlohmann::json& metadata) { metadata.merge_patch(patch); }));
  };
  EXPECT_THAT(message_with({{"model", "compakt"}}), HasSubstr("unknown model 'compakt'"));
  EXPECT_THAT(message_with({{"backbone", "resnet50"}}), HasSubstr("has no backbone 'resnet50'"));
  EXPECT_THAT(message_with({{"crop", 31}}), HasSubstr("crop side"));
  EXPECT_THAT(message_with({{"crop", 1'000'000}}), HasSubstr("crop side"));
  EXPECT_THAT(message_with({{"crop", -64}}), HasSubstr("crop side"));
  EXPECT_THAT(message_with({{"model", "hyperiqa"}, {"crop", 64}}), HasSubstr("crop side"));
  EXPECT_THAT(message_with({{"std", {0.2, 0.0, 0.2}}}), HasSubstr("normalisation"));
  EXPECT_THAT(message_with({{"crops", {{"crops", "grid"}, {"crop-count", 8}}}}), HasSubstr("square number"));
  EXPECT_THAT(message_with({{"crops", {{"crop-count", 0}}}}), HasSubstr("crop-count"));
  EXPECT_THAT(message_with({{"input", {{"resize", "0x0"}}}}), HasSubstr("resize '0x0'"));
  EXPECT_THAT(message_with({{"purification", {"jpg:quality=80"}}}), HasSubstr("unknown purifier 'jpg'"));
  EXPECT_THAT(message_with({{"purification", {"jpeg:quality=0"}}}), HasSubstr("quality = 0 is out of range"));
  EXPECT_THAT(message_with({{"purification", {"noise:sigma=0.1"}}}), HasSubstr("is not all of 'noise:draws=4"));
  EXPECT_THAT(message_with({{"purification", {5}}}), HasSubstr("type must be string"));
  EXPECT_THAT(message_with({{"purification", std::vector<std::string>(17, "bits:bits=5")}}), HasSubstr("17 steps"));
  EXPECT_THAT(message_with({{"compat", "theirs"}}), HasSubstr("compat 'theirs'"));
  EXPECT_THAT(message_with({{"score", {{"native", {{"range", {5, 5}}}}}}}), HasSubstr("calibration is out of range"));
  EXPECT_THAT(message_with({{"crops", {{"crop-size", 5}}}}), HasSubstr("unknown key 'crop-size'"));
}

// It is in no tensor, and another value gives other scores: the file must say it.
TEST_F(ModelFile, ManiqaNeedsItsSwinScale) {
  const auto message_with = [&](const nlohmann::json& scale) {
    return load_message(changed([&](TensorMap&, nlohmann::json& metadata) {
      metadata["model"] = "maniqa";
      metadata["crop"] = 224;
      metadata["swin_scale"] = scale;
    }));
  };
  EXPECT_THAT(message_with(nullptr), HasSubstr("type must be number"));
  EXPECT_THAT(message_with(0.13), HasSubstr("unexpected (features.0.0.weight"));
}

/// HyperIQA on MobileNetV2, and the trunk of another one as a torchvision file: no "res." and a classifier.
class TrunkFile : public steadyiqa::testing::TempFolder {
 protected:
  [[nodiscard]] std::filesystem::path write(const std::function<void(TensorMap&)>& change = {}) const {
    const auto donor = models::make_network("hyperiqa", "mobilenet_v2");
    models::find_model("hyperiqa").initialise(*donor, 5);
    SafetensorsFile file;
    for (const auto& [name, tensor] : network_tensors(*donor)) {
      if (name.rfind("res.features.", 0) == 0) {
        file.tensors[name.substr(4)] = tensor;
      }
    }
    file.tensors["classifier.1.weight"] = torch::zeros({1000, 1280});
    file.tensors["classifier.1.bias"] = torch::zeros({1000});
    if (change) {
      change(file.tensors);
    }
    auto path = folder() / "trunk.safetensors";
    write_safetensors(path, file);
    return path;
  }
  [[nodiscard]] static std::shared_ptr<models::Network> network() {
    auto made = models::make_network("hyperiqa", "mobilenet_v2");
    models::find_model("hyperiqa").initialise(*made, 6);
    return made;
  }
  [[nodiscard]] static std::string message(models::Network& network, const std::filesystem::path& path) {
    auto text = error_message(ErrorKind::kInput, [&] { load_initial(network, path); });
    EXPECT_THAT(text, HasSubstr(path.string()));
    return text;
  }
};

TEST_F(TrunkFile, TrunkIsReplacedTheRestStays) {
  const auto target = network();
  const auto before = models::state_copy(*target);
  const auto path = write([](TensorMap& tensors) { tensors.erase("features.0.1.num_batches_tracked"); });  // optional
  load_initial(*target, path);
  const auto file = read_safetensors(path);
  for (const auto& [name, tensor] : network_tensors(*target)) {
    const bool in_trunk = name.rfind("res.features.", 0) == 0;
    const bool in_file = in_trunk && file.tensors.count(name.substr(4)) != 0;
    EXPECT_TRUE(torch::equal(tensor, in_file ? file.tensors.at(name.substr(4)) : before.at(name))) << name;
  }
  EXPECT_FALSE(
      torch::equal(network_tensors(*target).at("res.features.18.0.weight"), before.at("res.features.18.0.weight")));
}

TEST_F(TrunkFile, MissingAndMisshapenTensorsAreRefused) {
  const auto target = network();
  EXPECT_THAT(message(*target, write([](TensorMap& tensors) { tensors.erase("features.3.conv.1.0.weight"); })),
              HasSubstr("1 tensors missing or of another shape (features.3.conv.1.0.weight)"));
  EXPECT_THAT(message(*target, write([](TensorMap& tensors) { tensors["features.0.1.bias"] = torch::zeros({31}); })),
              HasSubstr("1 tensors missing or of another shape (features.0.1.bias)"));
}

TEST_F(TrunkFile, InitialWeightsAreATrunkOrAWholeModel) {
  const auto target = network();
  EXPECT_EQ(load_initial(*target, write()), Initial::kTrunk);
  const auto path = folder() / "model.safetensors";
  models::ScorerOptions options;
  options.model = "hyperiqa";
  options.backbone = "mobilenet_v2";
  save_model(path, models::Scorer(network(), options), {});
  EXPECT_EQ(load_initial(*target, path), Initial::kModel);
  const auto expected = models::state_copy(*network());
  for (const auto& [name, tensor] : network_tensors(*target)) {
    EXPECT_TRUE(torch::equal(tensor, expected.at(name))) << name;
  }
}

TEST_F(TrunkFile, ModelWithoutTrunkTakesNone) {
  const auto compact = models::compact_network();
  EXPECT_THAT(message(*compact, write()), HasSubstr("no pretrained trunk"));
}

}  // namespace
}  // namespace steadyiqa::checkpoint
