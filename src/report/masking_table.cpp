#include "report/masking_table.h"

#include "base/error.h"
#include "evaluation/result.h"

#include <fmt/format.h>

namespace steadyiqa::report {

std::string masking_table(const evaluation::MaskingReport& report) {
  std::string out = fmt::format("gradient masking · {} · {} images · eps {:.4f}px\n", one_line(report.model_path),
                                report.images, report.epsilon);
  if (report.adaptive != evaluation::kNoneNeeded) {
    out += fmt::format("  adaptive to its purification: {}\n", report.adaptive);
  }
  for (const auto& check : report.checks) {
    out += fmt::format("  {} {:32} {:8.4f} ({} {:g})  {}\n", check.holds() ? "ok " : "NOT", check.name, check.value,
                       check.at_least ? ">=" : "<=", check.required, check.meaning);
  }
  out += report.is_clear() ? "  nothing here speaks for masked gradients; that is no proof of their absence\n"
                           : "  a check failed: the gradient may hide a way that other attacks find\n";
  return out;
}

}  // namespace steadyiqa::report
