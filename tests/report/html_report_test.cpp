#include "report/html_report.h"

#include <gtest/gtest.h>

#include <string>

namespace steadyiqa::report {
namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

TEST(HtmlReport, IsOneWholePageWithEveryPlaceFilled) {
  const auto page = html_report({{"models", nlohmann::json::array()}});
  EXPECT_TRUE(page.starts_with("<!DOCTYPE html>"));
  EXPECT_TRUE(page.ends_with("</html>\n"));
  EXPECT_EQ(page.find("{{"), std::string::npos);
  EXPECT_NE(page.find("var uPlot"), std::string::npos);
}

TEST(HtmlReport, TextsStayTexts) {
  const std::string hostile = "</script><script>alert(1)</script><!-- {{SCRIPT}} {{LIBRARY}} \xff";
  const auto clean = html_report({{"name", "a"}});
  const auto page = html_report({{"name", hostile}});
  EXPECT_EQ(count(page, "<script"), count(clean, "<script"));
  EXPECT_EQ(count(page, "</script"), count(clean, "</script"));
  EXPECT_EQ(count(page, "<!--"), 0U);
  EXPECT_EQ(count(page, "'use strict';\n// Renders"), 1U);
}

TEST(HtmlReport, NamesNothingOutsideItself) {
  const auto page = html_report({{"models", nlohmann::json::array()}});
  for (const char* part : {"src=\"http", "href=\"http", "url(http", "url(\"http", "fetch(", "@import", "XMLHttp"}) {
    EXPECT_EQ(page.find(part), std::string::npos) << part;
  }
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
}

}  // namespace
}  // namespace steadyiqa::report
