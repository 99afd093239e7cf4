#include "base/base64.h"

#include "base/error.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace steadyiqa {
namespace {

std::string encoded(const std::string& text) { return base64(std::as_bytes(std::span(text))); }
std::string decoded(const std::string& text) {
  const auto bytes = from_base64(text);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(Base64, MatchesTheVectorsOfRfc4648) {
  const std::vector<std::pair<std::string, std::string>> vectors = {{"", ""},
                                                                    {"f", "Zg=="},
                                                                    {"fo", "Zm8="},
                                                                    {"foo", "Zm9v"},
                                                                    {"foob", "Zm9vYg=="},
                                                                    {"fooba", "Zm9vYmE="},
                                                                    {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, code] : vectors) {
    EXPECT_EQ(encoded(plain), code);
    EXPECT_EQ(decoded(code), plain);
  }
}

TEST(Base64, RefusesWhatIsNone) {
  EXPECT_THROW((void)from_base64("Zg="), Error);
  EXPECT_THROW((void)from_base64("Z$=="), Error);
}

}  // namespace
}  // namespace steadyiqa
