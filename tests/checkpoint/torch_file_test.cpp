// Files of torch.save: samples/ (make_samples.py), damaged copies of them, and hostile ones made by hand.
#include "base/error.h"
#include "base/expect_error.h"
#include "base/file.h"
#include "base/seed.h"
#include "base/temp_folder.h"
#include "checkpoint/checkpoint_file.h"
#include "checkpoint/hand_made.h"
#include "places.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <torch/torch.h>
#include <zip.h>

#include <fstream>

namespace steadyiqa::checkpoint {
namespace {

using steadyiqa::testing::error_message;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::legacy_file;
using testing::pickled_integer;
using testing::pickled_text;
using testing::tensor_pickle;

std::filesystem::path samples() { return steadyiqa::testing::repository() / "tests" / "checkpoint" / "samples"; }

/// The lines that make_samples.py writes beside a file.
std::string described(const Checkpoint& file) {
  std::string text;
  for (const auto& [name, tensor] : file.tensors) {
    const auto values = tensor.to(torch::kFloat64).reshape({-1});
    std::string list;
    for (std::int64_t i = 0; i < values.numel(); ++i) {
      list += fmt::format("{}{:g}", i == 0 ? "" : ",", values[i].item<double>());
    }
    text += fmt::format("{} {} {}{}{}\n", name, find_dtype(tensor.scalar_type())->name, shape_text(tensor.sizes()),
                        list.empty() ? "" : " ", list);
  }
  for (const auto& [name, value] : file.info.scalars) {
    // A damaged text may be no UTF-8.
    text += fmt::format("{} = {}\n", name, value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  }
  return text;
}

/// Written without the care of write_file_atomic: thousands of them.
void write_quickly(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

long peak_kilobytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

class TorchSample : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) / fmt::format("steadyiqa_torch_{}_{}", GetParam(), getpid());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  [[nodiscard]] static std::filesystem::path path() { return samples() / (GetParam() + ".pth"); }
  /// Loads those bytes; anything but an Error(kInput) of one line that names the file fails the test. True for a load.
  [[nodiscard]] bool loads(const std::string& bytes) const {
    const auto damaged = folder_ / "damaged.pth";
    write_quickly(damaged, bytes);
    try {
      const auto file = read_checkpoint(damaged);
      EXPECT_FALSE(described(file).empty());
      return true;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInput) << error.what();
      EXPECT_THAT(error.what(), HasSubstr("damaged.pth"));
    }
    return false;
  }

