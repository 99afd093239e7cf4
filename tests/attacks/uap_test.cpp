// The perturbation as a value, as a file and as an attack.
#include "attacks/uap.h"

#include "attacks/catalogue.h"
#include "attacks/tiny_uap.h"
#include "base/digest.h"
#include "base/expect_error.h"
#include "base/file.h"
#include "base/temp_folder.h"
#include "checkpoint/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>

namespace steadyiqa::attacks {
namespace {

using ::steadyiqa::testing::error_message;
using ::steadyiqa::testing::kTinyCrop;
using ::steadyiqa::testing::tiny_images;
using ::steadyiqa::testing::tiny_scorer;
using ::steadyiqa::testing::tiny_uap;
using ::testing::HasSubstr;

constexpr double kLevel = 1.0 / 255.0;

// make_uap_values.py (numpy.tile, cut), as sums weighed by the place.
TEST(Tiled, EqualsNumpysTileCut) {
  const auto square = torch::arange(3 * 5 * 5).view({3, 5, 5}).to(torch::kFloat64);
  const auto checksum = [&](std::int64_t height, std::int64_t width) {
    const auto tiles = tiled(square, height, width);
    EXPECT_TRUE(tiles.sizes().equals({3, height, width}));
    return (tiles * torch::arange(tiles.numel()).view_as(tiles)).sum().item<double>();
  };
  EXPECT_EQ(checksum(12, 13), 5112465);
  EXPECT_EQ(checksum(3, 4), 27570);
  EXPECT_EQ(checksum(5, 10), 553775);
}

/// 8x8 tiles of values that reach the bound of 0.1; the one that lowers is half of the other, turned round.
Uap small_uap(bool both) {
  Uap uap;
  uap.training = {.directions = both ? UapDirections::kBoth : UapDirections::kUp, .tile = 8, .epochs = 2, .seed = 5};
  uap.up = 0.1 * torch::linspace(-1, 1, 3 * 8 * 8).view({3, 8, 8});
  if (both) {
    uap.down = -0.5 * uap.up;
  }
  uap.epochs = 1;
  uap.model = "compact";
  uap.model_sha256 = std::string(64, 'a');
  uap.images = {"0123456789abcdef", "fedcba9876543210"};
  return uap;
}

class UapFile : public ::steadyiqa::testing::TempFolder {
 protected:
  [[nodiscard]] std::string path() const { return folder() / "u.safetensors"; }
  /// What reading says of the file that `damage` leaves of a good one.
  [[nodiscard]] std::string refusal(
      const std::function<void(checkpoint::SafetensorsFile& file, nlohmann::json& metadata)>& damage) const {
    write_uap(path(), small_uap(/*both=*/true));
    auto file = checkpoint::read_safetensors(path());
    auto metadata = nlohmann::json::parse(file.metadata.at("steadyiqa-uap"));
    damage(file, metadata);
    if (file.metadata.contains("steadyiqa-uap")) {
      file.metadata["steadyiqa-uap"] = metadata.dump();
    }
    checkpoint::write_safetensors(path(), file);
    const auto message = error_message(ErrorKind::kInput, [&] { static_cast<void>(read_uap(path())); });
    EXPECT_THAT(message, ::testing::StartsWith(path() + ": "));
    return message;
  }
};

TEST_F(UapFile, IsReadAsItWasWritten) {
  for (const bool both : {false, true}) {
    const auto uap = small_uap(both);
    write_uap(path(), uap);
    const auto bytes = read_file(path());
    const auto read = read_uap(path());
    EXPECT_TRUE(torch::equal(read.up, uap.up));
    ASSERT_EQ(read.down.defined(), both);
    EXPECT_TRUE(!both || torch::equal(read.down, uap.down));
    EXPECT_EQ(options_to_json(read.training, uap_fields()), options_to_json(uap.training, uap_fields()));
    EXPECT_EQ(read.epochs, 1);
    EXPECT_EQ(read.model, "compact");
    EXPECT_EQ(read.model_sha256, uap.model_sha256);
    EXPECT_EQ(read.images, uap.images);
    write_uap(path(), read);
    EXPECT_EQ(read_file(path()), bytes);
  }
}

TEST_F(UapFile, OfAnotherKindIsRefused) {
  EXPECT_THAT(refusal([](auto& file, auto& /*m*/) { file.metadata.clear(); }),
              HasSubstr("not a universal perturbation"));
  write_file_atomic(path(), "no safetensors");
  EXPECT_THAT(error_message(ErrorKind::kInput, [&] { static_cast<void>(read_uap(path())); }), HasSubstr(path()));
  EXPECT_THAT(error_message(ErrorKind::kInput, [&] { static_cast<void>(read_uap(folder() / "none.safetensors")); }),
              HasSubstr("none.safetensors"));
}

TEST_F(UapFile, WithWrongMetadataIsRefused) {
  EXPECT_THAT(refusal([](auto& /*f*/, auto& m) { m["format"] = 2; }), HasSubstr("format 2, this version reads 1"));
  EXPECT_THAT(refusal([](auto& /*f*/, auto& m) { m["format"] = "1"; }), HasSubstr("format ?"));
  EXPECT_THAT(refusal([](auto& /*f*/, auto& m) { m = nlohmann::json::array(); }), HasSubstr("broken"));
  EXPECT_THAT(refusal([](auto& /*f*/, auto& m) { m["training"].erase("bound"); }), HasSubstr("bound"));
  EXPECT_THAT(refusal([](auto& /*f*/, auto& m) { m["training"]["bound"] = 7; }), HasSubstr("bound = 7"));
  EXPECT_THAT(refusal([](auto& /*f*/, auto& m) { m["training"]["tile"] = 1e9; }), HasSubstr("tile"));
  EXPECT_THAT(refusal([](auto& /*f*/, auto& m) { m["training"]["more"] = 1; }), HasSubstr("'more'"));
  EXPECT_THAT(refusal([](auto& /*f*/, auto& m) { m["epochs"] = 3; }), HasSubstr("3 finished epochs of 2"));
  EXPECT_THAT(refusal([](auto& /*f*/, auto& m) { m["model"]["sha256"] = "ab\n"; }), HasSubstr("digest"));
  EXPECT_THAT(refusal([](auto& /*f*/, auto& m) { m["images"][0] = "no"; }), HasSubstr("digest"));
  EXPECT_THAT(refusal([](auto& /*f*/, auto& m) { m["images"] = "no"; }), HasSubstr("broken"));
  EXPECT_THAT(refusal([](auto& /*f*/, auto& m) { std::swap(m["images"][0], m["images"][1]); }),
              HasSubstr("not sorted"));
}

TEST_F(UapFile, WithWrongTensorsIsRefused) {
  constexpr auto kNaN = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(refusal([](auto& f, auto& /*m*/) { f.tensors.erase("up"); }), HasSubstr("lacks tensor up"));
  EXPECT_THAT(refusal([](auto& f, auto& /*m*/) { f.tensors.erase("down"); }), HasSubstr("down"));
  EXPECT_THAT(refusal([](auto& /*f*/, auto& m) { m["training"]["direction"] = "up"; }), HasSubstr("down"));
  EXPECT_THAT(refusal([](auto& f, auto& /*m*/) { f.tensors["more"] = torch::ones(1); }),
              HasSubstr("unexpected tensor 'more'"));
  EXPECT_THAT(refusal([](auto& f, auto& /*m*/) {
                f.tensors["up"] = torch::zeros({3, 8, 9});
              }),
              HasSubstr("[3,8,9], not float32 [3,8,8]"));
  EXPECT_THAT(refusal([](auto& f, auto& /*m*/) { f.tensors["up"] = torch::zeros({1}); }), HasSubstr("[3,8,8]"));
  EXPECT_THAT(refusal([](auto& f, auto& /*m*/) {
                f.tensors["up"] = torch::zeros({3, 8, 8}, torch::kFloat64);
              }),
              HasSubstr("float32"));
  EXPECT_THAT(refusal([](auto& f, auto& /*m*/) { f.tensors["down"][0][0][0] = kNaN; }), HasSubstr("not finite"));
  EXPECT_THAT(refusal([](auto& f, auto& /*m*/) { f.tensors["down"][0][0][0] = 0.11F; }), HasSubstr("bound of 0.1"));
}

/// Answers `limit` times with a function of one [3,H,W] image.
class LimitedVictim : public Victim {
 public:
  LimitedVictim(std::function<double(const torch::Tensor&)> score, std::int64_t limit)
      : score_(std::move(score)), left_(limit) {}
  [[nodiscard]] torch::Tensor raw(const torch::Tensor& pixels) override {
    auto scores = torch::empty({pixels.size(0)});
    for (std::int64_t i = 0; i < pixels.size(0); ++i, --left_) {
      scores[i] = score_(pixels[i]);
    }
    return scores;
  }
  [[nodiscard]] bool has_gradient() const override { return false; }
  [[nodiscard]] stats::Affine calibration() const override { return {}; }
  /// Below 0 when it was asked too often.
  [[nodiscard]] std::int64_t queries_left() const override { return left_; }

