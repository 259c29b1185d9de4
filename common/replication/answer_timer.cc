#include "common/replication/answer_timer.h"

#include <algorithm>
#include <bit>

namespace dunlin::replication {

namespace {
constexpr Duration kSpanMin = std::chrono::milliseconds(200);
constexpr Duration kSpanMax = std::chrono::seconds(20);
constexpr int kEchoes = 20;
constexpr std::uint64_t kOne = 1 << 16;
}  // namespace

// Squares the mantissa, which is in [1, 2): each time it leaves there one more binary place is 1.
std::uint64_t log2_fixed(std::uint64_t x) {
  const auto whole = static_cast<unsigned>(std::bit_width(x)) - 1;
  std::uint64_t mantissa = whole >= 31 ? x >> (whole - 31) : x << (31 - whole);  // 31 places
  std::uint64_t places = 0;
  for (int i = 0; i < 16; ++i) {
    mantissa = mantissa * mantissa >> 31;
    const bool one = mantissa >> 32 != 0;
    if (one) mantissa >>= 1;
    places = places << 1 | (one ? 1U : 0U);
  }
  return (std::uint64_t{whole} << 16 | places) - 16 * kOne;
}

void AnswerTimer::echoed(Duration after) {
  echoes_[heard_++ % echoes_.size()] = std::max(after, Duration{});
}

Duration AnswerTimer::span() const {
  std::array<Duration, 32> sorted = echoes_;
  const auto end = sorted.begin() + static_cast<std::ptrdiff_t>(std::min(heard_, sorted.size()));
  std::sort(sorted.begin(), end);
  const auto heard = end - sorted.begin();
  const Duration p95 = heard == 0 ? Duration{} : sorted[static_cast<std::size_t>(heard * 19 / 20)];
  return std::clamp(kEchoes * p95, kSpanMin, kSpanMax);
}

Duration AnswerTimer::draw(Random& random, std::size_t nodes, bool gateway) const {
  const Duration tenth = span() / 10;
  const Duration whole = gateway ? tenth : 9 * tenth;
  const Duration begin = gateway ? Duration{} : tenth;
  const std::uint64_t n = std::max<std::size_t>(nodes, 2);
  const std::uint64_t late = log2_fixed(kOne + random.below((n - 1) * kOne));
  const std::uint64_t of = log2_fixed(n * kOne);
  return begin + whole * static_cast<Duration::rep>(late) / static_cast<Duration::rep>(of);
}

}  // namespace dunlin::replication
