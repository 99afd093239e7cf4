// A folder of the test's own that holds a calibrated tiny model.
#pragma once

#include "attacks/tiny_scorer.h"
#include "base/temp_folder.h"
#include "checkpoint/model_file.h"

#include <string>

namespace steadyiqa::testing {

class ModelFolder : public TempFolder {
 protected:
  void SetUp() override {
    TempFolder::SetUp();
    auto scorer = tiny_scorer();
    scorer.set_scale({"MOS 0-100 of test", {20, 40}, true});
    checkpoint::save_model(model(), scorer, {});
  }
  [[nodiscard]] std::string model() const { return folder() / "model.safetensors"; }
};

}  // namespace steadyiqa::testing
