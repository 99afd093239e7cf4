#include "base/error.h"

#include <cstddef>
#include <cstdio>
#include <cstdlib>

namespace steadyiqa {
namespace {

/// Length of the well-formed UTF-8 sequence (Unicode 15, table 3-7) at the start of `text`, or 0.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto follows = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return byte(i) >= low && byte(i) <= high;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) {
    return 1;
  }
  if (lead >= 0xC2 && lead <= 0xDF) {
    return follows(1) ? 2 : 0;
  }
  if (lead >= 0xE0 && lead <= 0xEF) {
    const bool second = follows(1, lead == 0xE0 ? 0xA0 : 0x80, lead == 0xED ? 0x9F : 0xBF);
    return second && follows(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const bool second = follows(1, lead == 0xF0 ? 0x90 : 0x80, lead == 0xF4 ? 0x8F : 0xBF);
    return second && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::string one_line(std::string_view message) {
  std::string out;
  out.reserve(message.size());
  while (!message.empty()) {
    const std::size_t length = utf8_length(message);
    const auto lead = static_cast<unsigned char>(message[0]);
    // C1 controls (U+0080 to U+009F) drive terminals just as the C0 ones do.
    const bool c1 = length == 2 && lead == 0xC2 && static_cast<unsigned char>(message[1]) < 0xA0;
    if (length == 0 || lead < 0x20 || lead == 0x7F || c1) {
      out += '?';
    } else {
      out += message.substr(0, length);
    }
    message.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

void assertion_failed(const char* condition, const char* file, int line, const char* message) {
  std::fprintf(stderr, "%s:%d: assertion '%s' failed: %s\n", file, line, condition, message);
  std::fflush(stderr);
  std::abort();
}

}  // namespace steadyiqa
