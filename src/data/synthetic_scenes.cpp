// Procedural scenes. Every second one is a mixture; the others go through the five pure kinds in turn.
#include "data/scene_texture.h"
#include "data/synthetic.h"

#include <opencv2/imgproc.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace steadyiqa::data {

namespace {

constexpr int kMinSide = 32;
constexpr int kMaxSide = 2048;

enum class Kind { kDeadLeaves, kTexture, kGradients, kGlyphs, kPolygons, kCount };

struct Leaf {
  double x = 0;
  double y = 0;
  double along = 1;   ///< half axis
  double across = 1;  ///< half axis
  double angle = 0;
  cv::Vec3f colour;
  float light = 0;     ///< brightness slope from one side to the other
  float bulge = 0;     ///< darkening towards the rim
  float texture = 0;   ///< amplitude of the surface detail
  double stripes = 0;  ///< stripes across the leaf, 0 = none
  int shift = 0;       ///< which part of the detail field lies on it
};

class ScenePainter {
 public:
  ScenePainter(std::uint64_t seed, cv::Size size)
      : rng_(seed), size_(size), palette_(rng_), light_(rng_.uniform(0, kTau)) {
    detail_ = noise_fields(rng_, size_, {.exponent = 0.75}).first;
  }

  [[nodiscard]] Rng& rng() { return rng_; }

  cv::Mat paint(Kind kind) {
    switch (kind) {
      case Kind::kDeadLeaves:
        return dead_leaves();
      case Kind::kTexture:
        return texture();
      case Kind::kGradients:
        return gradients();
      case Kind::kGlyphs:
        return glyphs();
      default:
        return polygons();
    }
  }

  /// Regions of two or three kinds with a few objects in front, each kind with colours of its own.
  cv::Mat mixture() {
    auto kind = rng_.below(static_cast<std::int64_t>(Kind::kCount));
    cv::Mat canvas = paint(static_cast<Kind>(kind));
    const std::int64_t regions = 1 + rng_.below(2);
    for (std::int64_t i = 0; i < regions; ++i) {
      kind = (kind + 1 + rng_.below(static_cast<std::int64_t>(Kind::kCount) - 1)) %
             static_cast<std::int64_t>(Kind::kCount);
      palette_ = Palette(rng_);
      const cv::Mat layer = paint(static_cast<Kind>(kind));  // before the mask: the order of draws must be fixed
      blend(canvas, layer, region_mask());
    }
    if (rng_.uniform() < 0.5) {
      scatter_objects(canvas, 2 + rng_.below(4));
    }
    return canvas;
  }

  /// Uneven lighting and a trace of fine detail over everything, so that no part is without anything to blur.
  void light_and_grain(cv::Mat& canvas) {
    const cv::Mat lighting = noise_fields(rng_, size_, {.exponent = 2.2}).first;
    const auto depth = static_cast<float>(rng_.uniform(0.05, 0.2));
    const auto grain = static_cast<float>(rng_.uniform(0.02, 0.05));
    for (int y = 0; y < canvas.rows; ++y) {
      for (int x = 0; x < canvas.cols; ++x) {
        const float fine = grain * detail_.at<float>(canvas.rows - 1 - y, canvas.cols - 1 - x);
        canvas.at<cv::Vec3f>(y, x) *= std::max(0.2F, 1 + depth * lighting.at<float>(y, x) + fine);
      }
    }
  }

 private:
  [[nodiscard]] int short_side() const { return std::min(size_.width, size_.height); }
  [[nodiscard]] int random_int(int low, int high) { return low + static_cast<int>(rng_.below(high - low + 1)); }
  [[nodiscard]] cv::Point random_point() {
    const int x = random_int(0, size_.width - 1);
    return {x, random_int(0, size_.height - 1)};
  }

