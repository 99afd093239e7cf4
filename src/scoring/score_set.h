// Scores of many images: decoding in the background, one image at a time through the Scorer, so that no score depends
// on its neighbours.
#pragma once

#include "data/dataset.h"
#include "models/scorer.h"

#include <torch/types.h>

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace steadyiqa::scoring {

/// Calls `visit(index, pixels)` in order for every image, [1,3,H,W] in [0,1], or with the reason why it could not be
/// decoded. `orientation`: the Scorer's (options().input.orientation). Stops between images with Error(kInterrupted) on
/// Ctrl-C.
using Visit = std::function<void(std::int64_t index, const Result<torch::Tensor>& pixels)>;
void for_each_image(std::span<const std::filesystem::path> paths, image::Orientation orientation,
                    const std::string& label, const Visit& visit);

/// The samples' files, in order.
[[nodiscard]] std::vector<std::filesystem::path> paths_of(const data::Dataset& dataset);

/// Raw scores of every sample, in order. A sample that cannot be decoded, or a score that is not finite, is an Error.
[[nodiscard]] std::vector<double> raw_scores(const models::Scorer& scorer, const data::Dataset& dataset,
                                             const std::string& label);

/// data::pixel_digest of every sample as it is decoded for the Scorer, in order. A sample that cannot be decoded is an
/// Error.
[[nodiscard]] std::vector<std::string> pixel_digests(const models::Scorer& scorer, const data::Dataset& dataset,
                                                     const std::string& label);

/// The samples' labels on the 0-100, higher-is-better scale.
[[nodiscard]] std::vector<double> mos_0_100(const data::Dataset& dataset);

/// The line from raw scores to 0-100 MOS, fitted by least squares on (at most `limit`, evenly spaced) images of the
/// training set.
[[nodiscard]] models::ScoreScale fit_scale(const models::Scorer& scorer, const data::Dataset& train,
                                           std::int64_t limit);

}  // namespace steadyiqa::scoring
