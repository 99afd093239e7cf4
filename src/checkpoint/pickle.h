// A restricted reader of Python pickles: builds plain data and never calls anything. Classes and functions that a
// pickle names stay names; what it would have built from them is an opaque object that records the parts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace steadyiqa::checkpoint {

/// A pickle longer than this is refused; that of LinearityIQA with its optimiser is about a megabyte.
inline constexpr std::size_t kMaxPickleBytes = std::size_t{64} << 20U;

enum class PickleKind {
  kNone,
  kBool,
  kInt,     ///< fits 64 bits
  kBigInt,  ///< `text` holds its bytes, little-endian two's complement
  kFloat,
  kText,
  kBytes,
  kTuple,
  kList,        ///< also a set
  kDict,        ///< also an OrderedDict; `items` alternate key, value
  kGlobal,      ///< `text` is "module.name"
  kObject,      ///< `items` are the callable or class, its arguments, and what BUILD set, if anything
  kPersistent,  ///< `items` is the one persistent id (PyTorch: a storage)
};

/// A value's place in Pickle::nodes.
using PickleRef = std::uint32_t;

struct PickleNode {
  PickleKind kind = PickleKind::kNone;
  std::int64_t integer = 0;  ///< kInt, kBool
  double number = 0;         ///< kFloat
  std::string text{};
  std::vector<PickleRef> items{};
};

/// A parsed pickle. Nodes may refer to one another in cycles: a reader of them bounds its depth and its steps.
class Pickle {
 public:
  [[nodiscard]] const PickleNode& at(PickleRef ref) const { return nodes[ref]; }
  [[nodiscard]] const PickleNode& root_node() const { return nodes[root]; }
  /// The value of a text key in a dict, nullptr when `dict` is none or has no such key. The last one wins, as in
  /// Python.
  [[nodiscard]] const PickleRef* find(const PickleNode& dict, std::string_view key) const;

  std::vector<PickleNode> nodes;
  PickleRef root = 0;
  std::size_t bytes = 0;  ///< how many bytes the pickle took
};

/// Reads one pickle (protocols 0 to 4 in their binary opcodes) from the start of `bytes`; what follows STOP is left.
/// Memory is bounded: at most 500,000 values, 1,000,000 stack entries, marks 1,000 deep, and text within the input.
/// Throws Error(kInput) that names `where` and the byte for an unknown opcode, an end too early, a stack or memo that
/// does not hold what an opcode needs, or a broken bound.
[[nodiscard]] Pickle read_pickle(std::span<const std::byte> bytes, const std::string& where);

}  // namespace steadyiqa::checkpoint
