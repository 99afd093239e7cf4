#include "parallel/runtime.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace steadyiqa::parallel {
namespace {

// The BLAS of Debian's packages is OpenBLAS (scripts/packages), which by itself starts a thread for every core.
TEST(ConfigureThreads, RulesLibtorchAndItsBlas) {
  for (const int threads : {1, 2}) {
    configure_threads(threads);
    const auto info = runtime_info();
    EXPECT_EQ(info.threads, threads);
    if (info.blas_threads == 0) {
      GTEST_SKIP() << "the BLAS is not OpenBLAS: " << info.blas;
    }
    EXPECT_EQ(info.blas_threads, threads);
    EXPECT_NE(info.blas_kernels, "");
  }
}

TEST(Layout, ImagesAreChannelsLastAndOtherTensorsAsTheyWere) {
  const auto image = to_layout(torch::rand({2, 3, 4, 5}));
  EXPECT_TRUE(image.is_contiguous(torch::MemoryFormat::ChannelsLast));
  const auto matrix = torch::rand({4, 5});
  EXPECT_TRUE(to_layout(matrix).is_same(matrix));
}

TEST(PlainKernels, AreOffAgainAfterwards) {
  configure_threads(3);
  const bool before = at::globalContext().userEnabledMkldnn();
  {
    const PlainKernels plain;
    EXPECT_FALSE(at::globalContext().userEnabledMkldnn());
    EXPECT_EQ(at::get_num_threads(), 1);
  }
  EXPECT_EQ(at::globalContext().userEnabledMkldnn(), before);
  EXPECT_EQ(at::get_num_threads(), 3);
}

TEST(OneBlasThread, IsOneWhereItIsWantedAndAsBeforeAfterwards) {
  if (runtime_info().blas_threads == 0) {
    GTEST_SKIP() << "this libtorch has another BLAS than OpenBLAS";
  }
  configure_threads(2);
  ASSERT_EQ(runtime_info().blas_threads, 2);
  {
    const OneBlasThread one;
    EXPECT_EQ(runtime_info().blas_threads, 1);
    EXPECT_EQ(runtime_info().threads, 2);
    const OneBlasThread as_it_is(false);
    EXPECT_EQ(runtime_info().blas_threads, 1);
  }
  EXPECT_EQ(runtime_info().blas_threads, 2);
}

}  // namespace
}  // namespace steadyiqa::parallel
