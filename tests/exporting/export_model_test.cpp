#include "exporting/export_model.h"

#include "base/digest.h"
#include "base/expect_error.h"
#include "base/temp_folder.h"
#include "exporting/hash_scorer.h"
#include "exporting/onnxruntime.h"
#include "models/model_test_support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>
#include <torch/torch.h>

namespace steadyiqa::exporting {
namespace {

using steadyiqa::testing::error_message;
using steadyiqa::testing::hash_scorer;
using ::testing::HasSubstr;

ExportOptions options_of(std::int64_t height = 0, std::int64_t width = 0, std::int64_t batch = 0) {
  return {.height = height, .width = width, .batch = batch, .model_sha256 = "abc123", .tool_version = "1.2.3"};
}

onnx::ModelProto parsed(const ExportedModel& exported) {
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(exported.bytes));
  return model;
}

TEST(ExportedFile, OfAModelThatPurifiesIsAUsageError) {
  auto scorer = hash_scorer("compact", "", 32);
  auto options = scorer.options();
  options.purification = models::parse_purification({"jpeg:quality=50", "bits"});
  scorer.set_options(options);
  const auto message = error_message(ErrorKind::kUsage, [&] { static_cast<void>(export_onnx(scorer, options_of())); });
  EXPECT_THAT(message, HasSubstr("jpeg:quality=50 + bits:bits=5"));
}

class ExportedScores : public steadyiqa::testing::TempFolder {
 protected:
  void SetUp() override {
    TempFolder::SetUp();
    if (const auto reason = steadyiqa::testing::no_onnxruntime(); !reason.empty()) {
      GTEST_SKIP() << reason;
    }
  }
  /// Both outputs of the model on each of the inputs, against the Scorer's.
  void expect_scores(const models::Scorer& scorer, const std::string& model,
                     const std::vector<torch::Tensor>& inputs) const {
    torch::NoGradGuard no_grad;
    steadyiqa::testing::OnnxJobs jobs(folder());
    for (const auto& pixels : inputs) {
      jobs.add(model, pixels);
    }
    const auto results = jobs.run();
    ASSERT_EQ(results.size(), inputs.size());
    const auto& line = scorer.options().scale.calibration;
    double worst = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const auto raw = scorer.raw_of_crops(inputs[i]);
      const auto difference = [&](const char* name, const torch::Tensor& expected) {
        const auto& given = results[i].at(name);
        EXPECT_EQ(given.sizes(), expected.sizes());
        return (given - expected).abs().max().item<double>();
      };
      worst = std::max({worst, difference("score", raw * line.slope + line.intercept),
                        difference("raw", raw) * std::abs(line.slope)});
    }
    // Points of 100. The exporter's claim is 1e-2; float32 sums in another order stay far below.
    EXPECT_LT(worst, 1e-3);
    RecordProperty("largest_difference", fmt::format("{:.2e}", worst));
  }
};

TEST_F(ExportedScores, CompactScoresBatchesOfAnySizeAsTheScorerDoes) {
  const auto scorer = hash_scorer("compact", "", 64);
  const auto exported = export_onnx(scorer, options_of());
  expect_scores(scorer, exported.bytes,
                {models::hash_pixels(1, 1, 64, 64), models::hash_pixels(2, 2, 64, 64),
                 models::hash_pixels(3, 7, 64, 64), torch::zeros({1, 3, 64, 64}), torch::ones({1, 3, 64, 64})});
}

TEST_F(ExportedScores, WholeImagesOfANetworkOfAnySize) {
  const auto scorer = hash_scorer("compact", "", 64);
  const auto exported = export_onnx(scorer, options_of(75, 130));
  expect_scores(scorer, exported.bytes, {models::hash_pixels(4, 3, 75, 130)});
}

// Takes two seconds or more: a 224-pixel network is traced with five images, scored with four, and read twice by node.
TEST_F(ExportedScores, HyperIqaScoresAsTheScorerDoes) {
  const auto scorer = hash_scorer("hyperiqa", "mobilenet_v2", 224);
  const auto exported = export_onnx(scorer, options_of());
  expect_scores(scorer, exported.bytes, {models::hash_pixels(1, 1, 224, 224), models::hash_pixels(2, 3, 224, 224)});
}

TEST_F(ExportedScores, FixedBatch) {
  const auto scorer = hash_scorer("compact", "", 32);
  const auto exported = export_onnx(scorer, options_of(0, 0, 4));
  EXPECT_EQ(parsed(exported).graph().input(0).type().tensor_type().shape().dim(0).dim_value(), 4);
  expect_scores(scorer, exported.bytes, {models::hash_pixels(5, 4, 32, 32)});
}

