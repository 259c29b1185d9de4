#include "common/codec/cbor.h"

#include <cbor.h>

#include <bit>
#include <cstring>
#include <string>

#include "common/base/check.h"
#include "common/base/utf8.h"

namespace dunlin {

namespace {
constexpr std::uint64_t kCanonicalNan = 0x7ff8000000000000ULL;
constexpr std::size_t kHeadMax = 9;

bool is_nan(std::uint64_t bits) {
  return (bits & 0x7fffffffffffffffULL) > 0x7ff0000000000000ULL;
}

template <typename Encode>
void append_head(Bytes& out, Encode encode) {
  std::uint8_t head[kHeadMax];
  const std::size_t size = encode(head, kHeadMax);
  out.insert(out.end(), head, head + size);
}
}  // namespace

void CborWriter::array(std::uint64_t items) {
  append_head(out_, [count = static_cast<std::size_t>(items)](auto* p, std::size_t n) {
    return cbor_encode_array_start(count, p, n);
  });
}
void CborWriter::uint(std::uint64_t value) {
  append_head(out_, [&](auto* p, std::size_t n) { return cbor_encode_uint(value, p, n); });
}
void CborWriter::integer(std::int64_t value) {
  if (value >= 0) return uint(static_cast<std::uint64_t>(value));
  const auto magnitude = ~static_cast<std::uint64_t>(value);  // -1 - value
  append_head(out_, [&](auto* p, std::size_t n) { return cbor_encode_negint(magnitude, p, n); });
}
void CborWriter::bytes(ByteView value) {
  append_head(out_, [&](auto* p, std::size_t n) {
    return cbor_encode_bytestring_start(value.size(), p, n);
  });
  out_.insert(out_.end(), value.begin(), value.end());
}
void CborWriter::text(std::string_view value) {
  append_head(out_,
              [&](auto* p, std::size_t n) { return cbor_encode_string_start(value.size(), p, n); });
  out_.insert(out_.end(), value.begin(), value.end());
}
void CborWriter::boolean(bool value) {
  append_head(out_, [&](auto* p, std::size_t n) { return cbor_encode_bool(value, p, n); });
}
void CborWriter::null() {
  append_head(out_, [](auto* p, std::size_t n) { return cbor_encode_null(p, n); });
}
void CborWriter::real(double value) {
  // libcbor would write whatever NaN it is given in a form of its own; the bits are ours to say.
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const double plain = is_nan(bits) ? std::bit_cast<double>(kCanonicalNan) : value;
  append_head(out_, [&](auto* p, std::size_t n) { return cbor_encode_double(plain, p, n); });
}

void CborWriter::raw(ByteView item) {
  out_.insert(out_.end(), item.begin(), item.end());
}

struct CborReader::Item {
  Type type = Type::end;
  std::uint64_t value = 0;    // of integers (magnitude), arrays (items), floats (bits), bool
  std::size_t head_size = 0;  // as libcbor read it
  const std::uint8_t* data = nullptr;
  std::size_t size = 0;  // of strings
};

namespace {

struct Seen {
  CborReader::Type type = CborReader::Type::end;
  std::uint64_t value = 0;
  const std::uint8_t* data = nullptr;
  std::size_t size = 0;
};

void see(void* context, CborReader::Type type, std::uint64_t value) {
  auto& seen = *static_cast<Seen*>(context);
  seen.type = type;
  seen.value = value;
}
void see_string(void* context, CborReader::Type type, const std::uint8_t* data, std::size_t size) {
  auto& seen = *static_cast<Seen*>(context);
  seen.type = type;
  seen.data = data;
  seen.size = size;
}

// Everything that is not set here stays libcbor's empty callback, so that the item is refused as of
// no known type: maps, tags, half and single floats, undefined, and indefinite lengths.
cbor_callbacks make_callbacks() {
  using Type = CborReader::Type;
  cbor_callbacks c = cbor_empty_callbacks;
  c.uint8 = [](void* x, std::uint8_t v) { see(x, Type::uint, v); };
  c.uint16 = [](void* x, std::uint16_t v) { see(x, Type::uint, v); };
  c.uint32 = [](void* x, std::uint32_t v) { see(x, Type::uint, v); };
  c.uint64 = [](void* x, std::uint64_t v) { see(x, Type::uint, v); };
  c.negint8 = [](void* x, std::uint8_t v) { see(x, Type::negative, v); };
  c.negint16 = [](void* x, std::uint16_t v) { see(x, Type::negative, v); };
  c.negint32 = [](void* x, std::uint32_t v) { see(x, Type::negative, v); };
  c.negint64 = [](void* x, std::uint64_t v) { see(x, Type::negative, v); };
  c.byte_string = [](void* x, cbor_data d, std::size_t n) { see_string(x, Type::bytes, d, n); };
  c.string = [](void* x, cbor_data d, std::size_t n) { see_string(x, Type::text, d, n); };
  c.array_start = [](void* x, std::size_t v) { see(x, Type::array, v); };
  c.boolean = [](void* x, bool v) { see(x, Type::boolean, v ? 1 : 0); };
  c.null = [](void* x) { see(x, Type::null, 0); };
  c.float8 = [](void* x, double v) { see(x, Type::real, std::bit_cast<std::uint64_t>(v)); };
  return c;
}

// libcbor cuts the length of a string or an array to size_t. One that does not fit is longer than
// any input.
bool is_beyond_size_t(ByteView item) {
  if (sizeof(std::size_t) == 8 || item.size() < kHeadMax) return false;
  const int major = item[0] >> 5;
  if (major < 2 || major > 4 || (item[0] & 0x1f) != 27) return false;
  return (item[1] | item[2] | item[3] | item[4]) != 0;
}

std::size_t shortest_head(std::uint64_t value) {
  if (value < 24) return 1;
  if (value <= 0xff) return 2;
  if (value <= 0xffff) return 3;
  if (value <= 0xffffffff) return 5;
  return 9;
}

std::string_view name_of(CborReader::Type type) {
  using Type = CborReader::Type;
  switch (type) {
    case Type::uint:
      return "an unsigned integer";
    case Type::negative:
      return "a negative integer";
    case Type::bytes:
      return "a byte string";
    case Type::text:
      return "text";
    case Type::array:
      return "an array";
    case Type::boolean:
      return "a bool";
    case Type::null:
      return "null";
    case Type::real:
      return "a 64-bit float";
    case Type::end:
      break;
  }
  return "the end";
}

}  // namespace

std::size_t cbor_size(std::int64_t value) {
  return shortest_head(value >= 0 ? static_cast<std::uint64_t>(value)
                                  : ~static_cast<std::uint64_t>(value));
}

Error CborReader::error(Errc code, std::string_view what) const {
  return {code, std::string(what) + " at offset " + std::to_string(offset_)};
}

CborReader::Type CborReader::peek() const {
  if (at_end()) return Type::end;
  const std::uint8_t byte = input_[offset_];
  switch (byte >> 5) {
    case 0:
      return Type::uint;
    case 1:
      return Type::negative;
    case 2:
      return Type::bytes;
    case 3:
      return Type::text;
    case 4:
      return Type::array;
    case 7:
      if (byte == 0xf4 || byte == 0xf5) return Type::boolean;
      if (byte == 0xf6) return Type::null;
      if (byte == 0xfb) return Type::real;
      break;
    default:
      break;
  }
  return Type::end;
}

Result<CborReader::Item> CborReader::next(Type expected, std::string_view what) {
  static const cbor_callbacks kCallbacks = make_callbacks();
  if (at_end()) return error(Errc::truncated, std::string("expected ") + std::string(what));
  const ByteView rest = input_.subspan(offset_);
  if (is_beyond_size_t(rest)) return error(Errc::truncated, "item cut short");
  Seen seen;
  const cbor_decoder_result result =
      cbor_stream_decode(rest.data(), rest.size(), &kCallbacks, &seen);
  if (result.status == CBOR_DECODER_NEDATA) return error(Errc::truncated, "item cut short");
  if (result.status != CBOR_DECODER_FINISHED || seen.type != expected) {
    return error(Errc::malformed, "expected " + std::string(what));
  }
  Item item{seen.type, seen.value, result.read - seen.size, seen.data, seen.size};
  const bool sized = expected != Type::boolean && expected != Type::null && expected != Type::real;
  const std::uint64_t head_value = seen.data != nullptr ? seen.size : seen.value;
  if (sized && item.head_size != shortest_head(head_value)) {
    return error(Errc::malformed, "not in its shortest form");
  }
  offset_ += result.read;
  return item;
}

Result<std::uint64_t> CborReader::array() {
  DUNLIN_ASSIGN(const Item item, next(Type::array, name_of(Type::array)));
  if (item.value > input_.size() - offset_)
    return error(Errc::truncated, "array longer than the input");
  return item.value;
}

Result<void> CborReader::array_of(std::uint64_t items) {
  DUNLIN_ASSIGN(const std::uint64_t found, array());
  if (found != items) {
    return error(Errc::malformed, "an array of " + std::to_string(found) + " items instead of " +
                                      std::to_string(items));
  }
  return {};
}

Result<std::uint64_t> CborReader::uint() {
  DUNLIN_ASSIGN(const Item item, next(Type::uint, name_of(Type::uint)));
  return item.value;
}

Result<std::int64_t> CborReader::integer() {
  const bool negative = peek() == Type::negative;
  DUNLIN_ASSIGN(const Item item, next(negative ? Type::negative : Type::uint, "an integer"));
  if (item.value > 0x7fffffffffffffffULL) return error(Errc::malformed, "integer beyond 64 bits");
  const auto value = static_cast<std::int64_t>(item.value);
  return negative ? -1 - value : value;
}

Result<ByteView> CborReader::bytes() {
  DUNLIN_ASSIGN(const Item item, next(Type::bytes, name_of(Type::bytes)));
  return ByteView{item.data, item.size};
}

Result<void> CborReader::bytes_into(std::span<std::uint8_t> out) {
  DUNLIN_ASSIGN(const ByteView found, bytes());
  if (found.size() != out.size()) {
    return error(Errc::malformed, "a byte string of " + std::to_string(found.size()) +
                                      " bytes instead of " + std::to_string(out.size()));
  }
  std::memcpy(out.data(), found.data(), out.size());
  return {};
}

Result<std::string_view> CborReader::text() {
  DUNLIN_ASSIGN(const Item item, next(Type::text, name_of(Type::text)));
  const std::string_view text = as_text({item.data, item.size});
  if (!is_utf8(text)) return error(Errc::malformed, "text is not UTF-8");
  return text;
}

Result<bool> CborReader::boolean() {
  DUNLIN_ASSIGN(const Item item, next(Type::boolean, name_of(Type::boolean)));
  return item.value != 0;
}

Result<void> CborReader::null() {
  DUNLIN_TRY(next(Type::null, name_of(Type::null)));
  return {};
}

Result<double> CborReader::real() {
  // libcbor passes doubles through a load that keeps the bits, so a foreign NaN shows as it is.
  DUNLIN_ASSIGN(const Item item, next(Type::real, name_of(Type::real)));
  if (is_nan(item.value) && item.value != kCanonicalNan) {
    return error(Errc::malformed, "NaN in another form than 7ff8000000000000");
  }
  return std::bit_cast<double>(item.value);
}

Result<ByteView> CborReader::skip(int depth) {
  const std::size_t start = offset_;
  switch (peek()) {
    case Type::uint:
      DUNLIN_TRY(next(Type::uint, ""));
      break;
    case Type::negative:
      DUNLIN_TRY(next(Type::negative, ""));
      break;
    case Type::bytes:
      DUNLIN_TRY(bytes());
      break;
    case Type::text:
      DUNLIN_TRY(text());
      break;
    case Type::boolean:
      DUNLIN_TRY(boolean());
      break;
    case Type::null:
      DUNLIN_TRY(null());
      break;
    case Type::real:
      DUNLIN_TRY(real());
      break;
    case Type::array: {
      if (depth == 0) return error(Errc::malformed, "arrays nested too deep");
      DUNLIN_ASSIGN(const std::uint64_t items, array());
      for (std::uint64_t i = 0; i < items; ++i) DUNLIN_TRY(skip(depth - 1));
      break;
    }
    case Type::end:
      return error(at_end() ? Errc::truncated : Errc::malformed, "expected an item");
  }
  return input_.subspan(start, offset_ - start);
}

Result<void> CborReader::finish() const {
  if (!at_end()) return error(Errc::malformed, "bytes after the end");
  return {};
}

}  // namespace dunlin
