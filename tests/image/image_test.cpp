#include "image/image.h"

#include "base/file.h"
#include "image/noise.h"
#include "image/samples.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ostream>

namespace steadyiqa::image {

static void PrintTo(const Sample& sample, std::ostream* out) { *out << sample.name; }

namespace {

using ::testing::HasSubstr;
using Bytes = std::vector<std::byte>;

Bytes from_hex(std::string_view hex) {
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    unsigned value = 0;
    std::from_chars(hex.data() + i, hex.data() + i + 2, value, 16);
    bytes.push_back(static_cast<std::byte>(value));
  }
  return bytes;
}

Bytes from_text(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

Bytes sample(std::string_view name) {
  for (const Sample& candidate : kSamples) {
    if (candidate.name == name) {
      return from_hex(candidate.hex);
    }
  }
  ADD_FAILURE() << "no sample " << name;
  return {};
}

std::string failure_of(const Bytes& bytes, const DecodeLimits& limits = {}) {
  const auto result = decode(bytes, "a.img", limits);
  return result ? "" : result.error();
}

class SampleTest : public ::testing::TestWithParam<Sample> {};

TEST_P(SampleTest, DecodesToPillowsPixels) {
  const auto result = decode(from_hex(GetParam().hex), "x", {}, Orientation::kIgnored);
  ASSERT_TRUE(result) << result.error();
  EXPECT_EQ(pixel_digest(result.value()), GetParam().sha256);
}

TEST_P(SampleTest, FailsWhenCutAnywhere) {
  const Bytes whole = from_hex(GetParam().hex);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_NE(failure_of(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))), "")
        << size << " of " << whole.size() << " bytes";
  }
}

