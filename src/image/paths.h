// Which image files the arguments of a command name.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace steadyiqa::image {

/// Files as given; a folder's images, sorted by name, with its sub-folders; "-": one path per line on stdin. Throws
/// Error(kInput) when that is none.
[[nodiscard]] std::vector<std::filesystem::path> image_paths(const std::vector<std::string>& arguments);

}  // namespace steadyiqa::image
