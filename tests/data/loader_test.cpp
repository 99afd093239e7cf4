#include "data/loader.h"

#include "data_test_support.h"

#include <torch/torch.h>

#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

namespace steadyiqa::data {
namespace {

/// Every value once per channel, in different places.
image::Image all_values() {
  image::Image image(32, 8);
  for (int i = 0; i < 256; ++i) {
    std::uint8_t* pixel = image.at(i % 32, i / 32);
    pixel[0] = static_cast<std::uint8_t>(i);
    pixel[1] = static_cast<std::uint8_t>(255 - i);
    pixel[2] = static_cast<std::uint8_t>(i ^ 0x55);
  }
  return image;
}

TEST(ToTensor, IsContiguousPlanes) {
  const image::Image image = patterned_image(5, 3);
  const torch::Tensor tensor = to_tensor(image);
  EXPECT_EQ(tensor.sizes(), torch::IntArrayRef({3, 3, 5}));
  EXPECT_EQ(tensor.scalar_type(), torch::kFloat32);
  EXPECT_TRUE(tensor.is_contiguous());
  const auto values = tensor.accessor<float, 3>();
  for (int c = 0; c < 3; ++c) {
    EXPECT_FLOAT_EQ(values[c][2][4], static_cast<float>(image.at(4, 2)[c]) / 255.0F);
  }
}

// python3, numpy: v = (np.arange(256, dtype=np.float32) / np.float32(255)).view(np.uint32); v.sum(dtype=np.uint64),
// v[127]
TEST(ToTensor, DividesAsNumpyDoes) {
  const torch::Tensor red = to_tensor(all_values())[0].flatten();
  std::uint64_t sum = 0;
  for (std::int64_t i = 0; i < 256; ++i) {
    sum += std::bit_cast<std::uint32_t>(red[i].item<float>());
  }
  EXPECT_EQ(sum, 0x3e83fdfe3fULL);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(red[127].item<float>()), 0x3efefeffU);
}

TEST(ToImage, GivesAll256ValuesBack) {
  const image::Image image = all_values();
  EXPECT_EQ(to_image(to_tensor(image)).pixels, image.pixels);
  const image::Image from_batch = to_image(to_tensor(image).unsqueeze(0));
  EXPECT_EQ(from_batch.width, 32);
  EXPECT_EQ(from_batch.height, 8);
  EXPECT_EQ(from_batch.pixels, image.pixels);
}

TEST(ToImage, RoundsHalvesAwayFromZero) {
  const auto half = [](double level) { return level / 255.0; };
  const torch::Tensor doubles = torch::tensor({half(0.5), half(2.5), half(2.4999), half(254.5)}, torch::kFloat64);
  const image::Image image = to_image(doubles.view({1, 1, 4}).expand({3, 1, 4}));
  EXPECT_EQ(std::vector<int>({image.at(0, 0)[0], image.at(1, 0)[1], image.at(2, 0)[2], image.at(3, 0)[0]}),
            std::vector<int>({1, 3, 2, 255}));
  // The floats next to 127.5/255 = 0.5.
  const torch::Tensor floats = torch::tensor({std::nextafter(0.5F, 0.0F), 0.5F, std::nextafter(0.5F, 1.0F)});
  const image::Image middle = to_image(floats.view({1, 1, 3}).expand({3, 1, 3}));
  EXPECT_EQ(std::vector<int>({middle.at(0, 0)[0], middle.at(1, 0)[0], middle.at(2, 0)[0]}),
            std::vector<int>({127, 128, 128}));
}

TEST(ToImage, ClampsAndTakesAnyLayout) {
  const float infinity = std::numeric_limits<float>::infinity();
  const torch::Tensor tensor =
      torch::tensor({-0.1F, 1.1F, -infinity, infinity}).view({1, 2, 2}).expand({3, 2, 2}).requires_grad_(true);
  const image::Image image = to_image(tensor.transpose(1, 2));
  EXPECT_EQ(std::vector<int>({image.at(0, 0)[0], image.at(0, 1)[1], image.at(1, 0)[2], image.at(1, 1)[0]}),
            std::vector<int>({0, 255, 0, 255}));
}

// Python: hashlib.sha256(b"2x2:" + bytes([0, 1, 2, 253, 254, 255, 10, 20, 30, 40, 50, 60])).hexdigest()[:16], and with
// "1x4:".
TEST(PixelDigest, IsOfSizeAndInterleavedPixels) {
  image::Image image(2, 2);
  image.pixels = {0, 1, 2, 253, 254, 255, 10, 20, 30, 40, 50, 60};
  EXPECT_EQ(pixel_digest(to_tensor(image)), "32b28bcc6013fef8");
  EXPECT_EQ(pixel_digest(to_tensor(image).unsqueeze(0)), "32b28bcc6013fef8");
  image::Image tall(1, 4);
  tall.pixels = image.pixels;
  EXPECT_EQ(pixel_digest(to_tensor(tall)), "52766392d94a3be3");
}

TEST(ToImage, NanIsAnError) {
  torch::Tensor tensor = torch::zeros({3, 2, 2});
  tensor[1][0][1] = std::nan("");
  const std::string message = error_of([&] { static_cast<void>(to_image(tensor)); }, ErrorKind::kNumeric);
  EXPECT_NE(message.find("channel 1, row 0, column 1"), std::string::npos) << message;
}

// The same separate implementation in Python as in split_test.cpp: 3 samples, 2 crops each, seed 5, epoch 1.
TEST(EpochOrder, IsTheSameOnEveryMachine) {
  const std::vector<std::pair<std::int64_t, std::int64_t>> expected{{2, 0}, {2, 1}, {0, 1}, {0, 0}, {1, 0}, {1, 1}};
  const std::vector<CropDraw> order = epoch_order(3, {.crops_per_image = 2, .seed = 5}, 1);
  ASSERT_EQ(order.size(), expected.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    EXPECT_EQ(std::pair(order[i].sample, order[i].copy), expected[i]) << i;
  }
}

TEST(EpochOrder, HasEachDrawOnceAndChangesWithTheEpoch) {
  const SamplerOptions options{.crops_per_image = 3, .seed = 9};
  const auto pairs = [&](std::int64_t epoch) {
    std::vector<std::pair<std::int64_t, std::int64_t>> list;
    for (const CropDraw& draw : epoch_order(50, options, epoch)) {
      list.emplace_back(draw.sample, draw.copy);
    }
    return list;
  };
  const auto first = pairs(0);
  EXPECT_EQ(std::set(first.begin(), first.end()).size(), 150U);
  EXPECT_EQ(first, pairs(0));
  EXPECT_NE(first, pairs(1));
}

// Places from the Python implementation: seed 5, epoch 2, a 9x7 image, crop 4.
TEST(DrawCrop, PlacesAndFlipsBySeedEpochSampleAndCopy) {
  const image::Image image = patterned_image(9, 7);
  const SamplerOptions options{.crop = 4, .seed = 5};
  EXPECT_EQ(draw_crop(image, options, 2, {0, 0}).pixels, image::crop(image, 0, 1, 4, 4).pixels);
  EXPECT_EQ(draw_crop(image, options, 2, {0, 1}).pixels, image::flip_horizontal(image::crop(image, 5, 0, 4, 4)).pixels);
  EXPECT_EQ(draw_crop(image, options, 2, {1, 0}).pixels, image::crop(image, 1, 0, 4, 4).pixels);
}

TEST(DrawCrop, WithoutFlipOnlyThePlaceIsDrawn) {
  const image::Image image = patterned_image(9, 7);
  const SamplerOptions options{.crop = 4, .flip = Flip::kNone, .seed = 5};
  EXPECT_EQ(draw_crop(image, options, 2, {0, 1}).pixels, image::crop(image, 5, 0, 4, 4).pixels);
}

TEST(DrawCrop, ReachesEveryPlaceAndFlipsHalfOfThem) {
  image::Image image(6, 5);  // red = x, green = y
  for (int y = 0; y < 5; ++y) {
    for (int x = 0; x < 6; ++x) {
      image.at(x, y)[0] = static_cast<std::uint8_t>(x);
      image.at(x, y)[1] = static_cast<std::uint8_t>(y);
    }
  }
  std::set<std::pair<int, int>> places;
  int flips = 0;
  for (std::int64_t i = 0; i < 400; ++i) {
    const image::Image part = draw_crop(image, {.crop = 4}, 0, {i, 0});
    const bool is_flipped = part.at(0, 0)[0] > part.at(3, 0)[0];
    flips += is_flipped ? 1 : 0;
    places.emplace(part.at(is_flipped ? 3 : 0, 0)[0], part.at(0, 0)[1]);
  }
  EXPECT_EQ(places.size(), 6U);  // x 0..2, y 0..1
  EXPECT_NEAR(flips, 200, 50);   // 5 standard deviations
}

// python3, Pillow 9.4: Image.fromarray(im).resize((6, 4), Image.BILINEAR) of the 3x2 pattern
constexpr std::uint8_t kEnlarged[4][18] = {
    {0, 91, 182, 9, 100, 191, 28, 119, 210, 46, 137, 164, 65, 156, 55, 74, 165, 0},
    {3, 94, 185, 12, 103, 194, 31, 122, 213, 49, 140, 167, 68, 159, 58, 77, 168, 3},
    {8, 99, 190, 17, 108, 199, 36, 127, 218, 54, 145, 172, 73, 164, 63, 82, 173, 8},
    {11, 102, 193, 20, 111, 202, 39, 130, 221, 57, 148, 175, 76, 167, 66, 85, 176, 11}};

TEST(DrawCrop, EnlargesSmallImagesAsPillowDoes) {
  image::Image enlarged(6, 4);
  for (int y = 0; y < 4; ++y) {
    std::copy(std::begin(kEnlarged[y]), std::end(kEnlarged[y]), enlarged.at(0, y));
  }
  std::set<int> seen;
  for (std::int64_t copy = 0; copy < 30; ++copy) {
    const image::Image part = draw_crop(patterned_image(3, 2), {.crop = 4, .flip = Flip::kNone}, 0, {0, copy});
    for (int x = 0; x <= 2; ++x) {
      if (part.pixels == image::crop(enlarged, x, 0, 4, 4).pixels) {
        seen.insert(x);
      }
    }
  }
  EXPECT_EQ(seen, (std::set<int>{0, 1, 2}));
}

TEST(DrawCrop, EnlargesTallImagesAndSinglePixels) {
  EXPECT_EQ(draw_crop(patterned_image(3, 100), {.crop = 4}, 0, {}).width, 4);
  const image::Image dot = draw_crop(image::Image(1, 1), {.crop = 8}, 0, {});
  EXPECT_EQ(dot.width, 8);
  EXPECT_EQ(dot.height, 8);
}

TEST(DrawCrop, RefusesToEnlargeAnExtremeStrip) {
  const std::string message =
      error_of([] { static_cast<void>(draw_crop(image::Image(20'000, 1), {.crop = 224}, 0, {})); });
  EXPECT_NE(message.find("20000x1"), std::string::npos) << message;
}

/// Five PNG files of different sizes.
Dataset written_images(const std::filesystem::path& folder) {
  Dataset dataset;
  for (int i = 0; i < 5; ++i) {
    const std::string name = fmt::format("{}.png", i);
    image::write_png(folder / name, patterned_image(10 + 3 * i, 20 - 3 * i));
    dataset.samples.push_back({name, folder / name, 10.0 * i + 0.5});
  }
  return dataset;
}

TEST(ImageCache, KeepsWhatFitsAndDecodesTheRestAgain) {
  const Dataset dataset = written_images(scratch_folder());
  ImageCache cache(dataset, 10 * 20 * 3 + 13 * 17 * 3 + 5);  // images 0 and 1
  const auto first = cache.get(0);
  EXPECT_EQ(first->pixels, patterned_image(10, 20).pixels);
  static_cast<void>(cache.get(1));
  const auto third = cache.get(2);
  EXPECT_EQ(third->pixels, patterned_image(16, 14).pixels);
  for (const Sample& sample : dataset.samples) {
    std::filesystem::remove(sample.path);
  }
  EXPECT_EQ(cache.get(0), first);
  EXPECT_EQ(cache.get(1)->width, 13);
  error_of([&] { static_cast<void>(cache.get(2)); });
}

TEST(ImageCache, KeepsImagesAsTheReadRuleLeavesThem) {
  const Dataset dataset = written_images(scratch_folder());
  ImageCache cache(dataset, kCacheBytes, {.resize = {image::parse_resize("7x9")}});
  EXPECT_EQ(cache.get(1)->pixels, image::resize_bilinear(patterned_image(13, 17), 9, 7).pixels);
  ImageCache too_large(dataset, kCacheBytes, {.resize = {image::parse_resize("40000x40000")}});
  EXPECT_NE(error_of([&] { static_cast<void>(too_large.get(1)); }).find(dataset.samples[1].path.string()),
            std::string::npos);
}

/// A black JPEG, wider than high, whose EXIF says that it lies on its side.
TEST(ImageCache, TurnsImagesUprightUnlessToldOtherwise) {
  const auto path = scratch_folder() / "turned.jpg";
  const auto jpeg = image::encode_jpeg(image::Image(24, 16), 90);
  constexpr std::string_view kExif(
      "\xFF\xE1\0\x22"
      "Exif\0\0MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0",
      36);
  std::string text(reinterpret_cast<const char*>(jpeg.data()), jpeg.size());
  text.insert(2, kExif);
  write_text(path, text);
  Dataset dataset;
  dataset.samples.push_back({"turned.jpg", path, 1.0});
  EXPECT_EQ(ImageCache(dataset).get(0)->height, 24);
  EXPECT_EQ(ImageCache(dataset, kCacheBytes, {.orientation = image::Orientation::kIgnored}).get(0)->height, 16);
}

TEST(ImageCache, NamesAFileThatDoesNotDecode) {
  const auto folder = scratch_folder();
  Dataset dataset = written_images(folder);
  write_text(dataset.samples[1].path, "no image");
  std::filesystem::remove(dataset.samples[2].path);
  ImageCache cache(dataset);
  for (const std::int64_t i : {1, 2}) {
    const std::string path = dataset.samples[static_cast<std::size_t>(i)].path.string();
    EXPECT_NE(error_of([&] { static_cast<void>(cache.get(i)); }).find(path), std::string::npos);
  }
}

TEST(MakeBatch, HoldsTheDrawsInOrder) {
  const Dataset dataset = written_images(scratch_folder());
  ImageCache cache(dataset);
  const SamplerOptions options{.crop = 6, .crops_per_image = 2, .seed = 3};
  const std::vector<CropDraw> order = epoch_order(5, options, 4);
  const Batch batch = make_batch(cache, dataset, order, options, 4);
  EXPECT_EQ(batch.pixels.sizes(), torch::IntArrayRef({10, 3, 6, 6}));
  EXPECT_EQ(batch.mos.sizes(), torch::IntArrayRef({10}));
  for (std::int64_t i = 0; i < 10; ++i) {
    const CropDraw draw = order[static_cast<std::size_t>(i)];
    const auto image = cache.get(draw.sample);
    EXPECT_TRUE(batch.pixels[i].equal(to_tensor(draw_crop(*image, options, 4, draw))));
    EXPECT_FLOAT_EQ(batch.mos[i].item<float>(), 10.0F * static_cast<float>(draw.sample) + 0.5F);
  }
}

TEST(MakeBatch, IsTheSameWhateverTheNumberOfThreadsAndTheCache) {
  const Dataset dataset = written_images(scratch_folder());
  const SamplerOptions options{.crop = 12, .crops_per_image = 4, .seed = 8};
  const std::vector<CropDraw> order = epoch_order(5, options, 0);
  const auto epoch = [&](int threads, std::uint64_t cache_bytes) {
    ImageCache cache(dataset, cache_bytes);
    Prefetcher<Batch> batches(
        5,
        [&](std::int64_t i) {
          return make_batch(cache, dataset, std::span(order).subspan(static_cast<std::size_t>(i) * 4, 4), options, 0);
        },
        threads, 3);
    std::vector<torch::Tensor> pixels;
    for (int i = 0; i < 5; ++i) {
      pixels.push_back(batches.next().pixels);
    }
    return torch::cat(pixels);
  };
  const torch::Tensor one = epoch(1, 1U << 20U);
  EXPECT_TRUE(one.equal(epoch(4, 1U << 20U)));
  EXPECT_TRUE(one.equal(epoch(3, 0)));
}

TEST(MakeBatch, HoldsWholeImagesOfOneSize) {
  const auto folder = scratch_folder();
  Dataset dataset;
  for (const int width : {9, 9, 8}) {
    const auto name = fmt::format("{}.png", dataset.samples.size());
    image::write_png(folder / name, patterned_image(width, 7));
    dataset.samples.push_back({name, folder / name, 1.0});
  }
  ImageCache cache(dataset);
  const SamplerOptions options{.crop = 224, .whole = true, .flip = Flip::kHorizontal, .flip_probability = 1.0};
  const std::vector<CropDraw> draws = {{0, 0}, {1, 0}, {2, 0}};
  const Batch batch = make_batch(cache, dataset, std::span(draws).first(2), options, 0);
  ASSERT_EQ(batch.pixels.sizes(), torch::IntArrayRef({2, 3, 7, 9}));
  EXPECT_TRUE(batch.pixels[1].equal(to_tensor(image::flip_horizontal(patterned_image(9, 7)))));
  const auto message = error_of([&] { static_cast<void>(make_batch(cache, dataset, draws, options, 0)); });
  EXPECT_NE(message.find("2.png: an image of 8x7 in a batch of whole ones of 9x7"), std::string::npos) << message;
}

TEST(MakeBatch, NamesTheImageThatCannotBeCropped) {
  const auto folder = scratch_folder();
  Dataset dataset;
  dataset.samples.push_back({"strip.png", folder / "strip.png", 1.0});
  image::write_png(dataset.samples[0].path, image::Image(20'000, 1));
  ImageCache cache(dataset);
  const std::vector<CropDraw> draws(1);
  const std::string message = error_of([&] { static_cast<void>(make_batch(cache, dataset, draws, {.crop = 224}, 0)); });
  EXPECT_NE(message.find("strip.png: an image of 20000x1"), std::string::npos) << message;
}

}  // namespace
}  // namespace steadyiqa::data
