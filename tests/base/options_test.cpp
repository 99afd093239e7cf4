#include "base/options.h"

#include "base/expect_error.h"

#include <gmock/gmock.h>

#include <cmath>

namespace steadyiqa {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using testing::error_message;
using ::testing::HasSubstr;

enum class Norm { kLinf, kL2 };

struct Options {
  double step = 0.1;
  float weight = 1.0F;
  int epochs = 3;
  std::uint64_t seed = 1;
  bool mirror = false;
  std::string name = "run";
  Norm norm = Norm::kLinf;
};

FieldTable<Options> table() {
  return {field("step", &Options::step, {.help = "step size", .unit = "pixel units", .min = 0, .max = 1}),
          field("weight", &Options::weight, {.help = "weight", .min = 0}),
          field("epochs", &Options::epochs, {.help = "passes", .min = 1}),
          field("seed", &Options::seed, {.help = "seed"}),
          field("mirror", &Options::mirror, {.help = "mirror"}),
          field("name", &Options::name, {.help = "name"}),
          field("norm", &Options::norm, {"linf", "l2"}, {.help = "norm"})};
}

std::string refused(const json& object) {
  return error_message(ErrorKind::kUsage, [&] {
    Options options;
    options_from_json(options, table(), object, "recipe.toml");
  });
}

TEST(OptionsTest, GoToJsonAndBack) {
  const Options changed{0.25, 2.5F, 7, 99, true, "n", Norm::kL2};
  const json object = options_to_json(changed, table());
  EXPECT_EQ(object,
            json::parse(R"({"step":0.25,"weight":2.5,"epochs":7,"seed":99,"mirror":true,"name":"n","norm":"l2"})"));
  Options options;
  options_from_json(options, table(), object, "test");
  EXPECT_EQ(options_to_json(options, table()), object);
}

TEST(OptionsTest, UnknownKeySaysWhereAndNamesTheNearest) {
  EXPECT_THAT(refused({{"epoch", 3}}), AllOf(HasSubstr("recipe.toml"), HasSubstr("'epoch'"), HasSubstr("'epochs'")));
}

TEST(OptionsTest, OutOfRangeNamesFieldValueRangeAndUnit) {
  EXPECT_THAT(refused({{"step", 1.5}}),
              AllOf(HasSubstr("recipe.toml: step = 1.5"), HasSubstr("between 0 and 1"), HasSubstr("pixel units")));
  EXPECT_THAT(refused({{"epochs", 0}}), AllOf(HasSubstr("epochs = 0"), HasSubstr("at least 1")));
  EXPECT_THAT(refused({{"step", NAN}}), AllOf(HasSubstr("step = nan"), HasSubstr("between 0 and 1")));
  EXPECT_THAT(refused({{"weight", INFINITY}}), HasSubstr("weight = inf"));
}

TEST(OptionsTest, EndsOfTheRangeAreInside) {
  Options options;
  options_from_json(options, table(), {{"step", 1}, {"epochs", 1}}, "test");
  EXPECT_EQ(options.step, 1.0);
  options_from_json(options, table(), {{"step", 0.0}}, "test");
  EXPECT_EQ(options.step, 0.0);
}

TEST(OptionsTest, WrongTypeIsRefusedByName) {
  const json wrong{{"step", "0.5"}, {"weight", true}, {"epochs", 2.5}, {"seed", nullptr},
                   {"mirror", 1},   {"name", 12},     {"norm", 0}};
  for (const auto& [key, value] : wrong.items()) {
    EXPECT_THAT(refused({{key, value}}), AllOf(HasSubstr(key + " = "), HasSubstr("must be"))) << key;
  }
  EXPECT_THAT(refused({{"epochs", json::array({1, 2})}}), HasSubstr("[1,2]"));
  EXPECT_THAT(refused({{"epochs", NAN}}), HasSubstr("an integer"));
  EXPECT_THAT(refused({{"name", "caf\xe9"}}), HasSubstr("UTF-8 text"));
}

TEST(OptionsTest, NumbersThatDoNotFitAreRefusedNotWrapped) {
  EXPECT_THAT(refused({{"epochs", 4294967297LL}}), HasSubstr("4294967297"));
  EXPECT_THAT(refused({{"epochs", 1e300}}), HasSubstr("epochs"));
  EXPECT_THAT(refused({{"seed", -1}}), HasSubstr("-1"));
  EXPECT_THAT(refused({{"seed", 18446744073709551615ULL}}), HasSubstr("18446744073709551615"));
  EXPECT_THAT(refused({{"weight", 1e300}}), HasSubstr("weight"));
}

TEST(OptionsTest, WholeNumbersMayBeSpelledAsFloats) {
  Options options;
  options_from_json(options, table(), {{"epochs", 1e2}}, "test");
  EXPECT_EQ(options.epochs, 100);
}

TEST(OptionsTest, UnknownChoiceListsTheChoices) {
  EXPECT_THAT(refused({{"norm", "linff"}}), AllOf(HasSubstr("linf, l2"), HasSubstr("did you mean 'linf'")));
}

TEST(OptionsTest, MessageSurvivesHostileText) {
  const std::string message = refused({{"norm", "\xFF\n" + std::string(100000, 'x')}});
  EXPECT_LT(message.size(), 300U);
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

TEST(FlagTextTest, IsTypedByItsSpelling) {
  EXPECT_EQ(detail::parse_flag_text("true"), json(true));
  EXPECT_TRUE(detail::parse_flag_text("12").is_number_integer());
  EXPECT_EQ(detail::parse_flag_text("-3"), json(-3));
  EXPECT_EQ(detail::parse_flag_text("1e-3"), json(1e-3));
  EXPECT_EQ(detail::parse_flag_text("4/255"), json("4/255"));
  EXPECT_EQ(detail::parse_flag_text(""), json(""));
}

TEST(FlagTextTest, StringsAndChoicesTakeTheTextAsItStands) {
  Options options;
  const auto fields = table();
  set_from_text(options, fields.at(5), "007");
  EXPECT_EQ(options.name, "007");
  set_from_text(options, fields.at(6), "l2");
  EXPECT_EQ(options.norm, Norm::kL2);
  set_from_text(options, fields.at(2), "1e2");
  EXPECT_EQ(options.epochs, 100);
  (void)error_message(ErrorKind::kUsage, [&] { set_from_text(options, fields.at(0), "nan"); });
}

}  // namespace
}  // namespace steadyiqa
