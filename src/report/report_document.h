// Everything that a report shows, as one JSON document, from a result store alone.
#pragma once

#include "evaluation/result_store.h"
#include "stats/bootstrap.h"

#include <nlohmann/json.hpp>

#include <span>

namespace steadyiqa::report {

struct DocumentOptions {
  stats::BootstrapOptions bootstrap{};
  bool pictures = true;
};

/// Of plans with one protocol and one image set, the first the one that others are compared with; their unfinished
/// images are left out of every plan, so that all are of the same. Throws Error(kUsage) for none, Error(kInput) where
/// fewer than 4 images are finished. docs/results.md describes the keys.
[[nodiscard]] nlohmann::json report_document(evaluation::ResultStore& store,
                                             std::span<const evaluation::StoredPlan> plans,
                                             const DocumentOptions& options = {});

}  // namespace steadyiqa::report
