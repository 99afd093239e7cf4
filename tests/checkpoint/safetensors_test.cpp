#include "checkpoint/safetensors.h"

#include "base/error.h"
#include "base/file.h"
#include "base/seed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <unistd.h>

#include <array>
#include <cstring>
#include <functional>

namespace steadyiqa::checkpoint {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

std::span<const std::byte> as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

/// A file of that header (its length set to match) and data.
std::string container(const std::string& header, const std::string& data = "") {
  const std::uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}

/// The message that parsing leads to, or "" when there is none.
std::string parse_message(const std::string& bytes) {
  try {
    static_cast<void>(parse_safetensors(as_bytes(bytes), "bad.safetensors"));
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    return error.what();
  }
  return "";
}

std::string serialize_message(const SafetensorsFile& file) {
  try {
    static_cast<void>(serialize_safetensors(file));
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    return error.what();
  }
  return "";
}

std::filesystem::path temporary(const std::string& name) {
  return std::filesystem::path(::testing::TempDir()) / fmt::format("steadyiqa_safetensors_{}_{}", getpid(), name);
}

SafetensorsFile small_file() {
  SafetensorsFile file;
  file.tensors["features.0.weight"] = torch::arange(6, torch::kFloat32).reshape({2, 3});
  file.tensors["features.1.bias"] = torch::tensor({0.5, -0.25}, torch::kFloat64);
  file.tensors["flag"] = torch::tensor({true, false, true});
  file.tensors["steps"] = torch::tensor(std::int64_t{7});
  file.metadata = {{"architecture", "dbcnn"}, {"k", "1.5"}};
  return file;
}

class SafetensorsDtype : public ::testing::TestWithParam<torch::Dtype> {};

TEST_P(SafetensorsDtype, RoundTripsMatrixScalarAndEmpty) {
  SafetensorsFile file;
  file.tensors["matrix"] = torch::tensor({-3.0, 0.0, 1.0, 2.5, 100.0, 1e-3}).reshape({2, 3}).to(GetParam());
  file.tensors["scalar"] = torch::ones({}, GetParam());
  file.tensors["empty"] = torch::empty({3, 0, 2}, GetParam());
  const SafetensorsFile back = parse_safetensors(serialize_safetensors(file), "memory");
  ASSERT_EQ(back.tensors.size(), 3U);
  for (const auto& [name, tensor] : file.tensors) {
    const torch::Tensor& read = back.tensors.at(name);
    EXPECT_EQ(read.scalar_type(), tensor.scalar_type()) << name;
    EXPECT_EQ(read.sizes(), tensor.sizes()) << name;
    EXPECT_TRUE(torch::equal(read, tensor)) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, SafetensorsDtype,
                         ::testing::Values(torch::kFloat64, torch::kFloat32, torch::kFloat16, torch::kBFloat16,
                                           torch::kInt64, torch::kInt32, torch::kInt16, torch::kInt8, torch::kUInt8,
                                           torch::kBool),
                         [](const auto& param_info) { return std::string(torch::toString(param_info.param)); });

TEST(Safetensors, WritesStridedViewsRowMajor) {
  const torch::Tensor base = torch::arange(12, torch::kFloat32).reshape({3, 4});
  SafetensorsFile file;
  file.tensors["transposed"] = base.t();
  file.tensors["strided"] = base.slice(1, 1, 4, 2).requires_grad_();
  file.tensors["expanded"] = torch::ones({1, 2}).expand({3, 2});
  const SafetensorsFile back = parse_safetensors(serialize_safetensors(file), "memory");
  for (const auto& [name, tensor] : file.tensors) {
    EXPECT_TRUE(torch::equal(back.tensors.at(name), tensor)) << name;
    EXPECT_TRUE(back.tensors.at(name).is_contiguous()) << name;
    EXPECT_FALSE(back.tensors.at(name).requires_grad()) << name;
  }
}

TEST(Safetensors, ReadTensorsOutliveTheBytes) {
  std::vector<std::byte> bytes = serialize_safetensors(small_file());
  const SafetensorsFile back = parse_safetensors(bytes, "memory");
  std::fill(bytes.begin(), bytes.end(), std::byte{0xff});
  EXPECT_TRUE(torch::equal(back.tensors.at("features.0.weight"), small_file().tensors.at("features.0.weight")));
}

TEST(Safetensors, SameContentsGiveSameBytes) {
  EXPECT_EQ(serialize_safetensors(small_file()), serialize_safetensors(small_file()));
}

/// Written by the reference implementation (Python package safetensors 0.8.0):
///   safetensors.numpy.save({"w": np.array([[1, 2], [3, -4.5]], np.float32), "n": np.array(-5, np.int64),
///                           "m": np.array([True, False])}, metadata={"scale": "0.13"})
std::string reference_bytes() {
  using std::string_view_literals::operator""sv;
  constexpr std::string_view kData =
      "\xfb\xff\xff\xff\xff\xff\xff\xff"
      "\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x40\x40\x00\x00\x90\xc0"
      "\x01\x00"sv;
  constexpr std::string_view kLength = "\xc8\x00\x00\x00\x00\x00\x00\x00"sv;
  return std::string(kLength)
      .append(R"({"__metadata__":{"scale":"0.13"},"n":{"dtype":"I64","shape":[],"data_offsets":[0,8]},)")
      .append(R"("w":{"dtype":"F32","shape":[2,2],"data_offsets":[8,24]},)")
      .append(R"("m":{"dtype":"BOOL","shape":[2],"data_offsets":[24,26]}}   )")
      .append(kData);
}

SafetensorsFile reference_file() {
  SafetensorsFile file;
  file.tensors["w"] = torch::tensor({1.0F, 2.0F, 3.0F, -4.5F}).reshape({2, 2});
  file.tensors["n"] = torch::tensor(std::int64_t{-5});
  file.tensors["m"] = torch::tensor({true, false});
  file.metadata["scale"] = "0.13";
  return file;
}

TEST(Safetensors, ReadsTheReferenceImplementationsFile) {
  const SafetensorsFile file = parse_safetensors(as_bytes(reference_bytes()), "memory");
  EXPECT_THAT(file.metadata, ElementsAre(Pair("scale", "0.13")));
  ASSERT_EQ(file.tensors.size(), 3U);
  for (const auto& [name, expected] : reference_file().tensors) {
    EXPECT_EQ(file.tensors.at(name).scalar_type(), expected.scalar_type()) << name;
    EXPECT_TRUE(torch::equal(file.tensors.at(name), expected)) << name;
  }
}

TEST(Safetensors, WritesTheReferenceImplementationsBytes) {
  const std::vector<std::byte> bytes = serialize_safetensors(reference_file());
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), reference_bytes());
}

