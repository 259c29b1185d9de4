#include "common/codec/entry_codec.h"

#include <string>

#include "common/base/check.h"
#include "common/codec/wrapping.h"
#include "common/log/limits.h"

namespace dunlin {

namespace {

void encode_cell(CborWriter& writer, const Rows& rows, const Cell& cell) {
  switch (cell.kind) {
    case Cell::Kind::missing:
      return writer.null();
    case Cell::Kind::integer:
      return writer.integer(cell.integer);
    case Cell::Kind::real:
      return writer.real(cell.real);
    case Cell::Kind::boolean:
      return writer.boolean(cell.boolean);
    case Cell::Kind::text:
      return writer.text(rows.text(cell));
  }
}

struct OpEncoder {
  CborWriter& w;

  void operator()(const Open& op) {
    w.array(3), w.uint(Open::kCode), w.bytes(op.public_key), w.text(op.name);
  }
  void operator()(const Seal& op) {
    w.array(5), w.uint(Seal::kCode), w.uint(op.epoch.value), w.uint(op.track.value);
    w.uint(op.last), w.bytes(op.hash);
  }
  void operator()(const Define& op) {
    w.array(5), w.uint(Define::kCode), w.uint(op.id), w.uint(op.version), w.text(op.schema.name);
    w.array(op.schema.fields.size());
    for (const Field& field : op.schema.fields) {
      w.array(4), w.text(field.name), w.uint(static_cast<std::uint64_t>(field.type));
      w.text(field.unit), w.uint(field.decimals);
    }
  }
  void operator()(const Samples& op) {
    w.array(4), w.uint(Samples::kCode), w.uint(op.stream);
    if (op.boot) w.array(2), w.uint(*op.boot);
    w.integer(op.base);
    w.array(op.rows.size());
    for (std::size_t row = 0; row < op.rows.size(); ++row) {
      w.array(op.rows.fields() + 1);
      w.integer(wrapping_sub(op.rows.time(row), op.base));
      for (std::size_t f = 0; f < op.rows.fields(); ++f)
        encode_cell(w, op.rows, op.rows.cell(row, f));
    }
  }
  void operator()(const Lost& op) {
    w.array(4), w.uint(Lost::kCode), w.uint(op.epoch.value), w.uint(op.track.value);
    w.array(op.ranges.size());
    for (const LostRange& range : op.ranges) {
      w.array(5), w.uint(range.first), w.uint(range.last), w.bytes(range.before);
      w.bytes(range.after), w.uint(range.readings);
    }
  }
  void operator()(const TimeAnchor& op) {
    w.array(6), w.uint(TimeAnchor::kCode), w.uint(op.boot), w.text(op.boot_id);
    w.integer(op.monotonic_us), w.integer(op.utc_us), w.uint(op.uncertainty_us);
  }
  void operator()(const Revoke& op) {
    w.array(3), w.uint(Revoke::kCode), w.bytes(op.node.bytes), w.array(op.ends.size());
    for (const Revoke::End& end : op.ends) {
      w.array(4), w.uint(end.epoch.value), w.uint(end.track.value), w.uint(end.last);
      w.bytes(end.hash);
    }
  }
  void operator()(const UnknownOp& op) { w.raw(op.cbor); }
};

Result<std::string> read_name(CborReader& r, std::string_view what) {
  DUNLIN_ASSIGN(const std::string_view text, r.text());
  if (text.size() > kNameBytesMax) return r.error(Errc::malformed, std::string(what) + " too long");
  return std::string(text);
}

// These read what follows the code.
Result<Op> decode_open(CborReader& r) {
  DUNLIN_ASSIGN(const ByteView key, r.bytes());
  Open op{Bytes(key.begin(), key.end()), {}};
  DUNLIN_ASSIGN(op.name, read_name(r, "node name"));
  return Op(std::move(op));
}

Result<Op> decode_seal(CborReader& r) {
  Seal op;
  DUNLIN_ASSIGN(op.epoch.value, r.uint());
  DUNLIN_ASSIGN(op.track.value, r.uint());
  DUNLIN_ASSIGN(op.last, r.uint());
  DUNLIN_TRY(r.bytes_into(op.hash));
  if (op.last > kSeqMax) return r.error(Errc::malformed, "a log that ends beyond 2^62");
  return Op(std::move(op));
}

Result<Op> decode_define(CborReader& r) {
  Define op;
  DUNLIN_ASSIGN(op.id, r.uint());
  DUNLIN_ASSIGN(op.version, r.uint());
  DUNLIN_ASSIGN(op.schema.name, read_name(r, "stream name"));
  DUNLIN_ASSIGN(const std::uint64_t fields, r.array());
  if (fields == 0 || fields > kFieldsMax) return r.error(Errc::malformed, "1 to 256 fields");
  for (std::uint64_t i = 0; i < fields; ++i) {
    Field field;
    DUNLIN_TRY(r.array_of(4));
    DUNLIN_ASSIGN(field.name, read_name(r, "field name"));
    DUNLIN_ASSIGN(const std::uint64_t type, r.uint());
    if (type > static_cast<std::uint64_t>(FieldType::text))
      return r.error(Errc::malformed, "field type");
    field.type = static_cast<FieldType>(type);
    DUNLIN_ASSIGN(field.unit, read_name(r, "unit"));
    DUNLIN_ASSIGN(const std::uint64_t decimals, r.uint());
    if (decimals > 18) return r.error(Errc::malformed, "more than 18 decimals");
    field.decimals = static_cast<std::uint8_t>(decimals);
    op.schema.fields.push_back(std::move(field));
  }
  return Op(std::move(op));
}

Result<void> decode_cell(CborReader& r, Rows& rows) {
  switch (r.peek()) {
    case CborReader::Type::null: {
      DUNLIN_TRY(r.null());
      rows.add_missing();
      return {};
    }
    case CborReader::Type::uint:
    case CborReader::Type::negative: {
      DUNLIN_ASSIGN(const std::int64_t value, r.integer());
      rows.add_integer(value);
      return {};
    }
    case CborReader::Type::real: {
      DUNLIN_ASSIGN(const double value, r.real());
      rows.add_real(value);
      return {};
    }
    case CborReader::Type::boolean: {
      DUNLIN_ASSIGN(const bool value, r.boolean());
      rows.add_boolean(value);
      return {};
    }
    case CborReader::Type::text: {
      DUNLIN_ASSIGN(const std::string_view value, r.text());
      rows.add_text(value);
      return {};
    }
    default:
      return r.error(r.at_end() ? Errc::truncated : Errc::malformed, "expected a cell");
  }
}

Result<Op> decode_samples(CborReader& r) {
  Samples op;
  DUNLIN_ASSIGN(op.stream, r.uint());
  if (r.peek() == CborReader::Type::array) {
    DUNLIN_TRY(r.array_of(2));
    DUNLIN_ASSIGN(op.boot, r.uint());
  }
  DUNLIN_ASSIGN(op.base, r.integer());
  DUNLIN_ASSIGN(const std::uint64_t count, r.array());
  for (std::uint64_t i = 0; i < count; ++i) {
    DUNLIN_ASSIGN(const std::uint64_t items, r.array());
    if (items < 2 || items > kFieldsMax + 1)
      return r.error(Errc::malformed, "1 to 256 cells in a row");
    if (i == 0) op.rows = Rows(static_cast<std::size_t>(items - 1));
    if (items != op.rows.fields() + 1) return r.error(Errc::malformed, "rows of different length");
    DUNLIN_ASSIGN(const std::int64_t offset, r.integer());
    op.rows.begin_row(wrapping_add(op.base, offset));
    for (std::uint64_t f = 1; f < items; ++f) DUNLIN_TRY(decode_cell(r, op.rows));
  }
  return Op(std::move(op));
}

Result<Op> decode_lost(CborReader& r) {
  Lost op;
  DUNLIN_ASSIGN(op.epoch.value, r.uint());
  DUNLIN_ASSIGN(op.track.value, r.uint());
  DUNLIN_ASSIGN(const std::uint64_t count, r.array());
  Seq previous = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    LostRange range;
    DUNLIN_TRY(r.array_of(5));
    DUNLIN_ASSIGN(range.first, r.uint());
    DUNLIN_ASSIGN(range.last, r.uint());
    DUNLIN_TRY(r.bytes_into(range.before));
    DUNLIN_TRY(r.bytes_into(range.after));
    DUNLIN_ASSIGN(range.readings, r.uint());
    if (range.first <= previous || range.last < range.first || range.last > kSeqMax) {
      return r.error(Errc::malformed, "lost ranges out of order");
    }
    previous = range.last;
    op.ranges.push_back(range);
  }
  return Op(std::move(op));
}

Result<Op> decode_time_anchor(CborReader& r) {
  TimeAnchor op;
  DUNLIN_ASSIGN(op.boot, r.uint());
  DUNLIN_ASSIGN(op.boot_id, read_name(r, "boot id"));
  DUNLIN_ASSIGN(op.monotonic_us, r.integer());
  DUNLIN_ASSIGN(op.utc_us, r.integer());
  DUNLIN_ASSIGN(op.uncertainty_us, r.uint());
  return Op(std::move(op));
}

Result<Op> decode_revoke(CborReader& r) {
  Revoke op;
  DUNLIN_TRY(r.bytes_into(op.node.bytes));
  DUNLIN_ASSIGN(const std::uint64_t count, r.array());
  if (count > kRevokedLogsMax) return r.error(Errc::malformed, "more than 256 logs of a node");
  for (std::uint64_t i = 0; i < count; ++i) {
    Revoke::End end;
    DUNLIN_TRY(r.array_of(4));
    DUNLIN_ASSIGN(end.epoch.value, r.uint());
    DUNLIN_ASSIGN(end.track.value, r.uint());
    DUNLIN_ASSIGN(end.last, r.uint());
    DUNLIN_TRY(r.bytes_into(end.hash));
    if (end.last > kSeqMax) return r.error(Errc::malformed, "a log that ends beyond 2^62");
    op.ends.push_back(end);
  }
  return Op(std::move(op));
}

struct Layout {
  std::uint64_t code;
  std::uint64_t items;
  Result<Op> (*decode)(CborReader&);
};
constexpr Layout kLayouts[] = {
    {Open::kCode, 3, decode_open},     {Seal::kCode, 5, decode_seal},
    {Define::kCode, 5, decode_define}, {Samples::kCode, 4, decode_samples},
    {Lost::kCode, 4, decode_lost},     {TimeAnchor::kCode, 6, decode_time_anchor},
    {Revoke::kCode, 3, decode_revoke}};

}  // namespace

