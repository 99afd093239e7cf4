#include "checkpoint/pickle.h"

#include "base/error.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <utility>

namespace steadyiqa::checkpoint {
namespace {

constexpr std::size_t kMaxNodes = 500'000;
constexpr std::size_t kMaxStack = 1'000'000;
constexpr std::size_t kMaxMarks = 1'000;
constexpr std::size_t kMaxIntegerBytes = 255;  // what LONG1 can hold
constexpr std::size_t kMaxGlobalBytes = 1'000;

/// Opcodes of CPython's pickle module that checkpoints use; any other one is refused.
enum Opcode : unsigned {
  kMark = '(',
  kStop = '.',
  kBinPersId = 'Q',
  kReduce = 'R',
  kBinString = 'T',
  kShortBinString = 'U',
  kBinUnicode = 'X',
  kBinFloat = 'G',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinBytes = 'B',
  kShortBinBytes = 'C',
  kEmptyList = ']',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kSetItems = 'u',
  kEmptyDict = '}',
  kEmptyTuple = ')',
  kProto = 0x80,
  kNewObj = 0x81,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
  kLong4 = 0x8b,
  kShortBinUnicode = 0x8c,
  kBinUnicode8 = 0x8d,
  kBinBytes8 = 0x8e,
  kEmptySet = 0x8f,
  kAddItems = 0x90,
  kFrozenSet = 0x91,
  kNewObjEx = 0x92,
  kStackGlobal = 0x93,
  kMemoize = 0x94,
  kFrame = 0x95,
};

class Machine {
 public:
  Machine(std::span<const std::byte> bytes, const std::string& where) : bytes_(bytes), where_(where) {
    // None, False and True need no node each.
    add({.kind = PickleKind::kNone});
    add({.kind = PickleKind::kBool, .integer = 0});
    add({.kind = PickleKind::kBool, .integer = 1});
  }

  [[nodiscard]] Pickle run() {
    while (true) {
      start_ = position_;
      const auto code = static_cast<unsigned>(number(1));
      if (code == kStop) {
        break;
      }
      if (!constant(code) && !scalar(code) && !text(code) && !memo(code) && !container(code) && !object(code)) {
        fail("opcode 0x{:02x} is none that checkpoints use", code);
      }
    }
    pickle_.root = pop();
    pickle_.bytes = position_;
    return std::move(pickle_);
  }

 private:
  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    fail_input("{}: broken pickle at byte {}: {}", where_, start_, fmt::format(format, std::forward<Args>(args)...));
  }

  /// The next `size` bytes.
  std::string_view take(std::uint64_t size) {
    if (size > bytes_.size() - position_) {
      fail("it ends too early");
    }
    // char may alias any object.
    const std::string_view part(reinterpret_cast<const char*>(bytes_.data()) + position_,
                                static_cast<std::size_t>(size));
    position_ += part.size();
    return part;
  }
  /// An unsigned little-endian number of that many bytes.
  std::uint64_t number(std::size_t size) {
    std::uint64_t value = 0;
    const auto part = take(size);
    std::memcpy(&value, part.data(), size);
    return value;
  }
  std::string_view line() {
    const auto rest = bytes_.subspan(position_, std::min(bytes_.size() - position_, kMaxGlobalBytes));
    const auto end = std::find(rest.begin(), rest.end(), std::byte{'\n'});
    if (end == rest.end()) {
      fail("a name has no end within {} bytes", kMaxGlobalBytes);
    }
    const auto part = take(static_cast<std::uint64_t>(end - rest.begin()) + 1);
    return part.substr(0, part.size() - 1);
  }

  PickleRef add(PickleNode node) {
    if (pickle_.nodes.size() >= kMaxNodes) {
      fail("it holds more than {} values", kMaxNodes);
    }
    pickle_.nodes.push_back(std::move(node));
    return static_cast<PickleRef>(pickle_.nodes.size() - 1);
  }
  void push(PickleRef ref) {
    if (stack_.size() >= kMaxStack) {
      fail("its stack holds more than {} values", kMaxStack);
    }
    stack_.push_back(ref);
  }
  void push_new(PickleNode node) { push(add(std::move(node))); }
  /// The lowest entry that belongs to the innermost open mark.
  [[nodiscard]] std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  PickleRef pop() {
    const auto value = top();
    stack_.pop_back();
    return value;
  }
  [[nodiscard]] PickleRef top() const {
    if (stack_.size() <= floor()) {
      fail("the stack is empty");
    }
    return stack_.back();
  }
  /// What lies above the innermost mark; the mark goes, too.
  std::vector<PickleRef> pop_to_mark() {
    if (marks_.empty()) {
      fail("no mark is open");
    }
    const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<PickleRef> items(first, stack_.end());
    stack_.erase(first, stack_.end());
    marks_.pop_back();
    return items;
  }
  std::vector<PickleRef> pop_count(std::size_t count) {
    std::vector<PickleRef> items(count);
    std::generate(items.rbegin(), items.rend(), [this] { return pop(); });
    return items;
  }
  [[nodiscard]] PickleNode& node(PickleRef ref) { return pickle_.nodes[ref]; }

