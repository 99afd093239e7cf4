#include "inference/image_scorer.h"

#include "base/error.h"
#include "inference/bilinear.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <functional>
#include <numeric>
#include <optional>
#include <span>
#include <thread>
#include <utility>

namespace steadyiqa::inference {
namespace {

constexpr const char* kRaw = "raw";

std::string property(const OnnxFile& file, const std::string& name) {
  const auto found = file.metadata.find("steadyiqa." + name);
  if (found == file.metadata.end()) {
    fail_input("has no property steadyiqa.{}: `steadyiqa export` of this version writes it", name);
  }
  return found->second;
}

ModelCard card_of(const OnnxFile& file) {
  const auto json = [&](const std::string& name) { return nlohmann::json::parse(property(file, name)); };
  ModelCard card;
  try {
    card.model = property(file, "model");
    card.backbone = property(file, "backbone");
    card.model_sha256 = property(file, "model_sha256");
    card.crop = json("crop_side").get<int>();
    all_options_from_json(card.crops, image::crop_policy_fields(), json("crop_policy"), "steadyiqa.crop_policy");
    all_options_from_json(card.input, image::input_policy_fields(), json("input_policy"), "steadyiqa.input_policy");
    card.score_name = property(file, "score_name");
    card.calibrated = json("calibrated").get<bool>();
    card.slope = json("calibration").at("slope").get<double>();
    card.intercept = json("calibration").at("intercept").get<double>();
    image::check(card.crops);
  } catch (const nlohmann::json::exception& error) {
    fail_input("its properties: {}", error.what());
  } catch (const Error& error) {
    fail_input("its properties: {}", error.what());
  }
  if (card.crops.pooling != image::Pooling::kMean) {
    fail_input("its crops' scores are pooled by weight, which an exported file does not hold");
  }
  return card;
}

void check_interface(const Plan& plan, const ModelCard& card) {
  const auto& shape = plan.input_shape;
  const bool whole = card.crops.kind == image::CropKind::kWhole;
  constexpr std::size_t kRank = 4;
  if (shape.size() != kRank || shape[1] != 3 || (!whole && (shape[2] != card.crop || shape[3] != card.crop))) {
    fail_input("its input is [{}], not crops of {}x{} pixels", fmt::join(shape, ","), card.crop, card.crop);
  }
  const auto output = plan.outputs.find(kRaw);
  if (output == plan.outputs.end() || output->second.shape != Shape{shape[0]}) {
    fail_input("it has no output '{}', one number an image", kRaw);
  }
}

/// An image's pixels, and where its crops come from: 8-bit rows, or float planes where it had to be enlarged.
struct Pixels {
  image::Image image;
  std::vector<float> planes{};  ///< [3, height, width] in [0,1]
  std::int64_t height = 0;
  std::int64_t width = 0;
};

std::vector<float> planes_of(const image::Image& image) {
  const auto area = static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height);
  std::vector<float> planes(3 * area);
  for (std::size_t i = 0; i < area; ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      planes[c * area + i] = static_cast<float>(image.pixels[i * 3 + c]) / 255.0F;
    }
  }
  return planes;
}

Pixels prepared(image::Image image, const image::ResizeRule& rule, std::int64_t crop, image::SmallImages small) {
  Pixels pixels{image::resize(std::move(image), rule)};
  pixels.height = pixels.image.height;
  pixels.width = pixels.image.width;
  const image::Size from{pixels.image.width, pixels.image.height};
  if (const auto larger = image::enlargement(from, crop, small)) {
    const auto axis = [&](int inputs, int outputs) {
      const double step = larger->factor ? 1 / *larger->factor : static_cast<double>(inputs) / outputs;
      return half_pixel_axis(inputs, outputs, step);
    };
    const auto rows = axis(from.height, larger->size.height);
    const auto columns = axis(from.width, larger->size.width);
    const auto planes = planes_of(pixels.image);
    pixels.height = larger->size.height;
    pixels.width = larger->size.width;
    pixels.planes.resize(3 * static_cast<std::size_t>(pixels.height * pixels.width));
    for (std::int64_t c = 0; c < 3; ++c) {
      interpolate(planes.data() + c * from.height * from.width, rows, columns,
                  pixels.planes.data() + c * pixels.height * pixels.width);
    }
  }
  return pixels;
}

