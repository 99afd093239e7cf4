#include "report/picture.h"

#include "base/error.h"
#include "report/draw.h"

#include <opencv2/imgproc.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>

namespace steadyiqa::report {
namespace {

constexpr int kMargin = 20;
constexpr int kGap = 14;     // between panels
constexpr int kRowGap = 24;  // below a row
constexpr int kLine = 20;    // of small text
constexpr int kTitleHeight = 44;
constexpr int kLabelHeight = 32;
constexpr int kNarrowest = 224;  // of a panel's place, so that captions fit

const TextStyle kTitleStyle{0.85, true, {20, 20, 20}};
const TextStyle kLabelStyle{0.55, true, {60, 60, 60}};
const TextStyle kCaptionStyle{0.5, true, {20, 20, 20}};
const TextStyle kFooterStyle{0.46, false, {20, 20, 20}};
const TextStyle kNoteStyle{0.46, false, {90, 90, 90}};

/// The panel's pixels, scaled so that its longer side is at most kPanelSide.
image::Image fit_panel(const Panel& panel) {
  const image::Image& source = panel.image;
  if (source.width < 1 || source.height < 1) {
    fail_usage("picture: panel '{}' has no image", panel.caption);
  }
  const int longer = std::max(source.width, source.height);
  image::Image fitted;
  if (longer <= kPanelSide) {
    const int factor = kPanelSide / longer;
    fitted = image::Image(source.width * factor, source.height * factor);
  } else {
    const auto shrink = [longer](int side) {
      return std::max(1, static_cast<int>(std::lround(static_cast<double>(side) * kPanelSide / longer)));
    };
    fitted = image::Image(shrink(source.width), shrink(source.height));
  }
  for (int y = 0; y < fitted.height; ++y) {
    const auto from_y = static_cast<int>(static_cast<std::int64_t>(y) * source.height / fitted.height);
    for (int x = 0; x < fitted.width; ++x) {
      const auto from_x = static_cast<int>(static_cast<std::int64_t>(x) * source.width / fitted.width);
      std::copy_n(source.at(from_x, from_y), 3, fitted.at(x, y));
    }
  }
  return fitted;
}

/// A row with its panels scaled and its height known.
struct PlacedRow {
  std::vector<image::Image> images;
  std::vector<std::vector<std::string>> footers;
  int image_height = 0;
  int footer_lines = 0;
  bool labelled = false;
  [[nodiscard]] std::int64_t height() const {
    return (labelled ? kLabelHeight : 0) + kLine + image_height + kLine * static_cast<std::int64_t>(footer_lines) +
           kRowGap;
  }
};

/// The common width of all panels' places.
int place_width(const std::vector<PlacedRow>& rows) {
  int width = kNarrowest;
  for (const auto& row : rows) {
    for (const auto& image : row.images) {
      width = std::max(width, image.width);
    }
  }
  return width;
}

std::vector<PlacedRow> place_rows(const std::vector<PictureRow>& rows) {
  std::vector<PlacedRow> placed(rows.size());
  for (std::size_t r = 0; r < rows.size(); ++r) {
    placed[r].labelled = !rows[r].label.empty();
    for (const auto& panel : rows[r].panels) {
      placed[r].images.push_back(fit_panel(panel));
      placed[r].image_height = std::max(placed[r].image_height, placed[r].images.back().height);
    }
  }
  const int width = place_width(placed);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (const auto& panel : rows[r].panels) {
      placed[r].footers.push_back(text_lines(panel.footer, width, kFooterStyle));
      placed[r].footer_lines = std::max(placed[r].footer_lines, static_cast<int>(placed[r].footers.back().size()));
    }
  }
  return placed;
}

void draw_panel(image::Image& picture, const image::Image& panel, cv::Point corner) {
  for (int y = 0; y < panel.height; ++y) {
    std::copy_n(panel.at(0, y), static_cast<std::size_t>(panel.width) * 3, picture.at(corner.x, corner.y + y));
  }
  // A hairline outside the pixels keeps white images visible on white.
  cv::Mat canvas = matrix_of(picture);
  cv::rectangle(canvas, {corner.x - 1, corner.y - 1}, {corner.x + panel.width, corner.y + panel.height},
                {190, 190, 190});
}

void draw_row(image::Image& picture, const PictureRow& row, const PlacedRow& placed, int top, int place) {
  cv::Mat canvas = matrix_of(picture);
  int y = top;
  if (placed.labelled) {
    draw_text(canvas, row.label, {kMargin, y + 17}, picture.width - 2 * kMargin, kLabelStyle);
    y += kLabelHeight;
  }
  for (std::size_t i = 0; i < row.panels.size(); ++i) {
    const int x = kMargin + static_cast<int>(i) * (place + kGap);
    draw_text(canvas, row.panels[i].caption, {x, y + 13}, place, kCaptionStyle);
    draw_panel(picture, placed.images[i], {x, y + kLine});
    int line_y = y + kLine + placed.image_height + 17;
    for (const auto& line : placed.footers[i]) {
      draw_text(canvas, line, {x, line_y}, place, kFooterStyle);
      line_y += kLine;
    }
  }
}

}  // namespace

