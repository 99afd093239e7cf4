#include "base/named_options.h"

#include "base/expect_error.h"

#include <gmock/gmock.h>

namespace steadyiqa {
namespace {

TEST(NamedOptions, AreReadAndWritten) {
  const auto options = NamedOptions::parse("blur:sigma=0.5,kernel=3,mode=fast,edge=true", "filter");
  EXPECT_EQ(options.name, "blur");
  EXPECT_EQ(options.values, (nlohmann::json{{"sigma", 0.5}, {"kernel", 3}, {"mode", "fast"}, {"edge", true}}));
  EXPECT_EQ(options.text(), "blur:edge=true,kernel=3,mode=fast,sigma=0.5");
  EXPECT_EQ(NamedOptions::parse("blur", "filter").text(), "blur");
}

TEST(NamedOptions, APartThatIsNoKeyAndValueIsAUsageError) {
  const auto message =
      testing::error_message(ErrorKind::kUsage, [] { static_cast<void>(NamedOptions::parse("blur:3", "filter")); });
  EXPECT_THAT(message, ::testing::HasSubstr("filter 'blur:3': expected key=value, got '3'"));
}

}  // namespace
}  // namespace steadyiqa