  Leaf random_leaf(double radius) {
    Leaf leaf;
    leaf.x = rng_.uniform(-0.05, 1.05) * size_.width;
    leaf.y = rng_.uniform(-0.05, 1.05) * size_.height;
    leaf.along = radius;
    leaf.across = radius * rng_.uniform(0.5, 1.0);
    leaf.angle = rng_.uniform(0, kTau);
    leaf.colour = palette_.pick(rng_);
    leaf.light = static_cast<float>(rng_.uniform(0.0, 0.35));
    leaf.bulge = static_cast<float>(rng_.uniform(0.0, 0.4));
    leaf.texture = static_cast<float>(rng_.uniform(0.03, 0.2));
    const bool large = radius > 8 * kSceneOversampling;
    leaf.stripes = large && rng_.uniform() < 0.25 ? rng_.uniform(2, radius / (2.5 * kSceneOversampling)) : 0;
    leaf.shift = random_int(0, 1 << 16);
    return leaf;
  }

  void draw_leaf(cv::Mat& canvas, const Leaf& leaf) const {
    const double cosine = std::cos(leaf.angle);
    const double sine = std::sin(leaf.angle);
    const double reach = std::max(leaf.along, leaf.across);
    const int left = std::max(0, static_cast<int>(leaf.x - reach));
    const int right = std::min(size_.width - 1, static_cast<int>(leaf.x + reach + 1));
    const int top = std::max(0, static_cast<int>(leaf.y - reach));
    const int bottom = std::min(size_.height - 1, static_cast<int>(leaf.y + reach + 1));
    const double light_x = std::cos(light_) / reach;
    const double light_y = std::sin(light_) / reach;
    for (int y = top; y <= bottom; ++y) {
      for (int x = left; x <= right; ++x) {
        const double dx = x - leaf.x;
        const double dy = y - leaf.y;
        const double u = (dx * cosine + dy * sine) / leaf.along;
        const double v = (dy * cosine - dx * sine) / leaf.across;
        const double distance = u * u + v * v;
        if (distance > 1) {
          continue;
        }
        const float fine = detail_.at<float>((y + leaf.shift) % size_.height, (x + leaf.shift / 7) % size_.width);
        const bool dark_stripe = leaf.stripes > 0 && std::sin(leaf.stripes * u * std::numbers::pi) > 0;
        const float shade = 1 + leaf.light * static_cast<float>(dx * light_x + dy * light_y) -
                            leaf.bulge * static_cast<float>(distance) + leaf.texture * fine -
                            (dark_stripe ? 0.35F : 0.0F);
        canvas.at<cv::Vec3f>(y, x) = leaf.colour * shade;
      }
    }
  }

  /// Occluding leaves, radius density r^-3 (scale invariance; Lee, Mumford, Huang 2001, section 2), painted back to
  /// front.
  cv::Mat dead_leaves() {
    const double smallest = 1.5 * kSceneOversampling;
    const double largest = rng_.uniform(0.2, 0.35) * short_side();
    const double square_ratio = (smallest / largest) * (smallest / largest);
    const double mean_square = 2 * smallest * smallest * std::log(largest / smallest) / (1 - square_ratio);
    constexpr double kCoverage = 6;  // mean layers at a point: what is left uncovered is e^-6 of the canvas
    const auto count = static_cast<std::int64_t>(kCoverage * size_.area() / (0.75 * std::numbers::pi * mean_square));
    cv::Mat canvas = patterned_surface(rng_, palette_, detail_);
    for (std::int64_t i = 0; i < count; ++i) {
      draw_leaf(canvas, random_leaf(smallest / std::sqrt(1 - rng_.uniform() * (1 - square_ratio))));
    }
    return canvas;
  }

