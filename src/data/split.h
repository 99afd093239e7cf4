// Which sample belongs to which set.
#pragma once

#include "data/dataset.h"

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace steadyiqa::data {

/// A set's name as everything else spells it: "training" is "train", "validation" is "val" and "testing" is "test", as
/// KonIQ-10k's file and others have them; these six in any case, with blanks around. Any other name stays as it is.
[[nodiscard]] std::string canonical_set(std::string_view set);

/// Sets every sample's `set` from a CSV with columns image,set (matched to Sample::name, or to its file name; sets
/// as canonical_set reads them). A listed image that the data set does not have, and an image listed twice, are errors
/// with a count and the first name. Samples that the file does not list get set "" (unused).
void split_by_file(Dataset& dataset, const std::filesystem::path& csv);

/// Shares of train, val and test; they sum to 1 (1e-6).
struct SplitRatio {
  double train = 0.8;
  double val = 0.1;
  double test = 0.1;
};
/// Splits at random by seed. Where samples have references, all samples of one reference go to one set (no content
/// leaks); shares are then of references. The same seed and list give the same split on every machine.
void split_by_seed(Dataset& dataset, const SplitRatio& ratio, std::uint64_t seed);
/// "0.8/0.1/0.1". Throws Error(kUsage).
[[nodiscard]] SplitRatio parse_split_ratio(const std::string& text);

/// The samples whose set is `set` (as canonical_set reads it), in order. An empty result is an Error(kInput) that lists
/// the sets there are.
[[nodiscard]] Dataset subset(const Dataset& dataset, const std::string& set);
/// Throws Error(kInput) that counts the samples whose image file is missing and names the first ones. Called on the
/// sets in use only, so that a partial download serves as long as its split needs no more.
void require_images(const Dataset& dataset);

}  // namespace steadyiqa::data
