#include "inference/score_printer.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json_text.h"
#include "base/log.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

namespace steadyiqa::inference {

ScorePrinter::ScorePrinter(ScoreFormat format) : format_(format) {
  if (format_ == ScoreFormat::kCsv) {
    print("image,score,raw_score,error\n");
  }
}

void ScorePrinter::add(const std::string& path, double score, double raw) {
  ++images_;
  switch (format_) {
    case ScoreFormat::kJson:
      return print(json_text({{"image", path}, {"score", score}, {"raw_score", raw}}) + "\n");
    case ScoreFormat::kCsv:
      return print(fmt::format("{},{:.6f},{:.6f},\n", csv_field(path), score, raw));
    case ScoreFormat::kText:
      return print(fmt::format("{:8.3f}  {}\n", score, one_line(path)));
  }
}

void ScorePrinter::add_failure(const std::string& path, const std::string& reason) {
  ++images_;
  ++failed_;
  log_warning("{}", reason);
  if (format_ == ScoreFormat::kJson) {
    print(json_text({{"image", path}, {"error", reason}}) + "\n");
  } else if (format_ == ScoreFormat::kCsv) {
    print(fmt::format("{},,,{}\n", csv_field(path), csv_field(reason)));
  }
}

int ScorePrinter::exit_code() const {
  if (failed_ == 0) {
    return 0;
  }
  log_warning("{} of {} images could not be scored", failed_, images_);
  return static_cast<int>(failed_ == images_ ? ErrorKind::kInput : ErrorKind::kPartial);
}

}  // namespace steadyiqa::inference