  /// 1/f noise: along the palette, ridged like veins, or in opponent colours (luminance, blue-yellow, red-green), whose
  /// channels are nearly independent in natural images (Ruderman, Cronin, Chiao 1998).
  cv::Mat texture() {
    const NoiseShape shape{.exponent = rng_.uniform(0.95, 1.2),
                           .stretch = rng_.uniform() < 0.5 ? 1 : rng_.uniform(1.3, 2.5),
                           .angle = rng_.uniform(0, kTau)};
    const auto [light, second] = noise_fields(rng_, size_, shape);
    const auto [yellow, red] = noise_fields(rng_, size_, {.exponent = 1.3});
    const std::int64_t style = rng_.below(3);
    const double bands = rng_.uniform(2, 5);
    const cv::Vec3f ground = palette_.at(0.55F);
    const cv::Vec3f patches = palette_.at(0.75F);
    cv::Mat canvas(size_, CV_32FC3);
    for (int y = 0; y < canvas.rows; ++y) {
      for (int x = 0; x < canvas.cols; ++x) {
        const float l = light.at<float>(y, x);
        const float b = yellow.at<float>(y, x);
        const float r = red.at<float>(y, x);
        cv::Vec3f opponent(0.05F * b + 0.02F * r, 0.05F * b - 0.02F * r, -0.1F * b);
        cv::Vec3f& pixel = canvas.at<cv::Vec3f>(y, x);
        if (style == 0) {
          const float mix = std::clamp(0.5F + 0.4F * b, 0.0F, 1.0F);
          pixel = (ground * (1 - mix) + patches * mix) * (1 + 0.35F * l) + opponent * 0.4F;
        } else if (style == 1) {
          // Steps along the palette: patches with sharp rims, as lichen or foliage.
          const double level = std::floor((0.5 + 0.25 * l) * bands) / bands;
          pixel = palette_.at(static_cast<float>(level)) * (1 + 0.22F * second.at<float>(y, x)) + opponent;
        } else {
          const float ridge = std::abs(l) - 0.7F * std::abs(second.at<float>(y, x));
          pixel = palette_.at(0.4F + 0.35F * ridge) * (1 + 0.1F * detail_.at<float>(y, x)) + opponent;
        }
      }
    }
    return canvas;
  }

  /// Sky over ground with shaded objects.
  cv::Mat gradients() {
    cv::Mat canvas(size_, CV_32FC3);
    const cv::Vec3f zenith = palette_.at(static_cast<float>(rng_.uniform(0.4, 0.7)));
    const cv::Vec3f horizon_colour = palette_.at(static_cast<float>(rng_.uniform(0.8, 1.0)));
    const auto [cloud, hills] =
        noise_fields(rng_, size_, {.exponent = 1.4, .stretch = 1.6, .angle = std::numbers::pi / 2});
    const double horizon = rng_.uniform(0.35, 0.75) * size_.height;
    const double relief = rng_.uniform(0.02, 0.1) * size_.height;
    const cv::Mat ground = patterned_surface(rng_, palette_, detail_);
    const auto cloudiness = static_cast<float>(rng_.uniform(0.03, 0.15));
    for (int y = 0; y < canvas.rows; ++y) {
      for (int x = 0; x < canvas.cols; ++x) {
        const double skyline = horizon + relief * hills.at<float>(size_.height / 2, x);
        if (y < skyline) {
          const auto t = static_cast<float>(std::clamp(y / skyline, 0.0, 1.0));
          canvas.at<cv::Vec3f>(y, x) =
              zenith * (1 - t) + horizon_colour * t + cv::Vec3f::all(cloudiness * cloud.at<float>(y, x));
        } else {
          const double depth = (y - skyline) / (size_.height - skyline + 1);
          canvas.at<cv::Vec3f>(y, x) =
              ground.at<cv::Vec3f>(y, x) * static_cast<float>(0.7 + 0.4 * depth) * (y < skyline + 2 ? 0.6F : 1.0F);
        }
      }
    }
    scatter_objects(canvas, 6 + rng_.below(8));
    return canvas;
  }

