// A small plot: labelled points in series joined by lines, such as accuracy clean against accuracy under attack.
#pragma once

#include "image/image.h"

#include <string>
#include <vector>

namespace steadyiqa::report {

struct PlotPoint {
  double x = 0;
  double y = 0;
  std::string label;  ///< beside the mark; "" for none
};

struct PlotSeries {
  std::string name;
  std::vector<PlotPoint> points;  ///< joined in this order
};

/// The plot area inside the axes, in pixels, and the values at its edges: half a tick step beyond the ticks around
/// the points.
struct PlotArea {
  int left = 90;
  int top = 50;
  int width = 600;
  int height = 400;
  double x_min = 0;
  double x_max = 1;
  double y_min = 0;
  double y_max = 1;
  double x_step = 0.2;  ///< between ticks
  double y_step = 0.2;
};

/// Where frontier_plot puts these series. Throws Error(kInput) when no point is finite.
[[nodiscard]] PlotArea plot_area(const std::vector<PlotSeries>& series);

struct PlotText {
  std::string title;
  std::string x_label = "SROCC, clean";
  std::string y_label = "SROCC under attack";
};

/// The plot, 720x520 pixels. A point without a finite value is left out, and the legend says so.
/// Throws Error(kInput) when no point is finite.
[[nodiscard]] image::Image frontier_plot(const PlotText& text, const std::vector<PlotSeries>& series);

}  // namespace steadyiqa::report
