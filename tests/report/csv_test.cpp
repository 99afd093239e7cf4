#include "report/csv.h"

#include "base/text.h"
#include "report/evaluations.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace steadyiqa::report {
namespace {

using evaluation::Evaluation;

constexpr const char* kHead =
    "model,attack,eps_px,image,mos,score,raw_score,attacked,attacked_raw,direction,grad_l1_px,linf_levels,psnr_db,"
    "ssim\n";

/// One image with a value of its own in every field.
Evaluation one_image(bool attacked) {
  Evaluation e = testing::clean_evaluation("nt.safetensors");
  e.images = {{.name = "a.bmp",
               .mos = 61.25,
               .clean = 0.1,
               .clean_raw = -2,
               .gradient_l1 = 401.5,
               .attacked = 70.5,
               .attacked_raw = 3.5,
               .attacked_float = 71,
               .direction = -1,
               .linf_levels = 1,
               .psnr = 48.125,
               .ssim = 0.99}};
  if (attacked) {
    e.attack = testing::fgsm();
  }
  return e;
}

TEST(ImagesCsv, HoldsEveryColumn) {
  const std::vector<Evaluation> e = {one_image(true)};
  EXPECT_EQ(images_csv(e),
            std::string(kHead) + "nt.safetensors,fgsm,0.005,a.bmp,61.25,0.1,-2,70.5,3.5,-1,401.5,1,48.125,0.99\n");
}

TEST(ImagesCsv, TellsOneStrengthOfAnAttackFromAnother) {
  std::vector<Evaluation> e = {one_image(true)};
  e[0].attack->name = "apgd";
  e[0].attack->parameters = {{"steps", 20}, {"restarts", 1}};
  EXPECT_NE(images_csv(e).find(",apgd restarts 1 steps 20,0.005,"), std::string::npos);
}

TEST(ImagesCsv, CellsAreEmptyWithoutAnAttack) {
  const std::vector<Evaluation> e = {one_image(false)};
  EXPECT_EQ(images_csv(e), std::string(kHead) + "nt.safetensors,,,a.bmp,61.25,0.1,-2,,,,401.5,,,\n");
}

TEST(ImagesCsv, QuotesHostileNames) {
  std::vector<Evaluation> e = {one_image(true)};
  e[0].images[0].name = "a,\"b\"\nc.bmp";
  e[0].model_path = "m,1";
  const std::string csv = images_csv(e);
  const std::string row = csv.substr(csv.find('\n') + 1);
  EXPECT_TRUE(row.starts_with("\"m,1\",fgsm,0.005,\"a,\"\"b\"\"?c.bmp\",61.25,")) << row;
  EXPECT_EQ(split_csv_line(row).size(), 14U);
}

TEST(ImagesCsv, AValueThatIsNotFiniteIsAnEmptyCell) {
  std::vector<Evaluation> e = {one_image(true)};
  e[0].images[0].attacked = std::numeric_limits<double>::quiet_NaN();
  e[0].images[0].psnr = std::numeric_limits<double>::infinity();
  const std::string csv = images_csv(e);
  const auto cells = split_csv_line(csv.substr(csv.find('\n') + 1));
  ASSERT_EQ(cells.size(), 14U);
  EXPECT_EQ(cells[7], "");
  EXPECT_EQ(cells[8], "3.5");
  EXPECT_EQ(cells[12], "");
}

TEST(ImagesCsv, NumbersReadBackExactly) {
  std::vector<Evaluation> e = {one_image(true)};
  e[0].images[0].clean = 100.0 / 3.0;
  const std::string csv = images_csv(e);
  EXPECT_EQ(parse_number(split_csv_line(csv.substr(csv.find('\n') + 1))[5]), 100.0 / 3.0);
}

TEST(ImagesCsv, OneRowPerImageAndEvaluation) {
  std::vector<Evaluation> e = {one_image(true), one_image(false)};
  e[0].images.resize(4);
  const std::string csv = images_csv(e);
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 1 + 4 + 1);
}

}  // namespace
}  // namespace steadyiqa::report
