#include "common/codec/int_column.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "common/base/check.h"
#include "common/codec/wrapping.h"

namespace dunlin {

namespace {

using Values = std::span<const std::int64_t>;

// Values of a packed column share a bit width in blocks of this many, so that one outlier is local.
constexpr std::size_t kBlock = 32;
// Wider values are left to varints; this lets a value and its bit offset fit into eight bytes.
constexpr unsigned kWidthMax = 56;
constexpr std::uint64_t kScaleMax = 1ULL << 63;

std::uint64_t magnitude(std::int64_t value) {
  return value < 0 ? 0 - to_unsigned(value) : to_unsigned(value);
}
std::size_t packed_bytes(std::size_t count, unsigned width) {
  return (count * width + 7) / 8;
}

// Division by one divisor of many multiples of it: with divisor = odd * 2^shift, a multiple divides
// by a shift and a multiplication with the inverse of `odd` modulo 2^64, and everything else shows
// by a quotient that is too large (Granlund and Montgomery 1994, section 9).
class ExactDivisor {
 public:
  explicit ExactDivisor(std::uint64_t divisor)
      : shift_(std::countr_zero(divisor)), inverse_(divisor >> shift_), limit_(~0ULL / divisor) {
    const std::uint64_t odd = inverse_;  // correct to 3 bits; each step of Newton's doubles them
    for (int i = 0; i < 5; ++i) inverse_ *= 2 - odd * inverse_;
  }
  bool divides(std::uint64_t value) const { return std::rotr(value * inverse_, shift_) <= limit_; }
  // Exact for multiples only.
  std::int64_t quotient(std::int64_t multiple) const {
    return to_signed(to_unsigned(multiple >> shift_) * inverse_);
  }