TEST(Safetensors, ReadsTheSmallestFile) {
  const SafetensorsFile file = parse_safetensors(as_bytes(container("{}      ")), "memory");
  EXPECT_TRUE(file.tensors.empty());
  EXPECT_TRUE(file.metadata.empty());
}

TEST(Safetensors, ReadsTensorsThatAreNotAlignedAndEmptyOnesBetweenThem) {
  const std::string header =
      R"({"b":{"dtype":"I16","shape":[1],"data_offsets":[1,3]},"e":{"dtype":"F64","shape":[0],"data_offsets":[1,1]},)"
      R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";
  const SafetensorsFile file = parse_safetensors(as_bytes(container(header, "\x05\x01\x02")), "memory");
  EXPECT_EQ(file.tensors.at("a").item<int>(), 5);
  EXPECT_EQ(file.tensors.at("b").item<int>(), 0x0201);
  EXPECT_EQ(file.tensors.at("e").numel(), 0);
}

TEST(Safetensors, WritesAndReadsAFile) {
  const std::filesystem::path path = temporary("file.safetensors");
  write_safetensors(path, small_file());
  const SafetensorsFile back = read_safetensors(path);
  EXPECT_EQ(back.metadata, small_file().metadata);
  EXPECT_EQ(back.tensors.size(), 4U);
  EXPECT_TRUE(torch::equal(back.tensors.at("features.1.bias"), small_file().tensors.at("features.1.bias")));
  std::filesystem::remove(path);
}

TEST(Safetensors, HeaderAloneGivesShapesDtypesAndMetadata) {
  const std::filesystem::path path = temporary("header.safetensors");
  write_safetensors(path, small_file());
  const SafetensorsHeader header = read_safetensors_header(path);
  EXPECT_EQ(header.metadata, small_file().metadata);
  ASSERT_EQ(header.tensors.size(), 4U);
  EXPECT_THAT(header.tensors.at("features.0.weight").shape, ElementsAre(2, 3));
  EXPECT_EQ(header.tensors.at("features.1.bias").dtype, torch::kFloat64);
  EXPECT_TRUE(header.tensors.at("steps").shape.empty());
  std::filesystem::remove(path);
}