TEST_P(SampleTest, SurvivesFlippedBytes) {
  const Bytes whole = from_hex(GetParam().hex);
  std::uint64_t state = 1;
  const auto next = [&state] {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::size_t>(state >> 33U);
  };
  for (int round = 0; round < 300; ++round) {
    Bytes bytes = whole;
    for (std::size_t left = 1 + next() % 4; left > 0; --left) {
      bytes[next() % bytes.size()] = static_cast<std::byte>(next() & 255U);
    }
    // A small limit keeps each round short where the flip makes the size huge.
    const auto result = decode(bytes, "x", {.max_pixels = 100'000});
    if (result) {
      const Image& image = result.value();
      EXPECT_EQ(image.pixels.size(),
                static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height) * 3);
      EXPECT_FALSE(image.empty());
    } else {
      EXPECT_THAT(result.error(), testing::StartsWith("x: "));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Pillow, SampleTest, ::testing::ValuesIn(kSamples),
                         [](const auto& each) { return std::string(each.param.name); });

TEST(Decode, NamesTheFileAndTheFirstBytesOfAnUnknownFormat) {
  EXPECT_EQ(failure_of(from_text("hello, world")), "a.img: not a known image format (starts with 68 65 6c 6c)");
}

TEST(Decode, RefusesAnEmptyFile) { EXPECT_EQ(failure_of({}), "a.img: the file is empty"); }

TEST(Decode, SaysWhatIsTruncated) {
  const Bytes jpeg = encode_jpeg(scene(61, 45), 90);
  EXPECT_EQ(failure_of(Bytes(jpeg.begin(), jpeg.end() - 200)), "a.img: truncated JPEG");
  const Bytes png = encode_png(scene(61, 45));
  EXPECT_EQ(failure_of(Bytes(png.begin(), png.end() - 200)), "a.img: truncated PNG");
  Bytes bmp = sample("bmp_24");
  bmp.pop_back();
  EXPECT_THAT(failure_of(bmp), HasSubstr("a.img: truncated BMP: 19x13 pixels in"));
}

TEST(Decode, FailsOnDamageInsideTheData) {
  Bytes png = encode_png(scene(61, 45));
  png[png.size() / 2] ^= std::byte{1};
  EXPECT_THAT(failure_of(png), HasSubstr("wrong checksum"));
}

TEST(Decode, RefusesAHugePngByItsHeader) {
  // 65000 = 0xFDE8. The checksum is that of the header; the data is one empty chunk.
  const Bytes png = from_hex(
      "89504e470d0a1a0a"
      "0000000d"
      "49484452"
      "0000fde8"
      "0000fde8"
      "0802000000"
      "2d354e5d"
      "00000000"
      "49444154"
      "35af061e"
      "00000000"
      "49454e44"
      "ae426082");
  EXPECT_EQ(failure_of(png), "a.img: 65000x65000 pixels is over the limit of 100000000");
}

TEST(Decode, RefusesAHugeJpegByItsHeader) {
  const Bytes jpeg = from_hex("ffd8ffc0001108fde8fde803012200021101031101ffda000c03010002110311003f00");
  EXPECT_EQ(failure_of(jpeg), "a.img: 65000x65000 pixels is over the limit of 100000000");
}

TEST(Decode, HoldsEveryFormatToTheLimits) {
  for (const Sample& each : kSamples) {
    EXPECT_THAT(failure_of(from_hex(each.hex), {.max_pixels = 11}), HasSubstr("pixels is over the limit of 11"));
    EXPECT_THAT(failure_of(from_hex(each.hex), {.max_side = 3}), HasSubstr("pixels is over the limit of 3 a side"));
    EXPECT_THAT(failure_of(from_hex(each.hex), {.max_bytes = 20}), HasSubstr("bytes is over the limit of 20"));
  }
}

/// The bytes with the one place that holds `from` overwritten by `to` (both hex, of one length).
Bytes patched(Bytes bytes, std::string_view from, std::string_view to) {
  const Bytes old_part = from_hex(from);
  const Bytes new_part = from_hex(to);
  const auto found = std::search(bytes.begin(), bytes.end(), old_part.begin(), old_part.end());
  EXPECT_NE(found, bytes.end());
  std::copy(new_part.begin(), new_part.end(), found);
  return bytes;
}

TEST(Decode, RefusesWhatWouldDifferFromPillow) {
  EXPECT_EQ(failure_of(patched(sample("bmp_24"), "01001800", "01001000")),
            "a.img: BMP of 16 bits a pixel is not supported");
  EXPECT_EQ(failure_of(patched(sample("tiff_raw"), "060103000100000002", "060103000100000008")),
            "a.img: TIFF of colour space 8 is not supported");
  EXPECT_EQ(failure_of(patched(sample("tiff_raw"), "1c0103000100000001", "520103000100000002")),
            "a.img: TIFF with an alpha channel is not supported");
}

TEST(Decode, PassesExtraneousBytesBetweenJpegMarkersAndAfterTheEnd) {
  Bytes jpeg = sample("jpeg_420");
  const auto plain = decode(jpeg, "x");
  jpeg.insert(jpeg.begin() + 20, {std::byte{0}, std::byte{0}});
  jpeg.insert(jpeg.end(), 100, std::byte{7});
  const auto padded = decode(jpeg, "x");
  ASSERT_TRUE(padded) << padded.error();
  EXPECT_EQ(padded.value().pixels, plain.value().pixels);
}

// make_samples.py: ImageOps.exif_transpose of the sample with orientation 1, 2, ... 8 in its EXIF, Pillow 9.4.0.
constexpr std::array<std::string_view, 8> kUpright = {
    "6d7bda6f1a9c9d703ee5a3ae1c9c9dfe75f27b2231aff8828bbe16bc9b755a16",
    "f1d285bbb9043a4ce56ae3cb8bf8171a3596c9118fe6ea56447663a798165ec2",
    "313c2f325e57f2ab52d2dc98a5082c58f6bd2c2560d3e795a5eeab0688c2c67e",
    "b8a4bf3dd1ee2e400fe3e946f017208581417044fd92f9a8620f80af578f9378",
    "e9f609b0bce8c02503cb7bfe5ee96652c6b811ab996f82935746dcf1bb7c5221",
    "5f27b9b247e72e66cf93be01743fbda637783086a47c372d36c35cdb88b81dc8",
    "933cf1d0618536049735b5f23ec7fd0d7a34162af20c6239f397d13a83056f41",
    "4226ee3a8b4deea5d96395a7141b5a29b817e747223f19fbe830733f85f4ff67",
};

TEST(Orientation, IsAppliedAsPillowsExifTranspose) {
  for (std::size_t i = 0; i < kUpright.size(); ++i) {
    const auto jpeg = patched(sample("jpeg_444_exif_rotated"), "011200030000000100060000",
                              fmt::format("0112000300000001000{}0000", i + 1));
    EXPECT_EQ(pixel_digest(decode(jpeg, "x").value()), kUpright[i]) << "orientation " << i + 1;
    EXPECT_EQ(decode(jpeg, "x", {}, Orientation::kIgnored).value().width, 19);
  }
  for (const char* name : {"png_exif_rotated", "webp_exif_rotated"}) {
    EXPECT_EQ(pixel_digest(decode(sample(name), "x").value()),
              "81efe7b3951c12e2bcd68e29eba42c833c5975d301ab3a3eef64ba047ebd4028")
        << name;
  }
}

TEST(Orientation, ThatMakesNoSenseIsIgnored) {
  for (const char* stored : {"011200030000000100000000", "011200030000000100090000", "0112000300000001ffff0000",
                             "011200040000000100060000", "ffff00030000000100060000"}) {
    const auto jpeg = patched(sample("jpeg_444_exif_rotated"), "011200030000000100060000", stored);
    EXPECT_EQ(pixel_digest(decode(jpeg, "x").value()), kUpright[0]) << stored;
  }
}

TEST(Encode, PngRoundTripIsExact) {
  const Image image = noise(37, 23);
  const auto back = decode(encode_png(image), "x");
  ASSERT_TRUE(back) << back.error();
  EXPECT_EQ(back.value().width, 37);
  EXPECT_EQ(back.value().height, 23);
  EXPECT_EQ(back.value().pixels, image.pixels);
}

// tests/image/make_samples.py: scene(61, 45) saved by Pillow 9.4.0 with that quality and loaded again.
TEST(Encode, JpegRoundTripEqualsPillows) {
  const auto digest = [](int quality) {
    return pixel_digest(decode(encode_jpeg(scene(61, 45), quality), "x").value());
  };
  EXPECT_EQ(digest(10), "a7cd83ba210a3b362cd62963531eca1353fb800a2fed251d9d1b75aee675c60e");
  EXPECT_EQ(digest(75), "59b47913868794da514285d5fdbfd4af5eabdf50e18d8446a8c648fb6f85ee2f");
  EXPECT_EQ(digest(95), "ed84b71cb6ecbe4324dcf8b2d1a642550f4b853054a9c010a1b3df3e0bff6036");
}

TEST(ReadImage, ReadsWhatWritePngWroteWhateverItsName) {
  const auto path = std::filesystem::path(::testing::TempDir()) / "steadyiqa_read_image_test.jpg";
  write_png(path, noise(12, 8));
  const auto image = read_image(path);
  ASSERT_TRUE(image) << image.error();
  EXPECT_EQ(image.value().pixels, noise(12, 8).pixels);
  std::filesystem::remove(path);
}

TEST(ReadImage, FailsNamingTheFile) {
  const auto folder = std::filesystem::path(::testing::TempDir());
  const auto missing = read_image(folder / "steadyiqa_no_such_image.png");
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error(), HasSubstr("steadyiqa_no_such_image.png"));
  const auto path = folder / "steadyiqa_text_test.png";
  write_file_atomic(path, "hello");
  const auto text = read_image(path);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error(), path.string() + ": not a known image format (starts with 68 65 6c 6c)");
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace steadyiqa::image
