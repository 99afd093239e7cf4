// Reading whole files under a limit; writing files so that a crash never leaves half of one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace steadyiqa {

/// The file's bytes. Throws Error(kInput) naming the path when it is missing, not a regular file, unreadable,
/// or larger than max_bytes.
[[nodiscard]] std::vector<std::byte> read_file(const std::filesystem::path& path,
                                               std::uint64_t max_bytes = 1ULL << 32U);
[[nodiscard]] std::string read_text_file(const std::filesystem::path& path, std::uint64_t max_bytes = 1ULL << 28U);

/// Reads chosen parts of a regular file. Throws Error(kInput) naming the path.
class RandomAccessFile {
 public:
  explicit RandomAccessFile(const std::filesystem::path& path);
  ~RandomAccessFile();
  RandomAccessFile(const RandomAccessFile&) = delete;
  RandomAccessFile& operator=(const RandomAccessFile&) = delete;
  RandomAccessFile(RandomAccessFile&&) = delete;
  RandomAccessFile& operator=(RandomAccessFile&&) = delete;

  /// When it was opened.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// Fills `into` from there on; an error when the file ends before.
  void read(std::uint64_t offset, std::span<std::byte> into) const;

 private:
  std::filesystem::path path_;
  int descriptor_;
  std::uint64_t size_;
};

/// Writes to a temporary file in the same folder, fsyncs it, renames it over `path`, fsyncs the folder:
/// readers see the old file or the new one, never a part. Creates parent folders. Throws Error(kInput).
void write_file_atomic(const std::filesystem::path& path, std::span<const std::byte> bytes);
void write_file_atomic(const std::filesystem::path& path, std::string_view text);

/// Appends one line and flushes it to the operating system (logs that survive kill -9).
void append_line(const std::filesystem::path& path, std::string_view line);

/// Writes text to stdout; a closed pipe is an Error(kInput).
void print(const std::string& text);

}  // namespace steadyiqa
