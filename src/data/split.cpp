#include "data/split.h"

#include "data/table.h"

#include "base/error.h"
#include "base/seed.h"
#include "base/text.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

namespace steadyiqa::data {
namespace {

constexpr std::array<std::pair<const char*, const char*>, 6> kSetSpellings{{{"train", "train"},
                                                                            {"training", "train"},
                                                                            {"val", "val"},
                                                                            {"validation", "val"},
                                                                            {"test", "test"},
                                                                            {"testing", "test"}}};

/// Finds samples by name, else by file name where that is unique.
class SampleIndex {
 public:
  explicit SampleIndex(const Dataset& dataset) {
    for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
      add(by_name_, dataset.samples[i].name, i);
      add(by_file_, dataset.samples[i].path.filename().string(), i);
    }
  }

  [[nodiscard]] std::optional<std::size_t> find(const std::string& image) const {
    for (const auto* map : {&by_name_, &by_file_}) {
      const auto found = map->find(image);
      if (found != map->end()) {
        return found->second;
      }
    }
    return std::nullopt;
  }

 private:
  using Map = std::unordered_map<std::string, std::optional<std::size_t>>;
  static void add(Map& map, const std::string& key, std::size_t i) {
    const auto [place, is_new] = map.emplace(key, i);
    if (!is_new) {
      place->second.reset();  // two samples: the key names neither
    }
  }
  Map by_name_;
  Map by_file_;
};

/// Counts what is wrong of one kind and keeps the first, for one message.
struct Complaint {
  std::int64_t count = 0;
  std::string first;
  void add(const std::string& text) {
    if (count++ == 0) {
      first = text;
    }
  }
};

void check_ratio(const SplitRatio& ratio) {
  const bool shares = ratio.train >= 0 && ratio.val >= 0 && ratio.test >= 0;
  if (!shares || !(std::abs(ratio.train + ratio.val + ratio.test - 1.0) <= 1e-6)) {
    fail_usage("split {}/{}/{}: shares of train, val and test must be at least 0 and sum to 1", ratio.train, ratio.val,
               ratio.test);
  }
}

/// Lists of samples that must stay together, in order of first appearance.
std::vector<std::vector<std::size_t>> group_by_reference(const Dataset& dataset) {
  std::vector<std::vector<std::size_t>> groups;
  std::unordered_map<std::string, std::size_t> group_of;
  for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
    const std::string& reference = dataset.samples[i].reference;
    if (reference.empty()) {
      groups.push_back({i});
      continue;
    }
    const auto [place, is_new] = group_of.emplace(reference, groups.size());
    if (is_new) {
      groups.emplace_back();
    }
    groups[place->second].push_back(i);
  }
  return groups;
}

}  // namespace

std::string canonical_set(std::string_view set) {
  const std::string_view name = trim(set);
  const std::string spelled = lower(name);
  for (const auto& [known, canonical] : kSetSpellings) {
    if (spelled == known) {
      return canonical;
    }
  }
  return std::string(name);
}

void split_by_file(Dataset& dataset, const std::filesystem::path& csv) {
  const std::array<TableColumn, 2> columns{{{"image", true}, {"set", true}}};
  const SampleIndex index(dataset);
  std::vector<std::string> sets(dataset.samples.size());
  Complaint unknown;
  Complaint repeated;
  for (const TableRow& row : read_table(csv, columns)) {
    const std::string& image = row.fields[0];
    const std::string set = canonical_set(row.fields[1]);
    if (set.empty()) {
      fail_input("{}:{}: image '{}' has no set", csv.string(), row.line, image);
    }
    const std::optional<std::size_t> sample = index.find(image);
    if (!sample) {
      unknown.add(fmt::format("'{}' in line {}", image, row.line));
    } else if (!sets[*sample].empty()) {
      repeated.add(fmt::format("'{}' in line {}", image, row.line));
    } else {
      sets[*sample] = set;
    }
  }
  if (unknown.count > 0) {
    fail_input("{}: {} listed images that '{}' does not have (or has more than once), first {}", csv.string(),
               unknown.count, dataset.name, unknown.first);
  }
  if (repeated.count > 0) {
    fail_input("{}: {} images listed again, first {}", csv.string(), repeated.count, repeated.first);
  }
  for (std::size_t i = 0; i < sets.size(); ++i) {
    dataset.samples[i].set = std::move(sets[i]);
  }
}

void split_by_seed(Dataset& dataset, const SplitRatio& ratio, std::uint64_t seed) {
  check_ratio(ratio);
  std::vector<std::vector<std::size_t>> groups = group_by_reference(dataset);
  Rng rng(derive_seed(seed, "split"));
  shuffle(groups, rng);
  // Rounding the running sum leaves no group over; 0.8 of LIVE in the Wild's 1162 are the customary 930.
  const auto total = static_cast<double>(groups.size());
  const auto train_end = static_cast<std::size_t>(std::llround(ratio.train * total));
  const auto val_end = static_cast<std::size_t>(std::llround((ratio.train + ratio.val) * total));
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const char* set = g < train_end ? "train" : g < val_end ? "val" : "test";
    for (const std::size_t sample : groups[g]) {
      dataset.samples[sample].set = set;
    }
  }
}

SplitRatio parse_split_ratio(const std::string& text) {
  std::array<double, 3> shares{};
  std::size_t begin = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const bool is_last = i + 1 == shares.size();
    const std::size_t end = is_last ? text.size() : text.find('/', begin);
    const auto share = end == std::string::npos ? std::nullopt : parse_number(text.substr(begin, end - begin));
    if (!share || !std::isfinite(*share)) {
      fail_usage("split '{}': expected TRAIN/VAL/TEST such as 0.8/0.1/0.1", text);
    }
    shares[i] = *share;
    begin = end + 1;
  }
  const SplitRatio ratio{shares[0], shares[1], shares[2]};
  check_ratio(ratio);
  return ratio;
}

Dataset subset(const Dataset& dataset, const std::string& set) {
  const std::string wanted = canonical_set(set);
  Dataset chosen{dataset.name, dataset.scale, {}, dataset.references, dataset.notes};
  std::map<std::string, std::int64_t> counts;
  for (const Sample& sample : dataset.samples) {
    ++counts[sample.set];
    if (sample.set == wanted) {
      chosen.samples.push_back(sample);
    }
  }
  if (chosen.samples.empty()) {
    std::string known;
    for (const auto& [name, count] : counts) {
      known += fmt::format("{}{} '{}'", known.empty() ? "" : ", ", count, name);
    }
    fail_input("data set '{}' has no samples in set '{}' (it has {})", dataset.name, set,
               known.empty() ? "no samples at all" : known);
  }
  return chosen;
}

void require_images(const Dataset& dataset) {
  constexpr std::int64_t kNamed = 3;
  std::int64_t missing = 0;
  std::string first;
  for (const Sample& sample : dataset.samples) {
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(sample.path, ignored)) {
      if (missing < kNamed) {
        first += fmt::format("{}{}", missing == 0 ? "" : ", ", sample.path.string());
      }
      ++missing;
    }
  }
  if (missing > 0) {
    fail_input("data set '{}': {} of {} images are missing, first {}", dataset.name, missing, dataset.samples.size(),
               first);
  }
}

}  // namespace steadyiqa::data
