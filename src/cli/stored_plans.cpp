#include "cli/stored_plans.h"

#include "base/error.h"

#include <algorithm>
#include <filesystem>

namespace steadyiqa::cli {

evaluation::ResultStore open_store(const std::string& path) {
  if (!std::filesystem::exists(path)) {
    fail_input("{}: no such result store", path);
  }
  return evaluation::ResultStore(path, evaluation::Database::Mode::kReadOnly);
}

std::vector<std::vector<evaluation::StoredPlan>> tables_of(evaluation::ResultStore& store,
                                                           const std::string& protocol) {
  std::vector<std::vector<evaluation::StoredPlan>> tables;
  for (auto& plan : store.plans()) {
    if (!protocol.empty() && plan.protocol != protocol && !plan.protocol_digest.starts_with(protocol)) {
      continue;
    }
    const auto same = std::ranges::find_if(tables, [&](const auto& table) {
      return table.front().protocol_digest == plan.protocol_digest && table.front().image_set == plan.image_set;
    });
    if (same == tables.end()) {
      tables.push_back({std::move(plan)});
    } else {
      same->push_back(std::move(plan));
    }
  }
  if (tables.empty()) {
    fail_input("{}: no results{}", store.database().path().string(),
               protocol.empty() ? "" : fmt::format(" of protocol '{}'", protocol));
  }
  return tables;
}

}  // namespace steadyiqa::cli
