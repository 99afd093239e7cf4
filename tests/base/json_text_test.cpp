#include "base/json_text.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace steadyiqa {
namespace {

TEST(JsonText, BytesThatAreNotUtf8BecomeTheReplacementCharacter) {
  const nlohmann::json row = {{"image", "caf\xe9.jpg"}, {"label", "caf\xc3\xa9"}};
  const auto read = nlohmann::json::parse(json_text(row));
  EXPECT_EQ(read["image"], "caf\xef\xbf\xbd.jpg");
  EXPECT_EQ(read["label"], row["label"]);
}

TEST(JsonText, IsOneLineUnlessIndented) {
  const nlohmann::json row = {{"a", {1, 2.5}}};
  EXPECT_EQ(json_text(row), R"({"a":[1,2.5]})");
  EXPECT_EQ(json_text(row, 1), "{\n \"a\": [\n  1,\n  2.5\n ]\n}");
}

TEST(JsonText, Utf8IsToldFromOtherBytes) {
  EXPECT_TRUE(is_utf8("caf\xc3\xa9"));
  EXPECT_FALSE(is_utf8("caf\xe9.jpg"));
}

}  // namespace
}  // namespace steadyiqa
