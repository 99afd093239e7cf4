#include "image/resize.h"

#include "image/noise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace steadyiqa::image {
namespace {

struct Golden {
  int width;
  int height;
  int out_width;
  int out_height;
  const char* sha256;
};

// tests/image/make_samples.py: Image.fromarray(noise(w, h)).resize((ow, oh), Image.BILINEAR), Pillow 9.4.0.
constexpr Golden kGolden[] = {
    {50, 40, 25, 20, "51505a0d3eea7e0ae86b21f3545db319a2bba75497380363069dadfe2fc09021"},
    {37, 53, 224, 224, "46e28fdd2e8d91d11866ecd3030e425cf9881eb71b97c8e54452dd9532f7c217"},
    {101, 67, 64, 48, "84096102de05a50ada994adcdde0ae4166a3f529bebfee023a706f4e5d9861fd"},
    {16, 16, 16, 9, "8866a09a002dc0149db7dda6c711c4685fee2b49b3a434ebc58014203a6d0d12"},
    {16, 16, 7, 16, "f7098bdbb0cf64d3f77fbe605897154acde3a06987eacc01657fb7ee8758dcfd"},
    {33, 21, 33, 21, "2f097e056081623b0bcf98a550efc2b236a766a01de4a3a53964ff6cf7c0ff3f"},
    {1, 1, 5, 3, "cd5ba7f7d38af294e5f71ab4c823c996599170dfcda2ad41971a4cf276b0e87c"},
    {300, 7, 11, 40, "357f8a77a5e2f816429f55b6dff134ec854e8a2643c9ca2c609a8ec5ac8ef646"},
    {64, 48, 1, 1, "4c4599dce864b9ec3ecef74c06069a089bbf0298eb2faf1bee31822d49e90a35"},
    {512, 384, 224, 224, "bf04ef2a694c1c5750bc63437e4ddcfb74b8ae21c75ef3615cb37ec334c2bb96"},
    {1024, 768, 384, 512, "fff69b4b165d9427d4f5163b79e7a727eab535692a52f14a4cbc0341ace6e1aa"},
    {640, 480, 384, 512, "bb52ba340237955f135115dfe0ddc753e8f0bcb24109b730117f88fea504d9f0"},
    {500, 500, 664, 498, "8deca22738480e26f49d8e938a3602ac7cc6ee96aefba6e24b637a70921d7d11"},
    {664, 498, 500, 500, "c032894b9a1dcf6f1b35f781d4975d01bfc5ea06bfa1b77827beeeb42dfa7f73"},
    {768, 1024, 498, 664, "f6adba1c64b2a82620760d35ab5a602f8f3c1ba76403468c3b84068c8208bfa0"},
    {225, 224, 224, 225, "f20199bbffdbe707b1fc68a0633c58735b15bc20d404c780661cb032cb627b96"},
    {3, 1000, 7, 999, "cf7260cc3ff23918c0fae0646d2538c1395b368c92265a3a4870a4f48d1bea5c"},
    {97, 89, 194, 178, "090c16f0288b7a215f59d8e9034a323fc1a9a18877f312147f9df104b3898b09"},
    {255, 257, 256, 256, "1b4ee08b480876deac967d06e52044b45fa7a812b44e25b31a0a1c4d87dd2ab3"},
    {1000, 3, 1, 2, "7589f82128470c6470037776e7173336f1f7b73f6b7de37e36cace6b3ae52a92"},
};

// The same script: cv2.resize(noise(w, h), (ow, oh), interpolation=cv2.INTER_CUBIC), OpenCV 4.6.0.
constexpr Golden kCubic[] = {
    {50, 40, 25, 20, "c3207769a700315fb288d46af18192d3083bd5e8719594257d471ffc2d38f637"},
    {37, 53, 224, 224, "422d89341f6ca92f4913599945fa77877a2e31846d57c99c76f167d28646b211"},
    {101, 67, 64, 48, "86cfd0c0724c380a6ed8f631177137b7e03363e0c6df8239c627685b84d77b17"},
    {16, 16, 16, 9, "4526e07fc341de7046e680723493378aff107aadc387389447f11af36ed4d9c9"},
    {16, 16, 7, 16, "9c3f5a3a1e412d962c299ce0a111bec5feca0c1ac78ab903b73dd315db8c03dd"},
    {33, 21, 33, 21, "2f097e056081623b0bcf98a550efc2b236a766a01de4a3a53964ff6cf7c0ff3f"},
    {1, 1, 5, 3, "cd5ba7f7d38af294e5f71ab4c823c996599170dfcda2ad41971a4cf276b0e87c"},
    {300, 7, 11, 40, "c644f27b726b6ec9004252650a857290dcd21e737103e02a7a0e91a98ab268f7"},
    {64, 48, 1, 1, "4faabaa714a43c653a6518f5d7173005d50fcb08d0b2e60a01402fd6b0954b2a"},
    {512, 384, 224, 224, "40f706e516180ce8ffe073f341d5facf7aa1d38ae0d5aac8a0149d758f69469a"},
    {1024, 768, 224, 224, "2b7656ff3b897674401f410f782c8fde0d956b1f6f338600a658acaa09463066"},
    {225, 224, 224, 224, "9388fac2435e069c9c936ffd37180e8f4f4fc2e82f801781fc2a0bc3b325f773"},
};

void expect_golden(const Golden& golden, Filter filter) {
  const Image resized = resize(noise(golden.width, golden.height), golden.out_width, golden.out_height, filter);
  EXPECT_EQ(resized.width, golden.out_width);
  EXPECT_EQ(resized.height, golden.out_height);
  EXPECT_EQ(pixel_digest(resized), golden.sha256)
      << golden.width << "x" << golden.height << " to " << golden.out_width << "x" << golden.out_height;
}

TEST(Resize, EqualsPillowBitForBit) {
  for (const Golden& golden : kGolden) {
    expect_golden(golden, Filter::kPillowBilinear);
  }
}

TEST(Resize, EqualsOpencvsCubicBitForBit) {
  for (const Golden& golden : kCubic) {
    expect_golden(golden, Filter::kOpencvCubic);
  }
}

/// The largest difference between the 8-bit resize of one row and its taps, clipped to 0..255.
double difference_from_taps(const Image& row, int out, Filter filter) {
  const Image resized = resize(row, out, 1, filter);
  std::vector<double> sums(static_cast<std::size_t>(out) * 3);
  for (const Tap& tap : resize_taps(filter, row.width, out)) {
    for (std::size_t c = 0; c < 3; ++c) {
      sums[static_cast<std::size_t>(tap.output) * 3 + c] += tap.weight * row.at(tap.input, 0)[c];
    }
  }
  double largest = 0;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    largest = std::max(largest, std::abs(std::clamp(sums[i], 0.0, 255.0) - resized.pixels[i]));
  }
  return largest;
}

