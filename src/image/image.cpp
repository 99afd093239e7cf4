#include "image/image.h"

#include "base/file.h"
#include "image/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

namespace steadyiqa::image {
namespace {

Failure unknown_format(std::span<const std::byte> bytes) {
  if (bytes.empty()) {
    return {"the file is empty"};
  }
  std::string start;
  for (const std::byte byte : bytes.first(std::min<std::size_t>(bytes.size(), 4))) {
    start += fmt::format(" {:02x}", std::to_integer<unsigned>(byte));
  }
  return {fmt::format("not a known image format (starts with{})", start)};
}

/// 16 bits are reduced to their upper 8, as Pillow does (OpenCV's own reduction would round for TIFF but not for PNG).
Image from_bgr(const cv::Mat& bgr) {
  Image image(bgr.cols, bgr.rows);
  cv::Mat rgb(image.height, image.width, CV_8UC3, image.pixels.data());
  if (bgr.depth() == CV_8U) {
    cv::cvtColor(bgr, rgb, cv::COLOR_BGR2RGB);
    return image;
  }
  for (int y = 0; y < image.height; ++y) {
    const auto* row = bgr.ptr<cv::Vec3w>(y);
    for (int x = 0; x < image.width; ++x) {
      for (int c = 0; c < 3; ++c) {
        image.at(x, y)[c] = static_cast<std::uint8_t>(row[x][2 - c] >> 8);
      }
    }
  }
  return image;
}

/// Decodes through OpenCV what has passed the checks of its header.
Result<Image> decode_opencv(std::span<const std::byte> bytes, const Header& header, const char* format) {
  static const auto kSilenced = cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
  static_cast<void>(kSilenced);
  try {
    // OpenCV reads from a Mat that it does not change, but has no constant one.
    const cv::Mat encoded(1, static_cast<int>(bytes.size()), CV_8UC1, const_cast<std::byte*>(bytes.data()));
    const cv::Mat bgr = cv::imdecode(encoded, cv::IMREAD_COLOR | cv::IMREAD_ANYDEPTH | cv::IMREAD_IGNORE_ORIENTATION);
    if (bgr.empty()) {
      return Failure{fmt::format("corrupt {}", format)};
    }
    const bool known_type = bgr.type() == CV_8UC3 || bgr.type() == CV_16UC3;
    if (!known_type || bgr.cols != header.width || bgr.rows != header.height) {
      return Failure{fmt::format("corrupt {}: the pixels do not match the header", format)};
    }
    return from_bgr(bgr);
  } catch (const cv::Exception&) {
    return Failure{fmt::format("corrupt {}", format)};
  }
}

Result<Image> decode_checked(std::span<const std::byte> bytes, const Result<Header>& header, const DecodeLimits& limits,
                             const char* format) {
  if (!header) {
    return Failure{header.error()};
  }
  if (const auto problem = over_limits(header.value(), limits)) {
    return Failure{*problem};
  }
  return decode_opencv(bytes, header.value(), format);
}

Result<Image> decode_png(std::span<const std::byte> bytes, const DecodeLimits& limits) {
  const auto header = inspect_png(bytes);
  return header ? decode_checked(essential_png(bytes), header, limits, "PNG") : Result<Image>(Failure{header.error()});
}

Result<Image> decode_any(std::span<const std::byte> bytes, const DecodeLimits& limits) {
  // OpenCV counts bytes in an int.
  const std::uint64_t max_bytes = std::min<std::uint64_t>(limits.max_bytes, std::numeric_limits<int>::max());
  if (bytes.size() > max_bytes) {
    return Failure{fmt::format("{} bytes is over the limit of {}", bytes.size(), max_bytes)};
  }
  switch (sniff(bytes)) {
    case Format::kJpeg:
      return decode_jpeg(bytes, limits);
    case Format::kPng:
      return decode_png(bytes, limits);
    case Format::kBmp:
      return decode_checked(bytes, inspect_bmp(bytes), limits, "BMP");
    case Format::kPnm:
      return decode_pnm(bytes, limits);
    case Format::kWebp:
      return decode_checked(bytes, inspect_webp(bytes), limits, "WebP");
    case Format::kTiff:
      return decode_checked(bytes, inspect_tiff(bytes, limits), limits, "TIFF");
    case Format::kUnknown:
      break;
  }
  return unknown_format(bytes);
}

std::vector<std::byte> encode(const Image& image, const char* extension, const std::vector<int>& options) {
  STEADYIQA_ASSERT(!image.empty(), "encoding an empty image");
  const cv::Mat rgb(image.height, image.width, CV_8UC3, const_cast<std::uint8_t*>(image.pixels.data()));
  cv::Mat bgr;
  cv::cvtColor(rgb, bgr, cv::COLOR_RGB2BGR);
  std::vector<std::uint8_t> encoded;
  try {
    if (!cv::imencode(extension, bgr, encoded, options)) {
      fail_input("cannot encode a {}x{} image as {}", image.width, image.height, extension);
    }
  } catch (const cv::Exception&) {
    fail_input("cannot encode a {}x{} image as {}", image.width, image.height, extension);
  }
  const auto bytes = std::as_bytes(std::span(encoded));
  return {bytes.begin(), bytes.end()};
}

}  // namespace

Result<Image> decode(std::span<const std::byte> bytes, const std::string& name, const DecodeLimits& limits,
                     Orientation orientation) {
  auto result = decode_any(bytes, limits);
  if (!result) {
    return Failure{fmt::format("{}: {}", name, result.error())};
  }
  if (orientation == Orientation::kApplied) {
    if (const int stored = exif_orientation(bytes); stored != 1) {
      return upright(result.value(), stored);
    }
  }
  return result;
}

Result<Image> read_image(const std::filesystem::path& path, const DecodeLimits& limits, Orientation orientation) {
  try {
    return decode(read_file(path, limits.max_bytes), path.string(), limits, orientation);
  } catch (const Error& error) {
    return Failure{error.what()};
  }
}

std::vector<std::byte> encode_png(const Image& image) { return encode(image, ".png", {}); }

std::vector<std::byte> encode_jpeg(const Image& image, int quality) {
  STEADYIQA_ASSERT(quality >= 1 && quality <= 100, "JPEG quality outside 1-100");
  return encode(image, ".jpg", {cv::IMWRITE_JPEG_QUALITY, quality});
}

void write_png(const std::filesystem::path& path, const Image& image) { write_file_atomic(path, encode_png(image)); }

Image crop(const Image& image, int x, int y, int width, int height) {
  STEADYIQA_ASSERT(x >= 0 && y >= 0 && width > 0 && height > 0, "crop of an empty or negative region");
  STEADYIQA_ASSERT(width <= image.width - x && height <= image.height - y, "crop beyond the image");
  Image result(width, height);
  for (int row = 0; row < height; ++row) {
    std::copy_n(image.at(x, y + row), static_cast<std::size_t>(width) * 3, result.at(0, row));
  }
  return result;
}

Image flip_horizontal(const Image& image) {
  Image result(image.width, image.height);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      std::copy_n(image.at(x, y), 3, result.at(image.width - 1 - x, y));
    }
  }
  return result;
}

Image flip_vertical(const Image& image) {
  Image result(image.width, image.height);
  const auto row = static_cast<std::size_t>(image.width) * 3;
  for (int y = 0; y < image.height; ++y) {
    std::copy_n(image.at(0, y), row, result.at(0, image.height - 1 - y));
  }
  return result;
}

}  // namespace steadyiqa::image
