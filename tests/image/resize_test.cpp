#include "image/image.h"
#include "image/noise.h"

#include <gtest/gtest.h>

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
};

TEST(Resize, EqualsPillowBitForBit) {
  for (const Golden& golden : kGolden) {
    const Image resized = resize_bilinear(noise(golden.width, golden.height), golden.out_width, golden.out_height);
    EXPECT_EQ(resized.width, golden.out_width);
    EXPECT_EQ(resized.height, golden.out_height);
    EXPECT_EQ(pixel_digest(resized), golden.sha256)
        << golden.width << "x" << golden.height << " to " << golden.out_width << "x" << golden.out_height;
  }
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
