#include "report/text_report.h"

#include "base/error.h"
#include "base/text.h"

#include <fmt/format.h>

#include <map>
#include <vector>

namespace steadyiqa::report {
namespace {

using nlohmann::json;

std::string show(const json& value, int decimals) {
  return value.is_null() ? "-" : fmt::format("{:.{}f}", value.get<double>(), decimals);
}

/// A measure that has a table.
struct TableInfo {
  std::string title;
  std::vector<std::string> clean;  ///< where a model's clean value is; none for a measure of attacks alone
  std::vector<std::string> place;  ///< where an attack's value is
  std::string interval;            ///< name among its intervals, "" without
  int decimals = 3;
};

const std::vector<TableInfo>& tables() {
  static const std::vector<TableInfo> kTables = {
      {"SROCC to MOS (higher is better)", {"clean", "srocc"}, {"measures", "with_mos", "srocc"}, "srocc_attacked"},
      {"PLCC to MOS (higher is better)", {"clean", "plcc"}, {"measures", "with_mos", "plcc"}, "plcc_attacked"},
      {"KROCC to MOS (higher is better)", {"clean", "krocc"}, {"measures", "with_mos", "krocc"}, ""},
      {"RMSE to MOS, points (lower is better)", {"clean", "rmse"}, {"measures", "with_mos", "rmse"}, "", 2},
      {"RMSE to the clean score, points (lower is better)", {}, {"measures", "with_clean", "rmse"}, "", 2},
      {"R, natural logarithm (higher is better)", {}, {"measures", "r_natural"}, "r_natural"},
      {"mean score change / clean spread (lower is better)",
       {},
       {"measures", "change_share_of_spread"},
       "change_share_of_spread"},
  };
  return kTables;
}

const json& at(const json& object, const std::vector<std::string>& place) {
  const json* value = &object;
  for (const auto& key : place) {
    value = &value->at(key);
  }
  return *value;
}

std::string attack_name(const json& attack) {
  return fmt::format("{} {:g}/255 {}", attack.at("name").get<std::string>(), attack.at("eps_px").get<double>() * 255.0,
                     attack.at("direction").get<std::string>());
}

using Row = std::vector<std::string>;

/// Head and rows. Intervals in brackets.
std::vector<Row> table(const json& document, const TableInfo& info) {
  std::vector<Row> rows;
  Row head = {"model"};
  if (!info.clean.empty()) {
    head.emplace_back("clean");
  }
  for (const auto& attack : document.at("models").at(0).at("attacks")) {
    head.push_back(attack_name(attack));
  }
  rows.push_back(std::move(head));
  for (const auto& model : document.at("models")) {
    Row row = {model.at("label").get<std::string>()};
    if (!info.clean.empty()) {
      row.push_back(show(at(model, info.clean), info.decimals));
    }
    for (const auto& attack : model.at("attacks")) {
      auto cell = show(at(attack, info.place), info.decimals);
      if (!info.interval.empty()) {
        const auto& interval = attack.at("intervals").at(info.interval);
        cell +=
            fmt::format(" [{}, {}]", show(interval.at("low"), info.decimals), show(interval.at("high"), info.decimals));
      }
      row.push_back(std::move(cell));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string latex_text(const std::string& text) {
  static const std::map<char, std::string> kEscapes = {{'_', "\\_"},
                                                       {'%', "\\%"},
                                                       {'&', "\\&"},
                                                       {'#', "\\#"},
                                                       {'$', "\\$"},
                                                       {'{', "\\{"},
                                                       {'}', "\\}"},
                                                       {'~', "\\textasciitilde{}"},
                                                       {'^', "\\textasciicircum{}"},
                                                       {'\\', "\\textbackslash{}"}};
  std::string out;
  for (const char c : text) {
    const auto found = kEscapes.find(c);
    out += found == kEscapes.end() ? std::string(1, c) : found->second;
  }
  return out;
}

std::string markdown_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') {
      out += '\\';
    }
    out += c;
  }
  return out;
}

std::string facts(const json& document) {
  const auto& data = document.at("data");
  const auto& protocol = document.at("protocol");
  return fmt::format(
      "Protocol {}, digest {}; {}: {} of {} images; {}; {}, {}; scores calibrated on the training set; brackets: 95 % "
      "bootstrap intervals over images",
      protocol.at("name").get<std::string>().empty() ? "none" : protocol.at("name").get<std::string>(),
      protocol.at("digest").get<std::string>().substr(0, 12), data.at("name").get<std::string>(),
      data.at("images").get<std::int64_t>(), data.at("expected_images").get<std::int64_t>(),
      document.at("judged").get<std::string>(), document.at("device").get<std::string>(),
      document.at("precision").get<std::string>());
}

}  // namespace

std::string markdown_report(const json& document) {
  std::string out = "# Robustness report\n\n";
  for (const auto& sentence : document.at("verdict")) {
    out += fmt::format("* {}\n", sentence.get<std::string>());
  }
  out += fmt::format("\n{}.\n", facts(document));
  for (const auto& info : tables()) {
    out += fmt::format("\n## {}\n\n", info.title);
    const auto rows = table(document, info);
    for (const auto& row : rows) {
      for (const auto& cell : row) {
        out += fmt::format("| {} ", markdown_text(cell));
      }
      out += "|\n";
      if (&row == &rows.front()) {
        for (std::size_t i = 0; i < row.size(); ++i) {
          out += i == 0 ? "|---" : "|---:";
        }
        out += "|\n";
      }
    }
  }
  return out;
}

std::string latex_report(const json& document) {
  std::string out = fmt::format("% Needs booktabs. {}\n", facts(document));
  for (const auto& info : tables()) {
    const auto rows = table(document, info);
    out += fmt::format("\\begin{{table}}\n\\caption{{{}}}\n\\begin{{tabular}}{{l{}}}\n\\toprule\n",
                       latex_text(info.title), std::string(rows.front().size() - 1, 'r'));
    for (const auto& row : rows) {
      for (std::size_t i = 0; i < row.size(); ++i) {
        out += fmt::format("{}{}", i == 0 ? "" : " & ", latex_text(row[i]));
      }
      out += &row == &rows.front() ? " \\\\\n\\midrule\n" : " \\\\\n";
    }
    out += "\\bottomrule\n\\end{tabular}\n\\end{table}\n";
  }
  return out;
}

std::string csv_report(const json& document) {
  const std::vector<std::string> intervals = {"srocc_clean", "srocc_attacked",         "plcc_attacked",
                                              "change_mean", "change_share_of_spread", "r_natural"};
  std::string out = "protocol,protocol_digest,data,images,model,model_sha256,attack,parameters,eps_px,direction,unit";
  for (const auto& name : intervals) {
    out += fmt::format(",{0},{0}_low,{0}_high", name);
  }
  out += ",rmse_to_mos,rmse_to_clean,krocc_attacked,spread,grad_l1_px_mean\n";
  const auto number = [](const json& value) {
    return value.is_null() ? std::string() : fmt::format("{}", value.get<double>());
  };
  for (const auto& model : document.at("models")) {
    for (const auto& attack : model.at("attacks")) {
      Row cells = {document.at("protocol").at("name"),
                   document.at("protocol").at("digest"),
                   document.at("data").at("name"),
                   std::to_string(document.at("data").at("images").get<int>()),
                   model.at("label"),
                   model.at("sha256"),
                   attack.at("name"),
                   attack.at("parameters").dump(),
                   number(attack.at("eps_px")),
                   attack.at("direction"),
                   attack.at("unit")};
      for (const auto& name : intervals) {
        for (const char* part : {"value", "low", "high"}) {
          cells.push_back(number(attack.at("intervals").at(name).at(part)));
        }
      }
      const auto& measures = attack.at("measures");
      for (const auto& value : {measures.at("with_mos").at("rmse"), measures.at("with_clean").at("rmse"),
                                measures.at("with_mos").at("krocc"), model.at("spread"), model.at("grad_l1_px_mean")}) {
        cells.push_back(number(value));
      }
      for (std::size_t i = 0; i < cells.size(); ++i) {
        out += fmt::format("{}{}", i == 0 ? "" : ",", csv_field(one_line(cells[i])));
      }
      out += "\n";
    }
  }
  return out;
}

}  // namespace steadyiqa::report
