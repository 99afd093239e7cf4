#include "checkpoint/network_tensors.h"

#include "base/error.h"
#include "base/text.h"
#include "checkpoint/checkpoint_file.h"
#include "checkpoint/key_maps.h"

#include <torch/torch.h>

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

namespace steadyiqa::checkpoint {
namespace {

void copy_finite(const torch::Tensor& into, const torch::Tensor& from, const std::string& name,
                 const std::string& where) {
  const auto value = from.to(into.scalar_type());
  if (value.is_floating_point() && !torch::isfinite(value).all().item<bool>()) {
    fail_input("{}: tensor {} holds values that are not finite", where, name);
  }
  into.copy_(value);
}

/// What a file would put into the network by one rule.
struct Match {
  std::vector<std::pair<std::string, std::string>> copies;  ///< (network name, file name)
  std::vector<std::string> missing;                         ///< file names, or of another shape
  bool applies = true;                                      ///< the network has the part
};

Match match_part(const PartRule& rule, const TensorMap& own, const TensorMap& file) {
  Match match;
  for (const auto& [from, to] : rule.prefixes) {
    bool any = false;
    for (auto place = own.lower_bound(to); place != own.end() && place->first.starts_with(to); ++place) {
      const auto& name = place->first;
      if (!rule.except.empty() && name.starts_with(rule.except)) {
        continue;
      }
      any = true;
      const auto source = from + name.substr(to.size());
      const auto found = file.find(source);
      if (found != file.end() && found->second.sizes().equals(place->second.sizes())) {
        match.copies.emplace_back(name, source);
      } else if (!is_optional(name)) {
        match.missing.push_back(source);
      }
    }
    match.applies = match.applies && any;
  }
  return match;
}

/// Fills the part of the network that the file holds whole.
void load_part(models::Network& network, const TensorMap& file, const std::string& where) {
  torch::NoGradGuard no_grad;
  const auto own = network_tensors(network);
  Match best;
  best.applies = false;
  for (const auto& rule : part_rules(network.trunk_prefix())) {
    auto match = match_part(rule, own, file);
    if (!match.applies) {
      continue;
    }
    if (match.missing.empty()) {
      for (const auto& [name, source] : match.copies) {
        copy_finite(own.at(name), file.at(source), source, where);
      }
      return;
    }
    if (!best.applies || match.copies.size() > best.copies.size()) {
      best = std::move(match);
    }
  }
  if (!best.applies) {
    fail_input("{}: no SteadyIQA model of this kind, and this model has no pretrained trunk to load", where);
  }
  fail_input("{}: not this trunk's weights: {} tensors missing or of another shape ({}), {} match", where,
             best.missing.size(), first_names(best.missing), best.copies.size());
}

Initial load_one(models::Network& network, const std::string& path) {
  const auto file = read_checkpoint(path);
  const auto& detected = file.info.detected;
  TensorMap named;
  for (const auto& [name, tensor] : file.tensors) {
    named.insert_or_assign(own_name(detected ? detected->origin : Origin::kAuthors, name), tensor);
  }
  const auto own = network_tensors(network);
  const bool all_there = std::all_of(own.begin(), own.end(), [&](const auto& entry) {
    return named.contains(entry.first) || is_optional(entry.first);
  });
  if (all_there || file.info.metadata.contains(kModelMetadata) || (detected && !detected->model.empty())) {
    set_network_tensors(network, named, path);
    return Initial::kModel;
  }
  load_part(network, named, path);
  return Initial::kTrunk;
}

}  // namespace

TensorMap network_tensors(const torch::nn::Module& network) {
  TensorMap tensors;
  for (auto& [name, tensor] : models::state_entries(network)) {
    tensors.emplace(name, tensor.detach());
  }
  return tensors;
}

void set_network_tensors(torch::nn::Module& network, const TensorMap& tensors, const std::string& where) {
  torch::NoGradGuard no_grad;
  std::vector<std::string> missing;
  std::vector<std::string> mismatched;
  std::vector<std::string> unexpected;
  const auto own = network_tensors(network);
  for (const auto& [name, tensor] : own) {
    const auto found = tensors.find(name);
    if (found == tensors.end()) {
      if (!is_optional(name)) {
        missing.push_back(name);
      }
    } else if (!found->second.sizes().equals(tensor.sizes())) {
      mismatched.push_back(
          fmt::format("{} {} for {}", name, shape_text(found->second.sizes()), shape_text(tensor.sizes())));
    }
  }
  for (const auto& [name, tensor] : tensors) {
    if (!own.contains(name) && !is_optional(name)) {
      unexpected.push_back(name);
    }
  }
  if (!missing.empty() || !unexpected.empty() || !mismatched.empty()) {
    fail_input("{}: not the weights of this model: {} missing ({}), {} unexpected ({}), {} of another shape ({})",
               where, missing.size(), first_names(missing), unexpected.size(), first_names(unexpected),
               mismatched.size(), first_names(mismatched));
  }
  for (const auto& [name, tensor] : tensors) {
    const auto found = own.find(name);
    if (found != own.end()) {
      copy_finite(found->second, tensor, name, where);
    }
  }
}

Initial load_initial(models::Network& network, const std::string& files) {
  std::error_code error;
  if (std::filesystem::exists(files, error)) {  // its name may hold a comma
    return load_one(network, files);
  }
  auto result = Initial::kTrunk;
  std::size_t start = 0;
  while (start <= files.size()) {
    const auto comma = std::min(files.find(',', start), files.size());
    const auto path = std::string(trim(std::string_view(files).substr(start, comma - start)));
    if (load_one(network, path) == Initial::kModel) {
      result = Initial::kModel;
    }
    start = comma + 1;
  }
  return result;
}

}  // namespace steadyiqa::checkpoint
