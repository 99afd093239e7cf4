// KonIQ-10k (Hosu, Lin, Sziranyi, Saupe 2020).
#include "data/dataset.h"

#include "data/release.h"
#include "data/split.h"
#include "data/table.h"

#include "base/error.h"
#include "base/text.h"

#include <array>
#include <map>

namespace steadyiqa::data {
namespace {

namespace fs = std::filesystem;

constexpr const char* kName = "KonIQ-10k";
constexpr const char* kScores = "koniq10k_scores_and_distributions.csv";
constexpr const char* kSets = "koniq10k_distributions_sets.csv";
constexpr const char* kList = "koniq10k_label.txt";

/// One of the labels that the release has, and where it stands.
struct Label {
  const char* option;
  double min;
  double max;
  const char* scale;
  const char* file;
  const char* column;
  const char* std_column;  ///< the deviation on the same scale; "" where there is none
};
constexpr std::array<Label, 3> kLabels{{
    {"mos_zscore", 0, 100, "koniq raw MOS_zscore 0..100", kScores, "MOS_zscore", ""},
    {"mos", 1, 5, "koniq raw MOS 1..5", kScores, "MOS", "SD"},
    {"mos_100", 1, 100, "koniq raw MOS 1..100 of the sets' file", kSets, "MOS", ""},
}};

const Label& find_label(const std::string& option) {
  std::vector<std::string> known;
  for (const Label& label : kLabels) {
    if (label.option == option) {
      return label;
    }
    known.emplace_back(label.option);
  }
  fail_usage("koniq: labels '{}'{}", option, suggestion(option, known));
}

/// The label asked for; without a wish the usual one, or what the files that are there allow.
const Label& choose_label(const FileFinder& folder, const ReadOptions& options) {
  const bool only_list = folder.existing(kList) && !folder.existing(kScores) && !folder.existing(kSets);
  if (!options.list.empty() || (options.labels.empty() && only_list)) {
    if (!options.labels.empty() && options.labels != "mos") {
      fail_usage("koniq: a list holds labels=mos, not labels={}", options.labels);
    }
    return find_label("mos");
  }
  if (!options.labels.empty()) {
    return find_label(options.labels);
  }
  return find_label(folder.existing(kSets) && !folder.existing(kScores) ? "mos_100" : "mos_zscore");
}

FileFinder image_finder(const FileFinder& folder, const ReadOptions& options, DatasetBuilder& builder) {
  const fs::path images =
      options.images.empty() ? folder.any_of(kName, {"1024x768", "512x384"}) : folder.any_of(kName, {options.images});
  if (images.filename() != "1024x768") {
    builder.note(fmt::format("images in {}", images.filename().string()));
  }
  return FileFinder({images});
}

void read_labels(const fs::path& csv, const Label& label, const FileFinder& images, DatasetBuilder& builder) {
  const std::string deviation = label.std_column;
  std::vector<TableColumn> columns{{"image_name", true}, {label.column, true}};
  if (!deviation.empty()) {
    columns.push_back({deviation, true});
  }
  for (const TableRow& row : read_table(csv, columns, OtherColumns::kIgnored)) {
    const std::string place = fmt::format("{}:{}", csv.string(), row.line);
    const std::string& name = row.fields[0];
    Sample sample{name, images.path_of(name), builder.label(place, row.fields[1])};
    if (!deviation.empty()) {
      sample.std = number_in(place, deviation, row.fields[2], {0, 4});
    }
    builder.add(place, std::move(sample));
  }
}

void read_list(const fs::path& list, const FileFinder& images, DatasetBuilder& builder) {
  for (const TableRow& row : read_words(list, 2)) {
    const std::string place = fmt::format("{}:{}", list.string(), row.line);
    builder.add(place, {row.fields[0], images.path_of(row.fields[0]), builder.label(place, row.fields[1])});
  }
  builder.note(fmt::format("labels of {}", list.filename().string()));
}

/// The official split. Everything it lists and the data set lacks, and the other way round, is noted.
void assign_official_sets(const fs::path& csv, Dataset& dataset) {
  const std::array<TableColumn, 2> columns{{{"image_name", true}, {"set", true}}};
  std::unordered_map<std::string, std::string> set_of;
  for (const TableRow& row : read_table(csv, columns, OtherColumns::kIgnored)) {
    const std::string set = canonical_set(row.fields[1]);
    if (set != "train" && set != "val" && set != "test") {
      fail_input("{}:{}: unknown set '{}'", csv.string(), row.line, row.fields[1]);
    }
    if (!set_of.emplace(row.fields[0], set).second) {
      fail_input("{}:{}: image '{}' stands twice", csv.string(), row.line, row.fields[0]);
    }
  }
  std::map<std::string, std::size_t> counts;
  std::size_t unlisted = 0;
  for (Sample& sample : dataset.samples) {
    const auto found = set_of.find(sample.name);
    sample.set = found == set_of.end() ? "" : found->second;
    unlisted += found == set_of.end() ? 1 : 0;
    ++counts[sample.set];
  }
  const std::size_t listed = dataset.samples.size() - unlisted;
  if (unlisted > 0 || listed < set_of.size()) {
    dataset.notes.push_back(fmt::format("{} images without an official set, {} of {} in {} not in the data set",
                                        unlisted, set_of.size() - listed, set_of.size(), csv.filename().string()));
  }
  if (counts["train"] != 7058 || counts["val"] != 1000 || counts["test"] != 2015) {
    dataset.notes.push_back(fmt::format("sets of {}/{}/{} images, the official ones have 7058/1000/2015",
                                        counts["train"], counts["val"], counts["test"]));
  }
}

}  // namespace

Dataset read_koniq(const fs::path& dir, const ReadOptions& options) {
  const FileFinder folder({dir});
  const Label& label = choose_label(folder, options);
  DatasetBuilder builder(
      {"koniq", {label.min, label.max, Direction::kHigherIsBetter, label.scale}, {label.min, label.max}, 10073});
  const FileFinder images = image_finder(folder, options, builder);
  if (!options.list.empty()) {
    read_list(label_list(folder, options.list), images, builder);
  } else if (label.option == std::string_view("mos") && !folder.existing(label.file) && folder.existing(kList)) {
    read_list(*folder.existing(kList), images, builder);
  } else {
    if (options.labels.empty() && label.option != std::string_view("mos_zscore")) {
      builder.note(fmt::format("no {}: labels are the MOS of {}", kScores, kSets));
    }
    read_labels(folder.any_of(kName, {label.file}), label, images, builder);
  }
  Dataset dataset = builder.finish();
  if (const auto sets = folder.existing(kSets)) {
    assign_official_sets(*sets, dataset);
  } else {
    dataset.notes.push_back(fmt::format("no {}, and so no official split", kSets));
  }
  return dataset;
}

}  // namespace steadyiqa::data
