#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "dunlin/bytes.h"

namespace dunlin {

// Deterministic CBOR (RFC 8949, section 4.2) over libcbor's streaming functions, with two
// departures that keep re-encoding trivial: floats always take 64 bits, and NaN is always
// 7ff8000000000000. Only the types the formats use exist: integers, byte strings, text, arrays,
// bool, null, float. Definite lengths only; no tags, no maps.

class CborWriter {
 public:
  explicit CborWriter(Bytes& out) : out_(out) {}

  void array(std::uint64_t items);
  void uint(std::uint64_t value);
  void integer(std::int64_t value);
  void bytes(ByteView value);
  void text(std::string_view value);
  void boolean(bool value);
  void null();
  void real(double value);
  void raw(ByteView item);  // one item that is canonical CBOR already

 private:
  Bytes& out_;
};

// The bytes that integer() takes.
std::size_t cbor_size(std::int64_t value);

// Strict pull parser: whatever a CborWriter would not have written is `malformed`, and an end
// inside an item is `truncated`. Views point into the input. Errors carry the offset.
class CborReader {
 public:
  enum class Type { uint, negative, bytes, text, array, boolean, null, real, end };

  explicit CborReader(ByteView input) : input_(input) {}

  std::size_t offset() const { return offset_; }
  bool at_end() const { return offset_ == input_.size(); }
  Type peek() const;  // `end` at the end or where no known item starts

  Result<std::uint64_t> array();  // number of items; never more than the bytes that are left
  Result<void> array_of(std::uint64_t items);
  Result<std::uint64_t> uint();
  Result<std::int64_t> integer();
  Result<ByteView> bytes();
  Result<void> bytes_into(std::span<std::uint8_t> out);  // a byte string of exactly this size
  Result<std::string_view> text();                       // valid UTF-8
  Result<bool> boolean();
  Result<void> null();
  Result<double> real();
  // The bytes of one whole item of any kind, nested arrays at most `depth` deep.
  Result<ByteView> skip(int depth = 8);
  // `malformed` unless everything was read.
  Result<void> finish() const;

  Error error(Errc code, std::string_view what) const;

 private:
  struct Item;
  Result<Item> next(Type expected, std::string_view what);

  ByteView input_;
  std::size_t offset_ = 0;
};

}  // namespace dunlin
