#include "dunlin/bytes.h"

#include <gtest/gtest.h>

#include "common/base/ids.h"

namespace dunlin {
namespace {

TEST(Hex, PrintsAndReadsEveryByte) {
  Bytes all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<std::uint8_t>(i));
  const std::string text = to_hex(all);
  EXPECT_EQ(text.size(), 512U);
  EXPECT_EQ(text.substr(0, 6), "000102");
  EXPECT_EQ(text.substr(506), "fdfeff");
  EXPECT_EQ(*from_hex(text), all);
  EXPECT_EQ(*from_hex("DEADbeef"), (Bytes{0xde, 0xad, 0xbe, 0xef}));
  EXPECT_TRUE(from_hex("")->empty());
}

TEST(Hex, RefusesWhatIsNotHex) {
  for (const std::string_view text : {"a", "abc", "0g", "g0", " 0", "0x", "\xc3\xbc"}) {
    const Result<Bytes> bytes = from_hex(text);
    ASSERT_FALSE(bytes.ok()) << text;
    EXPECT_EQ(bytes.error().code, Errc::malformed) << text;
  }
}

TEST(Bytes, TextAndBytesAreViewsOfEachOther) {
  EXPECT_EQ(as_text(as_bytes("dunlin")), "dunlin");
  EXPECT_TRUE(as_bytes("").empty());
}

TEST(NodeId, PrintsAs32Digits) {
  const Result<NodeId> id = NodeId::from_string("000102030405060708090a0b0c0d0e0f");
  ASSERT_TRUE(id.ok());
  EXPECT_EQ(id->bytes[15], 15);
  EXPECT_EQ(id->to_string(), "000102030405060708090a0b0c0d0e0f");
  EXPECT_LT(NodeId{}, *id);
  for (const std::string_view text :
       {"", "00", "000102030405060708090a0b0c0d0e0f00", "zz0102030405060708090a0b0c0d0e0f"}) {
    EXPECT_FALSE(NodeId::from_string(text).ok()) << text;
  }
}

}  // namespace
}  // namespace dunlin
