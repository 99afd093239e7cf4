#include "data/check.h"

#include "data/loader.h"

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <unordered_map>

namespace steadyiqa::data {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBins = 20;

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

void check_labels(const Dataset& dataset, DatasetCheck& check) {
  const auto by_label = [](const Sample& a, const Sample& b) { return a.mos < b.mos; };
  const auto [lowest, highest] = std::minmax_element(dataset.samples.begin(), dataset.samples.end(), by_label);
  check.label_min = lowest->mos;
  check.label_max = highest->mos;
  Histogram& histogram = check.histogram;
  histogram = {std::min(check.scale.min, check.label_min), std::max(check.scale.max, check.label_max),
               std::vector<std::int64_t>(kBins)};
  double sum = 0;
  for (const Sample& sample : dataset.samples) {
    sum += sample.mos;
    const double share = (sample.mos - histogram.low) / (histogram.high - histogram.low);
    ++histogram.counts[std::min(kBins - 1, static_cast<std::size_t>(share * static_cast<double>(kBins)))];
  }
  check.label_mean = sum / static_cast<double>(dataset.samples.size());
}

void check_references(const Dataset& dataset, DatasetCheck& check) {
  std::map<std::string, std::set<std::string>> sets_of;
  std::int64_t without = 0;
  for (const Sample& sample : dataset.samples) {
    ++check.sets[sample.set];
    if (sample.reference.empty()) {
      ++without;
    } else {
      sets_of[sample.reference].insert(sample.set);
    }
  }
  check.references = static_cast<std::int64_t>(sets_of.size());
  if (check.references > 0 && without > 0) {
    check.irregularities.push_back(fmt::format("{} images without a reference among others with one", without));
  }
  const auto leaks = std::ranges::count_if(sets_of, [](const auto& entry) { return entry.second.size() > 1; });
  if (leaks > 0) {
    check.irregularities.push_back(fmt::format("{} references have images in more than one set", leaks));
  }
  const auto missing = [](const auto& entry) { return !is_file(entry.second); };
  check.missing_references = std::ranges::count_if(dataset.references, missing);
  if (check.missing_references > 0) {
    const auto first = std::ranges::find_if(dataset.references, missing);
    check.irregularities.push_back(fmt::format("{} of {} reference images are missing, first {}",
                                               check.missing_references, dataset.references.size(),
                                               first->second.string()));
  }
}

/// What opening one image tells.
struct Opened {
  std::string digest;
  std::string size;     ///< "512x384"
  std::string failure;  ///< "" when it decodes
};

Opened open_image(const Sample& sample) {
  Opened opened;
  try {
    const auto bytes = read_file(sample.path, image::DecodeLimits{}.max_bytes);
    opened.digest = sha256_hex(std::span<const std::byte>(bytes));
    const auto decoded = image::decode(bytes, sample.path.string());
    if (decoded) {
      opened.size = fmt::format("{}x{}", decoded.value().width, decoded.value().height);
    } else {
      opened.failure = decoded.error();
    }
  } catch (const Error& error) {
    opened.failure = error.what();
  }
  return opened;
}

/// `count` of the samples, evenly spread.
std::vector<const Sample*> spread(const std::vector<const Sample*>& samples, std::int64_t count) {
  const auto total = static_cast<std::int64_t>(samples.size());
  if (count <= 0 || count >= total) {
    return samples;
  }
  std::vector<const Sample*> chosen;
  for (std::int64_t i = 0; i < count; ++i) {
    chosen.push_back(samples[static_cast<std::size_t>(i * total / count)]);
  }
  return chosen;
}

void open_images(const std::vector<const Sample*>& samples, DatasetCheck& check) {
  const auto count = static_cast<std::int64_t>(samples.size());
  Progress progress("opening", count, "images");
  Prefetcher<Opened> opened(count, [&](std::int64_t i) { return open_image(*samples[static_cast<std::size_t>(i)]); });
  std::unordered_map<std::string, std::string> first_with;
  std::map<std::string, std::int64_t> sizes;
  for (std::int64_t i = 0; i < count; ++i) {
    if (interrupted()) {
      throw Error(ErrorKind::kInterrupted, fmt::format("interrupted after {} of {} images", i, count));
    }
    const Opened image = opened.next();
    const std::string& name = samples[static_cast<std::size_t>(i)]->name;
    if (!image.failure.empty()) {
      check.failures.push_back({name, image.failure});
    } else {
      ++sizes[image.size];
      const auto [first, is_new] = first_with.emplace(image.digest, name);
      if (!is_new) {
        check.duplicates.push_back({name, fmt::format("same bytes as {}", first->second)});
      }
    }
    progress.advance();
  }
  progress.finish();
  check.decoded = count;
  check.sizes.assign(sizes.begin(), sizes.end());
  std::ranges::stable_sort(check.sizes, [](const auto& a, const auto& b) { return a.second > b.second; });
}

nlohmann::json problems_json(const std::vector<ImageProblem>& problems) {
  auto rows = nlohmann::json::array();
  for (const ImageProblem& problem : problems) {
    rows.push_back({{"image", problem.image}, {"problem", problem.problem}});
  }
  return rows;
}

}  // namespace

DatasetCheck check_dataset(const Dataset& dataset, std::int64_t sample) {
  STEADYIQA_ASSERT(!dataset.samples.empty(), "a data set has samples");
  DatasetCheck check;
  check.name = dataset.name;
  check.scale = dataset.scale;
  check.direction = dataset.scale.direction_text();
  check.mos_0_100 = dataset.scale.transformation();
  check.images = static_cast<std::int64_t>(dataset.samples.size());
  check.irregularities = dataset.notes;
  check_labels(dataset, check);
  check_references(dataset, check);
  std::vector<const Sample*> present;
  for (const Sample& image : dataset.samples) {
    if (is_file(image.path)) {
      present.push_back(&image);
    } else {
      check.missing.push_back({image.name, fmt::format("no file {}", image.path.string())});
    }
  }
  open_images(spread(present, sample), check);
  return check;
}

nlohmann::json to_json(const DatasetCheck& check) {
  auto sizes = nlohmann::json::array();
  for (const auto& [size, count] : check.sizes) {
    sizes.push_back({{"size", size}, {"images", count}});
  }
  return {
      {"data", check.name},
      {"images", check.images},
      {"references", check.references},
      {"missing", problems_json(check.missing)},
      {"missing_references", check.missing_references},
      {"decoded", check.decoded},
      {"failures", problems_json(check.failures)},
      {"duplicates", problems_json(check.duplicates)},
      {"sizes", sizes},
      {"sets", check.sets},
      {"labels",
       {{"scale", check.scale.name},
        {"range", {check.scale.min, check.scale.max}},
        {"direction", check.direction},
        {"mos_0_100", check.mos_0_100},
        {"min", check.label_min},
        {"max", check.label_max},
        {"mean", check.label_mean}}},
      {"histogram", {{"low", check.histogram.low}, {"high", check.histogram.high}, {"counts", check.histogram.counts}}},
      {"irregularities", check.irregularities}};
}

}  // namespace steadyiqa::data
