#include "training/weight_average.h"

#include "base/expect_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

namespace steadyiqa::training {
namespace {

using ::steadyiqa::testing::error_message;
using ::testing::HasSubstr;

class OneWeight : public models::Network {
 public:
  torch::Tensor forward(const torch::Tensor& x) override { return x; }
  void set(double value) {
    torch::NoGradGuard no_grad;
    weight_.fill_(value);
  }
  [[nodiscard]] double get() const { return weight_.item<double>(); }

 private:
  torch::Tensor weight_ = register_parameter("weight", torch::zeros({1}, torch::kFloat64));
};

/// Weights 1, 2, ... after each step, from 0 on.
void walk(OneWeight& network, WeightAverage& average, int steps, double from = 0) {
  for (int i = 1; i <= steps; ++i) {
    network.set(from + i);
    average.update();
  }
}

double averaged(OneWeight& network, WeightAverage& average) {
  const WeightAverage::Applied applied(average);
  return network.get();
}

// By hand: decays min(0.5, 2/11), min(0.5, 3/12), min(0.5, 4/13) give 9/11, then 9/44 + 3/2 = 75/44, then
// 4/13 x 75/44 + 9/13 x 3 = (300/44 + 27) / 13.
TEST(WeightAverage, ForgetsTheStartSoonThenDecaysAtItsRate) {
  OneWeight network;
  WeightAverage average(network, 0.5);
  walk(network, average, 3);
  EXPECT_NEAR(averaged(network, average), (300.0 / 44 + 27) / 13, 1e-12);
  walk(network, average, 1, 99);  // after 4 steps the decay is 5/14, below 0.5 still
  EXPECT_NEAR(averaged(network, average), 5.0 / 14 * (300.0 / 44 + 27) / 13 + 9.0 / 14 * 100, 1e-12);
  WeightAverage short_memory(network, 0.1);
  walk(network, short_memory, 1, 199);  // min(0.1, 2/11) = 0.1 of the weight it began with, 100
  EXPECT_NEAR(averaged(network, short_memory), 0.1 * 100 + 0.9 * 200, 1e-12);
}

TEST(WeightAverage, IsAppliedForAWhileOnly) {
  OneWeight network;
  WeightAverage average(network, 0.5);
  walk(network, average, 2);
  EXPECT_NE(averaged(network, average), 2.0);
  EXPECT_EQ(network.get(), 2.0);
  EXPECT_EQ(averaged(network, average), averaged(network, average));
}

TEST(WeightAverage, WithoutDecayTheWeightsStay) {
  OneWeight network;
  WeightAverage average(network, 0.0);
  walk(network, average, 2);
  EXPECT_EQ(averaged(network, average), 2.0);
  EXPECT_TRUE(average.state().empty());
}

TEST(WeightAverage, ContinuesFromItsState) {
  OneWeight network;
  WeightAverage average(network, 0.5);
  walk(network, average, 3);
  const auto state = average.state();
  WeightAverage other(network, 0.5);
  other.set_state(state, "state");
  walk(network, average, 1, 7);
  walk(network, other, 1, 7);
  EXPECT_EQ(averaged(network, other), averaged(network, average));
  EXPECT_THAT(error_message(ErrorKind::kInput, [&] { other.set_state({}, "state.safetensors"); }),
              HasSubstr("state.safetensors: no weight average"));
}

}  // namespace
}  // namespace steadyiqa::training
