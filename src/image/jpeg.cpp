// JPEG through libjpeg itself: the decoder that Pillow uses, with the same settings, and every loss of data an error.
#include "image/format.h"

#include <fmt/format.h>

#include <array>
#include <csetjmp>
#include <cstdio>

// In this order: each needs what the one before defines.
#include <jpeglib.h>

#include <jerror.h>

namespace steadyiqa::image {
namespace {

// A progressive file may repeat tiny scans that each cost a pass over the whole image (libjpeg-turbo's advice on
// decompression bombs); real encoders write about ten.
constexpr int kMaxScans = 200;

struct ErrorManager {
  jpeg_error_mgr base;
  std::jmp_buf jump;
  int code;
  std::array<char, JMSG_LENGTH_MAX> message;
};

// Everything below up to JpegReader runs between setjmp and longjmp: plain data only, nothing with a destructor.

[[noreturn]] void on_error(j_common_ptr info) {
  auto* manager = reinterpret_cast<ErrorManager*>(info->err);
  manager->code = info->err->msg_code;
  info->err->format_message(info, manager->message.data());
  std::longjmp(manager->jump, 1);
}

bool is_data_loss(int code) {
  return code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE ||
         code == JWRN_ARITH_BAD_CODE || code == JWRN_MUST_RESYNC;
}

void on_message(j_common_ptr info, int level) {
  if (level < 0 && is_data_loss(info->err->msg_code)) {
    on_error(info);
  }
}

void on_progress(j_common_ptr info) {
  if (info->is_decompressor != 0 && reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMaxScans) {
    auto* manager = reinterpret_cast<ErrorManager*>(info->err);
    manager->code = 0;
    fmt::format_to_n(manager->message.data(), manager->message.size() - 1, "more than {} scans", kMaxScans);
    std::longjmp(manager->jump, 1);
  }
}

struct Decoder {
  jpeg_decompress_struct info;
  ErrorManager errors;
  jpeg_progress_mgr progress;
};

bool read_header(Decoder& decoder, std::span<const std::byte> bytes) {
  decoder.info.err = jpeg_std_error(&decoder.errors.base);
  decoder.errors.base.error_exit = on_error;
  decoder.errors.base.emit_message = on_message;
  decoder.progress.progress_monitor = on_progress;
  if (setjmp(decoder.errors.jump) != 0) {
    return false;
  }
  jpeg_create_decompress(&decoder.info);
  decoder.info.progress = &decoder.progress;
  jpeg_mem_src(&decoder.info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&decoder.info, TRUE);
  return true;
}

/// `rows` holds height rows of width * components bytes.
bool read_rows(Decoder& decoder, J_COLOR_SPACE color_space, std::uint8_t* rows, std::size_t row_bytes) {
  if (setjmp(decoder.errors.jump) != 0) {
    return false;
  }
  decoder.info.out_color_space = color_space;
  decoder.info.dct_method = JDCT_ISLOW;
  decoder.info.do_fancy_upsampling = TRUE;
  jpeg_start_decompress(&decoder.info);
  while (decoder.info.output_scanline < decoder.info.output_height) {
    JSAMPROW row = rows + decoder.info.output_scanline * row_bytes;
    jpeg_read_scanlines(&decoder.info, &row, 1);
  }
  jpeg_finish_decompress(&decoder.info);  // reads on to the end marker: a file that lacks it is truncated
  return true;
}

class JpegReader {
 public:
  JpegReader() = default;
  ~JpegReader() { jpeg_destroy_decompress(&decoder_.info); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;
  JpegReader(JpegReader&&) = delete;
  JpegReader& operator=(JpegReader&&) = delete;

  Decoder& decoder() { return decoder_; }
  [[nodiscard]] Failure failure() const {
    if (decoder_.errors.code == JWRN_JPEG_EOF || decoder_.errors.code == JWRN_HIT_MARKER ||
        decoder_.errors.code == JERR_INPUT_EOF) {
      return {"truncated JPEG"};
    }
    return {fmt::format("bad JPEG: {}", decoder_.errors.message.data())};
  }

 private:
  Decoder decoder_{};
};

/// Pillow's CMYK to RGB (Convert.c, cmyk2rgb) for values stored inverted, as Adobe does and Pillow assumes.
Image cmyk_to_rgb(const std::vector<std::uint8_t>& cmyk, int width, int height) {
  Image image(width, height);
  for (std::size_t i = 0; i < image.pixels.size() / 3; ++i) {
    const int black = cmyk[4 * i + 3];
    for (std::size_t c = 0; c < 3; ++c) {
      const int product = (255 - cmyk[4 * i + c]) * black + 128;
      image.pixels[3 * i + c] = static_cast<std::uint8_t>(black - (((product >> 8) + product) >> 8));
    }
  }
  return image;
}

}  // namespace

Result<Image> decode_jpeg(std::span<const std::byte> bytes, const DecodeLimits& limits) {
  JpegReader reader;
  if (!read_header(reader.decoder(), bytes)) {
    return reader.failure();
  }
  const jpeg_decompress_struct& info = reader.decoder().info;
  if (const auto problem = over_limits({info.image_width, info.image_height}, limits)) {
    return Failure{*problem};
  }
  const int width = static_cast<int>(info.image_width);
  const int height = static_cast<int>(info.image_height);
  const auto row = static_cast<std::size_t>(width);
  if (info.num_components == 4) {
    std::vector<std::uint8_t> cmyk(row * static_cast<std::size_t>(height) * 4);
    if (!read_rows(reader.decoder(), JCS_CMYK, cmyk.data(), row * 4)) {
      return reader.failure();
    }
    return cmyk_to_rgb(cmyk, width, height);
  }
  if (info.num_components != 1 && info.num_components != 3) {
    return Failure{fmt::format("JPEG with {} components is not supported", info.num_components)};
  }
  Image image(width, height);
  if (!read_rows(reader.decoder(), JCS_RGB, image.pixels.data(), row * 3)) {
    return reader.failure();
  }
  return image;
}

}  // namespace steadyiqa::image