 private:
  int shift_;
  std::uint64_t inverse_;
  std::uint64_t limit_;
};

// The greatest common divisor of all steps; `values` are not all equal.
std::uint64_t common_scale(Values values) {
  std::uint64_t scale = 0;
  ExactDivisor divisor(1);
  for (std::size_t i = 1; i < values.size() && scale != 1; ++i) {
    const std::uint64_t step = magnitude(wrapping_sub(values[i], values[i - 1]));
    if (scale != 0 && divisor.divides(step)) continue;
    scale = std::gcd(scale, step);
    if (scale != 0) divisor = ExactDivisor(scale);
  }
  return scale;
}

// ---- Residuals: what each mode stores of value i, from its own first i on. ----

struct Plain {
  static constexpr std::size_t kFirst = 0;
  Values values;
  std::uint64_t operator()(std::size_t i) const { return zigzag(values[i]); }
};
struct Distance {
  static constexpr std::size_t kFirst = 0;
  Values values;
  ExactDivisor scale;
  std::int64_t minimum;
  std::uint64_t operator()(std::size_t i) const {
    return to_unsigned(scale.quotient(wrapping_sub(values[i], minimum)));
  }
};
struct Delta {
  static constexpr std::size_t kFirst = 1;
  Values values;
  ExactDivisor scale;
  std::int64_t step(std::size_t i) const {
    return scale.quotient(wrapping_sub(values[i], values[i - 1]));
  }
  std::uint64_t operator()(std::size_t i) const { return zigzag(step(i)); }
};
struct Delta2 {
  static constexpr std::size_t kFirst = 2;
  Delta delta;
  std::uint64_t operator()(std::size_t i) const {
    return zigzag(wrapping_sub(delta.step(i), delta.step(i - 1)));
  }
};

struct Cost {
  std::size_t varints = 0;
  std::size_t packed = 0;
  bool packable = true;
};

template <typename Residual>
Cost cost_of(const Residual& residual, std::size_t count) {
  Cost cost;
  for (std::size_t i = Residual::kFirst; i < count;) {
    const std::size_t end = std::min(count, i + kBlock);
    const std::size_t block = end - i;
    std::uint64_t bits = 0;
    for (; i < end; ++i) {
      const std::uint64_t value = residual(i);
      cost.varints += varint_size(value);
      bits |= value;
    }
    const auto width = static_cast<unsigned>(std::bit_width(bits));
    cost.packed += 1 + packed_bytes(block, width);
    cost.packable = cost.packable && width <= kWidthMax;
  }
  return cost;
}

template <typename Residual>
std::uint8_t* put_varints(std::uint8_t* to, const Residual& residual, std::size_t count) {
  for (std::size_t i = Residual::kFirst; i < count; ++i) to = put_varint(to, residual(i));
  return to;
}

// Stores eight bytes at a time: writes up to eight beyond the end it returns.
template <typename Residual>
std::uint8_t* put_packed(std::uint8_t* to, const Residual& residual, std::size_t count) {
  std::array<std::uint64_t, kBlock> block;
  for (std::size_t i = Residual::kFirst; i < count; i += kBlock) {
    const std::size_t size = std::min(count - i, kBlock);
    std::uint64_t bits = 0;
    for (std::size_t k = 0; k < size; ++k) bits |= block[k] = residual(i + k);
    const auto width = static_cast<unsigned>(std::bit_width(bits));
    *to++ = static_cast<std::uint8_t>(width);
    std::uint64_t pending = 0;
    unsigned pending_bits = 0;  // fewer than 8 between two values
    for (std::size_t k = 0; k < size; ++k) {
      pending |= block[k] << pending_bits;
      pending_bits += width;
      store_le64(to, pending);
      to += pending_bits / 8;
      pending >>= pending_bits & ~7u;
      pending_bits %= 8;
    }
    store_le64(to, pending);
    if (pending_bits > 0) ++to;
  }
  return to;
}

// ---- Reading. Residuals go into `out` first and are summed up in place after. ----

// Reads one varint where ten bytes are readable; null when it is not one.
const std::uint8_t* get_varint(const std::uint8_t* at, std::int64_t& value) {
  std::uint64_t bits = *at & 0x7f;
  for (unsigned shift = 7; *at++ >= 0x80; shift += 7) {
    if (shift == 63 && *at > 1) return nullptr;
    if (*at == 0) return nullptr;
    bits |= static_cast<std::uint64_t>(*at & 0x7f) << shift;
  }
  value = to_signed(bits);
  return at;
}

Result<void> read_varints(PayloadReader& in, std::span<std::int64_t> out) {
  constexpr std::uint64_t kContinues = 0x8080808080808080ULL;
  const ByteView rest = in.rest();
  const std::uint8_t* at = rest.data();
  const std::uint8_t* const end = at + rest.size();
  std::size_t i = 0;
  while (i < out.size() && end - at >= static_cast<std::ptrdiff_t>(kVarintBytesMax)) {
    const std::uint64_t word = load_le64(at);
    if ((word & kContinues) == 0 && out.size() - i >= 8) {  // the usual: eight short ones at once
      for (unsigned k = 0; k < 8; ++k) out[i + k] = to_signed(word >> (8 * k) & 0x7f);
      i += 8;
      at += 8;
      continue;
    }
    const std::uint8_t* const next = get_varint(at, out[i]);
    if (next == nullptr) break;
    at = next;
    ++i;
  }
  in.skip(static_cast<std::size_t>(at - rest.data()));
  for (; i < out.size(); ++i) {  // near the end, and to say what is wrong
    DUNLIN_ASSIGN(const std::uint64_t value, in.varint());
    out[i] = to_signed(value);
  }
  return {};
}

Result<void> read_packed(PayloadReader& in, std::span<std::int64_t> out) {
  std::array<std::uint8_t, kBlock * kWidthMax / 8 + 8> copy;
  for (std::size_t i = 0; i < out.size(); i += kBlock) {
    const std::size_t size = std::min(out.size() - i, kBlock);
    DUNLIN_ASSIGN(const unsigned width, in.byte());
    if (width > kWidthMax) return in.error(Errc::malformed, "packed values too wide");
    const std::size_t readable = in.left();
    DUNLIN_ASSIGN(const ByteView block, in.bytes(packed_bytes(size, width)));
    const std::size_t bits = size * width;
    if (bits % 8 != 0 && block.back() >> (bits % 8) != 0) {
      return in.error(Errc::malformed, "padding that is not zero");
    }
    const std::uint8_t* from = block.data();
    if (readable < block.size() + 8) {  // eight bytes are loaded at a time
      copy.fill(0);
      std::copy(block.begin(), block.end(), copy.begin());
      from = copy.data();
    }
    const std::uint64_t mask = (1ULL << width) - 1;
    for (std::size_t k = 0, bit = 0; k < size; ++k, bit += width) {
      out[i + k] = to_signed(load_le64(from + bit / 8) >> (bit % 8) & mask);
    }
  }
  return {};
}

// Turns zigzagged steps behind `first` into values.
void sum_steps(std::span<std::int64_t> steps, std::int64_t first, std::uint64_t scale) {
  std::uint64_t value = to_unsigned(first);
  for (std::int64_t& slot : steps) {
    value += to_unsigned(unzigzag(to_unsigned(slot))) * scale;
    slot = to_signed(value);
  }
}

// The same for zigzagged changes of the step, which was `step` between `first` and the value
// before.
void sum_changes(std::span<std::int64_t> changes, std::int64_t first, std::uint64_t step,
                 std::uint64_t scale) {
  std::uint64_t value = to_unsigned(first);
  for (std::int64_t& slot : changes) {
    step += to_unsigned(unzigzag(to_unsigned(slot)));
    value += step * scale;
    slot = to_signed(value);
  }
}

Result<void> read_residuals(PayloadReader& in, IntMode mode, std::span<std::int64_t> out) {
  return mode >= IntMode::packed ? read_packed(in, out) : read_varints(in, out);
}

}  // namespace

IntPlan plan_ints(Values values) {
  IntPlan plan;
  if (values.empty()) return plan;
  const std::size_t count = values.size();
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  plan.minimum = *low;
  plan.size = 1 + varint_size(zigzag(values[0]));
  if (*low == *high) return plan;

  plan.scale = common_scale(values);
  const ExactDivisor scale(plan.scale);
  const Delta delta{values, scale};
  const std::size_t head = 1 + varint_size(plan.scale);
  const std::size_t head1 = head + varint_size(zigzag(values[0]));
  const std::size_t head2 = head1 + varint_size(delta(1));
  const Cost plain = cost_of(Plain{values}, count);
  const Cost steps = cost_of(delta, count);
  const Cost steps2 = cost_of(Delta2{delta}, count);

  plan.mode = IntMode::plain;
  plan.size = 1 + plain.varints;
  const auto offer = [&plan](IntMode mode, std::size_t size) {
    if (size < plan.size) plan.mode = mode, plan.size = size;
  };
  offer(IntMode::delta, head1 + steps.varints);
  offer(IntMode::delta2, head2 + steps2.varints);
  // At a wider spread steps may have wrapped, and distances need not be multiples of the scale.
  if (to_unsigned(*high) - to_unsigned(*low) < kScaleMax) {
    const Cost distances = cost_of(Distance{values, scale, *low}, count);
    const std::size_t size = head + varint_size(zigzag(*low)) + distances.packed;
    if (distances.packable) offer(IntMode::packed, size);
  }
  if (steps.packable) offer(IntMode::packed_delta, head1 + steps.packed);
  if (steps2.packable) offer(IntMode::packed_delta2, head2 + steps2.packed);
  return plan;
}

void append_ints(Values values, const IntPlan& plan, Bytes& out) {
  if (values.empty()) return;
  constexpr std::size_t kSlack = 8;  // of put_packed
  const std::size_t start = out.size();
  out.resize(start + plan.size + kSlack);
  std::uint8_t* to = out.data() + start;
  *to++ = static_cast<std::uint8_t>(plan.mode);

  const ExactDivisor scale(plan.scale);
  const Delta delta{values, scale};
  const std::size_t count = values.size();
  if (plan.mode >= IntMode::delta) to = put_varint(to, plan.scale);
  if (plan.mode == IntMode::packed) {
    to = put_varint(to, zigzag(plan.minimum));
  } else if (plan.mode != IntMode::plain) {
    to = put_varint(to, zigzag(values[0]));
  }
  switch (plan.mode) {
    case IntMode::constant:
      break;
    case IntMode::plain:
      to = put_varints(to, Plain{values}, count);
      break;
    case IntMode::delta:
      to = put_varints(to, delta, count);
      break;
    case IntMode::delta2:
      to = put_varints(put_varint(to, delta(1)), Delta2{delta}, count);
      break;
    case IntMode::packed:
      to = put_packed(to, Distance{values, scale, plan.minimum}, count);
      break;
    case IntMode::packed_delta:
      to = put_packed(to, delta, count);
      break;
    case IntMode::packed_delta2:
      to = put_packed(put_varint(to, delta(1)), Delta2{delta}, count);
      break;
  }
  DUNLIN_CHECK(to == out.data() + start + plan.size);
  out.resize(start + plan.size);
}

Result<void> read_ints(PayloadReader& in, std::span<std::int64_t> out) {
  if (out.empty()) return {};
  DUNLIN_ASSIGN(const std::uint8_t code, in.byte());
  if (code > static_cast<std::uint8_t>(IntMode::packed_delta2)) {
    return in.error(Errc::malformed, "unknown integer mode");
  }
  const auto mode = static_cast<IntMode>(code);
  std::uint64_t scale = 1;
  if (mode >= IntMode::delta) {
    DUNLIN_ASSIGN(scale, in.varint());
    if (scale == 0 || scale > kScaleMax) return in.error(Errc::malformed, "scale out of range");
  }
  if (mode == IntMode::plain) {
    DUNLIN_TRY(read_varints(in, out));
    for (std::int64_t& value : out) value = unzigzag(to_unsigned(value));
    return {};
  }
  DUNLIN_ASSIGN(const std::uint64_t start, in.varint());
  const std::int64_t first = unzigzag(start);
  if (mode == IntMode::constant) {
    std::fill(out.begin(), out.end(), first);
    return {};
  }
  if (mode == IntMode::packed) {
    DUNLIN_TRY(read_packed(in, out));
    for (std::int64_t& value : out) {
      value = to_signed(to_unsigned(first) + to_unsigned(value) * scale);
    }
    return {};
  }
  out[0] = first;
  if (out.size() == 1) return {};
  const bool second_order = mode == IntMode::delta2 || mode == IntMode::packed_delta2;
  if (!second_order) {
    DUNLIN_TRY(read_residuals(in, mode, out.subspan(1)));
    sum_steps(out.subspan(1), first, scale);
    return {};
  }
  DUNLIN_ASSIGN(const std::uint64_t folded, in.varint());
  const std::uint64_t step = to_unsigned(unzigzag(folded));
  out[1] = to_signed(to_unsigned(first) + step * scale);
  DUNLIN_TRY(read_residuals(in, mode, out.subspan(2)));
  sum_changes(out.subspan(2), out[1], step, scale);
  return {};
}

}  // namespace dunlin
