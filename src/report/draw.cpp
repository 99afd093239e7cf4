#include "report/draw.h"

#include "base/error.h"

#include <opencv2/imgproc.hpp>

#include <algorithm>
#include <cstdint>

namespace steadyiqa::report {
namespace {

constexpr std::int64_t kMostPixels = 100'000'000;
constexpr double kSmallestScale = 0.38;  // below it the letters are no longer readable

int face(const TextStyle& style) { return style.bold ? cv::FONT_HERSHEY_DUPLEX : cv::FONT_HERSHEY_SIMPLEX; }

}  // namespace

image::Image blank_image(std::int64_t width, std::int64_t height) {
  if (width < 1 || height < 1 || height > kMostPixels / width) {
    fail_usage("picture of {}x{} pixels: at most {} pixels; show fewer images", width, height, kMostPixels);
  }
  image::Image image(static_cast<int>(width), static_cast<int>(height));
  std::ranges::fill(image.pixels, std::uint8_t{255});
  return image;
}

cv::Mat matrix_of(image::Image& image) { return {image.height, image.width, CV_8UC3, image.pixels.data()}; }

std::string ascii(std::string_view text) {
  std::string out;
  for (const char c : one_line(text)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out += c;
    } else if ((byte & 0xC0U) != 0x80U) {
      out += '?';
    }
  }
  return out;
}

int text_pixels(const std::string& text, const TextStyle& style) {
  int below = 0;
  return cv::getTextSize(text, face(style), style.scale, 1, &below).width;
}

void draw_text(cv::Mat& canvas, std::string_view text, cv::Point origin, int width, const TextStyle& style) {
  std::string shown = ascii(text);
  TextStyle fitted = style;
  const int natural = text_pixels(shown, style);
  if (natural > width) {
    fitted.scale = std::max(std::min(style.scale, kSmallestScale), style.scale * width / natural);
  }
  if (text_pixels(shown, fitted) > width) {
    // The widest letter bounds how many can fit: a hostile name is cut before it is measured letter by letter.
    shown.resize(std::min(shown.size(), static_cast<std::size_t>(std::max(width, 0))));
    while (!shown.empty() && text_pixels(shown + "...", fitted) > width) {
      shown.pop_back();
    }
    shown += "...";
  }
  cv::putText(canvas, shown, origin, face(style), fitted.scale, style.colour, 1, cv::LINE_AA);
}

std::vector<std::string> text_lines(std::string_view text, int width, const TextStyle& style) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string line;
    std::string_view rest = text.substr(0, end);
    while (!rest.empty()) {
      const std::size_t length = std::min(rest.find(' ', 1), rest.size());
      const std::string longer = line + ascii(rest.substr(0, length));
      if (!line.empty() && text_pixels(longer, style) > width) {
        lines.push_back(line);
        line.clear();
        rest.remove_prefix(rest.front() == ' ' ? 1 : 0);
      } else {
        line = longer;
        rest.remove_prefix(length);
      }
    }
    lines.push_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace steadyiqa::report
