#include "dunlin/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "common/base/check.h"

namespace dunlin {
namespace {

Result<int> half(int value) {
  if (value % 2 != 0) return {Errc::invalid_argument, std::to_string(value) + " is odd"};
  return value / 2;
}

Result<int> quarter(int value) {
  DUNLIN_ASSIGN(const int halved, half(value));
  return half(halved);
}

Result<void> check_quarter(int value) {
  DUNLIN_TRY(quarter(value));
  return {};
}

TEST(Result, HoldsAValueOrAnError) {
  const Result<int> good = half(8);
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(*good, 4);
  const Result<int> bad = half(3);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, Errc::invalid_argument);
  EXPECT_EQ(bad.error().message(), "invalid_argument: 3 is odd");
}

TEST(Result, MacrosPassErrorsOn) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(6).error().context, "3 is odd");
  EXPECT_TRUE(check_quarter(4).ok());
  EXPECT_EQ(check_quarter(2).error().context, "1 is odd");
}

TEST(Result, MovesWhatCannotBeCopied) {
  Result<std::unique_ptr<int>> made = std::make_unique<int>(7);
  const std::unique_ptr<int> taken = *std::move(made);
  EXPECT_EQ(*taken, 7);
}

TEST(Result, CanHoldAnErrorAsItsValueType) {
  // Value and error are told apart by position, not by type.
  const Result<std::string> text = std::string("fine");
  EXPECT_EQ(*text, "fine");
}

TEST(ResultDeathTest, ReadingTheWrongSideAborts) {
  const Result<int> bad = half(1);
  EXPECT_DEATH((void)bad.value(), "1 is odd");
  const Result<int> good = half(2);
  EXPECT_DEATH((void)good.error(), "error");
  EXPECT_DEATH(DUNLIN_CHECK(1 > 2), "1 > 2");
}

TEST(Errc, EveryCodeHasItsOwnName) {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(Errc::closed); ++code) {
    const std::string_view name = to_string(static_cast<Errc>(code));
    EXPECT_NE(name, "unknown") << code;
    EXPECT_TRUE(names.insert(name).second) << name;
  }
}

}  // namespace
}  // namespace dunlin
