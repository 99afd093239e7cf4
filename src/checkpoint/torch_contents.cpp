#include "checkpoint/torch_contents.h"

#include "base/error.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <set>
#include <utility>

namespace steadyiqa::checkpoint {
namespace {

using nlohmann::json;

/// In this order: an exponential moving average is better than the weights beside it.
constexpr std::array<std::string_view, 6> kWrappers = {"params_ema", "params", "model",
                                                       "state_dict", "net",    "model_state_dict"};
constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kMaxSteps = 1'000'000;
constexpr std::size_t kMaxNameBytes = 1'000;
constexpr std::size_t kMaxListScalars = 16;
constexpr std::size_t kMinTextBudget = 1 << 20;

/// Bytes that a pickle holds, in any of the ways of Python 2 and 3: nothing when it is something else.
std::optional<std::string> bytes_value(const Pickle& pickle, const PickleNode& node) {
  if (node.kind == PickleKind::kBytes || node.kind == PickleKind::kText) {
    return node.text;
  }
  // Protocol 2 writes bytes as _codecs.encode(text, 'latin1'); the text's UTF-8 gives them back.
  const bool encoded = node.kind == PickleKind::kObject && pickle.at(node.items[0]).text == "_codecs.encode" &&
                       !pickle.at(node.items[1]).items.empty();
  if (!encoded) {
    return std::nullopt;
  }
  const auto& text = pickle.at(pickle.at(node.items[1]).items[0]).text;
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      bytes += text[i];
    } else if ((lead == 0xC2 || lead == 0xC3) && i + 1 < text.size()) {
      bytes += static_cast<char>(((lead & 0x03U) << 6U) | (static_cast<unsigned char>(text[++i]) & 0x3FU));
    } else {
      return std::nullopt;
    }
  }
  return bytes;
}

