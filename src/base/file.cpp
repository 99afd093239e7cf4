#include "base/file.h"

#include "base/error.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace steadyiqa {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail_errno(const fs::path& path, std::string_view doing) {
  const int code = errno;
  fail_input("{}: cannot {}: {}", path.string(), doing, std::strerror(code));
}

/// Owns a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) {
      ::close(number_);
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor(Descriptor&&) = delete;
  Descriptor& operator=(Descriptor&&) = delete;
  [[nodiscard]] int get() const { return number_; }
  [[nodiscard]] bool is_open() const { return number_ >= 0; }
  void release() { number_ = -1; }
  /// Closes now, to learn of errors that only show then.
  [[nodiscard]] bool close_now() { return ::close(std::exchange(number_, -1)) == 0; }

 private:
  int number_;
};

/// Removes the file unless kept.
class TemporaryFile {
 public:
  explicit TemporaryFile(fs::path path) : path_(std::move(path)) {}
  ~TemporaryFile() {
    if (!kept_) {
      ::unlink(path_.c_str());
    }
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  TemporaryFile(TemporaryFile&&) = delete;
  TemporaryFile& operator=(TemporaryFile&&) = delete;
  void keep() { kept_ = true; }

 private:
  fs::path path_;
  bool kept_ = false;
};

/// Bytes or text, read to the end.
template <class Buffer>
Buffer read_all(const fs::path& path, std::uint64_t max_bytes) {
  const RandomAccessFile file(path);
  if (file.size() > max_bytes) {
    fail_input("{}: {} bytes is more than the limit of {}", path.string(), file.size(), max_bytes);
  }
  Buffer buffer(static_cast<std::size_t>(file.size()), {});
  file.read(0, std::as_writable_bytes(std::span(buffer)));
  return buffer;
}

void write_all(int descriptor, std::span<const std::byte> bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno != EINTR) {
      fail_errno(path, "write");
    }
    bytes = bytes.subspan(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  }
}

fs::path ensure_folder(const fs::path& path) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    fail_input("{}: cannot create folder: {}", folder.string(), error.message());
  }
  return folder;
}

fs::path temporary_name(const fs::path& folder) {
  static std::atomic<std::uint64_t> counter{0};
  return folder / fmt::format(".steadyiqa-{}-{}.tmp", ::getpid(), counter.fetch_add(1));
}

}  // namespace

// Without O_NONBLOCK, opening a pipe that nobody writes to would hang.
RandomAccessFile::RandomAccessFile(const fs::path& path)
    : path_(path), descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)), size_(0) {
  Descriptor guard(descriptor_);
  struct stat info {};
  if (!guard.is_open() || ::fstat(descriptor_, &info) != 0) {
    fail_errno(path, "open");
  }
  if (!S_ISREG(info.st_mode)) {
    fail_input("{}: not a regular file", path.string());
  }
  size_ = static_cast<std::uint64_t>(info.st_size);
  guard.release();
}

RandomAccessFile::~RandomAccessFile() { ::close(descriptor_); }

void RandomAccessFile::read(std::uint64_t offset, std::span<std::byte> into) const {
  while (!into.empty()) {
    const ssize_t count = ::pread(descriptor_, into.data(), into.size(), static_cast<off_t>(offset));
    if (count < 0 && errno != EINTR) {
      fail_errno(path_, "read");
    }
    if (count == 0) {
      fail_input("{}: it ends too early, or shrank while it was read", path_.string());
    }
    const auto done = static_cast<std::size_t>(std::max<ssize_t>(count, 0));
    into = into.subspan(done);
    offset += done;
  }
}

std::vector<std::byte> read_file(const fs::path& path, std::uint64_t max_bytes) {
  return read_all<std::vector<std::byte>>(path, max_bytes);
}

std::string read_text_file(const fs::path& path, std::uint64_t max_bytes) {
  return read_all<std::string>(path, max_bytes);
}

void write_file_atomic(const fs::path& path, std::span<const std::byte> bytes) {
  const fs::path folder = ensure_folder(path);
  fs::path name = temporary_name(folder);
  int number = -1;
  // A crashed run of the same process id may have left a file of this name.
  while ((number = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) < 0 && errno == EEXIST) {
    name = temporary_name(folder);
  }
  Descriptor file(number);
  if (!file.is_open()) {
    fail_errno(path, "create a temporary file beside it");
  }
  TemporaryFile temporary(name);
  write_all(file.get(), bytes, path);
  if (::fsync(file.get()) != 0 || !file.close_now()) {
    fail_errno(path, "write");
  }
  if (::rename(name.c_str(), path.c_str()) != 0) {
    fail_errno(path, "replace");
  }
  temporary.keep();
  const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Some file systems have no fsync for folders (EINVAL); the rename itself stands.
  if (directory.is_open() && ::fsync(directory.get()) != 0 && errno != EINVAL) {
    fail_errno(folder, "flush");
  }
}

void write_file_atomic(const fs::path& path, std::string_view text) {
  write_file_atomic(path, std::as_bytes(std::span(text)));
}

void append_line(const fs::path& path, std::string_view line) {
  ensure_folder(path);
  const Descriptor file(::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666));
  if (!file.is_open()) {
    fail_errno(path, "open");
  }
  std::string record;
  const off_t end = ::lseek(file.get(), 0, SEEK_END);
  char last = '\n';
  // A run killed in the middle of a line leaves it without its end; the next line must not continue it.
  if (end > 0 && ::pread(file.get(), &last, 1, end - 1) == 1 && last != '\n') {
    record += '\n';
  }
  record += line;
  record += '\n';
  write_all(file.get(), std::as_bytes(std::span(record)), path);
}

void print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    fail_input("cannot write to standard output");
  }
}

}  // namespace steadyiqa
