// The verdict, the tables for papers, JUnit.
#include "report/junit.h"
#include "report/text_report.h"
#include "report/verdict.h"

#include <gtest/gtest.h>
#include <pugixml.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace steadyiqa::report {
namespace {

using nlohmann::json;

json estimate(double value) { return {{"value", value}, {"low", value - 0.1}, {"high", value + 0.1}}; }

json attack(double srocc, const json& difference) {
  json intervals;
  for (const char* name : {"srocc_clean", "plcc_clean", "srocc_attacked", "plcc_attacked", "change_mean",
                           "change_share_of_spread", "r_natural"}) {
    intervals[name] = estimate(srocc);
  }
  const json agreement = {{"srocc", srocc}, {"plcc", srocc}, {"krocc", srocc}, {"rmse", 12.345}, {"mae", 1}};
  return {{"name", "fgsm"},
          {"eps_px", 2.0 / 255},
          {"direction", "mid"},
          {"unit", "image"},
          {"parameters", json::object()},
          {"intervals", intervals},
          {"differences", difference},
          {"measures",
           {{"with_mos", agreement},
            {"with_clean", agreement},
            {"r_natural", 1.5},
            {"change_mean", 20.25},
            {"change_share_of_spread", 1.1}}}};
}

json model(const std::string& label, double srocc, const json& difference) {
  return {{"label", label},
          {"sha256", "00"},
          {"calibrated", true},
          {"masking", nullptr},
          {"spread", 15.0},
          {"grad_l1_px_mean", 1000.0},
          {"clean", {{"srocc", 0.8}, {"plcc", 0.81}, {"krocc", 0.6}, {"rmse", 10.0}, {"mae", 8.0}}},
          {"attacks", {attack(srocc, difference)}}};
}

json some_document() {
  return {{"protocol", {{"name", "p|q"}, {"digest", "0123456789abcdef"}}},
          {"data", {{"name", "livec"}, {"images", 10}, {"expected_images", 10}}},
          {"judged", "after rounding"},
          {"device", "cpu"},
          {"precision", "float32"},
          {"verdict", {"It holds."}},
          {"models",
           {model("base_1", 0.05, nullptr),
            model("nt|2", 0.5, {{"srocc_attacked", estimate(0.45)}, {"change_share_of_spread", estimate(0.45)}})}}};
}

TEST(Verdict, SaysHowFarTheStrongestAttackMovesScoresAndWhoHolds) {
  const auto sentences = verdict(some_document());
  ASSERT_EQ(sentences.size(), 3U);
  EXPECT_NE(
      sentences[0].find("base_1: clean SROCC to MOS 0.80; under the strongest attack, fgsm at 2/255, scores move by "
                        "20.2 points on average, 1.10 of their spread (95 % interval -0.05 to 0.15), and SROCC to MOS "
                        "is 0.05 (95 % interval -0.05 to 0.15)."),
      std::string::npos)
      << sentences[0];
  EXPECT_NE(sentences[2].find(
                "Of 1 attacks and budgets, the scores of nt|2 move less than those of base_1, for their spread, "
                "in 0, further in 1; its SROCC to MOS is higher in 1, lower in 0"),
            std::string::npos)
      << sentences[2];
}

TEST(Verdict, TakesTheAttackThatMovesFurthestNotTheLowestCorrelation) {
  auto document = some_document();
  auto further = attack(0.6, nullptr);
  further["name"] = "apgd";
  further["measures"]["change_share_of_spread"] = 3.0;
  document["models"][0]["attacks"].push_back(further);
  EXPECT_NE(verdict(document)[0].find("strongest attack, apgd"), std::string::npos);
}

TEST(Verdict, WarnsOfCorrelationsWhereAnAttackDoesNotAimAtTheRanking) {
  auto document = some_document();
  document["models"][0]["attacks"][0]["direction"] = "both";
  const auto sentences = verdict(document);
  ASSERT_EQ(sentences.size(), 4U);
  EXPECT_NE(sentences[3].find("comparable between models where the direction is mid"), std::string::npos);
}

TEST(Verdict, SaysWhatIsMissingOrSuspicious) {
  auto document = some_document();
  document["data"]["images"] = 4;
  document["models"][0]["calibrated"] = false;
  document["models"][1]["masking"] = {{"clear", false}};
  const auto sentences = verdict(document);
  EXPECT_NE(sentences[0].find("4 of 10"), std::string::npos);
  EXPECT_NE(sentences[1].find("not calibrated"), std::string::npos);
  EXPECT_NE(sentences[2].find("masked gradients failed"), std::string::npos);
}

TEST(TextReport, MarkdownHasARowForEachModelWithIntervals) {
  const auto text = markdown_report(some_document());
  EXPECT_NE(text.find("| base_1 | 0.800 | 0.050 [-0.050, 0.150] |"), std::string::npos) << text;
  EXPECT_NE(text.find("| nt\\|2 | 0.800 | 0.500 [0.400, 0.600] |"), std::string::npos) << text;
}

TEST(TextReport, LatexEscapesWhatItWouldReadAsCommands) {
  const auto text = latex_report(some_document());
  EXPECT_NE(text.find("base\\_1 & 0.800 & 0.050 [-0.050, 0.150] \\\\"), std::string::npos) << text;
  EXPECT_NE(text.find("\\begin{tabular}{lrr}"), std::string::npos) << text;
}

TEST(TextReport, CsvHasARowForEachModelAndAttack) {
  const auto text = csv_report(some_document());
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
  EXPECT_NE(text.find("p|q,0123456789abcdef,livec,10,base_1,00,fgsm,{},"), std::string::npos) << text;
}

TEST(JunitXml, HasAFailureForEachLimitThatDoesNotHold) {
  const std::vector<evaluation::GateCheck> checks = {{"a <b>", 1.0, 2.0, true}, {"c", 1.0, 2.0, false}};
  pugi::xml_document document;
  ASSERT_TRUE(document.load_string(junit_xml("gate \"x\"", checks).c_str()));
  const auto suite = document.child("testsuites").child("testsuite");
  EXPECT_STREQ(suite.attribute("name").value(), "gate \"x\"");
  EXPECT_EQ(suite.attribute("failures").as_int(), 1);
  const auto first = suite.child("testcase");
  EXPECT_STREQ(first.attribute("name").value(), "a <b>");
  EXPECT_TRUE(first.child("failure"));
  EXPECT_FALSE(first.next_sibling("testcase").child("failure"));
}

}  // namespace
}  // namespace steadyiqa::report
