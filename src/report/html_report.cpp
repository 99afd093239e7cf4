#include "report/html_report.h"

#include "base/error.h"
#include "base/json_text.h"
#include "report/report_files.h"

#include <string_view>

namespace steadyiqa::report {
namespace {

void put(std::string& page, std::string_view place, std::string_view text) {
  const auto at = page.find(place);
  STEADYIQA_ASSERT(at != std::string::npos, "the template has every place");
  page.replace(at, place.size(), text);
}

/// JSON in which nothing can end a script element or begin a comment.
std::string script_text(const nlohmann::json& document) {
  std::string text;
  for (const char c : json_text(document)) {
    text += c == '<' ? std::string("\\u003c") : std::string(1, c);
  }
  return text;
}

}  // namespace

std::string html_report(const nlohmann::json& document) {
  std::string page(kReportHtml);
  put(page, "{{STYLE}}", std::string(kUplotCss) + "\n" + std::string(kReportCss));
  // From the end on, so that no place is looked for within what was put in.
  put(page, "{{SCRIPT}}", kReportJs);
  put(page, "{{LIBRARY}}", kUplotJs);
  put(page, "{{DOCUMENT}}", script_text(document));
  return page;
}

}  // namespace steadyiqa::report
