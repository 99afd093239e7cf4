// Files of torch.save built byte by byte, as no torch.save would write them.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>

namespace steadyiqa::checkpoint::testing {

inline std::span<const std::byte> as_bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

/// The text behind its length in that type.
template <class Length>
std::string counted(const std::string& text) {
  const auto length = static_cast<Length>(text.size());
  std::string bytes(sizeof(length), '\0');
  std::memcpy(bytes.data(), &length, sizeof(length));
  return bytes + text;
}

inline std::string pickled_text(const std::string& text) {
  return std::string("X").append(counted<std::uint32_t>(text));
}
inline std::string pickled_integer(std::int64_t value) {
  std::string bytes(sizeof(value), '\0');
  std::memcpy(bytes.data(), &value, sizeof(value));
  return "\x8a\x08" + bytes;
}

/// A legacy file of that object's pickle (without STOP), storage keys "0" to count - 1, and their data.
inline std::string legacy_file(const std::string& object, int storages = 0, const std::string& data = "") {
  std::string keys;
  for (int i = 0; i < storages; ++i) {
    keys += pickled_text(std::to_string(i));
  }
  const std::string magic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
  return magic + "\x80\x02M\xe9\x03." + "\x80\x02}" + pickled_text("little_endian") + "\x88s." + "\x80\x02" + object +
         "." + "\x80\x02](" + keys + "e." + data;
}

/// A float32 tensor's pickle: its storage "0" of `elements`, offset, and shape and strides as pickled tuples' items.
inline std::string tensor_pickle(std::int64_t elements, std::int64_t offset, const std::string& shape,
                                 const std::string& strides) {
  return "ctorch._utils\n_rebuild_tensor_v2\n((" + pickled_text("storage") + "ctorch\nFloatStorage\n" +
         pickled_text("0") + pickled_text("cpu") + pickled_integer(elements) + "NtQ" + pickled_integer(offset) + "(" +
         shape + "t(" + strides + "t\x89NtR";
}

}  // namespace steadyiqa::checkpoint::testing
