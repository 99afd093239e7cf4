#include "evaluation/protocol.h"

#include "attacks/tiny_scorer.h"
#include "base/expect_error.h"
#include "base/file.h"
#include "base/temp_folder.h"
#include "base/toml_file.h"

#include <gtest/gtest.h>

namespace steadyiqa::evaluation {
namespace {

using ::steadyiqa::testing::error_message;

Protocol parse(const std::string& text) { return parse_protocol(parse_toml(text, "p.toml"), "p.toml"); }

std::string usage_error(const std::string& text) {
  return error_message(ErrorKind::kUsage, [&] { static_cast<void>(parse(text)); });
}

constexpr const char* kMine = R"(
name = "mine"
[[attack]]
attack = "ifgsm:steps=3"
eps = ["1/255", "2/255"]
direction = ["up", "down"]
)";

TEST(ProtocolText, IsEveryBudgetInEveryDirection) {
  const auto p = parse(kMine);
  ASSERT_EQ(p.attacks.size(), 4U);
  EXPECT_EQ(p.attacks[1].epsilon, 1.0 / 255.0);
  EXPECT_EQ(p.attacks[1].direction, attacks::Direction::kDown);
  EXPECT_EQ(p.attacks[2].epsilon, 2.0 / 255.0);
  EXPECT_EQ(p.document.at("attacks").at(0).at("parameters").at("steps"), 3);
}

TEST(ProtocolText, AnyChangeChangesTheDigest) {
  const auto digest = parse(kMine).digest;
  EXPECT_EQ(digest, parse(kMine).digest);
  for (const auto& [from, to] : {std::pair{"steps=3", "steps=4"}, std::pair{"2/255", "4/255"},
                                 std::pair{"\"up\", ", ""}, std::pair{"mine", "yours"}}) {
    std::string text = kMine;
    text.replace(text.find(from), std::string(from).size(), to);
    EXPECT_NE(parse(text).digest, digest) << to;
  }
}

TEST(ProtocolText, ErrorsNameThePlaceAndTheNearest) {
  EXPECT_NE(usage_error("name = \"a\"\natack = 3").find("'attack'"), std::string::npos);
  EXPECT_NE(usage_error("about = \"nothing\"").find("needs a name"), std::string::npos);
  EXPECT_NE(usage_error("name=\"a\"\n[[attack]]\nattack=\"fgsn\"\neps=[\"1/255\"]").find("fgsm"), std::string::npos);
  EXPECT_NE(usage_error("name=\"a\"\n[[attack]]\nattack=\"fgsm\"\neps=[\"4\"]").find("eps"), std::string::npos);
  EXPECT_NE(usage_error("name=\"a\"\n[preprocessing]\ncrop-cont=3").find("crop-count"), std::string::npos);
}

TEST(NamedProtocols, AreWhatTheyWereWhenTheyGotTheirNames) {
  for (const auto& named : named_protocols()) {
    const std::string name(named.name);
    const auto protocol = parse_protocol(parse_toml(named.toml, name), name);
    EXPECT_EQ(protocol.name, named.name);
    EXPECT_EQ(protocol.digest, named.digest) << named.name << " changed: give the new one another name";
    EXPECT_EQ(load_protocol(name).digest, named.digest);
  }
}

class ProtocolFiles : public ::steadyiqa::testing::TempFolder {};

TEST_F(ProtocolFiles, AChangedProtocolCannotCarryTheName) {
  std::string text(named_protocols()[2].toml);
  ASSERT_EQ(named_protocols()[2].name, "smoke");
  write_file_atomic(folder() / "same.toml", text);
  EXPECT_EQ(load_protocol(folder() / "same.toml").digest, named_protocols()[2].digest);
  text.replace(text.find("2/255"), 5, "3/255");
  write_file_atomic(folder() / "changed.toml", text);
  const auto message =
      error_message(ErrorKind::kUsage, [&] { static_cast<void>(load_protocol(folder() / "changed.toml")); });
  EXPECT_NE(message.find("another name"), std::string::npos) << message;
}

TEST(NamedProtocols, UnknownOnesNameTheNearest) {
  const auto message = error_message(ErrorKind::kUsage, [] { static_cast<void>(load_protocol("robust-v2")); });
  EXPECT_NE(message.find("robust-v1"), std::string::npos) << message;
}

TEST(NamedProtocols, Nt2024AsksForItsFiles) {
  auto protocol = load_protocol("nt-2024");
  EXPECT_EQ(protocol.assets, (std::vector<std::string>{"korhonen", "uap"}));
  const auto message = error_message(ErrorKind::kUsage, [&] { supply_files(protocol, {{"uap", "u.safetensors"}}); });
  EXPECT_NE(message.find("--file"), std::string::npos) << message;
  EXPECT_NE(error_message(ErrorKind::kUsage,
                          [&] {
                            supply_files(protocol, {{"uab", "u"}});
                          })
                .find("uap"),
            std::string::npos);
}

TEST(ProtocolPreprocessing, GoesOverTheModels) {
  auto scorer = ::steadyiqa::testing::tiny_scorer(10.0);
  apply_preprocessing(parse("name=\"a\"\n[preprocessing]\ncrops=\"random\"\ncrop-count=5"), scorer);
  EXPECT_EQ(scorer.options().crops.kind, image::CropKind::kRandom);
  EXPECT_EQ(scorer.options().crops.count, 5);
}

}  // namespace
}  // namespace steadyiqa::evaluation