TEST(Safetensors, FileErrorsNameThePath) {
  const std::filesystem::path path = temporary("broken.safetensors");
  write_file_atomic(path, container("{}      ", "x"));
  const std::array<std::function<void()>, 2> readers = {
      [&] { static_cast<void>(read_safetensors(path)); },
      [&] { static_cast<void>(read_safetensors_header(path)); },
  };
  for (const auto& reader : readers) {
    try {
      reader();
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(path.string()));
      EXPECT_THAT(error.what(), HasSubstr("trail"));
    }
  }
  std::filesystem::remove(path);
  EXPECT_THROW(static_cast<void>(read_safetensors(path)), Error);
  EXPECT_THROW(static_cast<void>(read_safetensors_header(path)), Error);
  EXPECT_THROW(static_cast<void>(read_safetensors_header(::testing::TempDir())), Error);
}

TEST(Safetensors, FilesOverTheLimitAreRefused) {
  const std::filesystem::path path = temporary("limit.safetensors");
  write_safetensors(path, small_file());
  EXPECT_THROW(static_cast<void>(read_safetensors(path, 100)), Error);
  std::filesystem::remove(path);
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return fmt::format(R"("{}":{{"dtype":"{}","shape":{},"data_offsets":{}}})", name, dtype, shape, offsets);
}

std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets,
                const std::string& data = "") {
  return container(fmt::format("{{{}}}", entry("w", dtype, shape, offsets)), data);
}

struct HostileFile {
  const char* what;
  std::string bytes;
  const char* message;
};

std::vector<HostileFile> hostile_headers() {
  const std::string deep(1'000'000, '[');
  std::string deep_objects;
  for (int i = 0; i < 100'000; ++i) {
    deep_objects += R"({"a":)";
  }
  const std::string length_only = container("").substr(0, 7);
  std::string huge = container("{}");
  std::memset(huge.data(), 0xff, 8);
  std::string over_limit = container("{}");
  const std::uint64_t limit = 100'000'001;
  std::memcpy(over_limit.data(), &limit, 8);
  std::string past_end = container("{}      ");
  past_end[0] = 9;
  const std::string u8 = entry("w", "U8", "[0]", "[0,0]");
  return {
      {"no bytes", "", "0 bytes are too few"},
      {"half a length", length_only, "7 bytes are too few"},
      {"header of 2^64-1 bytes", huge, "over the limit"},
      {"header over the format's limit", over_limit, "over the limit"},
      {"header longer than the file", past_end, "does not fit the file"},
      {"empty header", container(""), "does not start with '{'"},
      {"header is an array", container("[]"), "does not start with '{'"},
      {"header starts with a space", container(" {}"), "does not start with '{'"},
      {"header is a byte order mark and an object", container("\xef\xbb\xbf{}"), "does not start with '{'"},
      {"unclosed object", container("{"), "not valid JSON"},
      {"two objects", container("{}{}"), "not valid JSON"},
      {"broken UTF-8", container("{\"\xff\":{}}"), "not valid JSON"},
      {"nul padding", container(std::string("{}\0\0", 4)), "not valid JSON"},
      {"deep arrays", container(std::string(R"({"a":)") + deep), "is an array, not an object"},
      {"deep objects", container(deep_objects), "unknown key"},
      {"deep metadata", container(std::string(R"({"__metadata__":{"a":)") + deep), "is an array, not a string"},
      {"deep shape", container(std::string(R"({"a":{"shape":)") + deep), "shape holds an array"},
      {"tensor twice", container(fmt::format("{{{0},{0}}}", u8)), "'w' occurs twice"},
      {"field twice", container(R"({"w":{"dtype":"U8","dtype":"U8"}})"), "'dtype' occurs twice in 'w'"},
      {"metadata twice", container(R"({"__metadata__":{},"__metadata__":{}})"), "'__metadata__' occurs twice"},
      {"metadata key twice", container(R"({"__metadata__":{"k":"1","k":"2"}})"), "'k' occurs twice"},
      {"metadata is a string", container(R"({"__metadata__":"x"})"), "'__metadata__' is a string, not an object"},
      {"metadata number", container(R"({"__metadata__":{"k":1}})"), "'k' is a number, not a string"},
      {"metadata null", container(R"({"__metadata__":{"k":null}})"), "'k' is null, not a string"},
      {"metadata object", container(R"({"__metadata__":{"k":{}}})"), "'k' is an object, not a string"},
      {"tensor is a number", container(R"({"w":1})"), "'w' is a number, not an object"},
      {"unknown field", container(R"({"w":{"offsets":[0,0]}})"), "unknown key 'offsets'"},
      {"no fields", container(R"({"w":{}})"), "has no dtype"},
      {"no shape", container(R"({"w":{"dtype":"U8"}})"), "has no shape"},
      {"no offsets", container(R"({"w":{"dtype":"U8","shape":[]}})"), "has no data_offsets"},
      {"line break in a name", container(R"({"a\nb":1})"), R"('a\nb' is a number)"},
  };
}