  /// Shaded balls, far ones small, each with a shadow.
  void scatter_objects(cv::Mat& canvas, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      const double nearness = static_cast<double>(i + 1) / static_cast<double>(count);
      Leaf leaf = random_leaf(short_side() * (0.03 + 0.17 * nearness * rng_.uniform(0.4, 1)));
      leaf.y = size_.height * (0.3 + 0.6 * nearness + rng_.uniform(-0.1, 0.1));
      leaf.light = 0.45F;
      leaf.bulge = 0.35F;
      Leaf shadow = leaf;
      shadow.x -= std::cos(light_) * leaf.along * 0.35;
      shadow.y += leaf.along * 0.35;
      shadow.colour = {0.08F, 0.08F, 0.1F};
      shadow.stripes = 0;
      draw_leaf(canvas, shadow);
      draw_leaf(canvas, leaf);
    }
  }

  std::string random_word() {
    static constexpr std::string_view kLetters =
        "eeeeetttaaaooiinnsshhrrddlluucmwfgypbvkxjqzETAOINSHRDLUCM0123456789&%";
    std::string word;
    const std::int64_t length = 2 + rng_.below(8);
    for (std::int64_t i = 0; i < length; ++i) {
      word += kLetters[static_cast<std::size_t>(rng_.below(static_cast<std::int64_t>(kLetters.size())))];
    }
    return word;
  }

  /// Rows of words on paper, with coloured blocks behind some of them.
  cv::Mat glyphs() {
    static constexpr std::array kFonts = {cv::FONT_HERSHEY_SIMPLEX, cv::FONT_HERSHEY_DUPLEX, cv::FONT_HERSHEY_COMPLEX,
                                          cv::FONT_HERSHEY_TRIPLEX, cv::FONT_HERSHEY_SCRIPT_COMPLEX};
    cv::Mat canvas = patterned_surface(rng_, palette_, detail_);
    const cv::Vec3f paper = palette_.at(rng_.uniform() < 0.7 ? 0.97F : 0.05F);
    for (int y = 0; y < canvas.rows; ++y) {
      for (int x = 0; x < canvas.cols; ++x) {
        cv::Vec3f& pixel = canvas.at<cv::Vec3f>(y, x);
        pixel = pixel * 0.25F + paper * 0.75F * (1 + 0.06F * detail_.at<float>(y, x));
      }
    }
    int y = random_int(0, 6 * kSceneOversampling);
    while (y < size_.height) {
      const double scale = kSceneOversampling * 0.28 * std::pow(3.5, rng_.uniform());
      const int line = static_cast<int>(30 * scale);
      if (rng_.uniform() < 0.3) {
        const int left = random_int(0, size_.width / 2);
        const cv::Rect block(left, y, random_int(size_.width / 5, size_.width), line);
        cv::rectangle(canvas, block, cv::Scalar(palette_.pick(rng_)), cv::FILLED);
      }
      cv::Mat mask = cv::Mat::zeros(size_, CV_8U);
      const int font = kFonts[static_cast<std::size_t>(rng_.below(kFonts.size()))];
      std::string text;
      for (int i = 0; i < 16; ++i) {
        text += random_word() + " ";
      }
      const cv::Point start(random_int(-8, 10) * kSceneOversampling, y + static_cast<int>(23 * scale));
      cv::putText(mask, text, start, font, scale, cv::Scalar(255), random_int(1, 1 + static_cast<int>(2.2 * scale)),
                  cv::LINE_AA);
      const cv::Vec3f ink =
          rng_.uniform() < 0.5 ? cv::Vec3f::all(paper[1] > 0.5F ? 0.05F : 0.95F) : palette_.pick(rng_);
      blend(canvas, cv::Mat(size_, CV_32FC3, cv::Scalar(ink)), mask);
      y += line;
    }
    return canvas;
  }

  std::vector<cv::Point> random_polygon(double radius) {
    const cv::Point centre = random_point();
    const std::int64_t corners = 3 + rng_.below(5);
    std::vector<cv::Point> polygon;
    const double start = rng_.uniform(0, kTau);
    for (std::int64_t i = 0; i < corners; ++i) {
      const double angle =
          start + kTau * (static_cast<double>(i) + rng_.uniform(-0.3, 0.3)) / static_cast<double>(corners);
      const double reach = radius * rng_.uniform(0.5, 1.2);
      polygon.emplace_back(centre.x + static_cast<int>(reach * std::cos(angle)),
                           centre.y + static_cast<int>(reach * std::sin(angle)));
    }
    return polygon;
  }

