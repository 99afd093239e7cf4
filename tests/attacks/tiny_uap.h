// A small universal perturbation of the tiny scorer, as a file.
#pragma once

#include "attacks/tiny_scorer.h"
#include "attacks/uap_training.h"
#include "base/log.h"
#include "scoring/tiny_files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <utility>

namespace steadyiqa::testing {

/// A calibrated model as a file would give it; the digest stands for one of a file that there is not.
inline checkpoint::LoadedModel model_of(models::Scorer scorer, stats::Affine calibration = {}) {
  scorer.set_scale({"test", calibration, true});
  return {std::move(scorer), {}, std::string(64, '0')};
}

/// train_uap without its lines on stderr.
inline attacks::Uap train_quietly(const checkpoint::LoadedModel& model, const data::Dataset& images,
                                  const attacks::UapOptions& options) {
  const auto mode = progress_mode();
  set_progress_mode(ProgressMode::kQuiet);
  auto uap = attacks::train_uap(model, images, options);
  set_progress_mode(mode);
  return uap;
}

/// Trained both ways on the tiny files, once for each test program, and removed at its end.
class TinyUap {
 public:
  TinyUap()
      : file_(std::filesystem::path(::testing::TempDir()) /
              ("steadyiqa_tiny_uap_" + std::to_string(getpid()) + ".safetensors")),
        uap_(train_quietly(
            model_of(tiny_scorer()), tiny_files().dataset(),
            {.directions = attacks::UapDirections::kBoth, .tile = kTinyCrop, .epochs = 4, .rate = 0.02})) {
    attacks::write_uap(file_, uap_);
  }
  ~TinyUap() {
    std::error_code ignored;
    std::filesystem::remove(file_, ignored);
  }
  TinyUap(const TinyUap&) = delete;
  TinyUap& operator=(const TinyUap&) = delete;
  TinyUap(TinyUap&&) = delete;
  TinyUap& operator=(TinyUap&&) = delete;

  [[nodiscard]] std::string file() const { return file_; }
  [[nodiscard]] const attacks::Uap& uap() const { return uap_; }

 private:
  std::filesystem::path file_;
  attacks::Uap uap_;
};

inline const TinyUap& tiny_uap() {
  static const TinyUap kUap;
  return kUap;
}

}  // namespace steadyiqa::testing
