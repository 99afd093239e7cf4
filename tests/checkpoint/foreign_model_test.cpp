// Other people's files: what they hold, under which names, and what becomes of them.
#include "checkpoint/foreign_model.h"

#include "base/digest.h"
#include "base/expect_error.h"
#include "base/file.h"
#include "base/temp_folder.h"
#include "checkpoint/convert.h"
#include "checkpoint/model_file.h"
#include "checkpoint/torch_writer.h"
#include "checkpoint/zip_archive.h"
#include "models/model_test_support.h"
#include "stats/parse_label_scale.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <cstring>

namespace steadyiqa::checkpoint {
namespace {

using steadyiqa::testing::error_message;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// A network of tensors alone, under any names.
class NamedTensors : public models::Network {
 public:
  explicit NamedTensors(const std::map<std::string, std::vector<std::int64_t>>& shapes) {
    for (const auto& [name, shape] : shapes) {
      torch::nn::Module* place = this;
      std::size_t start = 0;
      for (auto dot = name.find('.'); dot != std::string::npos; start = dot + 1, dot = name.find('.', start)) {
        const auto part = name.substr(start, dot - start);
        const auto children = place->named_children();
        const auto* child = children.find(part);
        place = child != nullptr ? child->get() : place->register_module(part, std::make_shared<Node>()).get();
      }
      place->register_parameter(name.substr(start), torch::zeros(shape));
    }
  }
  torch::Tensor forward(const torch::Tensor& x) override { return x; }