  /// Overlapping polygons with patterned surfaces, then thin lines.
  cv::Mat polygons() {
    cv::Mat canvas = patterned_surface(rng_, palette_, detail_);
    const int count = random_int(14, 24);
    for (int i = 0; i < count; ++i) {
      // Large ones first, so that none hides all the others.
      const double radius = short_side() * (0.42 - 0.34 * i / count) * rng_.uniform(0.6, 1.1);
      cv::Mat mask = cv::Mat::zeros(size_, CV_8U);
      cv::fillPoly(mask, std::vector{random_polygon(radius)}, cv::Scalar(255), cv::LINE_AA);
      blend(canvas, patterned_surface(rng_, palette_, detail_), mask);
    }
    const int lines = random_int(4, 16);
    for (int i = 0; i < lines; ++i) {
      cv::Mat mask = cv::Mat::zeros(size_, CV_8U);
      const cv::Point from = random_point();
      const cv::Point to = random_point();
      cv::line(mask, from, to, cv::Scalar(255), random_int(1, 2 * kSceneOversampling), cv::LINE_AA);
      blend(canvas, cv::Mat(size_, CV_32FC3, cv::Scalar(palette_.pick(rng_))), mask);
    }
    return canvas;
  }

  /// A polygon, the part past a straight line, or the high ground of a noise field.
  cv::Mat region_mask() {
    cv::Mat mask = cv::Mat::zeros(size_, CV_8U);
    const std::int64_t style = rng_.below(3);
    if (style == 0) {
      const double radius = short_side() * rng_.uniform(0.35, 0.6);
      cv::fillPoly(mask, std::vector{random_polygon(radius)}, cv::Scalar(255), cv::LINE_AA);
    } else if (style == 1) {
      const double angle = rng_.uniform(0, kTau);
      const double offset = rng_.uniform(-0.2, 0.2) * short_side();
      const int middle_x = size_.width / 2;
      const int middle_y = size_.height / 2;
      for (int y = 0; y < size_.height; ++y) {
        for (int x = 0; x < size_.width; ++x) {
          const double side = (x - middle_x) * std::cos(angle) + (y - middle_y) * std::sin(angle);
          mask.at<std::uint8_t>(y, x) = side > offset ? 255 : 0;
        }
      }
    } else {
      const cv::Mat field = noise_fields(rng_, size_, {.exponent = 1.8}).first;
      cv::compare(field, rng_.uniform(-0.3, 0.5), mask, cv::CMP_GT);
    }
    return mask;
  }

  Rng rng_;
  cv::Size size_;
  Palette palette_;
  double light_;
  cv::Mat detail_;
};

}  // namespace

image::Image synthetic_scene(std::uint64_t seed, std::int64_t index, int width, int height) {
  if (width < kMinSide || height < kMinSide || width > kMaxSide || height > kMaxSide) {
    fail_usage("synthetic scene: size {}x{} is outside {}..{} pixels a side", width, height, kMinSide, kMaxSide);
  }
  if (index < 0) {
    fail_usage("synthetic scene: index {} is negative", index);
  }
  ScenePainter painter(derive_seed(seed, "scene", static_cast<std::uint64_t>(index)),
                       {width * kSceneOversampling, height * kSceneOversampling});
  const auto pure = static_cast<Kind>(index / 2 % static_cast<std::int64_t>(Kind::kCount));
  cv::Mat canvas = index % 2 == 1 ? painter.mixture() : painter.paint(pure);
  painter.light_and_grain(canvas);
  const cv::Mat scene = finish_scene(painter.rng(), canvas);
  image::Image result(width, height);
  std::copy(scene.datastart, scene.dataend, result.pixels.begin());
  return result;
}

}  // namespace steadyiqa::data