/// The part at (y, x), [3, height, width], into `into`.
void copy_crop(const Pixels& pixels, std::int64_t y, std::int64_t x, std::int64_t height, std::int64_t width,
               float* into) {
  for (std::int64_t c = 0; c < 3; ++c) {
    for (std::int64_t row = 0; row < height; ++row) {
      if (!pixels.planes.empty()) {
        const auto first = (c * pixels.height + y + row) * pixels.width + x;
        into = std::copy_n(pixels.planes.data() + first, width, into);
        continue;
      }
      const std::uint8_t* from = pixels.image.at(static_cast<int>(x), static_cast<int>(y + row)) + c;
      for (std::int64_t column = 0; column < width; ++column) {
        *into++ = static_cast<float>(from[column * 3]) / 255.0F;
      }
    }
  }
}

/// Calls `work(worker, i)` for i = 0..count-1, each worker on a thread of its own. What one throws is thrown here.
void share_out(std::size_t workers, std::size_t count, const std::function<void(std::size_t, std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  std::vector<std::exception_ptr> failures(workers);
  const auto run = [&](std::size_t worker) {
    try {
      for (std::size_t i = next++; i < count; i = next++) {
        work(worker, i);
      }
    } catch (...) {
      failures[worker] = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t worker = 1; worker < std::min(workers, count); ++worker) {
      threads.emplace_back(run, worker);
    }
    run(0);
  }
  for (const auto& failure : failures) {
    if (failure) {
      std::rethrow_exception(failure);
    }
  }
}

}  // namespace

ImageScorer::ImageScorer(const std::filesystem::path& file, int threads, Precision precision) {
  const OneThread alone;  // oneDNN picks a kernel for as many threads as it sees
  auto onnx = read_onnx(file);
  try {
    card_ = card_of(onnx);
    resize_ = image::resize_rule(card_.input);
    const auto plan = std::make_shared<const Plan>(make_plan(std::move(onnx), 1, precision));
    check_interface(*plan, card_);
    for (int i = 0; i < threads; ++i) {
      runners_.push_back(std::make_unique<Runner>(plan));
    }
  } catch (const Error& error) {
    fail(error.kind(), "{}: {}", file.string(), error.what());
  }
}

double ImageScorer::raw(image::Image image) {
  const auto& shape = runners_.front()->plan().input_shape;
  const bool whole = card_.crops.kind == image::CropKind::kWhole;
  const auto pixels = prepared(std::move(image), resize_, whole ? image::kSmallestWholeSide : card_.crop,
                               whole ? image::SmallImages::kToCrop : card_.input.small_images);
  std::vector<std::pair<std::int64_t, std::int64_t>> places = {{0, 0}};
  if (!whole) {
    places = image::crop_places(card_.crops, card_.crop, pixels.height, pixels.width);
  } else if (pixels.height != shape[2] || pixels.width != shape[3]) {
    fail_input("{}x{} pixels, where the model was exported for {}x{}", pixels.width, pixels.height, shape[3], shape[2]);
  }
  const auto batch = static_cast<std::size_t>(shape[0]);  // of a file that was exported for a fixed one
  const auto size = static_cast<std::size_t>(shape[1] * shape[2] * shape[3]);
  std::vector<float> scores(places.size());
  share_out(runners_.size(), (places.size() + batch - 1) / batch, [&](std::size_t worker, std::size_t part) {
    auto& runner = *runners_[worker];
    const auto first = part * batch;
    const auto crops = std::min(batch, places.size() - first);
    const auto input = runner.input();
    std::fill(input.begin(), input.end(), 0.0F);
    for (std::size_t i = 0; i < crops; ++i) {
      const auto& [y, x] = places[first + i];
      copy_crop(pixels, y, x, shape[2], shape[3], input.data() + i * size);
    }
    runner.run();
    std::copy_n(runner.output(kRaw).begin(), crops, scores.begin() + static_cast<std::ptrdiff_t>(first));
  });
  const double mean = std::accumulate(scores.begin(), scores.end(), 0.0) / static_cast<double>(scores.size());
  if (!std::isfinite(mean)) {
    fail_input("the model's score is not finite");
  }
  return mean;
}

}  // namespace steadyiqa::inference
