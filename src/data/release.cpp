#include "data/release.h"

#include "base/error.h"
#include "base/text.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace steadyiqa::data {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxEntries = 1'000'000;
constexpr std::size_t kMaxNameLength = 255;

void check_in(const std::string& place, std::string_view what, double value, const Interval& range) {
  if (!std::isfinite(value)) {
    fail_input("{}: {} '{}' is not a finite number", place, what, value);
  }
  if (value < range.low || value > range.high) {
    fail_input("{}: {} {} is outside {}..{}", place, what, value, range.low, range.high);
  }
}

}  // namespace

double number_in(const std::string& place, std::string_view what, std::string_view text, const Interval& range) {
  const std::optional<double> value = parse_number(text);
  if (!value || !std::isfinite(*value)) {
    fail_input("{}: {} '{}' is not a finite number", place, what, trim(text));
  }
  check_in(place, what, *value, range);
  return *value;
}

int whole_number_in(const std::string& place, std::string_view what, std::string_view text, int low, int high) {
  const double value = number_in(place, what, text, {static_cast<double>(low), static_cast<double>(high)});
  if (std::floor(value) != value) {
    fail_input("{}: {} {} is not a whole number", place, what, value);
  }
  return static_cast<int>(value);
}

FileFinder::FileFinder(std::vector<fs::path> folders) : folders_(std::move(folders)) {
  STEADYIQA_ASSERT(!folders_.empty(), "a folder to look in");
  std::size_t count = 0;
  for (const fs::path& folder : folders_) {
    std::error_code error;
    fs::directory_iterator entries(folder, fs::directory_options::skip_permission_denied, error);
    for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
      entries_[lower(entries->path().filename().string())].push_back(entries->path());
      if (++count > kMaxEntries) {
        fail_input("{}: more than {} entries", folder.string(), kMaxEntries);
      }
    }
    if (error) {
      fail_input("{}: cannot list this folder: {}", folder.string(), error.message());
    }
  }
  for (auto& [name, paths] : entries_) {
    std::sort(paths.begin(), paths.end());
  }
}

std::optional<fs::path> FileFinder::existing(const std::string& name) const {
  const auto found = entries_.find(lower(name));
  if (found == entries_.end()) {
    return std::nullopt;
  }
  const auto& paths = found->second;
  const auto exact = std::ranges::find_if(paths, [&](const fs::path& path) { return path.filename() == name; });
  return exact != paths.end() ? *exact : paths.front();
}

fs::path FileFinder::path_of(const std::string& name) const { return existing(name).value_or(folders_.front() / name); }

fs::path FileFinder::any_of(std::string_view set, std::initializer_list<std::string> names) const {
  for (const std::string& name : names) {
    if (const auto path = existing(name)) {
      return *path;
    }
  }
  fail_input("{}: no {} here: it has no {}", folders_.front().string(), set, fmt::join(names, " or "));
}

std::string reference_in_name(const std::string& place, const std::string& name, const NamePattern& pattern) {
  std::string_view rest = std::string_view(name).substr(0, name.rfind('.'));
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto fail_form = [&] { fail_input("{}: '{}' is not of the form {}", place, name, pattern.example); };
  if (rest.empty() || lower(rest.substr(0, 1)) != lower(pattern.example.substr(0, 1))) {
    fail_form();
  }
  const std::string reference = fmt::format("{}{}", pattern.example.front(), rest.substr(1, pattern.numbers[0].digits));
  rest.remove_prefix(1);
  for (const NamePattern::Number& number : pattern.numbers) {
    const std::string_view digits = rest.substr(0, std::min(rest.find('_'), rest.size()));
    if (digits.size() != number.digits || !std::ranges::all_of(digits, is_digit)) {
      fail_form();
    }
    static_cast<void>(
        whole_number_in(fmt::format("{}: '{}'", place, name), number.what, digits, number.low, number.high));
    rest.remove_prefix(std::min(digits.size() + 1, rest.size()));
  }
  if (!rest.empty()) {
    fail_form();
  }
  return reference;
}

DatasetBuilder::DatasetBuilder(ReleaseFacts facts, Names names) : facts_(std::move(facts)), names_(names) {
  dataset_.name = facts_.name;
  dataset_.scale = facts_.scale;
}

void DatasetBuilder::check_name(const std::string& place, const std::string& name) const {
  if (trim(name).empty()) {
    fail_input("{}: empty image name", place);
  }
  if (names_ == Names::kPaths) {
    return;
  }
  if (name.size() > kMaxNameLength) {
    fail_input("{}: an image name of {} characters, more than {}", place, name.size(), kMaxNameLength);
  }
  const bool plain = std::ranges::all_of(
      name, [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f && c != '/' && c != '\\'; });
  if (!plain || name == "." || name == "..") {
    fail_input("{}: '{}' is no name of an image file", place, name);
  }
}

void DatasetBuilder::add(const std::string& place, Sample sample) {
  check_name(place, sample.name);
  check_in(place, "label", sample.mos, facts_.labels);
  const auto [first, is_new] = places_.emplace(names_ == Names::kFiles ? lower(sample.name) : sample.name, place);
  if (!is_new) {
    fail_input("{}: image '{}' stands already at {}", place, sample.name, first->second);
  }
  dataset_.samples.push_back(std::move(sample));
}

double DatasetBuilder::label(const std::string& place, const std::string& text) const {
  return number_in(place, "label", text, facts_.labels);
}

void DatasetBuilder::add_reference(const std::string& id, const fs::path& path) {
  dataset_.references.emplace(id, path);
}

void DatasetBuilder::note(std::string text) { dataset_.notes.push_back(std::move(text)); }

Dataset DatasetBuilder::finish() {
  if (dataset_.samples.empty()) {
    fail_input("data set '{}': no images listed", dataset_.name);
  }
  if (facts_.count != 0 && dataset_.samples.size() != facts_.count) {
    note(fmt::format("{} images listed, the release has {}", dataset_.samples.size(), facts_.count));
  }
  const LabelScale& scale = dataset_.scale;
  const double slack = 1e-6 * (scale.max - scale.min);  // published ranges are rounded
  const auto outside = std::ranges::count_if(dataset_.samples, [&](const Sample& sample) {
    return sample.mos < scale.min - slack || sample.mos > scale.max + slack;
  });
  if (outside > 0) {
    note(fmt::format("{} labels lie outside {}..{}, and so outside 0..100 after {}", outside, scale.min, scale.max,
                     scale.transformation()));
  }
  return std::move(dataset_);
}

fs::path label_list(const FileFinder& folder, const std::string& list) {
  std::error_code ignored;
  if (fs::is_regular_file(list, ignored)) {
    return list;
  }
  if (const auto path = folder.existing(list)) {
    return *path;
  }
  fail_input("{}: no such list of labels, neither here nor in the data set's folder", list);
}

}  // namespace steadyiqa::data
