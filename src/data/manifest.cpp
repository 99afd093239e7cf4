#include "data/csv_table.h"
#include "data/dataset.h"

#include "base/error.h"
#include "base/text.h"

#include <array>
#include <cmath>
#include <unordered_map>

namespace steadyiqa::data {
namespace {

enum Column : std::size_t { kImage, kMos, kStd, kReference, kSet, kColumnCount };

/// A finite number in [low, high], or an Error that names the place.
double number_at(const std::string& place, const std::string& what, const std::string& text, double low, double high) {
  const std::optional<double> value = parse_number(text);
  if (!value || !std::isfinite(*value)) {
    fail_input("{}: {} '{}' is not a finite number", place, what, text);
  }
  if (*value < low || *value > high) {
    fail_input("{}: {} {} is outside {}..{}", place, what, *value, low, high);
  }
  return *value;
}

Sample parse_sample(const std::filesystem::path& csv, const CsvRow& row, const LabelScale& scale) {
  const std::string place = fmt::format("{}:{}", csv.string(), row.line);
  Sample sample;
  sample.name = row.fields[kImage];
  if (sample.name.empty()) {
    fail_input("{}: empty image name", place);
  }
  sample.path = csv.parent_path() / sample.name;
  sample.mos = number_at(place, "mos", row.fields[kMos], scale.min, scale.max);
  if (!trim(row.fields[kStd]).empty()) {
    sample.std = number_at(place, "std", row.fields[kStd], 0, scale.max - scale.min);
  }
  sample.reference = trim(row.fields[kReference]);
  sample.set = trim(row.fields[kSet]);
  return sample;
}

}  // namespace

Dataset read_manifest(const std::filesystem::path& csv) {
  const std::array<CsvColumn, kColumnCount> columns{
      {{"image", true}, {"mos", true}, {"std", false}, {"reference", false}, {"set", false}}};
  Dataset dataset;
  dataset.name = csv.stem().string();
  dataset.scale.name = "manifest 0..100";
  std::unordered_map<std::string, std::int64_t> lines;
  for (const CsvRow& row : read_csv(csv, columns)) {
    Sample sample = parse_sample(csv, row, dataset.scale);
    const auto [first, is_new] = lines.emplace(sample.name, row.line);
    if (!is_new) {
      fail_input("{}:{}: image '{}' stands already in line {}", csv.string(), row.line, sample.name, first->second);
    }
    dataset.samples.push_back(std::move(sample));
  }
  return dataset;
}

}  // namespace steadyiqa::data
