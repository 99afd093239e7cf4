#include "base/toml_file.h"

#include "base/expect_error.h"
#include "base/file.h"
#include "base/temp_folder.h"

#include <gmock/gmock.h>

namespace steadyiqa {
namespace {

using testing::error_message;
using ::testing::HasSubstr;

class TomlFileTest : public testing::TempFolder {
 protected:
  nlohmann::json read(std::string_view text) {
    write_file_atomic(folder() / "recipe.toml", text);
    return read_toml(folder() / "recipe.toml");
  }
  std::string refused(std::string_view text) {
    return error_message(ErrorKind::kUsage, [&] { (void)read(text); });
  }
};

TEST_F(TomlFileTest, BecomesTheSameTreeAsPythonsTomllib) {
  // python3 -c 'import tomllib, json; print(json.dumps(tomllib.loads(TEXT)))'
  EXPECT_EQ(
      read("name = \"a\"\nbig = 9223372036854775807\nhex = 0x10\n[train]\nlr = 1e-4\nflip = true\nsizes = [1, 2]\n"
           "data.root = 'x\\y'\n[[attack]]\nk = 1\n[[attack]]\nk = 2\n"),
      nlohmann::json::parse(R"({"name":"a","big":9223372036854775807,"hex":16,"train":{"lr":0.0001,"flip":true,
              "sizes":[1,2],"data":{"root":"x\\y"}},"attack":[{"k":1},{"k":2}]})"));
  EXPECT_EQ(read(""), nlohmann::json::object());
}

TEST_F(TomlFileTest, ErrorCarriesFileAndLine) {
  EXPECT_THAT(refused("a = 1\nb = 2\nc = = 3\n"), HasSubstr("recipe.toml:3: "));
  EXPECT_THAT(refused("a = 1\na = 2\n"), HasSubstr("recipe.toml:2: "));
}

TEST_F(TomlFileTest, DatesAreRefusedWithTheirLine) {
  EXPECT_THAT(refused("a = 1\n\nwhen = 1979-05-27\n"), HasSubstr("recipe.toml:3: "));
}

TEST_F(TomlFileTest, HostileNestingIsRefused) {
  std::string keys = "a";
  for (int i = 0; i < 300000; ++i) {
    keys += ".a";
  }
  EXPECT_THAT(refused(keys + " = 1"), HasSubstr("dots"));
  EXPECT_THAT(refused("a = " + std::string(100000, '[')), HasSubstr("recipe.toml:1: "));
  std::string deepest = "a";
  for (int i = 0; i < 1999; ++i) {
    deepest += ".a";
  }
  EXPECT_TRUE(read(deepest + " = 1").is_object());
  std::string within = "1";  // arrays of tables, each with a long key on a line of its own
  for (int i = 0; i < 100; ++i) {
    within = fmt::format("[\n{{{} = {}}}]", deepest.substr(0, 1801), within);
  }
  EXPECT_THAT(refused("a = " + within), HasSubstr("dots"));
}

TEST_F(TomlFileTest, BrokenBytesAreAUsageError) {
  EXPECT_THAT(refused("a = \"\xFF\xFE\"\n"), HasSubstr("recipe.toml:1: "));
}

TEST_F(TomlFileTest, MissingFileIsAnInputError) {
  EXPECT_THAT(error_message(ErrorKind::kInput, [&] { (void)read_toml(folder() / "none.toml"); }),
              HasSubstr("none.toml"));
}

}  // namespace
}  // namespace steadyiqa
