// Reading the zip archives that torch.save writes: stored members only, so that none can grow when it is read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

struct zip;

namespace steadyiqa::checkpoint {

class ZipArchive {
 public:
  /// Throws Error(kInput) that names the path for a broken archive or two members of one name.
  explicit ZipArchive(const std::filesystem::path& path);

  /// Members' sizes in bytes by name.
  [[nodiscard]] const std::map<std::string, std::uint64_t>& sizes() const { return sizes_; }
  /// The size of a member that can be read. Throws Error(kInput) when there is none of that name, or when it is
  /// compressed or encrypted (TorchScript's are).
  [[nodiscard]] std::uint64_t size(const std::string& name) const;
  /// Reads a whole member of exactly that size and checks its CRC.
  void read(const std::string& name, std::span<std::byte> into) const;
  /// The same for a member that may be large only up to `max_bytes`.
  [[nodiscard]] std::vector<std::byte> read(const std::string& name, std::uint64_t max_bytes) const;

 private:
  struct Close {
    void operator()(zip* archive) const;
  };
  std::string path_;
  std::unique_ptr<zip, Close> archive_;
  std::map<std::string, std::uint64_t> sizes_;
  std::set<std::string> packed_;  ///< members that are not stored as they are
};

}  // namespace steadyiqa::checkpoint
