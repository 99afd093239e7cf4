#include "checkpoint/pickle.h"

#include "base/expect_error.h"
#include "checkpoint/hand_made.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace steadyiqa::checkpoint {
namespace {

using steadyiqa::testing::error_message;
using testing::counted;
using ::testing::HasSubstr;

Pickle read(const std::string& bytes) { return read_pickle(testing::as_bytes(bytes), "file"); }
std::string read_message(const std::string& bytes) {
  auto message = error_message(ErrorKind::kInput, [&] { static_cast<void>(read(bytes)); });
  EXPECT_THAT(message, HasSubstr("file: broken pickle at byte "));
  return message;
}

// Bytes of CPython 3.11: pickle.dumps([-2, 70000, 2.5, 'é', b'\xff', (1, None), {'a': True}, 2**70, {3}], PROTOCOL).
const std::string kProtocol2(
    "\x80\x02\x5d\x71\x00\x28\x4a\xfe\xff\xff\xff\x4a\x70\x11\x01\x00\x47\x40\x04\x00\x00\x00\x00\x00\x00\x58\x02"
    "\x00\x00\x00\xc3\xa9\x71\x01\x63\x5f\x63\x6f\x64\x65\x63\x73\x0a\x65\x6e\x63\x6f\x64\x65\x0a\x71\x02\x58\x02"
    "\x00\x00\x00\xc3\xbf\x71\x03\x58\x06\x00\x00\x00\x6c\x61\x74\x69\x6e\x31\x71\x04\x86\x71\x05\x52\x71\x06\x4b"
    "\x01\x4e\x86\x71\x07\x7d\x71\x08\x58\x01\x00\x00\x00\x61\x71\x09\x88\x73\x8a\x09\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x40\x63\x5f\x5f\x62\x75\x69\x6c\x74\x69\x6e\x5f\x5f\x0a\x73\x65\x74\x0a\x71\x0a\x5d\x71\x0b\x4b\x03\x61"
    "\x85\x71\x0c\x52\x71\x0d\x65\x2e",
    143);
const std::string kProtocol4(
    "\x80\x04\x95\x3f\x00\x00\x00\x00\x00\x00\x00\x5d\x94\x28\x4a\xfe\xff\xff\xff\x4a\x70\x11\x01\x00\x47\x40\x04"
    "\x00\x00\x00\x00\x00\x00\x8c\x02\xc3\xa9\x94\x43\x01\xff\x94\x4b\x01\x4e\x86\x94\x7d\x94\x8c\x01\x61\x94\x88"
    "\x73\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x40\x8f\x94\x28\x4b\x03\x90\x65\x2e",
    74);

TEST(PickleReader, ReadsWhatPythonWrites) {
  for (const auto& bytes : {kProtocol2, kProtocol4}) {
    const auto pickle = read(bytes + "trailing");
    EXPECT_EQ(pickle.bytes, bytes.size());
    const auto& list = pickle.root_node();
    ASSERT_EQ(list.kind, PickleKind::kList);
    ASSERT_EQ(list.items.size(), 9U);
    const auto item = [&](std::size_t i) -> const PickleNode& { return pickle.at(list.items[i]); };
    EXPECT_EQ(item(0).integer, -2);
    EXPECT_EQ(item(1).integer, 70000);
    EXPECT_EQ(item(2).kind, PickleKind::kFloat);
    EXPECT_EQ(item(2).number, 2.5);
    EXPECT_EQ(item(3).text, "\xc3\xa9");
    ASSERT_EQ(item(5).items.size(), 2U);
    EXPECT_EQ(pickle.at(item(5).items[0]).integer, 1);
    EXPECT_EQ(pickle.at(item(5).items[1]).kind, PickleKind::kNone);
    const auto* flag = pickle.find(item(6), "a");
    ASSERT_NE(flag, nullptr);
    EXPECT_EQ(pickle.at(*flag).kind, PickleKind::kBool);
    EXPECT_EQ(pickle.at(*flag).integer, 1);
    EXPECT_EQ(pickle.find(item(6), "b"), nullptr);
    EXPECT_EQ(item(7).kind, PickleKind::kBigInt);
    EXPECT_EQ(item(7).text, std::string("\0\0\0\0\0\0\0\0\x40", 9));
  }
  const auto old = read(kProtocol2);
  const auto& encoded = old.at(old.root_node().items[4]);
  EXPECT_EQ(encoded.kind, PickleKind::kObject);
  EXPECT_EQ(old.at(encoded.items[0]).text, "_codecs.encode");
  const auto current = read(kProtocol4);
  EXPECT_EQ(current.at(current.root_node().items[4]).text, "\xff");
}

TEST(PickleReader, LongsOfEveryLengthAreSignedLittleEndian) {
  const auto value = [](const std::string& bytes) {
    return read(std::string("\x8a") + counted<std::uint8_t>(bytes) + ".").root_node();
  };
  EXPECT_EQ(value("").integer, 0);
  EXPECT_EQ(value("\xff").integer, -1);
  EXPECT_EQ(value(std::string("\xff\0", 2)).integer, 255);
  EXPECT_EQ(value(std::string("\0\0\0\0\0\1", 6)).integer, std::int64_t{1} << 40U);
  EXPECT_EQ(value(std::string("\0\0\0\0\xfe", 5)).integer, -(std::int64_t{1} << 33U));
  EXPECT_EQ(value(std::string(9, '\1')).kind, PickleKind::kBigInt);
}

TEST(PickleReader, NothingIsEverCalled) {
  const auto mark = std::filesystem::path(::testing::TempDir()) / "steadyiqa_pickle_ran";
  std::filesystem::remove(mark);
  const auto command = std::string("X") + counted<std::uint32_t>("touch " + mark.string());
  for (const auto& call :
       {"cos\nsystem\n" + command + "\x85R.", "cposix\nsystem\n(" + command + "tR.",
        "\x8c\x02os\x8c\x06system\x93" + command + "\x85R.", "cos\nsystem\n" + command + "\x85\x81}b."}) {
    const auto pickle = read(call);
    const auto& object = pickle.root_node();
    ASSERT_EQ(object.kind, PickleKind::kObject);
    EXPECT_THAT(pickle.at(object.items[0]).text, HasSubstr(".system"));
    EXPECT_THAT(pickle.at(pickle.at(object.items[1]).items[0]).text, HasSubstr("touch "));
  }
  EXPECT_FALSE(std::filesystem::exists(mark));
}

TEST(PickleReader, UnknownOpcodesAreRefused) {
  EXPECT_THAT(read_message("N0."), HasSubstr("byte 1: opcode 0x30"));
  EXPECT_THAT(read_message("(ios\nsystem\n."), HasSubstr("opcode 0x69"));
  EXPECT_THAT(read_message(""), HasSubstr("ends too early"));
  EXPECT_THAT(read_message("N"), HasSubstr("byte 1: it ends too early"));
}

TEST(PickleReader, OpcodesWithoutTheirOperandsAreRefused) {
  for (const std::string operands : {"", "N", "(", "N(", "](", "}N(N"}) {
    for (int code = 0; code < 256; ++code) {
      const bool whole = code == '.' && operands.ends_with("N");
      bool read_it = true;
      try {
        static_cast<void>(read(operands + static_cast<char>(code)));
      } catch (const Error&) {
        read_it = false;
      }
      EXPECT_EQ(read_it, whole) << operands << " then " << code;
    }
  }
  EXPECT_THAT(read_message("h\x07."), HasSubstr("recalls value 7"));
  EXPECT_THAT(read_message("N(a."), HasSubstr("the stack is empty"));
  EXPECT_THAT(read_message("NNa."), HasSubstr("no list"));
  EXPECT_THAT(read_message("}(Nu."), HasSubstr("a dict's key has no value"));
  EXPECT_THAT(read_message("NN\x93."), HasSubstr("not named by two short texts"));
}

TEST(PickleReader, LengthsBeyondTheFileAreRefused) {
  for (const std::string start : {"X\xff\xff\xff\xff", "T\xff\xff\xff\x7f", "B\xff\xff\xff\xff",
                                  "\x8d\xff\xff\xff\xff\xff\xff\xff\xff", "\x8e\xff\xff\xff\xff\xff\xff\xff\x7f"}) {
    EXPECT_THAT(read_message(start + "abc."), HasSubstr("ends too early"));
  }
  EXPECT_THAT(read_message("\x8b\xff\xff\xff\x7f."), HasSubstr("an integer of 2147483647 bytes"));
  EXPECT_THAT(read_message(std::string("c") + std::string(5'000, 'a') + "\nb\n."), HasSubstr("no end within"));
}

TEST(PickleReader, BombsEndAtTheirLimit) {
  EXPECT_THAT(read_message(std::string(5'000, '(')), HasSubstr("nests deeper than 1000"));
  EXPECT_THAT(read_message(std::string(2'000'000, 'N')), HasSubstr("stack holds more than 1000000"));
  EXPECT_THAT(read_message(std::string(2'000'000, ']')), HasSubstr("more than 500000 values"));
  EXPECT_THAT(read_message(std::string("N") + std::string(100'000, '\x94') + std::string(500'000, '\x94')),
              HasSubstr("remembers more than"));
  // One list of 100,000 pairs, made into dict after dict.
  std::string bytes = "]q\x01(";
  for (int i = 0; i < 100'000; ++i) {
    bytes += i == 0 ? "NN\x86q\x02" : "h\x02";
  }
  bytes += "e\x85q\x03";
  for (int i = 0; i < 100; ++i) {
    bytes += "ccollections\nOrderedDict\nh\x03R";
  }
  EXPECT_THAT(read_message(bytes), HasSubstr("OrderedDicts are made of more than"));
}

TEST(PickleReader, OrderedDictsOfPairsAreDicts) {
  const auto pickle = read(
      "ccollections\nOrderedDict\n](U\1aK\1\x86U\1bK\2\x86"
      "e\x85R.");
  ASSERT_EQ(pickle.root_node().kind, PickleKind::kDict);
  EXPECT_EQ(pickle.at(*pickle.find(pickle.root_node(), "b")).integer, 2);
}

}  // namespace
}  // namespace steadyiqa::checkpoint
