#include "data/dataset.h"

#include "base/digest.h"
#include "base/error.h"
#include "base/text.h"

#include <array>

namespace steadyiqa::data {
namespace {

struct Reader {
  ReaderInfo info;
  Dataset (*read)(const std::filesystem::path&);
};

const std::array<Reader, 2>& readers() {
  static const std::array<Reader, 2> kReaders{{
      {{"livec", "LIVE in the Wild: the released folder (livec:DIR, with Images/ and Data/)"}, read_livec},
      {{"manifest", "a CSV with columns image, mos[, std, reference, set]; mos 0-100, higher is better"},
       read_manifest},
  }};
  return kReaders;
}

}  // namespace

double LabelScale::to_0_100(double label) const {
  const double share = 100.0 * (label - min) / (max - min);
  return direction == Direction::kHigherIsBetter ? share : 100.0 - share;
}

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
      infos.push_back(reader.info);
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
      const std::string path = spec.substr(colon + 1);
      if (path.empty()) {
        fail_usage("data set '{}': no path after '{}:'", spec, name);
      }
      return reader.read(path);
    }
    known.push_back(reader.info.name);
  }
  // A colon may also stand in the name of a CSV; a misspelt reader is told from it by there being no such file.
  std::error_code ignored;
  const bool is_csv = lower(spec).ends_with(".csv");
  if (is_csv && (colon == std::string::npos || std::filesystem::exists(spec, ignored))) {
    return read_manifest(spec);
  }
  if (colon == std::string::npos) {
    fail_usage("data set '{}' is neither READER:PATH nor the path of a .csv{}", spec, suggestion(spec, known));
  }
  fail_usage("data set '{}': unknown reader '{}'{}", spec, name, suggestion(name, known));
}

}  // namespace steadyiqa::data
