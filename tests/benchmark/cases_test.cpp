#include "benchmark/cases.h"

#include "base/expect_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <vector>

namespace steadyiqa::benchmark {
namespace {

using objective::BatchNormMode;
using objective::CleanPass;
using objective::NormGradient;
using objective::RegulariserKind;
using objective::RegulariserOptions;
using steadyiqa::testing::error_message;
using ::testing::HasSubstr;

constexpr Peak kPeak{100, 0, "none"};

// The published step: three forward passes, one input gradient, three backward passes of two each.
TEST(StepCost, CountsThePassesOfEachForm) {
  RegulariserOptions options;
  options.regulariser = RegulariserKind::kNt;
  options.gradient = NormGradient::kFiniteDifference;
  options.batch_norm = BatchNormMode::kTrain;
  EXPECT_EQ(step_cost(options, BatchNormMode::kTrain), 7);
  options.clean_pass = CleanPass::kSeparate;
  EXPECT_EQ(step_cost(options, BatchNormMode::kTrain), 10);
  options.clean_pass = CleanPass::kShared;
  options.batch_norm = BatchNormMode::kFrozen;
  EXPECT_EQ(step_cost(options, BatchNormMode::kTrain), 10);
  EXPECT_EQ(step_cost(options, BatchNormMode::kFrozen), 7);
  options.clean_pass = CleanPass::kReused;
  EXPECT_EQ(step_cost(options, BatchNormMode::kFrozen), 6);
  options.regulariser = RegulariserKind::kNone;
  EXPECT_EQ(step_cost(options, BatchNormMode::kTrain), 3);
}

TEST(NtStep, StartsFromTheSameNumbersWhateverIsMeasured) {
  NtStepOptions options;
  options.model = "compact";
  options.batch = 2;
  options.regulariser.regulariser = RegulariserKind::kNt;
  const auto once = nt_step(options, {.warm_up = 0, .measured = 1}, kPeak);
  const auto more = nt_step(options, {.warm_up = 1, .measured = 3}, kPeak);
  EXPECT_EQ(once.at("first_step"), more.at("first_step"));
  EXPECT_GT(once.at("first_step").at("penalty").get<double>(), 0);
  EXPECT_EQ(more.at("seconds").at("runs"), 3);
  EXPECT_GT(more.at("gflops").get<double>(), 0);
  EXPECT_DOUBLE_EQ(more.at("share_of_peak").get<double>(), more.at("gflops").get<double>() / 100);
}

TEST(RunChild, ReportsWhatCannotBeRunOrFails) {
  EXPECT_GE(run_child({"/bin/true"}).seconds, 0);
  EXPECT_THAT(error_message(ErrorKind::kInput, [] { static_cast<void>(run_child({"/bin/false"})); }),
              HasSubstr("/bin/false"));
  EXPECT_THAT(error_message(ErrorKind::kInput, [] { static_cast<void>(run_child({"/no/such/program"})); }),
              HasSubstr("cannot be run"));
}

TEST(PeakMemory, GrowsWithWhatIsTouched) {
  const auto before = peak_memory_bytes();
  ASSERT_GT(before, 0);
  const std::vector<char> block(256U << 20U, 1);
  EXPECT_GT(peak_memory_bytes(), before + (200 << 20) * static_cast<int>(block.back()));
}

TEST(Median, IsTheMiddleValueOrTheMeanOfTwo) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 3, 2}), 2.5);
}

// More than any one processor does and less than none: a loop that the compiler removes "runs" thousands of times
// faster.
TEST(Peak, IsThatOfARealLoop) {
  const auto peak = measure_peak(1, 0.05);
  EXPECT_GT(peak.fp32_gflops, 0.5);
  EXPECT_LT(peak.fp32_gflops, 2000);
}

}  // namespace
}  // namespace steadyiqa::benchmark
