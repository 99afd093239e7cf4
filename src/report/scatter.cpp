#include "report/scatter.h"

#include "base/error.h"
#include "report/draw.h"

#include <fmt/format.h>

#include <opencv2/imgproc.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace steadyiqa::report {
namespace {

constexpr int kWidth = 720;
constexpr int kHeight = 520;
const TextStyle kSmall{0.42, false, {60, 60, 60}};
const TextStyle kPlain{0.48, false, {32, 32, 32}};
const TextStyle kTitle{0.65, true, {20, 20, 20}};
// Okabe and Ito's palette, told apart by colour-blind readers, too.
const std::array<cv::Scalar, 6> kColours = {cv::Scalar{0, 114, 178}, cv::Scalar{213, 94, 0},
                                            cv::Scalar{0, 158, 115}, cv::Scalar{204, 121, 167},
                                            cv::Scalar{230, 159, 0}, cv::Scalar{86, 180, 233}};

bool is_finite(const PlotPoint& point) { return std::isfinite(point.x) && std::isfinite(point.y); }

/// Widens [low, high] to whole steps of 1, 2 or 5 times a power of ten, about five of them.
double widen_to_ticks(double& low, double& high) {
  const double least = std::max({std::abs(low), std::abs(high), 1e-3}) * 1e-3;
  const double span = std::max(high - low, least);
  const double power = std::pow(10.0, std::floor(std::log10(span / 5)));
  const double ratio = span / 5 / power;
  const double step = power * (ratio <= 1 ? 1 : ratio <= 2 ? 2 : ratio <= 5 ? 5 : 10);
  low = (std::floor(low / step + 1e-9) - 0.5) * step;
  high = (std::ceil(high / step - 1e-9) + 0.5) * step;
  return step;
}

cv::Point pixel(const PlotArea& area, double x, double y) {
  return {area.left + static_cast<int>(std::lround((x - area.x_min) / (area.x_max - area.x_min) * area.width)),
          area.top + static_cast<int>(std::lround((area.y_max - y) / (area.y_max - area.y_min) * area.height))};
}

/// As many decimals as the tick step has.
std::string tick_text(double value, double step) {
  if (step < 1e-5 || step >= 1e5) {
    return fmt::format("{:.3g}", value);
  }
  const int decimals = std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9)));
  return fmt::format("{:.{}f}", std::abs(value) < step / 2 ? 0.0 : value, decimals);
}

/// The multiples of `step` from `low` to below `high`.
std::vector<double> ticks(double low, double high, double step) {
  std::vector<double> values;
  const auto last = static_cast<std::int64_t>(std::ceil(high / step));
  for (auto i = static_cast<std::int64_t>(std::ceil(low / step)); i < last; ++i) {
    values.push_back(static_cast<double>(i) * step);
  }
  return values;
}

void draw_axes(cv::Mat& canvas, const PlotArea& area, const PlotText& text) {
  const cv::Scalar grid{228, 228, 228};
  const int bottom = area.top + area.height;
  for (const double x : ticks(area.x_min, area.x_max, area.x_step)) {
    const cv::Point at = pixel(area, x, area.y_min);
    const std::string label = tick_text(x, area.x_step);
    cv::line(canvas, {at.x, area.top}, {at.x, bottom}, grid);
    draw_text(canvas, label, {at.x - text_pixels(label, kSmall) / 2, bottom + 18}, 80, kSmall);
  }
  for (const double y : ticks(area.y_min, area.y_max, area.y_step)) {
    const cv::Point at = pixel(area, area.x_min, y);
    const std::string label = tick_text(y, area.y_step);
    cv::line(canvas, {area.left, at.y}, {area.left + area.width, at.y}, grid);
    draw_text(canvas, label, {area.left - 8 - text_pixels(label, kSmall), at.y + 5}, 80, kSmall);
  }
  cv::rectangle(canvas, {area.left, area.top}, {area.left + area.width, bottom}, {90, 90, 90});
  draw_text(canvas, text.title, {area.left, 30}, area.width, kTitle);
  const int x_width = std::min(text_pixels(ascii(text.x_label), kPlain), area.width);
  draw_text(canvas, text.x_label, {area.left + (area.width - x_width) / 2, bottom + 45}, area.width, kPlain);
  // The other label is drawn lying, then turned up.
  cv::Mat lying(24, area.height, CV_8UC3, kWhite);
  const int y_width = std::min(text_pixels(ascii(text.y_label), kPlain), area.height);
  draw_text(lying, text.y_label, {(area.height - y_width) / 2, 16}, area.height, kPlain);
  cv::Mat standing;
  cv::rotate(lying, standing, cv::ROTATE_90_COUNTERCLOCKWISE);
  standing.copyTo(canvas(cv::Rect(12, area.top, 24, area.height)));
}

