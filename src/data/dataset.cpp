#include "data/dataset.h"

#include "base/digest.h"
#include "base/error.h"
#include "base/options.h"
#include "base/text.h"

#include <utility>

namespace steadyiqa::data {
namespace {

using OptionField = Field<ReadOptions>;

struct Reader {
  ReaderInfo info;
  Dataset (*read)(const std::filesystem::path&, const ReadOptions&);
  FieldTable<ReadOptions> options{};
};

/// One of `choices`.
OptionField choice_field(const std::string& name, std::string ReadOptions::*member,
                         const std::vector<std::string>& choices) {
  OptionField choice = field(name, member, {.help = fmt::format("{}", fmt::join(choices, "|"))});
  choice.choices = choices;
  choice.set = [name, member, choices](ReadOptions& options, const nlohmann::json& value) {
    options.*member = choices[detail::choice_index(name, choices, value)];
  };
  return choice;
}

OptionField list_field() { return field("list", &ReadOptions::list, {.help = "file of NAME SCORE lines"}); }

const std::vector<Reader>& readers() {
  static const std::vector<Reader> kReaders{
      {{"livec", "LIVE in the Wild: the released folder (livec:DIR, with Images/ and Data/)"}, read_livec},
      {{"manifest", "a CSV with columns image, mos[, std, reference, set]; mos 0-100, higher is better"},
       read_manifest},
      {{"live", "LIVE release 2: refimgs/, jp2k/ ... fastfading/, dmos_realigned.mat, refnames_all.mat"},
       read_live,
       {choice_field("labels", &ReadOptions::labels, {"dmos_realigned", "dmos"})}},
      {{"csiq", "CSIQ: src_imgs/, dst_imgs_all/ or dst_imgs/TYPE/, csiq_label.txt"}, read_csiq},
      {{"tid2013", "TID2013: reference_images/, distorted_images/, mos_with_names.txt"}, read_tid2013},
      {{"koniq", "KonIQ-10k: 1024x768/ or 512x384/, the scores' and the sets' CSV"},
       read_koniq,
       {choice_field("labels", &ReadOptions::labels, {"mos_zscore", "mos", "mos_100"}), list_field(),
        choice_field("images", &ReadOptions::images, {"1024x768", "512x384"})}},
      {{"bid", "BID: DatabaseImage0001.JPG ..., DatabaseGrades.xlsx or .csv"}, read_bid},
      {{"kadid", "KADID-10k: images/ or reference_images/ and distorted_images/, dmos.csv"},
       read_kadid,
       {list_field()}},
      {{"spaq", "SPAQ: TestImage/, Annotations/MOS and Image attribute scores.xlsx or .csv"}, read_spaq},
      {{"pipal", "PIPAL: Train_Ref/, Train_Dist/ or its parts, Train_Label/"}, read_pipal, {list_field()}},
  };
  return kReaders;
}

bool is_path(const std::string& text) {
  std::error_code ignored;
  return std::filesystem::exists(text, ignored);
}

/// Cuts ",key=value" parts off the end of `path`.
nlohmann::json take_options(std::string& path) {
  nlohmann::json options = nlohmann::json::object();
  for (std::size_t comma = path.rfind(','); comma != std::string::npos && !is_path(path); comma = path.rfind(',')) {
    const std::size_t equals = path.find('=', comma);
    if (equals == std::string::npos) {
      break;
    }
    options[path.substr(comma + 1, equals - comma - 1)] = path.substr(equals + 1);
    path.resize(comma);
  }
  return options;
}

Dataset read_with(const Reader& reader, const std::string& spec) {
  std::string path = spec.substr(reader.info.name.size() + 1);
  ReadOptions options;
  options_from_json(options, reader.options, take_options(path), fmt::format("data set '{}'", spec));
  if (path.empty()) {
    fail_usage("data set '{}': no path after '{}:'", spec, reader.info.name);
  }
  return reader.read(path, options);
}

}  // namespace

std::string Dataset::digest() const {
  std::string text;
  for (const Sample& sample : samples) {
    // {} prints the shortest decimal that reads back as the same double.
    text += fmt::format("{},{},{}\n", csv_field(sample.name), sample.mos, csv_field(sample.set));
  }
  return sha256_hex(text);
}

std::span<const ReaderInfo> dataset_readers() {
  static const std::vector<ReaderInfo> kInfos = [] {
    std::vector<ReaderInfo> infos;
    for (const Reader& reader : readers()) {
      ReaderInfo info = reader.info;
      for (const OptionField& option : reader.options) {
        info.help += fmt::format("; {}={}", option.name, option.info.help);
      }
      infos.push_back(std::move(info));
    }
    return infos;
  }();
  return kInfos;
}

Dataset open_dataset(const std::string& spec) {
  const std::size_t colon = spec.find(':');
  const std::string name = colon == std::string::npos ? std::string() : spec.substr(0, colon);
  std::vector<std::string> known;
  for (const Reader& reader : readers()) {
    if (colon != std::string::npos && reader.info.name == name) {
      return read_with(reader, spec);
    }
    known.push_back(reader.info.name);
  }
  // A colon may also stand in the name of a CSV; a misspelt reader is told from it by there being no such file.
  const bool is_csv = lower(spec).ends_with(".csv");
  if (is_csv && (colon == std::string::npos || is_path(spec))) {
    return read_manifest(spec);
  }
  if (colon == std::string::npos) {
    fail_usage("data set '{}' is neither READER:PATH nor the path of a .csv{}", spec, suggestion(spec, known));
  }
  fail_usage("data set '{}': unknown reader '{}'{}", spec, name, suggestion(name, known));
}

}  // namespace steadyiqa::data
