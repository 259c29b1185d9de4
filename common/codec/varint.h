#pragma once

#include <bit>
#include <string>

#include "dunlin/bytes.h"

namespace dunlin {

// LEB128 (DWARF 5, section 7.6) for unsigned 64-bit numbers, seven bits a byte, low bits first,
// always in its shortest form; signed numbers are folded to unsigned by zigzag: 0, -1, 1, -2, 2 ...

inline constexpr std::size_t kVarintBytesMax = 10;

constexpr std::uint64_t zigzag(std::int64_t value) {
  return static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1 ^ (0 - (value & 1)));
}

constexpr std::size_t varint_size(std::uint64_t value) {
  // ceil(bits / 7) without a division, exact for 1 to 64 bits.
  return (static_cast<std::size_t>(std::bit_width(value | 1)) * 9 + 64) / 64;
}

// Writes varint_size(value) bytes and returns the end.
inline std::uint8_t* put_varint(std::uint8_t* to, std::uint64_t value) {
  while (value >= 0x80) {
    *to++ = static_cast<std::uint8_t>(value | 0x80);
    value >>= 7;
  }
  *to++ = static_cast<std::uint8_t>(value);
  return to;
}

inline void append_varint(Bytes& out, std::uint64_t value) {
  std::uint8_t buffer[kVarintBytesMax];
  out.insert(out.end(), buffer, put_varint(buffer, value));
}

// Eight bytes, little endian; compilers make one load or store of it where that is the same.
inline std::uint64_t load_le64(const std::uint8_t* from) {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < 8; ++i) value |= static_cast<std::uint64_t>(from[i]) << (8 * i);
  return value;
}
inline void store_le64(std::uint8_t* to, std::uint64_t value) {
  for (unsigned i = 0; i < 8; ++i) to[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

// Reads a payload from front to back. Failing reads say `truncated` at an early end and `malformed`
// for what the writer never writes, with the offset.
class PayloadReader {
 public:
  explicit PayloadReader(ByteView input) : input_(input) {}

  std::size_t offset() const { return offset_; }
  std::size_t left() const { return input_.size() - offset_; }
  bool at_end() const { return left() == 0; }

  Result<std::uint8_t> byte() {
    if (at_end()) return truncated();
    return input_[offset_++];
  }
  Result<ByteView> bytes(std::uint64_t size) {
    if (size > left()) return truncated();
    const ByteView view = input_.subspan(offset_, static_cast<std::size_t>(size));
    offset_ += view.size();
    return view;
  }
  Result<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
      if (at_end()) return truncated();
      const std::uint64_t byte = input_[offset_++];
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (byte == 0 && shift > 0) return error(Errc::malformed, "varint with a needless byte");
        if (shift == 63 && byte > 1) break;
        return value;
      }
    }
    return error(Errc::malformed, "varint beyond 64 bits");
  }

  // What is left, for loops over many values; skip() what they took.
  ByteView rest() const { return input_.subspan(offset_); }
  void skip(std::size_t size) { offset_ += size; }

  Error truncated() const { return error(Errc::truncated, "payload ends early"); }
  Error error(Errc code, std::string_view what) const {
    return {code, std::string(what) + " at offset " + std::to_string(offset_)};
  }

 private:
  ByteView input_;
  std::size_t offset_ = 0;
};

}  // namespace dunlin