  bool constant(unsigned code) {
    switch (code) {
      case kProto:
        if (number(1) > 5) {
          fail("unknown protocol");
        }
        return true;
      case kFrame:
        if (number(8) > bytes_.size() - position_) {
          fail("a frame is longer than the file");
        }
        return true;
      case kNone:
        push(0);
        return true;
      case kNewFalse:
        push(1);
        return true;
      case kNewTrue:
        push(2);
        return true;
      case kMark:
        if (marks_.size() >= kMaxMarks) {
          fail("it nests deeper than {}", kMaxMarks);
        }
        marks_.push_back(stack_.size());
        return true;
      default:
        return false;
    }
  }

  void push_integer(std::int64_t value) { push_new({.kind = PickleKind::kInt, .integer = value}); }
  /// A little-endian two's complement integer.
  void push_long(std::uint64_t size) {
    if (size > kMaxIntegerBytes) {
      fail("an integer of {} bytes", size);
    }
    const auto part = take(size);
    if (part.size() > sizeof(std::int64_t)) {
      push_new({.kind = PickleKind::kBigInt, .text = std::string(part)});
      return;
    }
    const bool negative = !part.empty() && static_cast<unsigned char>(part.back()) >= 0x80;
    std::int64_t value = negative ? -1 : 0;
    std::memcpy(&value, part.data(), part.size());
    push_integer(value);
  }
  bool scalar(unsigned code) {
    switch (code) {
      case kBinInt:
        push_integer(static_cast<std::int32_t>(number(4)));
        return true;
      case kBinInt1:
        push_integer(static_cast<std::int64_t>(number(1)));
        return true;
      case kBinInt2:
        push_integer(static_cast<std::int64_t>(number(2)));
        return true;
      case kLong1:
        push_long(number(1));
        return true;
      case kLong4:
        push_long(number(4));
        return true;
      case kBinFloat: {
        auto part = std::string(take(8));
        std::reverse(part.begin(), part.end());  // the only big-endian number
        double value = 0;
        std::memcpy(&value, part.data(), sizeof(value));
        push_new({.kind = PickleKind::kFloat, .number = value});
        return true;
      }
      default:
        return false;
    }
  }

  void push_text(PickleKind kind, std::uint64_t size) { push_new({.kind = kind, .text = std::string(take(size))}); }
  bool text(unsigned code) {
    switch (code) {
      // Python 2's str is text as well as bytes.
      case kShortBinString:
      case kShortBinUnicode:
        push_text(PickleKind::kText, number(1));
        return true;
      case kBinString:
      case kBinUnicode:
        push_text(PickleKind::kText, number(4));
        return true;
      case kBinUnicode8:
        push_text(PickleKind::kText, number(8));
        return true;
      case kShortBinBytes:
        push_text(PickleKind::kBytes, number(1));
        return true;
      case kBinBytes:
        push_text(PickleKind::kBytes, number(4));
        return true;
      case kBinBytes8:
        push_text(PickleKind::kBytes, number(8));
        return true;
      default:
        return false;
    }
  }

  void remember(std::uint64_t key) {
    const auto value = top();
    if (memo_.size() >= kMaxNodes) {
      fail("it remembers more than {} values", kMaxNodes);
    }
    memo_[key] = value;
  }
  void recall(std::uint64_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) {
      fail("it recalls value {}, which was not remembered", key);
    }
    push(found->second);
  }
  bool memo(unsigned code) {
    switch (code) {
      case kBinPut:
        remember(number(1));
        return true;
      case kLongBinPut:
        remember(number(4));
        return true;
      case kMemoize:
        remember(memo_.size());
        return true;
      case kBinGet:
        recall(number(1));
        return true;
      case kLongBinGet:
        recall(number(4));
        return true;
      default:
        return false;
    }
  }