 private:
  std::filesystem::path folder_;
};

TEST_P(TorchSample, LoadsWhatTorchSaved) {
  const auto file = read_checkpoint(path());
  EXPECT_EQ(described(file), read_text_file(samples() / (GetParam() + ".txt")));
  EXPECT_EQ(file.info.container, GetParam().ends_with("_legacy") ? "PyTorch legacy" : "PyTorch zip");
  const auto info = inspect_checkpoint(path());
  ASSERT_EQ(info.tensors.size(), file.tensors.size());
  for (const auto& [name, tensor] : file.tensors) {
    EXPECT_EQ(info.tensors.at(name).dtype, tensor.scalar_type());
    EXPECT_TRUE(tensor.sizes().equals(info.tensors.at(name).shape));
    EXPECT_TRUE(tensor.is_contiguous());
  }
}

TEST_P(TorchSample, TruncatedFilesAreErrors) {
  const auto whole = read_text_file(path());
  for (std::size_t i = 0; i < 200; ++i) {
    const auto size = i * whole.size() / 200;
    EXPECT_FALSE(loads(whole.substr(0, size))) << size << " of " << whole.size();
  }
}

// Slower than other tests: 1,000 files are written and loaded, each through the file system as a user's would be.
TEST_P(TorchSample, FlippedBytesAreErrorsOrLoad) {
  const auto whole = read_text_file(path());
  Rng rng(derive_seed(7, GetParam(), 0));
  ASSERT_TRUE(loads(whole));
  const auto before = peak_kilobytes();
  int loaded = 0;
  for (int i = 0; i < 1'000; ++i) {
    auto bytes = whole;
    auto& byte = bytes[static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(bytes.size())))];
    byte = static_cast<char>(byte ^ static_cast<char>(1 + rng.below(255)));
    loaded += loads(bytes) ? 1 : 0;
  }
  EXPECT_GT(loaded, 0);
  EXPECT_LT(loaded, 1'000);
  // A size taken from a damaged file and believed would show; the samples have a few kilobytes.
  EXPECT_LT(peak_kilobytes() - before, 16'384);
}

std::vector<std::string> sample_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(samples())) {
    if (entry.path().extension() == ".pth") {
      names.push_back(entry.path().stem());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}
INSTANTIATE_TEST_SUITE_P(Samples, TorchSample, ::testing::ValuesIn(sample_names()),
                         [](const auto& sample) { return sample.param; });

TEST(TorchFile, TheWrappingIsTold) {
  const auto wrapping = [](const char* name) { return inspect_checkpoint(samples() / name).wrapping; };
  EXPECT_THAT(wrapping("ordered_zip.pth"), IsEmpty());
  EXPECT_THAT(wrapping("model_legacy.pth"), ElementsAre("['model']"));
  EXPECT_THAT(wrapping("ema_zip.pth"), ElementsAre("['params_ema']"));
  EXPECT_THAT(wrapping("nested_zip.pth"), ElementsAre("['state_dict']", "['net']"));
  EXPECT_THAT(wrapping("prefixes_zip.pth"), ElementsAre("['model_state_dict']", "module.", "model."));
  const std::string parallel = "torch.nn.parallel.data_parallel.DataParallel object";
  EXPECT_THAT(wrapping("module_zip.pth"), ElementsAre(parallel, "module."));
  EXPECT_THAT(wrapping("module_legacy.pth"), ElementsAre(parallel, "module."));
  EXPECT_EQ(inspect_checkpoint(samples() / "model_legacy.pth").others.at("optimizer"), "dict");
}

TEST(TorchFile, ASafetensorsFileWithAHeaderThatBeginsAsAPickleIsRead) {
  const auto path = std::filesystem::path(::testing::TempDir()) / fmt::format("steadyiqa_640_{}", getpid());
  SafetensorsFile file;
  file.tensors["w"] = torch::ones({2});
  file.metadata["pad"] = "";
  const auto size = [&] { return std::to_integer<int>(serialize_safetensors(file)[1]) * 256; };
  while (size() < 512) {
    file.metadata["pad"] += ' ';
  }
  file.metadata["pad"] += std::string(128, ' ');
  write_safetensors(path, file);
  EXPECT_EQ(read_text_file(path).substr(0, 2), "\x80\x02");
  EXPECT_EQ(read_checkpoint(path).info.container, "safetensors");
  std::filesystem::remove(path);
}

class HostileFile : public steadyiqa::testing::TempFolder {
 protected:
  [[nodiscard]] Checkpoint read(const std::string& bytes) const {
    write_quickly(folder() / "hostile.pth", bytes);
    return read_checkpoint(folder() / "hostile.pth");
  }
  [[nodiscard]] std::string message(const std::string& bytes) const {
    return error_message(ErrorKind::kInput, [&] { static_cast<void>(read(bytes)); });
  }
  /// A zip of those members.
  [[nodiscard]] std::string zip_message(const std::map<std::string, std::string>& members, zip_int32_t method) const {
    const auto path = folder() / "hostile.pth";
    std::filesystem::remove(path);
    auto* archive = zip_open(path.c_str(), ZIP_CREATE, nullptr);
    for (const auto& [name, bytes] : members) {
      const auto index =
          zip_file_add(archive, name.c_str(), zip_source_buffer(archive, bytes.data(), bytes.size(), 0), 0);
      zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), method, 0);
    }
    EXPECT_EQ(zip_close(archive), 0);
    return error_message(ErrorKind::kInput, [&] { static_cast<void>(read_checkpoint(path)); });
  }
};

const std::string kFourFloats = std::string("\4\0\0\0\0\0\0\0", 8) + std::string(16, '\0');

TEST_F(HostileFile, AHandMadeTensorLoads) {
  const auto file = read(legacy_file(tensor_pickle(4, 1, "K\3", "K\1"), 1, kFourFloats));
  EXPECT_EQ(file.tensors.at("tensor").sizes(), (std::vector<std::int64_t>{3}));
}

TEST_F(HostileFile, ViewsBeyondTheirStorageAreRefused) {
  const auto big = pickled_integer(std::int64_t{1} << 62U);
  const auto of_view = [&](std::int64_t offset, const std::string& shape, const std::string& strides) {
    return message(legacy_file(tensor_pickle(4, offset, shape, strides), 1, kFourFloats));
  };
  EXPECT_THAT(of_view(0, "K\5", "K\1"), HasSubstr("shape [5], strides [1], offset 0 reach beyond its storage of 4"));
  EXPECT_THAT(of_view(1, "K\4", "K\1"), HasSubstr("reach beyond"));
  EXPECT_THAT(of_view(4, "K\1", "K\1"), HasSubstr("reach beyond"));
  EXPECT_THAT(of_view(0, "K\3", big), HasSubstr("reach beyond"));
  EXPECT_THAT(of_view(0, "K\3K\3", big + big), HasSubstr("reach beyond"));
  EXPECT_THAT(of_view(0, big + big, "K\1K\1"), HasSubstr("make no tensor"));
  EXPECT_THAT(of_view(0, "K\2K\2", "K\1"), HasSubstr("make no tensor"));
  EXPECT_THAT(of_view(0, pickled_integer(-1), "K\1"), HasSubstr("no number of 0 or more"));
  EXPECT_THAT(of_view(0, "N", "K\1"), HasSubstr("no number of 0 or more"));
  EXPECT_THAT(of_view(-1, "K\1", "K\1"), HasSubstr("storage or offset is broken"));
}