template <class T>
json number_from(const std::string& bytes) {
  T value{};
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

/// numpy.core.multiarray.scalar(dtype, bytes), which training scripts leave beside the weights.
std::optional<json> numpy_scalar(const Pickle& pickle, const PickleNode& node) {
  const auto& maker = pickle.at(node.items[0]).text;
  const auto& arguments = pickle.at(node.items[1]).items;
  if ((maker != "numpy.core.multiarray.scalar" && maker != "numpy._core.multiarray.scalar") || arguments.size() != 2) {
    return std::nullopt;
  }
  const auto& dtype = pickle.at(arguments[0]);
  const auto bytes = bytes_value(pickle, pickle.at(arguments[1]));
  if (dtype.kind != PickleKind::kObject || pickle.at(dtype.items[0]).text != "numpy.dtype" ||
      pickle.at(dtype.items[1]).items.empty() || !bytes) {
    return std::nullopt;
  }
  if (dtype.items.size() > 2) {  // its state: (version, byte order, ...)
    const auto& state = pickle.at(dtype.items[2]).items;
    if (state.size() > 1 && pickle.at(state[1]).text == ">") {
      return std::nullopt;
    }
  }
  const auto& code = pickle.at(pickle.at(dtype.items[1]).items[0]).text;
  if (code == "f8" && bytes->size() == 8) {
    return number_from<double>(*bytes);
  }
  if (code == "f4" && bytes->size() == 4) {
    return number_from<float>(*bytes);
  }
  if (code == "i8" && bytes->size() == 8) {
    return number_from<std::int64_t>(*bytes);
  }
  return std::nullopt;
}

class Walker {
 public:
  Walker(const TorchFile& file, const std::string& where)
      : file_(file),
        pickle_(file.object()),
        where_(where),
        text_budget_(std::max(kMinTextBudget, file.object().bytes)) {}

  [[nodiscard]] TorchContents run() {
    PickleRef ref = pickle_.root;
    std::optional<PickleRef> inner = ref;
    while (inner) {
      ref = *inner;
      inner = unwrap(pickle_.at(ref));
    }
    values(ref, "", 0);
    return std::move(contents_);
  }

 private:
  void step(std::size_t depth) {
    if (depth > kMaxDepth || ++steps_ > kMaxSteps) {
      fail_input("{}: its object nests too deep or holds too much (limits: {} levels, {} values)", where_, kMaxDepth,
                 kMaxSteps);
    }
  }
  /// Shared values may be named again and again: what is copied of them is limited by the pickle's size.
  void spend_text(std::size_t bytes) {
    if (bytes > text_budget_) {
      fail_input("{}: its names and texts are repeated beyond its size", where_);
    }
    text_budget_ -= bytes;
  }

  /// The value under one of the known keys, when it holds values itself; the scalars beside it are kept.
  std::optional<PickleRef> unwrap(const PickleNode& dict) {
    for (const auto key : kWrappers) {
      const auto* found = contents_.wrapping.size() < kWrappers.size() ? pickle_.find(dict, key) : nullptr;
      if (found == nullptr || (pickle_.at(*found).kind != PickleKind::kDict && !is_module(*found))) {
        continue;
      }
      for (std::size_t i = 0; i < dict.items.size(); i += 2) {
        const auto name = key_text(dict.items[i]);
        if (name != key && !is_tensor(dict.items[i + 1])) {
          beside(dict.items[i + 1], name);
        }
      }
      contents_.wrapping.push_back(fmt::format("['{}']", key));
      return *found;
    }
    return std::nullopt;
  }
  /// A value beside the wrapped tensors: its scalars, or its kind.
  void beside(PickleRef ref, const std::string& name) {
    step(0);
    const auto value = scalar(ref);
    if (value) {
      put_scalar(name, *value);
    } else {
      put_other(name, pickle_.at(ref));
    }
  }

  [[nodiscard]] bool is_tensor(PickleRef ref) const {
    const auto& node = pickle_.at(ref);
    return node.kind == PickleKind::kObject && pickle_.at(node.items[0]).text.rfind("torch._utils._rebuild_", 0) == 0;
  }
  [[nodiscard]] bool is_module(PickleRef ref) const {
    const auto& node = pickle_.at(ref);
    if (node.kind != PickleKind::kObject || node.items.size() < 3) {
      return false;
    }
    const auto& state = pickle_.at(node.items[2]);
    return pickle_.find(state, "_parameters") != nullptr && pickle_.find(state, "_modules") != nullptr;
  }
  [[nodiscard]] std::string key_text(PickleRef ref) const {
    const auto& node = pickle_.at(ref);
    if (node.text.size() > kMaxNameBytes) {
      fail_input("{}: a name of {} bytes", where_, node.text.size());
    }
    return node.kind == PickleKind::kInt ? std::to_string(node.integer) : node.text;
  }
  std::string joined(const std::string& prefix, const std::string& name) {
    auto path = prefix.empty() ? name : prefix + "." + name;
    if (path.size() > kMaxNameBytes) {
      fail_input("{}: a name of {} bytes", where_, path.size());
    }
    return path;
  }

  /// The legacy container names a module's class in a persistent id: ('module', class, file, source).
  [[nodiscard]] const std::string& class_name(const PickleNode& object) const {
    const auto* maker = &pickle_.at(object.items[0]);
    if (maker->kind == PickleKind::kPersistent && pickle_.at(maker->items[0]).items.size() > 1) {
      maker = &pickle_.at(pickle_.at(maker->items[0]).items[1]);
    }
    return maker->text;
  }
  void put_scalar(const std::string& name, json value) {
    spend_text(name.size() + (value.is_string() ? value.get_ref<const std::string&>().size() : 0));
    contents_.scalars[name] = std::move(value);
  }
  void put_other(const std::string& name, const PickleNode& node) {
    static constexpr std::array<const char*, 13> kKinds = {"None",  "bool",   "int",    "large int", "float",
                                                           "text",  "bytes",  "tuple",  "list",      "dict",
                                                           "class", "object", "storage"};
    const bool named = node.kind == PickleKind::kGlobal || node.kind == PickleKind::kObject;
    auto what = std::string(kKinds.at(static_cast<std::size_t>(node.kind)));
    if (named) {
      what += " " + (node.kind == PickleKind::kGlobal ? node.text : class_name(node));
    }
    spend_text(name.size() + what.size());
    contents_.others[name] = what;
  }

  /// A number, text, or list of a few numbers.
  [[nodiscard]] std::optional<json> scalar(PickleRef ref, bool within_list = false) const {
    const auto& node = pickle_.at(ref);
    switch (node.kind) {
      case PickleKind::kBool:
        return node.integer != 0;
      case PickleKind::kInt:
        return node.integer;
      case PickleKind::kFloat:
        return node.number;
      case PickleKind::kText:
        return within_list ? std::nullopt : std::optional<json>(node.text);
      case PickleKind::kObject:
        return numpy_scalar(pickle_, node);
      case PickleKind::kTuple:
      case PickleKind::kList: {
        if (within_list || node.items.empty() || node.items.size() > kMaxListScalars) {
          return std::nullopt;
        }
        json list = json::array();
        for (const auto item : node.items) {
          const auto value = scalar(item, true);
          if (!value) {
            return std::nullopt;
          }
          list.push_back(*value);
        }
        return list;
      }
      default:
        return std::nullopt;
    }
  }

  void put_tensor(const std::string& name, StoredTensor tensor) {
    spend_text(name.size());
    if (contents_.tensors.size() >= kMaxTensors) {
      fail_input("{}: more than {} tensors", where_, kMaxTensors);
    }
    contents_.tensors.insert_or_assign(name, std::move(tensor));
  }

  void values(PickleRef ref, const std::string& name, std::size_t depth) {
    step(depth);
    const auto own_name = name.empty() ? std::string("tensor") : name;
    auto tensor = file_.tensor(ref, own_name);
    const auto& node = pickle_.at(ref);
    if (tensor) {
      put_tensor(own_name, std::move(*tensor));
    } else if (is_module(ref)) {
      contents_.wrapping.push_back(class_name(node) + " object");
      spend_text(contents_.wrapping.back().size());
      module(ref, name, depth);
    } else if (const auto value = scalar(ref)) {
      put_scalar(name.empty() ? "value" : name, *value);
    } else if (node.kind == PickleKind::kDict) {
      for (std::size_t i = 0; i < node.items.size(); i += 2) {
        values(node.items[i + 1], joined(name, key_text(node.items[i])), depth + 1);
      }
    } else if (node.kind == PickleKind::kList || node.kind == PickleKind::kTuple) {
      for (std::size_t i = 0; i < node.items.size(); ++i) {
        values(node.items[i], joined(name, std::to_string(i)), depth + 1);
      }
    } else {
      put_other(own_name, node);
    }
  }

  /// The entries of a dict in a module's state.
  template <class Visit>
  void each(const PickleNode& state, std::string_view dict, Visit visit) {
    const auto* found = pickle_.find(state, dict);
    if (found == nullptr || pickle_.at(*found).kind != PickleKind::kDict) {
      return;
    }
    const auto& items = pickle_.at(*found).items;
    for (std::size_t i = 0; i < items.size(); i += 2) {
      visit(key_text(items[i]), items[i + 1]);
    }
  }
  /// Buffers that torch's own state_dict leaves out. A set is an opaque object made of one list, or a list.
  [[nodiscard]] std::set<std::string> non_persistent(const PickleNode& state) const {
    std::set<std::string> names;
    const auto* found = pickle_.find(state, "_non_persistent_buffers_set");
    const auto* node = found == nullptr ? nullptr : &pickle_.at(*found);
    if (node != nullptr && node->kind == PickleKind::kObject && pickle_.at(node->items[1]).items.size() == 1) {
      node = &pickle_.at(pickle_.at(node->items[1]).items[0]);
    }
    if (node != nullptr && node->kind == PickleKind::kList) {
      for (const auto item : node->items) {
        names.insert(key_text(item));
      }
    }
    return names;
  }
  void module(PickleRef ref, const std::string& prefix, std::size_t depth) {
    step(depth);
    const auto& state = pickle_.at(pickle_.at(ref).items[2]);
    const auto hidden = non_persistent(state);
    const auto add = [&](const std::string& name, PickleRef value) {
      step(depth);
      const auto path = joined(prefix, name);
      auto tensor = file_.tensor(value, path);
      if (tensor && !hidden.contains(name)) {
        put_tensor(path, std::move(*tensor));
      } else if (!tensor && pickle_.at(value).kind != PickleKind::kNone) {
        put_other(path, pickle_.at(value));
      }
    };
    each(state, "_parameters", add);
    each(state, "_buffers", add);
    each(state, "_modules", [&](const std::string& name, PickleRef value) {
      if (is_module(value)) {
        module(value, joined(prefix, name), depth + 1);
      } else if (pickle_.at(value).kind != PickleKind::kNone) {
        put_other(joined(prefix, name), pickle_.at(value));
      }
    });
  }

  const TorchFile& file_;
  const Pickle& pickle_;
  const std::string& where_;
  std::size_t text_budget_;
  std::size_t steps_ = 0;
  TorchContents contents_;
};

}  // namespace

TorchContents torch_contents(const TorchFile& file, const std::string& where) { return Walker(file, where).run(); }

}  // namespace steadyiqa::checkpoint