 private:
  class Node : public torch::nn::Module {};
};

class ForeignModel : public steadyiqa::testing::TempFolder {
 protected:
  [[nodiscard]] std::filesystem::path write(const std::string& name, const TensorMap& tensors,
                                            const std::map<std::string, std::string>& texts = {}) const {
    auto path = folder() / name;
    write_torch_zip(path, tensors, texts);
    return path;
  }
  /// HyperIQA on its light trunk as its authors' code would save it, in half precision and without counters.
  [[nodiscard]] static TensorMap light_hyperiqa() {
    const auto network = models::make_network("hyperiqa", "mobilenet_v2");
    models::find_model("hyperiqa").initialise(*network, 3);
    TensorMap tensors;
    for (const auto& [name, tensor] : network_tensors(*network)) {
      if (name.find("num_batches_tracked") == std::string::npos) {
        tensors["module." + name] = tensor.to(torch::kFloat16);
      }
    }
    return tensors;
  }
  [[nodiscard]] static torch::Tensor score(const std::filesystem::path& path) {
    torch::NoGradGuard no_grad;
    return load_model(path).scorer.score(models::hash_pixels(8, 1, 224, 224));
  }
};

TEST_F(ForeignModel, AnAuthorsFileIsAModel) {
  const auto path = write("hyperiqa.pth", light_hyperiqa());
  const auto model = load_model(path);
  const auto& options = model.scorer.options();
  EXPECT_EQ(options.model, "hyperiqa");
  EXPECT_EQ(options.backbone, "mobilenet_v2");
  // The authors' demo: squeezed to 512 x 384, ten random crops, scores on KonIQ-10k's 0-100.
  EXPECT_EQ(options.compat, models::Compat::kOfficial);
  EXPECT_EQ(options.input.resize, "512x384");
  EXPECT_EQ(options.crops.count, 10);
  EXPECT_TRUE(options.scale.calibrated);
  EXPECT_EQ(options.scale.calibration.slope, 1);
  EXPECT_EQ(model.sha256, sha256_file(path));
  const auto own = network_tensors(model.scorer.network());
  EXPECT_EQ(own.at("conv1.0.weight").scalar_type(), torch::kFloat32);
  EXPECT_TRUE(torch::equal(own.at("conv1.0.weight"), light_hyperiqa().at("module.conv1.0.weight").to(torch::kFloat32)));
  // Converted, it says the same of itself and scores the same.
  const auto converted = folder() / "converted.safetensors";
  EXPECT_THAT(convert(path, converted, {}), HasSubstr("hyperiqa on mobilenet_v2"));
  EXPECT_TRUE(torch::equal(score(converted), score(path)));
  EXPECT_EQ(load_model(converted).scorer.options().crops.count, 10);
}

TEST_F(ForeignModel, WhatDoesNotFitIsCountedAndNamed) {
  auto tensors = light_hyperiqa();
  tensors.erase("module.fc1b_fc.bias");
  tensors["module.extra.weight"] = torch::zeros({1});
  tensors["module.fc5b_fc.bias"] = torch::zeros({2});
  const auto path = write("hyperiqa.pth", tensors);
  EXPECT_THAT(
      error_message(ErrorKind::kInput, [&] { static_cast<void>(load_model(path)); }),
      AllOf(StartsWith(path.string()), HasSubstr("1 missing (fc1b_fc.bias)"), HasSubstr("1 unexpected (extra.weight)"),
            HasSubstr("1 of another shape (fc5b_fc.bias [2] for [1])")));
}

TEST_F(ForeignModel, AFileOfUnknownNamesNeedsAWord) {
  const auto network = models::compact_network(5);
  const auto path = write("compact.pt", network_tensors(*network));
  EXPECT_THAT(error_message(ErrorKind::kInput, [&] { static_cast<void>(load_model(path)); }),
              HasSubstr("are none of a model known here"));
  const auto model = load_model(path, {.model = "compact", .backbone = ""});
  EXPECT_TRUE(torch::equal(network_tensors(model.scorer.network()).at("head.0.weight"),
                           network_tensors(*network).at("head.0.weight")));
  EXPECT_THAT(error_message(ErrorKind::kUsage,
                            [&] {
                              static_cast<void>(load_model(path, {"compakt", ""}));
                            }),
              HasSubstr("did you mean 'compact'"));
}

// The pairs of models.md 1.6, which its author verified against IQA-PyTorch's source.
TEST(KeyMaps, PyiqasHyperIqaNamesAreOurs) {
  const std::map<std::string, std::string> pairs = {
      {"base_model.layer1.0.conv1.weight", "res.layer1.0.conv1.weight"},
      {"base_model.bn1.running_mean", "res.bn1.running_mean"},
      {"lda_modules.0.0.weight", "res.lda1_pool.0.weight"},
      {"lda_modules.2.0.weight", "res.lda3_pool.0.weight"},
      {"lda_modules.0.3.bias", "res.lda1_fc.bias"},
      {"lda_modules.1.3.weight", "res.lda2_fc.weight"},
      {"lda_modules.3.2.weight", "res.lda4_fc.weight"},
      {"conv1.2.bias", "conv1.2.bias"},
      {"fc_w_modules.0.weight", "fc1w_conv.weight"},
      {"fc_w_modules.3.bias", "fc4w_conv.bias"},
      {"fc_w_modules.4.2.weight", "fc5w_fc.weight"},
      {"fc_b_modules.0.2.weight", "fc1b_fc.weight"},
      {"fc_b_modules.4.2.bias", "fc5b_fc.bias"},
  };
  const auto network = network_tensors(*models::make_network("hyperiqa", "mobilenet_v2"));
  for (const auto& [theirs, ours] : pairs) {
    EXPECT_EQ(own_name(Origin::kPyiqa, theirs), ours);
    EXPECT_EQ(own_name(Origin::kAuthors, theirs), theirs);
    EXPECT_TRUE(network.contains(ours) || theirs.starts_with("base_model.")) << ours;
  }
}

std::string detected(const std::map<std::string, std::vector<std::int64_t>>& shapes) {
  std::map<std::string, TensorInfo> tensors;
  for (const auto& [name, shape] : shapes) {
    tensors[name] = {torch::kFloat32, shape};
  }
  const auto found = detect_model(tensors);
  return found ? found->model + "|" + found->backbone + "|" + found->what : "";
}

TEST(KeyMaps, ModelsAreToldByTheirKeys) {
  EXPECT_THAT(detected({{"fc5w_fc.weight", {14, 112}}, {"res.layer1.0.conv1.weight", {64, 64, 1, 1}}}),
              StartsWith("hyperiqa|resnet50|"));
  EXPECT_THAT(detected({{"fc_w_modules.0.weight", {}}, {"base_model.layer1.0.conv1.weight", {}}}),
              HasSubstr("(pyiqa)"));
  EXPECT_THAT(detected({{"features2.24.weight", {}}, {"fc.weight", {1, 65536}}}), StartsWith("dbcnn||"));
  EXPECT_EQ(detected({{"features2.24.weight", {}}, {"fc.weight", {1, 100}}}), "");
  EXPECT_THAT(detected({{"tablock1.0.c_q.weight", {784, 784}}}), StartsWith("maniqa||"));
  std::map<std::string, std::vector<std::int64_t>> linearity = {{"dr6.0.weight", {}},
                                                                {"features.6.1.conv2.weight", {}}};
  EXPECT_THAT(detected(linearity), StartsWith("linearityiqa|resnet18|"));
  linearity["features.6.5.conv2.weight"] = {};
  EXPECT_THAT(detected(linearity), StartsWith("linearityiqa|resnet34|"));
  linearity["features.6.5.conv3.weight"] = {};
  linearity["features.4.0.conv2.weight"] = {64, 64, 3, 3};
  EXPECT_THAT(detected(linearity), StartsWith("linearityiqa|resnet50|"));
  linearity["features.6.22.conv3.weight"] = {};
  linearity["features.4.0.conv2.weight"] = {256, 8, 3, 3};
  EXPECT_THAT(detected(linearity), StartsWith("linearityiqa|resnext101_32x8d|"));
  EXPECT_EQ(detected({{"w", {1}}}), "");
}

TEST(ForeignScale, FollowsTheFile) {
  const auto scale = [](const char* model, Origin origin, const std::map<std::string, nlohmann::json>& scalars) {
    return foreign_scale({model, model, "", origin}, scalars);
  };
  const auto linearity = scale("linearityiqa", Origin::kAuthors, {{"k", {12.5, 1, 1}}, {"b", {50.25, 0, 0}}});
  EXPECT_TRUE(linearity.calibrated);
  EXPECT_EQ(linearity.calibration.slope, 12.5);
  EXPECT_EQ(linearity.calibration.intercept, 50.25);
  EXPECT_FALSE(scale("linearityiqa", Origin::kAuthors, {{"k", {1, 1, 1}}, {"b", {0, 0, 0}}}).calibrated);
  EXPECT_FALSE(scale("linearityiqa", Origin::kAuthors, {{"k", {12.5, 1, 1}}, {"b", "text"}}).calibrated);
  EXPECT_EQ(scale("hyperiqa", Origin::kPyiqa, {}).calibration.slope, 100);
  EXPECT_EQ(scale("maniqa", Origin::kAuthors, {}).calibration.slope, 100);
  EXPECT_FALSE(scale("dbcnn", Origin::kAuthors, {}).calibrated);
}

TEST(ForeignScale, FollowsTheLabelsThatTheUserNames) {
  const auto scale = foreign_scale({"dbcnn", "dbcnn", "", Origin::kAuthors}, {}, stats::parse_label_scale("80:-20"));
  EXPECT_TRUE(scale.calibrated);
  EXPECT_DOUBLE_EQ(scale.calibration(80), 0);
  EXPECT_DOUBLE_EQ(scale.calibration(-20), 100);
  EXPECT_DOUBLE_EQ(scale.calibration(30), 50);
  for (const char* text : {"", "1", "1:", ":1", "1:1", "a:2", "0:nan", "0:inf", "0:1:2"}) {
    EXPECT_THAT(error_message(ErrorKind::kUsage, [&] { static_cast<void>(stats::parse_label_scale(text)); }),
                HasSubstr("scale '"))
        << text;
  }
}

TEST(ForeignScale, RefusesLabelsForAnOutputThatIsOnNoScale) {
  const auto scale = [](double k, double b) {
    return foreign_scale({"linearityiqa", "linearityiqa", "", Origin::kAuthors}, {{"k", {k}}, {"b", {b}}},
                         stats::parse_label_scale("1:5"));
  };
  EXPECT_TRUE(scale(2, 3).calibrated);
  EXPECT_THAT(error_message(ErrorKind::kUsage, [&] { static_cast<void>(scale(1, 0)); }), HasSubstr("k and b"));
}

TEST_F(ForeignModel, TwoFilesFillTwoTrunks) {
  NamedTensors network({{"features1.0.weight", {2, 3}}, {"features2.0.weight", {4, 3}}, {"fc.weight", {1, 8}}});
  const auto vgg =
      write("vgg16.pth", {{"features.0.weight", torch::full({2, 3}, 1.0)}, {"classifier.0.weight", torch::zeros({5})}});
  const auto scnn = write("scnn.pth", {{"module.features.0.weight", torch::full({4, 3}, 2.0)},
                                       {"module.projection.0.weight", torch::zeros({5})}});
  EXPECT_EQ(load_initial(network, vgg.string() + ", " + scnn.string()), Initial::kTrunk);
  const auto own = network_tensors(network);
  EXPECT_EQ(own.at("features1.0.weight").sum().item<double>(), 6);
  EXPECT_EQ(own.at("features2.0.weight").sum().item<double>(), 24);
  EXPECT_EQ(own.at("fc.weight").sum().item<double>(), 0);
  EXPECT_THAT(error_message(ErrorKind::kInput,
                            [&] { load_initial(network, vgg.string() + "," + folder().string() + "/no.pth"); }),
              HasSubstr("no.pth"));
}

TEST_F(ForeignModel, ATorchvisionResNetFillsANumberedTrunk) {
  NamedTensors network({{"features.0.weight", {2}},
                        {"features.1.bias", {2}},
                        {"features.4.0.w", {2}},
                        {"features.5.0.w", {2}},
                        {"features.6.1.w", {2}},
                        {"features.7.0.w", {2}},
                        {"dr6.0.weight", {3}}});
  TensorMap file;
  double value = 1;
  for (const char* name : {"conv1.weight", "bn1.bias", "layer1.0.w", "layer2.0.w", "layer3.1.w", "layer4.0.w"}) {
    file[name] = torch::full({2}, value++);
  }
  EXPECT_EQ(load_initial(network, write("resnet.pth", file)), Initial::kTrunk);
  const auto own = network_tensors(network);
  EXPECT_EQ(own.at("features.0.weight")[0].item<double>(), 1);
  EXPECT_EQ(own.at("features.6.1.w")[0].item<double>(), 5);
  EXPECT_EQ(own.at("features.7.0.w")[0].item<double>(), 6);
  file.erase("layer3.1.w");
  EXPECT_THAT(error_message(ErrorKind::kInput, [&] { load_initial(network, write("resnet.pth", file)); }),
              HasSubstr("1 tensors missing or of another shape (layer3.1.w), 5 match"));
}

TEST_F(ForeignModel, OwnModelsKeepTheirBytesThroughPyTorchsContainer) {
  const auto first = folder() / "first.safetensors";
  models::ScorerOptions options;
  options.model = "compact";
  options.crop = 64;
  options.scale = {.name = "MOS 0-100 of a test", .calibration = {3, 4}, .calibrated = true};
  save_model(first, models::Scorer(models::compact_network(7), options), {{{"epochs", 3}}, {}});
  static_cast<void>(convert(first, folder() / "model.pth", {}));
  static_cast<void>(convert(folder() / "model.pth", folder() / "second.safetensors", {}));
  EXPECT_EQ(sha256_file(first), sha256_file(folder() / "second.safetensors"));
  EXPECT_EQ(load_model(folder() / "model.pth").scorer.options().scale.name, "MOS 0-100 of a test");
}

TEST_F(ForeignModel, OtherTensorsAreCopiedWithTheirScalars) {
  const auto in = write("other.pth", {{"module.w", torch::arange(3)}}, {{"arch", "x"}});
  EXPECT_THAT(convert(in, folder() / "other.safetensors", {}), StartsWith("1 tensors as they are"));
  const auto out = read_safetensors(folder() / "other.safetensors");
  EXPECT_TRUE(torch::equal(out.tensors.at("w"), torch::arange(3)));
  EXPECT_EQ(out.metadata.at("arch"), "x");
  EXPECT_THAT(error_message(ErrorKind::kUsage, [&] { static_cast<void>(convert(in, folder() / "out.onnx", {})); }),
              HasSubstr("ends in .safetensors, .pth or .pt"));
  EXPECT_THAT(error_message(ErrorKind::kInput,
                            [&] {
                              const ModelChoice labels{.label_scale = stats::parse_label_scale("1:5")};
                              static_cast<void>(convert(in, folder() / "out.pth", labels));
                            }),
              HasSubstr("none of a model known here"));
}

// models.md 6.2: members stored, payloads at multiples of 64 bytes, a version.
TEST_F(ForeignModel, WrittenArchivesAreAligned) {
  const TensorMap tensors = {
      {"a", torch::arange(5, torch::kFloat32)}, {"half", torch::ones({3}, torch::kFloat16)},
      {"flag", torch::tensor({true, false})},   {"zero_d", torch::tensor(std::int64_t{7})},
      {"empty", torch::empty({2, 0})},          {"strided", torch::arange(6, torch::kFloat64).view({2, 3}).t()}};
  const auto path = write("aligned.pth", tensors, {{"note", "text"}});
  const auto bytes = read_text_file(path);
  std::size_t members = 0;
  for (auto at = bytes.find("PK\x03\x04"); at != std::string::npos; at = bytes.find("PK\x03\x04", at + 1), ++members) {
    std::uint16_t name = 0;
    std::uint16_t extra = 0;
    std::memcpy(&name, bytes.data() + at + 26, 2);
    std::memcpy(&extra, bytes.data() + at + 28, 2);
    EXPECT_EQ((at + 30 + name + extra) % 64, 0U);
  }
  EXPECT_EQ(members, tensors.size() + 2);
  const ZipArchive archive(path);
  EXPECT_EQ(archive.size("archive/version"), 2U);
  EXPECT_EQ(archive.size("archive/data/0"), 20U);
  const auto file = read_checkpoint(path);
  EXPECT_EQ(file.info.scalars.at("note"), "text");
  for (const auto& [name, tensor] : tensors) {
    EXPECT_EQ(file.tensors.at(name).scalar_type(), tensor.scalar_type());
    EXPECT_TRUE(torch::equal(file.tensors.at(name), tensor)) << name;
  }
  EXPECT_EQ(serialize_torch_zip(tensors, {}), serialize_torch_zip(tensors, {}));
}

}  // namespace
}  // namespace steadyiqa::checkpoint
