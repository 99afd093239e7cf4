#include "image/paths.h"

#include "base/error.h"
#include "base/text.h"

#include <algorithm>
#include <iostream>
#include <set>

namespace steadyiqa::image {
namespace {

bool looks_like_image(const std::filesystem::path& path) {
  static const std::set<std::string> kExtensions = {".jpg", ".jpeg", ".png", ".bmp", ".ppm",
                                                    ".pgm", ".webp", ".tif", ".tiff"};
  return kExtensions.count(lower(path.extension().string())) != 0;
}

}  // namespace

std::vector<std::filesystem::path> image_paths(const std::vector<std::string>& arguments) {
  std::vector<std::filesystem::path> paths;
  for (const auto& argument : arguments) {
    if (argument == "-") {
      for (std::string line; std::getline(std::cin, line);) {
        if (!trim(line).empty()) {
          paths.emplace_back(line);
        }
      }
    } else if (std::filesystem::is_directory(argument)) {
      std::vector<std::filesystem::path> inside;
      for (const auto& entry : std::filesystem::recursive_directory_iterator(argument)) {
        if (entry.is_regular_file() && looks_like_image(entry.path())) {
          inside.push_back(entry.path());
        }
      }
      std::sort(inside.begin(), inside.end());
      paths.insert(paths.end(), inside.begin(), inside.end());
    } else {
      paths.emplace_back(argument);
    }
  }
  if (paths.empty()) {
    fail_input("no images in {}", fmt::join(arguments, " "));
  }
  return paths;
}

}  // namespace steadyiqa::image
