#include "report/dataset_report.h"

#include "report/grid.h"
#include "report/table.h"

#include <fmt/format.h>

#include <algorithm>

namespace steadyiqa::report {
namespace {

constexpr std::size_t kNamed = 5;      // of each kind of problem
constexpr std::size_t kBarWidth = 60;  // of the fullest bin

std::string row(const std::string& label, const std::string& text) {
  return clip(fmt::format("{:<12}{}", label, text), kTableWidth) + "\n";
}

std::string histogram_text(const data::Histogram& histogram) {
  const auto bins = histogram.counts.size();
  const double step = (histogram.high - histogram.low) / static_cast<double>(bins);
  const auto fullest = std::max<std::int64_t>(1, *std::ranges::max_element(histogram.counts));
  std::string out;
  for (std::size_t i = 0; i < bins; ++i) {
    const auto count = static_cast<std::size_t>(histogram.counts[i]);
    // A bin with any image shows.
    const std::size_t length =
        (count * kBarWidth + static_cast<std::size_t>(fullest) - 1) / static_cast<std::size_t>(fullest);
    out += fmt::format("{:>10.5g} {:>7} {}\n", histogram.low + step * static_cast<double>(i), count,
                       std::string(length, '#'));
  }
  return out + fmt::format("{:>10.5g}\n", histogram.high);
}

std::string problems_text(const std::string& kind, const std::vector<data::ImageProblem>& problems) {
  std::string out;
  for (std::size_t i = 0; i < std::min(kNamed, problems.size()); ++i) {
    out += clip(fmt::format("{}  {}: {}", kind, problems[i].image, problems[i].problem), kTableWidth) + "\n";
  }
  if (problems.size() > kNamed) {
    out += fmt::format("{}  and {} more\n", kind, problems.size() - kNamed);
  }
  return out;
}

std::string counts_text(const auto& counts) {
  std::string out;
  std::size_t shown = 0;
  for (const auto& [name, count] : counts) {
    if (shown++ == 8) {
      out += fmt::format(", and {} more", counts.size() - 8);
      break;
    }
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", count, name.empty() ? "without" : name);
  }
  return out.empty() ? "none" : out;
}

}  // namespace

std::string dataset_report(const data::DatasetCheck& check) {
  std::string out = row("data set", check.name);
  out += row("images", fmt::format("{} listed, {} missing", check.images, check.missing.size()));
  out += row("references", check.references == 0 ? "none"
                                                 : fmt::format("{}, {} of their images missing", check.references,
                                                               check.missing_references));
  out += row("opened", fmt::format("{}: {} failed, {} with the bytes of another", check.decoded, check.failures.size(),
                                   check.duplicates.size()));
  out += row("sizes", counts_text(check.sizes));
  out += row("sets", counts_text(check.sets));
  out += row("labels", fmt::format("{}, {}", check.scale.name, check.direction));
  out += row("", fmt::format("{:.6g} to {:.6g}, mean {:.6g}", check.label_min, check.label_max, check.label_mean));
  out += row("mos 0-100", check.mos_0_100);
  out += fmt::format("\n{}\n", histogram_text(check.histogram));
  out += problems_text("missing  ", check.missing);
  out += problems_text("failed   ", check.failures);
  out += problems_text("duplicate", check.duplicates);
  for (const auto& irregularity : check.irregularities) {
    out += wrap(fmt::format("note       {}", irregularity), kTableWidth);
  }
  return out;
}

}  // namespace steadyiqa::report