std::vector<HostileFile> hostile_tensors() {
  const std::string max64 = "18446744073709551615";
  std::string many_dims = "[1";
  for (int i = 0; i < 100; ++i) {
    many_dims += ",1";
  }
  many_dims += "]";
  const std::string u8 = entry("a", "U8", "[2]", "[0,2]");
  const auto two = [&](const std::string& offsets, const std::string& data) {
    return container(fmt::format("{{{},{}}}", u8, entry("b", "U8", "[2]", offsets)), data);
  };
  return {
      {"unknown dtype", one("F8_E4M3", "[0]", "[0,0]"), "tensor 'w': dtype 'F8_E4M3' is not supported"},
      {"lower-case dtype", one("f32", "[0]", "[0,0]"), "dtype 'f32' is not supported"},
      {"dtype is a number", container(R"({"w":{"dtype":1}})"), "dtype is a number, not a string"},
      {"dtype is an array", container(R"({"w":{"dtype":["U8"]}})"), "dtype is an array, not a string"},
      {"shape is a number", one("U8", "1", "[0,1]", "x"), "shape is a number, not an array"},
      {"shape is a string", one("U8", "\"1\"", "[0,1]", "x"), "shape is a string, not an array"},
      {"negative dimension", one("U8", "[-1]", "[0,1]", "x"), "shape holds a negative number"},
      {"fractional dimension", one("U8", "[1.0]", "[0,1]", "x"), "shape holds a fraction"},
      {"boolean dimension", one("U8", "[true]", "[0,1]", "x"), "shape holds a boolean"},
      {"dimension of 2^64-1", one("U8", fmt::format("[{}]", max64), "[0,1]", "x"), "is too large"},
      {"dimension of 2^64", one("U8", "[18446744073709551616]", "[0,1]", "x"), "too large"},
      {"product wraps to 0", one("U8", "[4294967296,4294967296]", "[0,0]"), "size overflows"},
      {"bytes overflow", one("F64", "[2305843009213693952]", "[0,0]"), "size overflows"},
      {"overflow behind a zero", one("U8", "[0,4294967296,4294967296]", "[0,0]"), "size overflows"},
      {"too many dimensions", one("U8", many_dims, "[0,1]", "x"), "more than 64 dimensions"},
      {"no offsets", one("U8", "[1]", "[]", "x"), "does not hold two numbers"},
      {"one offset", one("U8", "[1]", "[0]", "x"), "does not hold two numbers"},
      {"three offsets", one("U8", "[1]", "[0,1,2]", "x"), "more than two numbers"},
      {"negative offset", one("U8", "[1]", "[-1,0]", "x"), "data_offsets holds a negative number"},
      {"backward offsets", one("U8", "[1]", "[1,0]", "x"), "run backwards"},
      {"data shorter than shape", one("F32", "[2]", "[0,4]", "xxxx"),
       "has 4 bytes of data, its shape and dtype need 8"},
      {"data longer than shape", one("U8", "[]", "[0,2]", "xx"), "has 2 bytes of data, its shape and dtype need 1"},
      {"offsets of 2^64-1", one("U8", "[1]", fmt::format("[{0},{0}]", max64), "x"), "has 0 bytes of data"},
      {"offset near 2^64", one("U8", "[1]", fmt::format("[18446744073709551614,{}]", max64), "x"), "leaving a hole"},
      {"huge tensor, no data", one("U8", "[1099511627776]", "[0,1099511627776]", "x"), "it is truncated"},
      {"hole at the start", one("U8", "[1]", "[1,2]", "xx"), "leaving a hole"},
      {"hole between", two("[3,5]", "xxxxx"), "tensor 'b' starts at data byte 3, leaving a hole"},
      {"overlap", two("[1,3]", "xxx"), "tensor 'b' starts at data byte 1, overlapping"},
      {"the same bytes twice", two("[0,2]", "xx"), "overlapping"},
      {"truncated data", two("[2,4]", "xxx"), "need 4 bytes of data, the file has 3"},
      {"trailing bytes", two("[2,4]", "xxxxx"), "bytes trail"},
      {"data but no tensors", container("{}", "x"), "bytes trail"},
      {"BOOL of 2", one("BOOL", "[2]", "[0,2]", "\x01\x02"), "neither 0 nor 1"},
  };
}