image::Image compose_picture(const std::string& title, const std::vector<PictureRow>& rows, const std::string& note) {
  const auto placed = place_rows(rows);
  const int place = place_width(placed);
  std::size_t columns = 0;
  for (const auto& row : rows) {
    columns = std::max(columns, row.panels.size());
  }
  if (columns == 0) {
    fail_usage("picture: there is no panel to show");
  }
  const std::int64_t width = 2 * kMargin + static_cast<std::int64_t>(columns) * (place + kGap) - kGap;
  const int inside = static_cast<int>(std::min<std::int64_t>(width, 1'000'000)) - 2 * kMargin;
  const auto notes = text_lines(note, inside, kNoteStyle);
  std::int64_t height =
      2 * kMargin + (title.empty() ? 0 : kTitleHeight) + kLine * static_cast<std::int64_t>(notes.size());
  for (const auto& row : placed) {
    height += row.height();
  }
  image::Image picture = blank_image(width, height);
  cv::Mat canvas = matrix_of(picture);
  int y = kMargin;
  if (!title.empty()) {
    draw_text(canvas, title, {kMargin, y + 18}, inside, kTitleStyle);
    y += kTitleHeight;
  }
  for (std::size_t r = 0; r < rows.size(); ++r) {
    draw_row(picture, rows[r], placed[r], y, place);
    y += static_cast<int>(placed[r].height());
  }
  for (const auto& line : notes) {
    draw_text(canvas, line, {kMargin, y + 13}, inside, kNoteStyle);
    y += kLine;
  }
  return picture;
}

image::Image amplify_perturbation(const image::Image& clean, const image::Image& attacked, int& factor) {
  if (clean.width != attacked.width || clean.height != attacked.height) {
    fail_input("perturbation: the clean image is {}x{}, the attacked one {}x{}", clean.width, clean.height,
               attacked.width, attacked.height);
  }
  int largest = 0;
  for (std::size_t i = 0; i < clean.pixels.size(); ++i) {
    largest = std::max(largest, std::abs(attacked.pixels[i] - clean.pixels[i]));
  }
  factor = 1;
  while (largest > 0 && 2 * factor * largest <= 127) {
    factor *= 2;
  }
  image::Image amplified(clean.width, clean.height);
  for (std::size_t i = 0; i < clean.pixels.size(); ++i) {
    const int value = 128 + factor * (attacked.pixels[i] - clean.pixels[i]);
    amplified.pixels[i] = static_cast<std::uint8_t>(std::clamp(value, 0, 255));
  }
  return amplified;
}

}  // namespace steadyiqa::report
