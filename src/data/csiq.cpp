// CSIQ, the categorical subjective image quality database (Larson, Chandler 2010).
#include "data/dataset.h"

#include "data/release.h"
#include "data/table.h"

#include "base/error.h"
#include "base/text.h"

#include <algorithm>
#include <array>

namespace steadyiqa::data {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 6> kTypes{"awgn", "jpeg", "jpeg2000", "fnoise", "blur", "contrast"};

/// The reference of "REFERENCE.TYPE.LEVEL.png".
std::string reference_of(const std::string& place, const std::string& name) {
  std::string_view rest = name;
  const auto take_last = [&] {
    const std::size_t dot = rest.rfind('.');
    const std::string_view part = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
    rest = rest.substr(0, dot == std::string_view::npos ? 0 : dot);
    return lower(part);
  };
  const std::string ending = take_last();
  const std::string level = take_last();
  const std::string type = take_last();
  if (ending != "png" || rest.empty() || level.size() != 1 || level[0] < '1' || level[0] > '5') {
    fail_input("{}: '{}' is not of the form REFERENCE.TYPE.LEVEL.png with a level of 1..5", place, name);
  }
  if (std::find(kTypes.begin(), kTypes.end(), type) == kTypes.end()) {
    fail_input("{}: '{}': unknown distortion type '{}' (known: {})", place, name, type, fmt::join(kTypes, ", "));
  }
  return std::string(rest);
}

/// The flat folder, or the release's folders by type.
std::vector<fs::path> image_folders(const FileFinder& folder, DatasetBuilder& builder) {
  if (const auto flat = folder.existing("dst_imgs_all")) {
    builder.note("images in the flat folder dst_imgs_all");
    return {*flat};
  }
  const fs::path root = folder.any_of("CSIQ", {"dst_imgs_all", "dst_imgs"});
  const FileFinder by_type({root});
  std::vector<fs::path> folders;
  for (const char* type : kTypes) {
    if (const auto path = by_type.existing(type)) {
      folders.push_back(*path);
    } else {
      builder.note(fmt::format("no folder dst_imgs/{}", type));
    }
  }
  return folders.empty() ? std::vector<fs::path>{root} : folders;
}

}  // namespace

Dataset read_csiq(const fs::path& dir, const ReadOptions& /*options*/) {
  const FileFinder folder({dir});
  DatasetBuilder builder({"csiq", {0, 1, Direction::kLowerIsBetter, "csiq raw DMOS 0..1"}, {0, 1}, 866});
  const FileFinder images(image_folders(folder, builder));
  const FileFinder pristine({folder.any_of("CSIQ", {"src_imgs"})});
  const fs::path list = folder.any_of("CSIQ", {"csiq_label.txt"});
  for (const TableRow& row : read_words(list, 2)) {
    const std::string place = fmt::format("{}:{}", list.string(), row.line);
    const std::string& name = row.fields[0];
    Sample sample{name, images.path_of(name), builder.label(place, row.fields[1])};
    sample.reference = reference_of(place, name);
    builder.add_reference(sample.reference, pristine.path_of(sample.reference + ".png"));
    builder.add(place, std::move(sample));
  }
  return builder.finish();
}

}  // namespace steadyiqa::data
