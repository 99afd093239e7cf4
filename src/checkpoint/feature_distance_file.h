// LPIPS and DISTS from the files that their authors and torchvision publish.
#pragma once

#include "models/feature_distance.h"

#include <filesystem>
#include <memory>

namespace steadyiqa::checkpoint {

enum class FeatureDistanceKind { kLpips, kDists };

/// `weights`, in any container: the state of the authors' whole module, or only its own part (LPIPS lin0.model.1.weight
/// to lin4, DISTS alpha and beta, as published). The trunk is then taken from `trunk`, torchvision's vgg16 or alexnet
/// (features.0.weight ...; the classifier is ignored); empty = `weights` has it. LPIPS is on AlexNet where the width of
/// lin1 says so. Parameters require no gradient. Throws Error(kInput) that names file and tensor for one that is
/// missing, has another shape, is not finite, or is negative (LPIPS) or of no positive sum (DISTS).
[[nodiscard]] std::shared_ptr<models::FeatureDistance> load_feature_distance(FeatureDistanceKind kind,
                                                                             const std::filesystem::path& weights,
                                                                             const std::filesystem::path& trunk = {});

}  // namespace steadyiqa::checkpoint
