#include "data/check.h"

#include "reader_test_support.h"

namespace steadyiqa::data {
namespace {

/// `count` images of 4x3 pixels, each another, with labels 0, 1, 2, ...
class CheckTest : public ReaderTest {
 protected:
  void SetUp() override {
    ReaderTest::SetUp();
    dataset_.name = "small";
    dataset_.scale = {0, 20, Direction::kLowerIsBetter, "small DMOS"};
  }
  void add(int count) {
    for (int i = 0; i < count; ++i) {
      const std::string name = fmt::format("{:03}.png", i);
      image::Image image = patterned_image(4, 3);
      image.pixels[0] = static_cast<std::uint8_t>(i);
      image::write_png(root_ / name, image);
      dataset_.samples.push_back({name, root_ / name, static_cast<double>(i)});
    }
  }
  [[nodiscard]] const std::filesystem::path& path(std::size_t i) const { return dataset_.samples[i].path; }

  Dataset dataset_;
};

TEST_F(CheckTest, DescribesAHealthySet) {
  add(10);
  dataset_.notes = {"odd"};
  const DatasetCheck check = check_dataset(dataset_, 0);
  EXPECT_EQ(check.images, 10);
  EXPECT_EQ(check.decoded, 10);
  EXPECT_FALSE(check.has_failures());
  EXPECT_THAT(check.sizes, ElementsAre(std::pair<std::string, std::int64_t>("4x3", 10)));
  EXPECT_THAT(check.sets, ElementsAre(std::pair<const std::string, std::int64_t>("", 10)));
  EXPECT_EQ(check.label_min, 0);
  EXPECT_EQ(check.label_max, 9);
  EXPECT_EQ(check.label_mean, 4.5);
  EXPECT_EQ(check.direction, "lower is better");
  EXPECT_EQ(check.mos_0_100, "100 - 100 * (label - 0) / (20 - 0)");
  EXPECT_THAT(check.irregularities, ElementsAre("odd"));
}

TEST_F(CheckTest, ASampleIsEvenlySpread) {
  add(10);
  for (const std::size_t broken : {0U, 2U, 5U, 7U}) {  // i * 10 / 4
    write_text(path(broken), "no image");
  }
  EXPECT_EQ(check_dataset(dataset_, 4).failures.size(), 4U);
  EXPECT_EQ(check_dataset(dataset_, 4).decoded, 4);
  EXPECT_EQ(check_dataset(dataset_, 99).decoded, 10);
}

TEST_F(CheckTest, MissingBrokenAndRepeatedImagesAreNamed) {
  add(6);
  std::filesystem::remove(path(1));
  write_text(path(2), "no image");
  std::filesystem::copy_file(path(3), path(5), std::filesystem::copy_options::overwrite_existing);
  const DatasetCheck check = check_dataset(dataset_, 0);
  ASSERT_EQ(check.missing.size(), 1U);
  EXPECT_EQ(check.missing[0].image, "001.png");
  ASSERT_EQ(check.failures.size(), 1U);
  EXPECT_EQ(check.failures[0].image, "002.png");
  EXPECT_THAT(check.failures[0].problem, HasSubstr("002.png"));
  ASSERT_EQ(check.duplicates.size(), 1U);
  EXPECT_EQ(check.duplicates[0].image, "005.png");
  EXPECT_EQ(check.duplicates[0].problem, "same bytes as 003.png");
  EXPECT_TRUE(check.has_failures());
  EXPECT_EQ(check.decoded, 5);
}

// Steps of 1 over the scale 0..20: each of 0..9 is alone in its step, and the scale's end belongs to the last one.
TEST_F(CheckTest, TheHistogramCountsInEqualStepsOverTheScale) {
  add(10);
  dataset_.samples.push_back({"a", "none", 20});
  dataset_.samples.push_back({"b", "none", 20});
  const Histogram histogram = check_dataset(dataset_, 0).histogram;
  EXPECT_EQ(histogram.low, 0);
  EXPECT_EQ(histogram.high, 20);
  EXPECT_THAT(histogram.counts, ElementsAre(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2));
}

TEST_F(CheckTest, TheHistogramReachesLabelsOutsideTheScale) {
  add(3);
  dataset_.samples[2].mos = 40;
  const Histogram histogram = check_dataset(dataset_, 0).histogram;
  EXPECT_EQ(histogram.high, 40);
  EXPECT_EQ(histogram.counts.back(), 1);
}

TEST_F(CheckTest, ReferencesAreCountedAndLeaksTold) {
  add(4);
  for (std::size_t i = 0; i < 4; ++i) {
    dataset_.samples[i].reference = i < 2 ? "a" : "b";
    dataset_.samples[i].set = i < 3 ? "train" : "test";
  }
  dataset_.references = {{"a", path(0)}, {"b", root_ / "gone.png"}};
  const DatasetCheck check = check_dataset(dataset_, 0);
  EXPECT_EQ(check.references, 2);
  EXPECT_EQ(check.missing_references, 1);
  EXPECT_THAT(check.irregularities, ElementsAre("1 references have images in more than one set",
                                                HasSubstr("1 of 2 reference images are missing, first ")));
  EXPECT_FALSE(check.has_failures()) << "a model without reference needs none";
}

TEST_F(CheckTest, JsonHoldsEverything) {
  add(3);
  std::filesystem::remove(path(0));
  const auto json = to_json(check_dataset(dataset_, 0));
  EXPECT_EQ(json.at("images"), 3);
  EXPECT_EQ(json.at("missing").at(0).at("image"), "000.png");
  EXPECT_EQ(json.at("labels").at("direction"), "lower is better");
  EXPECT_EQ(json.at("sizes").at(0).at("size"), "4x3");
  EXPECT_EQ(json.at("histogram").at("counts").size(), 20U);
}

}  // namespace
}  // namespace steadyiqa::data