void draw_lines(cv::Mat& canvas, const PlotArea& area, const PlotSeries& series, const cv::Scalar& colour) {
  std::optional<cv::Point> previous;
  for (const auto& point : series.points) {
    if (is_finite(point)) {
      const cv::Point at = pixel(area, point.x, point.y);
      cv::line(canvas, previous.value_or(at), at, colour, 2, cv::LINE_AA);
      previous = at;
    }
  }
}

/// Labels stand above or `below` right of the marks, so that those of two neighbouring series keep apart.
void draw_marks(cv::Mat& canvas, const PlotArea& area, const PlotSeries& series, const cv::Scalar& colour, bool below) {
  for (const auto& point : series.points) {
    if (is_finite(point)) {
      const cv::Point at = pixel(area, point.x, point.y);
      cv::circle(canvas, at, 5, colour, cv::FILLED, cv::LINE_AA);
      draw_text(canvas, point.label, {at.x + 9, at.y + (below ? 15 : -7)}, kWidth - at.x - 12, kSmall);
    }
  }
}

/// The legend stands in the corner where high x meets high y is seldom reached: bottom left.
void draw_legend(cv::Mat& canvas, const PlotArea& area, const std::vector<PlotSeries>& series) {
  int y = area.top + area.height - 14 - 20 * (static_cast<int>(std::min<std::size_t>(series.size(), 12)) - 1);
  for (std::size_t i = 0; i < series.size() && i < 12; ++i, y += 20) {
    const auto missing = std::ranges::count_if(series[i].points, [](const auto& p) { return !is_finite(p); });
    const std::string gap =
        missing == 0 ? "" : fmt::format(" ({} of {} without a value)", missing, series[i].points.size());
    cv::circle(canvas, {area.left + 16, y - 4}, 5, kColours[i % kColours.size()], cv::FILLED, cv::LINE_AA);
    draw_text(canvas, series[i].name + gap, {area.left + 28, y}, area.width / 2, kPlain);
  }
}

}  // namespace

PlotArea plot_area(const std::vector<PlotSeries>& series) {
  PlotArea area;
  area.x_min = area.y_min = std::numeric_limits<double>::infinity();
  area.x_max = area.y_max = -std::numeric_limits<double>::infinity();
  for (const auto& one : series) {
    for (const auto& point : one.points) {
      if (is_finite(point)) {
        area.x_min = std::min(area.x_min, point.x);
        area.x_max = std::max(area.x_max, point.x);
        area.y_min = std::min(area.y_min, point.y);
        area.y_max = std::max(area.y_max, point.y);
      }
    }
  }
  if (area.x_min > area.x_max) {
    fail_input("plot: no point has a value");
  }
  area.x_step = widen_to_ticks(area.x_min, area.x_max);
  area.y_step = widen_to_ticks(area.y_min, area.y_max);
  return area;
}

image::Image frontier_plot(const PlotText& text, const std::vector<PlotSeries>& series) {
  const PlotArea area = plot_area(series);
  image::Image image = blank_image(kWidth, kHeight);
  cv::Mat canvas = matrix_of(image);
  draw_axes(canvas, area, text);
  for (std::size_t i = 0; i < series.size(); ++i) {
    draw_lines(canvas, area, series[i], kColours[i % kColours.size()]);
  }
  for (std::size_t i = 0; i < series.size(); ++i) {
    draw_marks(canvas, area, series[i], kColours[i % kColours.size()], i % 2 == 1);
  }
  draw_legend(canvas, area, series);
  return image;
}

}  // namespace steadyiqa::report
