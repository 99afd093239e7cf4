// A look at a data set before it is used: what is there, what is missing, what is odd.
#pragma once

#include "data/dataset.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace steadyiqa::data {

/// Something about one image.
struct ImageProblem {
  std::string image;
  std::string problem;
};

/// Labels in equal steps over the scale, widened to the labels there are.
struct Histogram {
  double low = 0;
  double high = 0;
  std::vector<std::int64_t> counts;
};

struct DatasetCheck {
  std::string name;
  LabelScale scale;
  std::string direction;  ///< of the labels, in words
  std::string mos_0_100;  ///< how a label becomes a score of 0-100, as text
  double label_min = 0;   ///< of the labels there are
  double label_max = 0;
  double label_mean = 0;
  Histogram histogram;
  std::int64_t images = 0;
  std::int64_t references = 0;  ///< different contents; 0 where the set has none
  std::int64_t missing_references = 0;
  std::int64_t decoded = 0;  ///< images opened, failures among them
  std::vector<ImageProblem> missing;
  std::vector<ImageProblem> failures;                       ///< of those opened
  std::vector<ImageProblem> duplicates;                     ///< the same bytes as an earlier one of those opened
  std::vector<std::pair<std::string, std::int64_t>> sizes;  ///< "512x384" and how many, most frequent first
  std::map<std::string, std::int64_t> sets;                 ///< images of each set
  std::vector<std::string> irregularities;                  ///< the reader's notes and what the check adds
  /// Whether images are missing or do not decode.
  [[nodiscard]] bool has_failures() const { return !missing.empty() || !failures.empty(); }
};

/// Looks for every file and decodes `sample` images evenly spread over those that exist, or all of them with
/// sample <= 0. Shows progress. Stops between images with Error(kInterrupted) on Ctrl-C.
[[nodiscard]] DatasetCheck check_dataset(const Dataset& dataset, std::int64_t sample);
[[nodiscard]] nlohmann::json to_json(const DatasetCheck& check);

}  // namespace steadyiqa::data