TEST_F(HostileFile, RepeatedViewsAreNoMemoryBomb) {
  const auto one = tensor_pickle(4, 0, pickled_integer(std::int64_t{1} << 40U), pickled_integer(0));
  EXPECT_THAT(message(legacy_file(one, 1, kFourFloats)), HasSubstr("more than twice the file's"));
  std::string many = "}(";
  for (int i = 0; i < 64; ++i) {
    many += pickled_text(fmt::format("w{}", i));
    many += i == 0 ? tensor_pickle(4, 0, pickled_integer(1000), pickled_integer(0)) + "q\1" : std::string("h\1");
  }
  EXPECT_THAT(message(legacy_file(many + "u", 1, kFourFloats)), HasSubstr("more than twice the file's"));
}

TEST_F(HostileFile, StoragesThatDoNotFitAreRefused) {
  const auto tensor = [](std::int64_t elements) { return tensor_pickle(elements, 0, "K\1", "K\1"); };
  EXPECT_THAT(message(legacy_file(tensor(4), 1, kFourFloats.substr(0, 20))), HasSubstr("truncated: storage '0'"));
  EXPECT_THAT(message(legacy_file(tensor(std::int64_t{1} << 40U), 1, kFourFloats)), HasSubstr("truncated"));
  EXPECT_THAT(message(legacy_file(tensor(std::int64_t{1} << 62U), 1, kFourFloats)), HasSubstr("no valid key or size"));
  EXPECT_THAT(message(legacy_file(tensor(3), 1, kFourFloats)), HasSubstr("has 4 elements, its tensors say 3"));
  EXPECT_THAT(message(legacy_file(tensor(4), 0, "")), HasSubstr("storage '0' is missing"));
  EXPECT_THAT(message(legacy_file(tensor(4), 2, kFourFloats + kFourFloats)), HasSubstr("or no tensor uses it"));
}

TEST_F(HostileFile, NestedAndSharedValuesEndAtALimit) {
  EXPECT_THAT(message(legacy_file("]q\1h\1a")), HasSubstr("nests too deep"));  // holds itself
  EXPECT_THAT(message(legacy_file(std::string(900, ']') + std::string(899, 'a'))), HasSubstr("nests too deep"));
  std::string laughs = ")q\1";  // each level names the one below twice: 2^40 values
  for (int i = 0; i < 40; ++i) {
    laughs += "h\1h\1\x86q\1";
  }
  EXPECT_THAT(message(legacy_file(laughs)), HasSubstr("holds too much"));
  // A long name, used again and again.
  std::string names = pickled_text(std::string(900, 'n')) + "q\1}(";
  for (int i = 0; i < 5'000; ++i) {
    names += pickled_integer(i) + "}h\1K\1s";
  }
  EXPECT_THAT(message(legacy_file("](" + names + "ue")), HasSubstr("repeated beyond its size"));
}

TEST_F(HostileFile, ACallInACheckpointIsOnlyAName) {
  const auto mark = folder() / "ran";
  const auto call = "cos\nsystem\n" + pickled_text("touch " + mark.string()) + "\x85R";
  const auto tensor = tensor_pickle(4, 0, "K\4", "K\1");
  const auto file =
      read(legacy_file("}(" + pickled_text("hook") + call + pickled_text("w") + tensor + "u", 1, kFourFloats));
  EXPECT_EQ(file.tensors.size(), 1U);
  EXPECT_EQ(file.info.others.at("hook"), "object os.system");
  EXPECT_FALSE(std::filesystem::exists(mark));
}

TEST_F(HostileFile, OtherArchivesAreToldByWhatTheyAre) {
  EXPECT_THAT(
      error_message(ErrorKind::kInput, [] { static_cast<void>(read_checkpoint(samples() / "torchscript.bad")); }),
      HasSubstr("TorchScript archive holds a program"));
  const auto pickle = "\x80\x02}" + pickled_text("a") + "K\1s.";
  EXPECT_THAT(zip_message({{"a/data.pkl", pickle}, {"a/byteorder", "big"}}, ZIP_CM_STORE), HasSubstr("big-endian"));
  EXPECT_THAT(zip_message({{"a/data.pkl", pickle}}, ZIP_CM_STORE), HasSubstr("without tensors"));
  EXPECT_THAT(zip_message({{"a/data.pkl", pickle}, {"b/data.pkl", pickle}}, ZIP_CM_STORE), HasSubstr("more than one"));
  EXPECT_THAT(zip_message({{"readme.txt", "hello"}}, ZIP_CM_STORE), HasSubstr("not of torch.save"));
  EXPECT_THAT(message("\x80\x02}."), HasSubstr("not a file of torch.save"));
  EXPECT_THAT(message(""), HasSubstr("not a safetensors file"));
}

TEST_F(HostileFile, ACompressedMemberIsRefusedUnread) {
  const std::map<std::string, std::string> bomb = {{"a/data.pkl", std::string(50'000'000, ']')}};
  EXPECT_THAT(zip_message(bomb, ZIP_CM_DEFLATE), HasSubstr("'a/data.pkl' is compressed"));
}

}  // namespace
}  // namespace steadyiqa::checkpoint