  /// Puts values into the container on the top of the stack. An object of an unknown class is opaque: they are dropped.
  void insert(PickleKind kind, const std::vector<PickleRef>& values) {
    auto& target = node(top());
    if (target.kind != kind && target.kind != PickleKind::kObject) {
      fail("values are put into something that is no {}", kind == PickleKind::kDict ? "dict" : "list");
    }
    if (kind == PickleKind::kDict && values.size() % 2 != 0) {
      fail("a dict's key has no value");
    }
    if (target.kind == kind) {
      target.items.insert(target.items.end(), values.begin(), values.end());
    }
  }
  bool container(unsigned code) {
    switch (code) {
      case kEmptyDict:
        push_new({.kind = PickleKind::kDict});
        return true;
      case kEmptyList:
      case kEmptySet:
        push_new({.kind = PickleKind::kList});
        return true;
      case kEmptyTuple:
        push_new({.kind = PickleKind::kTuple});
        return true;
      case kTuple1:
      case kTuple2:
      case kTuple3:
        push_new({.kind = PickleKind::kTuple, .items = pop_count(code - kTuple1 + 1)});
        return true;
      case kTuple:
        push_new({.kind = PickleKind::kTuple, .items = pop_to_mark()});
        return true;
      case kFrozenSet:
        push_new({.kind = PickleKind::kList, .items = pop_to_mark()});
        return true;
      case kAppend:
        insert(PickleKind::kList, pop_count(1));
        return true;
      case kAppends:
      case kAddItems:
        insert(PickleKind::kList, pop_to_mark());
        return true;
      case kSetItem:
        insert(PickleKind::kDict, pop_count(2));
        return true;
      case kSetItems:
        insert(PickleKind::kDict, pop_to_mark());
        return true;
      default:
        return false;
    }
  }

  void push_global(const std::string& name) { push_new({.kind = PickleKind::kGlobal, .text = name}); }
  /// collections.OrderedDict becomes a dict, with the list of pairs that Python 2 gives it; anything else is opaque.
  void push_object(PickleRef callable, PickleRef arguments) {
    const auto& function = node(callable);
    if (function.kind == PickleKind::kGlobal && function.text == "collections.OrderedDict") {
      PickleNode dict{.kind = PickleKind::kDict};
      const auto& given = node(arguments).items;
      if (!given.empty()) {
        // One list of pairs may be named many times: what is copied of it is counted.
        copied_pairs_ += node(given.front()).items.size();
        if (copied_pairs_ > kMaxStack) {
          fail("OrderedDicts are made of more than {} pairs", kMaxStack);
        }
        for (const auto pair : node(given.front()).items) {
          const auto& entry = node(pair).items;
          if (entry.size() != 2) {
            fail("an OrderedDict is made of something that is no pair");
          }
          dict.items.insert(dict.items.end(), entry.begin(), entry.end());
        }
      }
      push_new(std::move(dict));
      return;
    }
    push_new({.kind = PickleKind::kObject, .items = {callable, arguments}});
  }
  void stack_global() {
    const auto parts = pop_count(2);
    const auto& module = node(parts[0]);
    const auto& name = node(parts[1]);
    if (module.kind != PickleKind::kText || name.kind != PickleKind::kText ||
        module.text.size() + name.text.size() > kMaxGlobalBytes) {
      fail("a class is not named by two short texts");
    }
    push_global(module.text + "." + name.text);
  }
  bool object(unsigned code) {
    switch (code) {
      case kGlobal: {
        const auto module = std::string(line());
        push_global(module + "." + std::string(line()));
        return true;
      }
      case kStackGlobal:
        stack_global();
        return true;
      case kReduce:
      case kNewObj: {
        const auto parts = pop_count(2);
        push_object(parts[0], parts[1]);
        return true;
      }
      case kNewObjEx: {
        const auto parts = pop_count(3);  // class, arguments, keyword arguments
        push_object(parts[0], parts[1]);
        return true;
      }
      case kBuild: {
        const auto state = pop();
        auto& target = node(top());
        if (target.kind == PickleKind::kObject) {
          target.items.resize(2);
          target.items.push_back(state);
        }
        return true;  // a dict's attributes (_metadata of a state_dict) are of no use here
      }
      case kBinPersId:
        push_new({.kind = PickleKind::kPersistent, .items = {pop()}});
        return true;
      default:
        return false;
    }
  }

  std::span<const std::byte> bytes_;
  const std::string& where_;
  std::size_t position_ = 0;
  std::size_t start_ = 0;  ///< of the current opcode
  std::size_t copied_pairs_ = 0;
  Pickle pickle_;
  std::vector<PickleRef> stack_;
  std::vector<std::size_t> marks_;  ///< stack sizes
  std::unordered_map<std::uint64_t, PickleRef> memo_;
};

}  // namespace

const PickleRef* Pickle::find(const PickleNode& dict, std::string_view key) const {
  if (dict.kind != PickleKind::kDict) {
    return nullptr;
  }
  for (std::size_t i = dict.items.size(); i >= 2; i -= 2) {
    const auto& name = at(dict.items[i - 2]);
    if (name.kind == PickleKind::kText && name.text == key) {
      return &dict.items[i - 1];
    }
  }
  return nullptr;
}

Pickle read_pickle(std::span<const std::byte> bytes, const std::string& where) {
  if (bytes.size() > kMaxPickleBytes) {
    bytes = bytes.first(kMaxPickleBytes);
  }
  return Machine(bytes, where).run();
}

}  // namespace steadyiqa::checkpoint
