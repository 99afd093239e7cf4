#include "checkpoint/zip_archive.h"

#include "base/error.h"
#include "checkpoint/tensor_info.h"

#include <zip.h>

#include <memory>

namespace steadyiqa::checkpoint {
namespace {

constexpr zip_int64_t kMaxMembers = 200'000;

struct CloseMember {
  void operator()(zip_file_t* file) const { static_cast<void>(zip_fclose(file)); }
};

}  // namespace

void ZipArchive::Close::operator()(zip* archive) const { zip_discard(archive); }

ZipArchive::ZipArchive(const std::filesystem::path& path) : path_(path.string()) {
  int code = 0;
  archive_.reset(zip_open(path.c_str(), ZIP_RDONLY, &code));
  if (archive_ == nullptr) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    fail_input("{}: a broken or truncated zip archive: {}", path_, reason);
  }
  const zip_int64_t count = zip_get_num_entries(archive_.get(), 0);
  if (count > kMaxMembers) {
    fail_input("{}: the archive has {} members, more than {}", path_, count, kMaxMembers);
  }
  const std::uint64_t file_size = std::filesystem::file_size(path);
  for (zip_int64_t i = 0; i < count; ++i) {
    zip_stat_t info;
    zip_stat_init(&info);
    constexpr zip_uint64_t kNeeded = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD;
    const bool known = zip_stat_index(archive_.get(), static_cast<zip_uint64_t>(i), 0, &info) == 0 &&
                       (info.valid & kNeeded) == kNeeded;
    if (!known) {
      fail_input("{}: member {} of the archive cannot be read", path_, i);
    }
    const bool stored = info.comp_method == ZIP_CM_STORE &&
                        ((info.valid & ZIP_STAT_ENCRYPTION_METHOD) == 0 || info.encryption_method == ZIP_EM_NONE);
    if (!stored) {
      packed_.insert(info.name);
    } else if (info.size > file_size) {
      fail_input("{}: member {} of {} bytes does not fit the file of {} bytes", path_, shown(info.name), info.size,
                 file_size);
    }
    if (!sizes_.emplace(info.name, info.size).second) {
      fail_input("{}: the archive has two members {}", path_, shown(info.name));
    }
  }
}

std::uint64_t ZipArchive::size(const std::string& name) const {
  const auto found = sizes_.find(name);
  if (found == sizes_.end()) {
    fail_input("{}: the archive has no member {}", path_, shown(name));
  }
  if (packed_.contains(name)) {
    fail_input("{}: member {} is compressed or encrypted; torch.save stores its members as they are", path_,
               shown(name));
  }
  return found->second;
}

void ZipArchive::read(const std::string& name, std::span<std::byte> into) const {
  if (size(name) != into.size()) {
    fail_input("{}: member {} has {} bytes, {} are needed", path_, shown(name), size(name), into.size());
  }
  const std::unique_ptr<zip_file_t, CloseMember> file(zip_fopen(archive_.get(), name.c_str(), 0));
  std::size_t done = 0;
  // One read past the end: only there libzip compares the CRC.
  std::byte past{};
  while (file != nullptr) {
    const bool whole = done == into.size();
    const zip_int64_t count =
        whole ? zip_fread(file.get(), &past, 1) : zip_fread(file.get(), into.data() + done, into.size() - done);
    if (whole && count == 0) {
      return;
    }
    if (whole || count <= 0) {
      break;
    }
    done += static_cast<std::size_t>(count);
  }
  fail_input("{}: member {} of the archive is damaged or truncated ({} of {} bytes read): {}", path_, shown(name), done,
             into.size(), file == nullptr ? zip_strerror(archive_.get()) : zip_file_strerror(file.get()));
}

std::vector<std::byte> ZipArchive::read(const std::string& name, std::uint64_t max_bytes) const {
  if (size(name) > max_bytes) {
    fail_input("{}: member {} has {} bytes, more than {}", path_, shown(name), size(name), max_bytes);
  }
  std::vector<std::byte> bytes(static_cast<std::size_t>(size(name)));
  read(name, bytes);
  return bytes;
}

}  // namespace steadyiqa::checkpoint
