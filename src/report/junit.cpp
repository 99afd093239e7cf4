#include "report/junit.h"

#include <pugixml.hpp>

#include <algorithm>
#include <sstream>

namespace steadyiqa::report {

std::string junit_xml(const std::string& suite, std::span<const evaluation::GateCheck> checks) {
  pugi::xml_document document;
  auto root = document.append_child("testsuites").append_child("testsuite");
  const auto failures = std::ranges::count_if(checks, [](const auto& check) { return !check.holds(); });
  root.append_attribute("name") = suite.c_str();
  root.append_attribute("tests") = static_cast<unsigned long long>(checks.size());
  root.append_attribute("failures") = static_cast<long long>(failures);
  for (const auto& check : checks) {
    auto item = root.append_child("testcase");
    item.append_attribute("classname") = "steadyiqa.gate";
    item.append_attribute("name") = check.name.c_str();
    if (!check.holds()) {
      item.append_child("failure").append_attribute("message") = check.text().c_str();
    }
  }
  std::ostringstream out;
  document.save(out, "  ");
  return out.str();
}

}  // namespace steadyiqa::report