TEST(ResizeTaps, AreTheResizeBeforeItsRounding) {
  for (const auto& [in, out] : {std::pair(300, 111), {97, 250}, {50, 50}, {2, 9}, {1, 4}, {9, 1}}) {
    // One pass rounds once, by at most a half. Fixed-point weights add to that: next to nothing with Pillow's 22 bits;
    // OpenCV's four of 11 bits, each off by 2^-12 at most, up to 4 * 255 / 4096 = 0.25.
    EXPECT_LT(difference_from_taps(noise(in, 1), out, Filter::kPillowBilinear), 0.51) << in << " to " << out;
    EXPECT_LT(difference_from_taps(noise(in, 1), out, Filter::kOpencvCubic), 0.76) << in << " to " << out;
  }
}

TEST(ResizeRule, TakesItsStepsInTurn) {
  const auto size = [](const char* text, int width, int height) {
    const Image resized = resize(Image(width, height), ResizeRule{parse_resize(text), Filter::kPillowBilinear});
    return std::pair(resized.width, resized.height);
  };
  EXPECT_EQ(size("none", 40, 30), std::pair(40, 30));
  EXPECT_EQ(size("51x38", 40, 30), std::pair(38, 51));  // height x width
  EXPECT_EQ(size("short:15", 40, 30), std::pair(20, 15));
  EXPECT_EQ(size("short:60", 30, 41), std::pair(60, 82));
  EXPECT_EQ(size("short:20", 30, 41), std::pair(20, 27));  // 27.3 down: int(20 * 41 / 30), as torchvision
  EXPECT_EQ(size("50x50,short:49", 500, 20), std::pair(49, 49));
  const ResizeRule both{parse_resize("50x50,49x66"), Filter::kPillowBilinear};
  EXPECT_EQ(resize(noise(37, 53), both).pixels, resize_bilinear(resize_bilinear(noise(37, 53), 50, 50), 66, 49).pixels);
}

TEST(ResizeRule, RefusesWhatItCannotReadOrHold) {
  for (const char* text : {"", "x", "12", "0x5", "5x0", "-3x4", "5x5,", "5x5x5", "short:", "short:0", "short:5x5",
                           "5 x5", "99999999999x5", "60000x5", "none,5x5"}) {
    EXPECT_THROW(static_cast<void>(parse_resize(text)), Error) << text;
  }
  EXPECT_THROW(static_cast<void>(size_after({.short_side = 224}, {20'000, 1})), Error);
  EXPECT_THROW(static_cast<void>(size_after({.height = 40'000, .width = 40'000}, {2, 2})), Error);
}

TEST(Crop, TakesTheNamedRegion) {
  const Image image = noise(9, 7);
  const Image part = crop(image, 2, 3, 4, 2);
  ASSERT_EQ(part.width, 4);
  ASSERT_EQ(part.height, 2);
  for (int y = 0; y < 2; ++y) {
    for (int x = 0; x < 4; ++x) {
      for (int c = 0; c < 3; ++c) {
        EXPECT_EQ(part.at(x, y)[c], image.at(x + 2, y + 3)[c]);
      }
    }
  }
}

TEST(CropDeathTest, RefusesARegionBeyondTheImage) {
  const Image image = noise(9, 7);
  EXPECT_DEATH(static_cast<void>(crop(image, 6, 0, 4, 2)), "crop beyond the image");
}

TEST(Flip, MirrorsLeftAndRightAndUndoesItself) {
  const Image image = noise(9, 7);
  const Image flipped = flip_horizontal(image);
  for (int c = 0; c < 3; ++c) {
    EXPECT_EQ(flipped.at(0, 6)[c], image.at(8, 6)[c]);
    EXPECT_EQ(flipped.at(5, 2)[c], image.at(3, 2)[c]);
  }
  EXPECT_EQ(flip_horizontal(flipped).pixels, image.pixels);
}

}  // namespace
}  // namespace steadyiqa::image
