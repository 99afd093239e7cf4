// KADID-10k, Konstanz artificially distorted image quality database (Lin, Hosu, Saupe 2019).
#include "data/dataset.h"

#include "data/release.h"
#include "data/table.h"

#include "base/error.h"
#include "base/text.h"

#include <array>
#include <cmath>

namespace steadyiqa::data {
namespace {

namespace fs = std::filesystem;

constexpr NamePattern kKadidName{
    "I01_02_03.png", {{{"reference content", 2, 1, 81}, {"distortion type", 2, 1, 25}, {"distortion level", 2, 1, 5}}}};

class KadidReader {
 public:
  KadidReader(const FileFinder& folder, DatasetBuilder& builder)
      : builder_(builder),
        images_({folder.any_of("KADID-10k", {"images", "distorted_images"})}),
        pristine_({pristine_folder(folder)}) {
    if (!folder.existing("images")) {
      builder_.note("images in distorted_images");
    }
  }

  /// dmos.csv of the release.
  void read_table_of(const fs::path& csv) {
    const std::array<TableColumn, 4> columns{{{"dist_img", true}, {"ref_img", true}, {"dmos", true}, {"var", false}}};
    for (const TableRow& row : read_table(csv, columns, OtherColumns::kIgnored)) {
      const std::string place = fmt::format("{}:{}", csv.string(), row.line);
      std::optional<double> std;
      if (!trim(row.fields[3]).empty()) {
        std = std::sqrt(number_in(place, "var", row.fields[3], {0, 16}));
      }
      const std::string reference = add(place, row.fields[0], row.fields[2], std);
      if (lower(fs::path(row.fields[1]).stem().string()) != lower(reference)) {
        fail_input("{}: '{}' with reference '{}', expected {}.png", place, row.fields[0], row.fields[1], reference);
      }
    }
  }

  /// "NAME, SCORE" lines.
  void read_list(const fs::path& list) {
    for (const TableRow& row : read_words(list, 2)) {
      add(fmt::format("{}:{}", list.string(), row.line), row.fields[0], row.fields[1], std::nullopt);
    }
    builder_.note(fmt::format("labels of {}", list.filename().string()));
  }

 private:
  static fs::path pristine_folder(const FileFinder& folder) {
    const auto separate = folder.existing("reference_images");
    return separate ? *separate : folder.any_of("KADID-10k", {"images", "distorted_images"});
  }

  std::string add(const std::string& place, const std::string& name, const std::string& label,
                  std::optional<double> std) {
    Sample sample{name, images_.path_of(name), builder_.label(place, label), std};
    sample.reference = reference_in_name(place, name, kKadidName);
    builder_.add_reference(sample.reference, pristine_.path_of(sample.reference + ".png"));
    const std::string reference = sample.reference;
    builder_.add(place, std::move(sample));
    return reference;
  }

  DatasetBuilder& builder_;
  FileFinder images_;
  FileFinder pristine_;
};

}  // namespace

Dataset read_kadid(const fs::path& dir, const ReadOptions& options) {
  const FileFinder folder({dir});
  // The column is called dmos, but larger is better.
  DatasetBuilder builder({"kadid", {1, 5, Direction::kHigherIsBetter, "kadid raw DMOS (a MOS) 1..5"}, {1, 5}, 10125});
  KadidReader reader(folder, builder);
  if (!options.list.empty()) {
    reader.read_list(label_list(folder, options.list));
  } else if (const auto csv = folder.existing("dmos.csv")) {
    reader.read_table_of(*csv);
  } else {
    reader.read_list(folder.any_of("KADID-10k", {"dmos.csv", "kadid10k_label.txt"}));
  }
  return builder.finish();
}

}  // namespace steadyiqa::data
