// Exported models run by src/inference against the Scorer that they were exported from.
#include "inference/image_scorer.h"

#include "base/expect_error.h"
#include "base/file.h"
#include "base/temp_folder.h"
#include "data/loader.h"
#include "exporting/export_model.h"
#include "exporting/hash_scorer.h"
#include "exporting/run_plan.h"
#include "image/noise.h"
#include "models/model_test_support.h"
#include "parallel/runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

namespace steadyiqa::exporting {
namespace {

using steadyiqa::testing::error_message;
using steadyiqa::testing::hash_scorer;
using steadyiqa::testing::run_plan;
using ::testing::HasSubstr;

/// Raw scores of the plan against libtorch's, relative to the larger of 1 and theirs.
double network_difference(const models::Scorer& scorer, const torch::Tensor& pixels, inference::Precision precision) {
  const torch::NoGradGuard no_grad;
  const ExportOptions options{.height = pixels.size(2), .width = pixels.size(3)};
  const auto raw = run_plan(export_onnx(scorer, options).bytes, pixels, precision).at("raw");
  const auto expected = scorer.raw_of_crops(pixels);
  return ((raw - expected).abs() / expected.abs().clamp_min(1)).max().item<double>();
}

// Float32 sums in another order. The networks have depthwise, grouped and strided convolutions, shortcuts with and
// without a convolution, weights that the network itself computes. MANIQA's layers are those of onnx_ops_test.cpp; the
// whole of it would take longer than all other tests here.
TEST(InferenceOfNetworks, EqualsLibtorch) {
  const auto difference = [](const char* name, const char* backbone, std::int64_t height, std::int64_t width) {
    const auto scorer = hash_scorer(name, backbone, static_cast<int>(height));
    return network_difference(scorer, models::hash_pixels(3, 2, height, width), inference::Precision::kFloat32);
  };
  EXPECT_LT(difference("compact", "", 64, 64), 1e-5);
  EXPECT_LT(difference("compact", "", 75, 130), 1e-5);
  EXPECT_LT(difference("hyperiqa", "mobilenet_v2", 224, 224), 1e-4);
  EXPECT_LT(difference("hyperiqa", "resnet50", 224, 224), 1e-4);
  EXPECT_LT(difference("dbcnn", "", 97, 130), 1e-4);
  EXPECT_LT(difference("linearityiqa", "resnet18", 129, 97), 1e-4);
}

// bfloat16 keeps 8 bits: 0.4 % of each activation, and the hash network's scores are sums of many.
TEST(InferenceOfNetworks, InBfloat16IsNear) {
  if (!parallel::multiplies_bfloat16()) {
    GTEST_SKIP() << "this processor does not multiply bfloat16";
  }
  const auto scorer = hash_scorer("compact", "", 64);
  const auto pixels = models::hash_pixels(3, 2, 64, 64);
  const double difference = network_difference(scorer, pixels, inference::Precision::kBfloat16);
  EXPECT_LT(difference, 5e-2);
  EXPECT_GT(difference, 1e-6);  // it is another precision
}

class InferenceOfImages : public steadyiqa::testing::TempFolder {
 protected:
  [[nodiscard]] std::filesystem::path exported(const models::Scorer& scorer, const ExportOptions& options = {}) const {
    const auto path = folder() / "model.onnx";
    write_file_atomic(path, export_onnx(scorer, options).bytes);
    return path;
  }
  /// In points of 100.
  [[nodiscard]] double difference(const models::Scorer& scorer, const image::Image& image,
                                  const ExportOptions& options = {}) const {
    const torch::NoGradGuard no_grad;
    inference::ImageScorer ours(exported(scorer, options), 2);
    const auto pixels = data::to_tensor(image).unsqueeze(0);
    return std::abs(ours.calibrate(ours.raw(image)) - scorer.score(pixels).item<double>());
  }
};

TEST_F(InferenceOfImages, EqualsTheScorerWhateverThePreprocessing) {
  auto scorer = hash_scorer("compact", "", 64);
  const auto expect_same = [&](const char* what, const image::InputPolicy& input, const image::CropPolicy& crops) {
    auto options = scorer.options();
    options.input = input;
    options.crops = crops;
    scorer.set_options(options);
    // Larger than the crop, smaller on one side, smaller on both, as large.
    for (const auto& [width, height] : {std::pair(150, 97), {150, 40}, {31, 45}, {64, 64}}) {
      EXPECT_LT(difference(scorer, image::scene(width, height)), 1e-3) << what << ", " << width << "x" << height;
    }
  };
  using enum image::CropKind;
  expect_same("grid", {}, {.kind = kGrid, .count = 9});
  expect_same("random", {}, {.kind = kRandom, .count = 5, .seed = 77});
  expect_same("centre", {}, {.kind = kCentre});
  expect_same("past the crop", {.small_images = image::SmallImages::kPastCrop}, {.kind = kUniform, .count = 6});
  expect_same("resized", {.resize = "short:80,90x120"}, {.kind = kFivePoint, .count = 5});
  expect_same("resized by OpenCV", {.resize = "70x65", .filter = image::Filter::kOpencvCubic},
              {.kind = kNumpy, .count = 4});
}

TEST_F(InferenceOfImages, FixedBatchesAreFilled) {
  auto scorer = hash_scorer("compact", "", 64);
  auto options = scorer.options();
  options.crops = {.kind = image::CropKind::kGrid, .count = 9};
  scorer.set_options(options);
  EXPECT_LT(difference(scorer, image::scene(150, 97), {.batch = 4}), 1e-3);
}

TEST_F(InferenceOfImages, WholeImagesAreOfTheExportedSizeAlone) {
  auto scorer = hash_scorer("compact", "", 64);
  auto options = scorer.options();
  options.crops = {.kind = image::CropKind::kWhole};
  scorer.set_options(options);
  const ExportOptions size{.height = 75, .width = 130};
  EXPECT_LT(difference(scorer, image::scene(130, 75), size), 1e-3);
  inference::ImageScorer ours(exported(scorer, size), 1);
  EXPECT_THAT(error_message(ErrorKind::kInput, [&] { static_cast<void>(ours.raw(image::scene(75, 130))); }),
              HasSubstr("75x130 pixels, where the model was exported for 130x75"));
}

TEST_F(InferenceOfImages, AScoreDependsOnNoNumberOfThreads) {
  const auto path = exported(hash_scorer("compact", "", 64));
  const auto image = image::scene(150, 97);
  inference::ImageScorer one(path, 1);
  inference::ImageScorer three(path, 3);
  const double raw = one.raw(image);
  EXPECT_EQ(three.raw(image), raw);
  EXPECT_EQ(one.raw(image), raw);
}

}  // namespace
}  // namespace steadyiqa::exporting
