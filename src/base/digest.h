// SHA-256 digests of bytes and files (OpenSSL).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace steadyiqa {

/// Lower-case hex SHA-256 of the bytes.
[[nodiscard]] std::string sha256_hex(std::span<const std::byte> bytes);
[[nodiscard]] std::string sha256_hex(std::string_view text);
/// The first 64 bits of the SHA-256: what a random choice is keyed by that depends on content alone.
[[nodiscard]] std::uint64_t digest_number(std::string_view text);
/// Lower-case hex SHA-256 of a file, read in blocks. Throws Error(kInput) when it cannot be read.
[[nodiscard]] std::string sha256_file(const std::filesystem::path& path);

}  // namespace steadyiqa
