// What the readers of released data sets have in common: files found whatever the case, checked labels, one sample
// each.
#pragma once

#include "data/dataset.h"

#include <array>
#include <cstddef>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace steadyiqa::data {

/// Closed interval.
struct Interval {
  double low = 0;
  double high = 0;
};

/// A finite number within `range`, or an Error(kInput) that begins with `place` and names `what`.
[[nodiscard]] double number_in(const std::string& place, std::string_view what, std::string_view text,
                               const Interval& range);
/// As above, for a whole number.
[[nodiscard]] int whole_number_in(const std::string& place, std::string_view what, std::string_view text, int low,
                                  int high);

/// The entries of one or several folders by name. Several releases mix cases, and so do copies from file systems that
/// ignore it: an entry of exactly this name comes first, then one that differs in case.
class FileFinder {
 public:
  /// Throws Error(kInput) for a folder that is none, and for more than a million entries.
  explicit FileFinder(std::vector<std::filesystem::path> folders);
  /// The path of the entry, or nothing when there is none.
  [[nodiscard]] std::optional<std::filesystem::path> existing(const std::string& name) const;
  /// The path of the entry; where there is none, the one that it would have in the first folder.
  [[nodiscard]] std::filesystem::path path_of(const std::string& name) const;
  /// The first of these entries that exists, or an Error(kInput) that says what `set` needs.
  [[nodiscard]] std::filesystem::path any_of(std::string_view set, std::initializer_list<std::string> names) const;

 private:
  std::vector<std::filesystem::path> folders_;
  std::unordered_map<std::string, std::vector<std::filesystem::path>> entries_;  ///< by lower-case name, sorted
};

/// The form of "I01_02_3.bmp": a letter, then the numbers of reference content, distortion and level or version, each
/// of a fixed count of digits and in a range.
struct NamePattern {
  struct Number {
    std::string_view what;
    std::size_t digits = 2;
    int low = 1;
    int high = 99;
  };
  std::string_view example;
  std::array<Number, 3> numbers;
};
/// The reference's id ("I01", with a capital) in the name of a distorted image. Throws Error(kInput) for a name of
/// another form, or a number out of range.
[[nodiscard]] std::string reference_in_name(const std::string& place, const std::string& name,
                                            const NamePattern& pattern);

/// What a reader knows of its data set before it reads.
struct ReleaseFacts {
  std::string name;
  LabelScale scale;
  Interval labels;        ///< outside of it a label is an error; outside of the scale it is only noted
  std::size_t count = 0;  ///< samples of the official release; 0 where there is none
};

/// Collects the samples of one release.
class DatasetBuilder {
 public:
  /// kFiles: names of files in one folder, the same in either case; kPaths: any paths.
  enum class Names { kFiles, kPaths };
  explicit DatasetBuilder(ReleaseFacts facts, Names names = Names::kFiles);

  /// `place` begins every message. Throws Error(kInput) for a name that is none or stands already, and a label that is
  /// not finite or out of range.
  void add(const std::string& place, Sample sample);
  /// The label that `text` spells.
  [[nodiscard]] double label(const std::string& place, const std::string& text) const;
  /// The pristine image of a reference id.
  void add_reference(const std::string& id, const std::filesystem::path& path);
  /// An irregularity that was met and accepted, one line.
  void note(std::string text);
  /// Notes what differs from the release, and hands the data set over. Throws Error(kInput) when it is empty.
  [[nodiscard]] Dataset finish();

 private:
  void check_name(const std::string& place, const std::string& name) const;

  ReleaseFacts facts_;
  Names names_;
  Dataset dataset_;
  std::unordered_map<std::string, std::string> places_;  ///< where each name stands
};

/// The list of "NAME SCORE" lines that stands for the labels of a release: `list` where it exists, else a file of that
/// name in the release's folder. Throws Error(kInput) when neither exists.
[[nodiscard]] std::filesystem::path label_list(const FileFinder& folder, const std::string& list);

}  // namespace steadyiqa::data