TEST(Safetensors, HostileHeadersGiveErrorsThatSayWhy) {
  for (const HostileFile& file : hostile_headers()) {
    EXPECT_THAT(parse_message(file.bytes), AllOf(HasSubstr("bad.safetensors: "), HasSubstr(file.message))) << file.what;
  }
}

TEST(Safetensors, HostileTensorsGiveErrorsThatSayWhy) {
  for (const HostileFile& file : hostile_tensors()) {
    EXPECT_THAT(parse_message(file.bytes), AllOf(HasSubstr("bad.safetensors: "), HasSubstr(file.message))) << file.what;
  }
}

TEST(Safetensors, LongNamesAreCutInMessages) {
  const std::string message = parse_message(container(fmt::format("{{\"{}\":1}}", std::string(10'000, 'x'))));
  EXPECT_THAT(message, HasSubstr("xxx...' is a number"));
  EXPECT_LT(message.size(), 200U);
}

TEST(Safetensors, MutatedFilesParseOrGiveAnError) {
  const std::vector<std::byte> valid = serialize_safetensors(small_file());
  Rng rng(20240607);
  int refused = 0;
  for (int round = 0; round < 500; ++round) {
    std::vector<std::byte> bytes = valid;
    const std::int64_t changes = 1 + rng.below(4);
    for (std::int64_t i = 0; i < changes; ++i) {
      const auto at = static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(bytes.size())));
      const std::int64_t kind = rng.below(4);
      if (kind == 0) {
        bytes.resize(at + 1);
      } else if (kind == 1) {
        bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at));
        bytes.push_back(std::byte{' '});
      } else {
        bytes[at] = static_cast<std::byte>(kind == 2 ? rng.below(256) : "0123456789{}[],:\""[rng.below(17)]);
      }
    }
    try {
      for (const auto& [name, tensor] : parse_safetensors(bytes, "mutated").tensors) {
        static_cast<void>(tensor.to(torch::kFloat64).sum().item<double>());  // every byte is there to be read
      }
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInput);
      EXPECT_THAT(error.what(), HasSubstr("mutated: "));
      ++refused;
    }
  }
  EXPECT_GT(refused, 250);
}

TEST(Safetensors, ContentsTheFormatCannotHoldAreRefused) {
  const auto with = [](const std::string& name, const torch::Tensor& tensor) {
    SafetensorsFile file;
    file.tensors[name] = tensor;
    return serialize_message(file);
  };
  EXPECT_THAT(with("w", torch::zeros({2}, torch::kComplexFloat)),
              HasSubstr("'w': dtype ComplexFloat is not supported"));
  EXPECT_THAT(with("w", torch::Tensor()), HasSubstr("'w' is undefined"));
  EXPECT_THAT(with("w", torch::eye(2).to_sparse()), HasSubstr("'w' is sparse"));
  EXPECT_THAT(with("__metadata__", torch::zeros({1})), HasSubstr("reserved"));
  EXPECT_THAT(with("\xff", torch::zeros({1})), HasSubstr("not valid UTF-8"));
}

TEST(Safetensors, WriteErrorsNameThePathAndLeaveNoFile) {
  SafetensorsFile file;
  file.tensors["w"] = torch::Tensor();
  const std::filesystem::path path = temporary("never.safetensors");
  try {
    write_safetensors(path, file);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr(path.string()));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace steadyiqa::checkpoint
