// Binary PGM (P5) and PPM (P6): a text header, then the samples.
#include "image/byte_reader.h"
#include "image/format.h"

#include <cmath>
#include <optional>

namespace steadyiqa::image {
namespace {

bool is_blank(std::uint32_t c) {
  return c == std::uint32_t{' '} || (c >= std::uint32_t{'\t'} && c <= std::uint32_t{'\r'});
}

/// The header's next number; blanks and #comments before it and the one character after it are consumed.
std::optional<std::int64_t> next_number(ByteReader& reader, std::uint64_t& at) {
  constexpr std::int64_t kTooLarge = 1'000'000'000;
  std::uint32_t c = reader.u8(at++);
  while (!reader.failed() && (is_blank(c) || c == '#')) {
    while (c == '#' && !reader.failed()) {
      const std::uint32_t next = reader.u8(at++);
      c = next == '\n' || next == '\r' ? ' ' : '#';
    }
    c = reader.u8(at++);
  }
  std::int64_t value = 0;
  bool any = false;
  for (; c >= '0' && c <= '9'; c = reader.u8(at++)) {
    value = value * 10 + static_cast<std::int64_t>(c - std::uint32_t{'0'});
    any = true;
    if (value > kTooLarge) {
      return std::nullopt;
    }
  }
  if (!any || !is_blank(c)) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

Result<Image> decode_pnm(std::span<const std::byte> bytes, const DecodeLimits& limits) {
  ByteReader reader(bytes, true);
  const std::uint64_t channels = reader.has(0, "P6") ? 3 : 1;
  std::uint64_t at = 2;
  const auto width = next_number(reader, at);
  const auto height = next_number(reader, at);
  const auto maximum = next_number(reader, at);
  constexpr std::int64_t kMaxMaximum = 65535;
  if (!width || !height || !maximum || *maximum < 1 || *maximum > kMaxMaximum) {
    return Failure{reader.failed() ? "truncated PNM" : "bad PNM: the header is not width, height and maximum"};
  }
  if (const auto problem = over_limits({*width, *height}, limits)) {
    return Failure{*problem};
  }
  const std::uint64_t sample_bytes = *maximum < 256 ? 1 : 2;
  const std::uint64_t samples = static_cast<std::uint64_t>(*width) * static_cast<std::uint64_t>(*height) * channels;
  if (reader.size() - at < samples * sample_bytes) {
    return Failure{"truncated PNM"};
  }
  Image image(static_cast<int>(*width), static_cast<int>(*height));
  for (std::uint64_t i = 0; i < samples; ++i) {
    const std::uint32_t raw = sample_bytes == 1 ? reader.u8(at + i) : reader.u16(at + 2 * i);
    if (raw > *maximum) {
      return Failure{"bad PNM: a sample is over the header's maximum"};
    }
    // Half to even, as Pillow's round().
    const auto value =
        static_cast<std::uint8_t>(std::nearbyint(static_cast<double>(raw) / static_cast<double>(*maximum) * 255.0));
    for (std::uint64_t c = 0; c < 3 / channels; ++c) {
      image.pixels[i * (3 / channels) + c] = value;
    }
  }
  return image;
}

}  // namespace steadyiqa::image
