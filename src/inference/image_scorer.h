// Scores of images by an exported model, without libtorch: decoded pixels in, calibrated score out.
#pragma once

#include "image/crop_policy.h"
#include "image/image.h"
#include "image/input_policy.h"
#include "inference/runner.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace steadyiqa::inference {

/// What `steadyiqa export` wrote into the file's metadata (docs/export.md).
struct ModelCard {
  std::string model;
  std::string backbone;
  std::string model_sha256;  ///< of the model file that was exported
  int crop = 0;              ///< side, pixels
  image::InputPolicy input{};
  image::CropPolicy crops{};
  std::string score_name;
  bool calibrated = false;
  double slope = 1;  ///< calibrated = slope * raw + intercept
  double intercept = 0;
};

/// Reads, checks and prepares an exported model. Not thread-safe. The crops of an image go one by one through the
/// network, each on one thread: a score depends on no number of threads, and memory on none of crops.
class ImageScorer {
 public:
  /// Throws Error(kInput) for a file that is no export of SteadyIQA's or cannot be run, Error(kUsage) for a precision
  /// that the processor has not. `threads`: at least 1.
  ImageScorer(const std::filesystem::path& file, int threads, Precision precision = Precision::kFloat32);

  [[nodiscard]] const ModelCard& card() const { return card_; }
  /// The network's output, averaged over the crops that the model's policy takes. `image`: decoded with
  /// card().input.orientation. Throws Error(kInput) for an image that cannot be resized, for one of another size than
  /// the export's where the model takes whole images, and for a score that is not finite.
  [[nodiscard]] double raw(image::Image image);
  /// Nominally 0-100, higher is better, not clipped.
  [[nodiscard]] double calibrate(double raw) const { return card_.slope * raw + card_.intercept; }

 private:
  ModelCard card_;
  image::ResizeRule resize_;
  std::vector<std::unique_ptr<Runner>> runners_;  ///< one a thread
};

}  // namespace steadyiqa::inference