 private:
  std::function<double(const torch::Tensor&)> score_;
  std::int64_t left_;
};

/// The attack on a victim that it asks nothing, alone with its budget.
torch::Tensor proposed(const std::string& spec, const torch::Tensor& clean, double epsilon, double way) {
  LimitedVictim nobody([](const torch::Tensor& /*x*/) -> double { throw Error(ErrorKind::kUsage, "asked"); }, 0);
  Problem problem(nobody, clean, torch::full({clean.size(0)}, way), {}, epsilon,
                  std::vector<std::uint64_t>(static_cast<std::size_t>(clean.size(0)), 0));
  return make_attack(AttackSpec::parse(spec))->propose(problem);
}

class UapAttack : public UapFile {
 protected:
  static constexpr std::int64_t kHeight = 11;
  static constexpr std::int64_t kWidth = 21;
  [[nodiscard]] std::string spec(const std::string& more = "") const { return "uap:file=" + path() + more; }
  /// Far enough from black and white that nothing is cut.
  [[nodiscard]] static torch::Tensor grey() { return torch::full({2, 3, kHeight, kWidth}, 0.5); }
};

TEST_F(UapAttack, AddsTheTiledPerturbationAtTheAmplitudeOfTheBudget) {
  const auto uap = small_uap(/*both=*/true);
  write_uap(path(), uap);
  for (const double epsilon : {2 * kLevel, 4 * kLevel, 0.3}) {  // a sweep of --eps is one of amplitudes
    const auto up = proposed(spec(), grey(), epsilon, 1) - grey();
    const auto down = proposed(spec(), grey(), epsilon, -1) - grey();
    const auto expected = epsilon / 0.1 * tiled(uap.up, kHeight, kWidth).expand_as(up);
    EXPECT_LT((up - expected).abs().max().item<double>(), 1e-6);
    EXPECT_LT((down + expected).abs().max().item<double>(), 1e-6);  // its largest value is the budget, too
  }
}

TEST_F(UapAttack, AGivenAmplitudeIsCutToTheBudget) {
  const auto uap = small_uap(/*both=*/false);
  write_uap(path(), uap);
  const auto tiles = tiled(uap.up, kHeight, kWidth).expand({2, 3, kHeight, kWidth});
  const auto within = proposed(spec(",amplitude=0.4"), grey(), 0.2, 1) - grey();
  EXPECT_LT((within - 0.4 * tiles).abs().max().item<double>(), 1e-6);
  const auto cut = proposed(spec(",amplitude=2"), grey(), 0.05, 1) - grey();
  EXPECT_LT((cut - (2 * tiles).clamp(-0.05, 0.05)).abs().max().item<double>(), 1e-6);
}

TEST_F(UapAttack, OfOneSidePushesThatWayWhateverIsWanted) {
  write_uap(path(), small_uap(/*both=*/false));
  EXPECT_TRUE(torch::equal(proposed(spec(), grey(), 0.1, -1), proposed(spec(), grey(), 0.1, 1)));
}

TEST_F(UapAttack, NeedsAFile) {
  const auto message = error_message(ErrorKind::kUsage, [] { static_cast<void>(make_attack({"uap"})); });
  EXPECT_THAT(message, HasSubstr("file=PATH"));
  error_message(ErrorKind::kInput, [&] { static_cast<void>(make_attack(AttackSpec::parse(spec()))); });
}

TEST_F(UapAttack, ItsParametersTellTheFilesDigest) {
  write_uap(path(), small_uap(/*both=*/false));
  EXPECT_EQ(attack_parameters(AttackSpec::parse(spec())).at("file_sha256"), sha256_file(path()));
  EXPECT_EQ(attack_parameters(AttackSpec::parse("auto:uap=" + path())).at("uap_sha256"), sha256_file(path()));
  EXPECT_FALSE(attack_parameters({"auto"}).contains("uap_sha256"));
}

TEST_F(UapAttack, KnowsItsOwnTrainingImagesAndItsVictim) {
  const auto own = tiny_images(1)[0];
  auto other = own.clone();
  other[0][2][63][63] = std::fmod(own[0][2][63][63].item<double>() + 0.2, 1.0);  // one pixel of another colour
  const auto flagged = [](const std::string& spec, const torch::Tensor& pixels) {
    const AttackOptions options{.attack = AttackSpec::parse(spec), .epsilon = 2 * kLevel};
    return make_attack(options.attack)->run(tiny_scorer(), pixels, options).own_training_image;
  };
  for (const std::string spec : {"uap:file=", "auto:quick=true,uap="}) {
    EXPECT_TRUE(flagged(spec + tiny_uap().file(), own)) << spec;
    EXPECT_FALSE(flagged(spec + tiny_uap().file(), other)) << spec;
    const auto attack = make_attack(AttackSpec::parse(spec + tiny_uap().file()));
    EXPECT_THAT(attack->caveats(tiny_uap().uap().model_sha256), ::testing::ElementsAre(HasSubstr("white-box")));
    EXPECT_TRUE(attack->caveats(std::string(64, '1')).empty());
  }
  EXPECT_FALSE(flagged("fgsm", own));
}

TEST(TinyUap, PushesTheScoresOfOtherImagesBothWaysFurtherThanRandomSigns) {
  const auto scorer = tiny_scorer();
  const auto others = data::make_synthetic_set({.references = 4, .versions = 2, .size = 64, .seed = 77});
  double up = 0;
  double down = 0;
  double random = 0;
  for (const auto& image : others.images) {
    const auto pixels = data::to_tensor(image).unsqueeze(0);
    const auto change = [&](const std::string& spec, Direction direction) {
      const AttackOptions options{.attack = AttackSpec::parse(spec), .epsilon = 8 * kLevel, .direction = direction};
      const auto result = make_attack(options.attack)->run(scorer, pixels, options);
      EXPECT_FALSE(result.own_training_image);
      return result.attacked_raw - result.clean_raw;
    };
    up += change("uap:file=" + tiny_uap().file(), Direction::kUp);
    down += change("uap:file=" + tiny_uap().file(), Direction::kDown);
    random += std::abs(change("random", Direction::kUp));
  }
  EXPECT_GT(up, 3 * random);
  EXPECT_LT(down, -3 * random);
}

TEST(AutoWithUap, IsAtLeastAsStrongAsTheUap) {
  const auto scorer = tiny_scorer();
  const auto pixels = tiny_images(1)[0];
  const auto moved = [&](const std::string& spec) {
    const AttackOptions options{.attack = AttackSpec::parse(spec), .epsilon = 4 * kLevel, .direction = Direction::kUp};
    return make_attack(options.attack)->run(scorer, pixels, options).attacked_raw;
  };
  EXPECT_GE(moved("auto:quick=true,uap=" + tiny_uap().file()), moved("uap:file=" + tiny_uap().file()));
}

TEST(AutoWithUap, TakesItWhereItIsBestAndKeepsTheVictimsLimit) {
  // This victim likes nothing but the perturbation: the nearer, the better.
  const auto pixels = torch::full({1, 3, 20, 20}, 128 * kLevel);
  const auto wanted = proposed("uap:file=" + tiny_uap().file(), pixels, 4 * kLevel, 1);
  const auto likes = [&](const torch::Tensor& x) { return -(x - wanted[0]).abs().sum().item<double>(); };
  for (const std::int64_t limit : {2, 3, 4, 5, 12}) {
    LimitedVictim victim(likes, limit);
    const AttackOptions options{.attack = AttackSpec::parse("auto:quick=true,uap=" + tiny_uap().file()),
                                .epsilon = 4 * kLevel,
                                .direction = Direction::kUp};
    const auto result = make_attack(options.attack)->run(victim, pixels, options);
    EXPECT_GE(victim.queries_left(), 0) << limit;
    EXPECT_TRUE(torch::equal(result.attacked, round_to_8_bit(wanted, pixels, 4))) << limit;
  }
}

}  // namespace
}  // namespace steadyiqa::attacks
