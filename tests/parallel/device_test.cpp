#include "parallel/device.h"

#include "base/expect_error.h"
#include "pretend_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

namespace steadyiqa::parallel {
namespace {

using steadyiqa::testing::error_message;
using steadyiqa::testing::OnPretendDevice;
using ::testing::HasSubstr;

TEST(Device, IsTheProcessorUnlessSaidOtherwise) {
  EXPECT_TRUE(device().is_cpu());
  use_device(std::string("cpu"));
  EXPECT_TRUE(device().is_cpu());
  EXPECT_EQ(device_name(), "cpu");
}

TEST(Device, OtherNamesAreRefused) {
  for (const std::string name :
       {"", "gpu", "CUDA", "cpu:0", "cuda:", "cuda:x", "cuda:-1", "cuda:1x", "cuda:99999999999"}) {
    EXPECT_THAT(error_message(ErrorKind::kUsage, [&] { use_device(name); }), HasSubstr("cpu, cuda or cuda:N")) << name;
  }
  EXPECT_TRUE(device().is_cpu());
}

TEST(Device, CudaThatIsNotThereIsRefused) {
  const auto name = fmt::format("cuda:{}", cuda_devices());
  EXPECT_THAT(error_message(ErrorKind::kUsage, [&] { use_device(name); }), HasSubstr("--device " + name));
  EXPECT_TRUE(device().is_cpu());
}

// The tests that run on it elsewhere see that nothing is left on the processor only because of this.
TEST(PretendDevice, RefusesTensorsOfTheProcessorAmongItsOwn) {
  const OnPretendDevice pretend;
  EXPECT_FALSE(device().is_cpu());
  const auto here = torch::ones({2, 3});
  const auto there = here.to(device());
  EXPECT_TRUE(torch::equal((there + there.relu()).cpu(), here * 2));
  EXPECT_ANY_THROW(there + here);
  EXPECT_ANY_THROW(torch::cat({there, here}));
  EXPECT_ANY_THROW(torch::conv2d(there.view({1, 1, 2, 3}), torch::ones({1, 1, 1, 1})));
}

}  // namespace
}  // namespace steadyiqa::parallel
