#include "report/picture.h"

#include "base/expect_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace steadyiqa::report {
namespace {

using image::Image;
using steadyiqa::testing::error_message;
using ::testing::HasSubstr;

/// An image whose first pixel is a colour found nowhere else in a picture.
Image marked(int width, int height) {
  Image image(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const std::uint8_t colour[] = {static_cast<std::uint8_t>(x * 3 % 251), static_cast<std::uint8_t>(y * 5 % 251),
                                     77};
      std::copy_n(colour, 3, image.at(x, y));
    }
  }
  const std::uint8_t mark[] = {250, 3, 129};
  std::copy_n(mark, 3, image.at(0, 0));
  return image;
}

struct Place {
  int x = -1;
  int y = -1;
};

Place find_mark(const Image& picture) {
  for (int y = 0; y < picture.height; ++y) {
    for (int x = 0; x < picture.width; ++x) {
      const std::uint8_t* p = picture.at(x, y);
      if (p[0] == 250 && p[1] == 3 && p[2] == 129) {
        return {x, y};
      }
    }
  }
  return {};
}

/// How many of the part's pixels at this place are not those of `expected`.
int differing_pixels(const Image& picture, Place place, const Image& expected) {
  int count = 0;
  for (int y = 0; y < expected.height; ++y) {
    for (int x = 0; x < expected.width; ++x) {
      count += std::equal(expected.at(x, y), expected.at(x, y) + 3, picture.at(place.x + x, place.y + y)) ? 0 : 1;
    }
  }
  return count;
}

Image picture_of(const Image& panel) {
  return compose_picture("title", {{"row", {{panel, "caption", "footer"}}}}, "note");
}

TEST(Picture, APanelOfOrdinarySizeKeepsItsPixels) {
  const Image panel = marked(224, 200);
  const Image picture = picture_of(panel);
  const Place place = find_mark(picture);
  ASSERT_GE(place.x, 0);
  EXPECT_EQ(differing_pixels(picture, place, panel), 0);
}

TEST(Picture, ASmallPanelIsEnlargedByAWholeFactor) {
  const Image panel = marked(60, 64);
  Image enlarged(300, 320);
  for (int y = 0; y < 320; ++y) {
    for (int x = 0; x < 300; ++x) {
      std::copy_n(panel.at(x / 5, y / 5), 3, enlarged.at(x, y));
    }
  }
  const Image picture = picture_of(panel);
  EXPECT_EQ(differing_pixels(picture, find_mark(picture), enlarged), 0);
}

TEST(Picture, ALargePanelIsReducedByLeavingOutPixels) {
  const Image panel = marked(640, 480);
  Image reduced(320, 240);
  for (int y = 0; y < 240; ++y) {
    for (int x = 0; x < 320; ++x) {
      std::copy_n(panel.at(2 * x, 2 * y), 3, reduced.at(x, y));
    }
  }
  const Image picture = picture_of(panel);
  EXPECT_EQ(differing_pixels(picture, find_mark(picture), reduced), 0);
}

TEST(Picture, GrowsByOnePlaceForEachPanel) {
  const Panel panel{marked(256, 256), "caption", ""};
  const Image one = compose_picture("", {{"", {panel}}}, "");
  const Image five = compose_picture("", {{"", {panel, panel, panel, panel, panel}}, {"", {panel}}}, "");
  EXPECT_EQ(five.width - one.width, 4 * (256 + 14));
  EXPECT_EQ(one.width, 20 + 256 + 20);
  EXPECT_GE(five.height - one.height, 256);
}

TEST(Picture, TheBackgroundIsWhiteAndTheTextDark) {
  const Image panel = marked(224, 200);
  const Image picture = picture_of(panel);
  const std::uint8_t* corner = picture.at(0, 0);
  EXPECT_EQ(std::vector<int>(corner, corner + 3), (std::vector<int>{255, 255, 255}));
  const Place place = find_mark(picture);
  int dark = 0;
  for (int y = place.y - 20; y < place.y - 2; ++y) {
    for (int x = place.x; x < place.x + 100; ++x) {
      dark += picture.at(x, y)[0] < 100 ? 1 : 0;
    }
  }
  EXPECT_GT(dark, 40);
}

TEST(Picture, HostileTextsStayInside) {
  const std::string text = std::string(20'000, 'W') + "\xff\x1b ü\n";
  const Panel panel{marked(224, 224), text, text};
  const Image picture = compose_picture(text, {{text, {panel, panel}}}, text);
  EXPECT_EQ(picture.width, 20 + 224 + 14 + 224 + 20);
  const Image plain = compose_picture("t", {{"r", {panel, panel}}}, "n");
  EXPECT_EQ(picture.width, plain.width);
}

TEST(Picture, NoImageIsRefused) {
  EXPECT_THAT(error_message(ErrorKind::kUsage, [] { static_cast<void>(picture_of(Image())); }),
              HasSubstr("'caption' has no image"));
  EXPECT_THAT(error_message(ErrorKind::kUsage, [] { static_cast<void>(compose_picture("t", {}, "n")); }),
              HasSubstr("no panel"));
  const std::vector<PictureRow> rows(40, {"", std::vector<Panel>(300, {Image(320, 1), "", ""})});
  EXPECT_THAT(error_message(ErrorKind::kUsage, [&] { static_cast<void>(compose_picture("", rows, "")); }),
              HasSubstr("at most 100000000 pixels"));
}

TEST(AmplifyPerturbation, ScalesTheDifferenceAroundMidGrey) {
  Image clean = marked(4, 1);
  std::ranges::fill(clean.pixels, std::uint8_t{100});
  Image attacked = clean;
  attacked.at(0, 0)[0] = 101;
  attacked.at(1, 0)[1] = 99;
  int factor = 0;
  const Image shown = amplify_perturbation(clean, attacked, factor);
  EXPECT_EQ(factor, 64);
  EXPECT_EQ(std::vector<int>(shown.pixels.begin(), shown.pixels.end()),
            (std::vector<int>{192, 128, 128, 128, 64, 128, 128, 128, 128, 128, 128, 128}));
}

TEST(AmplifyPerturbation, TheFactorIsThePowerOfTwoThatFits) {
  const std::vector<std::pair<int, int>> cases = {{0, 1},  {1, 64}, {2, 32}, {3, 32},  {4, 16},  {7, 16}, {8, 8},
                                                  {15, 8}, {63, 2}, {64, 1}, {127, 1}, {128, 1}, {255, 1}};
  for (const auto& [difference, expected] : cases) {
    Image clean(1, 1);
    Image attacked(1, 1);
    attacked.pixels[1] = static_cast<std::uint8_t>(difference);
    int factor = 0;
    const Image shown = amplify_perturbation(clean, attacked, factor);
    EXPECT_EQ(factor, expected) << difference;
    EXPECT_EQ(shown.pixels[1], std::min(255, 128 + expected * difference)) << difference;
    EXPECT_EQ(shown.pixels[0], 128);
  }
}

TEST(AmplifyPerturbation, OtherSizesAreRefused) {
  int factor = 0;
  EXPECT_EQ(error_message(ErrorKind::kInput,
                          [&] { static_cast<void>(amplify_perturbation(Image(2, 3), Image(3, 2), factor)); }),
            "perturbation: the clean image is 2x3, the attacked one 3x2");
}

}  // namespace
}  // namespace steadyiqa::report