TEST(ExportedFile, HoldsWhatACallerMustKnow) {
  const auto exported = export_onnx(hash_scorer("compact", "", 64), options_of());
  const auto model = parsed(exported);
  EXPECT_EQ(model.ir_version(), 8);
  ASSERT_EQ(model.opset_import_size(), 1);
  EXPECT_EQ(model.opset_import(0).version(), 17);
  EXPECT_EQ(model.producer_name(), "steadyiqa");
  EXPECT_EQ(model.producer_version(), "1.2.3");
  std::map<std::string, std::string> metadata;
  for (const auto& entry : model.metadata_props()) {
    EXPECT_TRUE(metadata.emplace(entry.key(), entry.value()).second) << entry.key();
  }
  EXPECT_EQ(metadata, std::map(exported.metadata.begin(), exported.metadata.end()));
  EXPECT_EQ(metadata.at("steadyiqa.model"), "compact");
  EXPECT_EQ(metadata.at("steadyiqa.model_sha256"), "abc123");
  EXPECT_EQ(metadata.at("steadyiqa.crop_side"), "64");
  EXPECT_EQ(nlohmann::json::parse(metadata.at("steadyiqa.crop_policy")),
            (nlohmann::json{{"crops", "random"}, {"crop-count", 5}, {"crop-seed", 77}, {"pooling", "mean"}}));
  EXPECT_EQ(nlohmann::json::parse(metadata.at("steadyiqa.input_policy")),
            (nlohmann::json{{"resize", "none"},
                            {"resize-filter", "pillow-bilinear"},
                            {"small-images", "to-crop"},
                            {"orientation", "applied"}}));
  EXPECT_EQ(nlohmann::json::parse(metadata.at("steadyiqa.normalisation")),
            (nlohmann::json{{"mean", {0.5, 0.4, 0.3}}, {"std", {0.2, 0.25, 0.3}}}));
  EXPECT_EQ(nlohmann::json::parse(metadata.at("steadyiqa.calibration")),
            (nlohmann::json{{"slope", 31.25}, {"intercept", -7.5}}));
  EXPECT_EQ(metadata.at("steadyiqa.score_name"), "MOS 0-100 of a test");
  EXPECT_EQ(metadata.at("steadyiqa.calibrated"), "true");
  EXPECT_EQ(metadata.at("steadyiqa.higher_is_better"), "true");
}

TEST(ExportedFile, InputsOutputsAndWeightsHaveTheirNames) {
  const auto scorer = hash_scorer("compact", "", 64);
  const auto model = parsed(export_onnx(scorer, options_of()));
  const auto& graph = model.graph();
  ASSERT_EQ(graph.input_size(), 1);
  EXPECT_EQ(graph.input(0).name(), "pixels");
  const auto& shape = graph.input(0).type().tensor_type().shape();
  EXPECT_EQ(shape.dim(0).dim_param(), "N");
  EXPECT_EQ(shape.dim(3).dim_value(), 64);
  ASSERT_EQ(graph.output_size(), 2);
  EXPECT_EQ(graph.output(0).name(), "score");
  EXPECT_EQ(graph.output(1).name(), "raw");
  EXPECT_EQ(graph.output(1).type().tensor_type().shape().dim(0).dim_param(), "N");
  std::map<std::string, std::string> constants;
  for (const auto& tensor : graph.initializer()) {
    EXPECT_TRUE(constants.emplace(tensor.name(), tensor.raw_data()).second) << tensor.name();
  }
  for (const auto& item : scorer.network().named_parameters()) {
    const auto values = item.value().detach().contiguous();
    EXPECT_EQ(constants.at(item.key()), std::string(static_cast<const char*>(values.data_ptr()), values.nbytes()))
        << item.key();
  }
}

TEST(ExportedFile, TheSameModelGivesTheSameBytesAndStaysAsItWas) {
  const auto scorer = hash_scorer("compact", "", 64);
  scorer.network().train();
  const auto first = sha256_hex(std::string_view(export_onnx(scorer, options_of()).bytes));
  EXPECT_TRUE(scorer.network().is_training());
  for (const auto& parameter : scorer.network().parameters()) {
    EXPECT_TRUE(parameter.requires_grad());
  }
  EXPECT_EQ(sha256_hex(std::string_view(export_onnx(hash_scorer("compact", "", 64), options_of()).bytes)), first);
  EXPECT_NE(sha256_hex(std::string_view(export_onnx(scorer, options_of(64, 65)).bytes)), first);
}

TEST(ExportedFile, ASizeThatTheModelDoesNotTakeIsAUsageError) {
  const auto scorer = hash_scorer("hyperiqa", "mobilenet_v2", 224);
  EXPECT_THAT(error_message(ErrorKind::kUsage, [&] { static_cast<void>(export_onnx(scorer, options_of(224, 256))); }),
              HasSubstr("224x224 pixels only, not 224x256"));
}

}  // namespace
}  // namespace steadyiqa::exporting