void encode_op(CborWriter& writer, const Op& op) {
  std::visit(OpEncoder{writer}, op);
}

Result<Op> decode_op(ByteView cbor) {
  CborReader r(cbor);
  DUNLIN_ASSIGN(const std::uint64_t items, r.array());
  if (items == 0) return r.error(Errc::malformed, "an operation without a code");
  DUNLIN_ASSIGN(const std::uint64_t code, r.uint());
  for (const Layout& layout : kLayouts) {
    if (layout.code != code || items > layout.items) continue;
    if (items < layout.items) return r.error(Errc::malformed, "an operation with too few items");
    DUNLIN_ASSIGN(Op op, layout.decode(r));
    DUNLIN_TRY(r.finish());
    return op;
  }
  CborReader whole(cbor);
  DUNLIN_TRY(whole.skip());
  DUNLIN_TRY(whole.finish());
  return Op(UnknownOp{code, Bytes(cbor.begin(), cbor.end())});
}

namespace {
void encode_entry_to(const Entry& entry, Bytes& out) {
  CborWriter writer(out);
  writer.array(3);
  writer.uint(entry.seq);
  writer.uint(entry.hlc.value);
  writer.array(entry.ops.size());
  for (const Op& op : entry.ops) encode_op(writer, op);
}
}  // namespace

Bytes encode_entry(const Entry& entry) {
  Bytes out;
  encode_entry_to(entry, out);
  return out;
}

Hash entry_digest(const Entry& entry, Bytes& scratch) {
  scratch.clear();
  encode_entry_to(entry, scratch);
  return sha256(scratch);
}

Result<Entry> decode_entry(ByteView cbor) {
  if (cbor.size() > kEntryBytesMax) {
    return {Errc::too_large, "an entry of " + std::to_string(cbor.size()) + " bytes"};
  }
  CborReader r(cbor);
  Entry entry;
  DUNLIN_TRY(r.array_of(3));
  DUNLIN_ASSIGN(entry.seq, r.uint());
  DUNLIN_ASSIGN(entry.hlc.value, r.uint());
  DUNLIN_ASSIGN(const std::uint64_t ops, r.array());
  for (std::uint64_t i = 0; i < ops; ++i) {
    DUNLIN_ASSIGN(const ByteView item, r.skip());
    DUNLIN_ASSIGN(Op op, decode_op(item));
    entry.ops.push_back(std::move(op));
  }
  DUNLIN_TRY(r.finish());
  return entry;
}

}  // namespace dunlin
