#include "common/replication/stream_mapping.h"

#include <algorithm>
#include <array>

#include "common/base/utf8.h"
#include "common/codec/cbor.h"
#include "common/codec/entry_codec.h"
#include "common/log/limits.h"

namespace dunlin::replication {

namespace {

constexpr std::size_t kRowOverhead = 12;  // array head and time offset

std::size_t cell_bytes(const Cell& cell) {
  switch (cell.kind) {
    case Cell::Kind::text:
      return cell.text_size + std::size_t{5};
    case Cell::Kind::integer:
      return cbor_size(cell.integer);
    case Cell::Kind::real:
      return 9;
    case Cell::Kind::boolean:
    case Cell::Kind::missing:
      break;
  }
  return 1;
}

// value * factor, or nothing when it does not fit.
std::optional<std::int64_t> scaled(std::int64_t value, std::int64_t factor) {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(value, factor, &product)) return std::nullopt;
  return product;
}

bool fits_type(const Cell& cell, FieldType type) {
  switch (cell.kind) {
    case Cell::Kind::missing:
      return true;
    case Cell::Kind::integer:
      return type == FieldType::int64 || type == FieldType::decimal;
    case Cell::Kind::real:
      return type == FieldType::float64;
    case Cell::Kind::boolean:
      return type == FieldType::boolean;
    case Cell::Kind::text:
      return type == FieldType::text;
  }
  return false;
}

std::string field_of(const StreamSchema& schema, const Field& field) {
  return "field " + field.name + " of stream " + schema.name;
}

Result<void> check_schema(const StreamSchema& incoming) {
  if (incoming.fields.empty())
    return {Errc::invalid_argument, "stream " + incoming.name + " has no fields"};
  for (std::size_t i = 0; i < incoming.fields.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (incoming.fields[i].name == incoming.fields[j].name) {
        return {Errc::invalid_argument,
                "stream " + incoming.name + " has two fields " + incoming.fields[i].name};
      }
    }
  }
  return {};
}

Result<void> check_limits(const StreamSchema& next) {
  const bool named = !next.name.empty() && next.name.size() <= kNameBytesMax;
  const bool sane = std::all_of(next.fields.begin(), next.fields.end(), [](const Field& f) {
    return !f.name.empty() && f.name.size() <= kNameBytesMax && f.unit.size() <= kNameBytesMax &&
           f.decimals <= 18;
  });
  if (!named || !sane || next.fields.size() > kFieldsMax) {
    return {Errc::invalid_argument, "stream " + next.name +
                                        ": names have 1 to 128 bytes, and there are at most 256 "
                                        "fields of at most 18 decimals"};
  }
  return {};
}

}  // namespace

Result<StreamMapping> map_stream(const StreamSchema& incoming, const Define& latest,
                                 std::uint64_t next_id) {
  DUNLIN_TRY(check_schema(incoming));
  const bool known = latest.id != 0;
  StreamMapping mapping{.incoming = incoming, .latest = latest, .positions = {}, .factors = {}};
  StreamSchema& next = mapping.latest.schema;
  next.name = incoming.name;
  for (const Field& field : incoming.fields) {
    const auto same = std::find_if(next.fields.begin(), next.fields.end(),
                                   [&](const Field& f) { return f.name == field.name; });
    mapping.positions.push_back(static_cast<std::size_t>(same - next.fields.begin()));
    if (same == next.fields.end()) {
      next.fields.push_back(field);
    } else if (same->type != field.type) {
      return {Errc::type_changed, field_of(incoming, field) + " is " +
                                      std::string(to_string(same->type)) + ", not " +
                                      std::string(to_string(field.type))};
    } else {
      same->decimals = std::max(same->decimals, field.decimals);
    }
  }
  DUNLIN_TRY(check_limits(next));
  mapping.defines = !known || next != latest.schema;
  if (mapping.defines) {
    mapping.latest.id = next_id;
    mapping.latest.version = known ? latest.version + 1 : 1;
    Bytes canonical;
    CborWriter writer(canonical);
    encode_op(writer, mapping.latest);
    if (canonical.size() > kEntryOpsBytesMax) {
      return {Errc::too_large, "the schema of stream " + incoming.name + " does not fit an entry"};
    }
  }
  mapping.identity = incoming.fields.size() == next.fields.size();
  for (std::size_t i = 0; i < incoming.fields.size(); ++i) {
    std::int64_t factor = 1;
    const int more = next.fields[mapping.positions[i]].decimals - incoming.fields[i].decimals;
    for (int d = 0; d < more; ++d) factor *= 10;
    mapping.factors.push_back(factor);
    mapping.identity = mapping.identity && mapping.positions[i] == i && factor == 1;
  }
  return mapping;
}

Result<std::vector<std::size_t>> row_sizes(const StreamMapping& mapping, const Rows& rows) {
  const StreamSchema& schema = mapping.incoming;
  const auto mistake = [&](Errc code, std::size_t field, const char* what) {
    return Error{code, field_of(schema, schema.fields[field]) + ": " + what};
  };
  if (rows.fields() != schema.fields.size()) {
    return {Errc::invalid_argument, "rows of stream " + schema.name + " have " +
                                        std::to_string(rows.fields()) + " cells, its schema " +
                                        std::to_string(schema.fields.size())};
  }
  // Fields of the stream that are not in these rows are missing: one byte each.
  const std::size_t absent = mapping.latest.schema.fields.size() - rows.fields();
  std::vector<std::size_t> sizes(rows.size(), kRowOverhead + absent);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    for (std::size_t f = 0; f < rows.fields(); ++f) {
      const Cell& cell = rows.cell(row, f);
      if (!fits_type(cell, schema.fields[f].type))
        return mistake(Errc::type_changed, f, "a value of another type");
      if (cell.kind == Cell::Kind::text && !is_utf8(rows.text(cell)))
        return mistake(Errc::invalid_argument, f, "text that is not UTF-8");
      sizes[row] += cell_bytes(cell);
      if (mapping.factors[f] == 1 || cell.kind != Cell::Kind::integer) continue;
      if (!scaled(cell.integer, mapping.factors[f]))
        return mistake(Errc::too_large, f, "a value that does not fit the stream's decimals");
      sizes[row] += 8;  // a mantissa that is scaled up may take all of its nine bytes
    }
    if (sizes[row] > kEntryOpsBytesMax)
      return {Errc::too_large, "a reading of stream " + schema.name};
  }
  return sizes;
}

void add_row(const StreamMapping& mapping, const Rows& rows, std::size_t row, Samples& samples) {
  Rows& out = samples.rows;
  if (out.empty()) samples.base = rows.time(row);
  if (mapping.identity) return out.add_row(rows, row);
  const std::size_t fields = mapping.latest.schema.fields.size();
  std::array<std::size_t, kFieldsMax> source;
  std::fill_n(source.begin(), fields, rows.fields());
  for (std::size_t i = 0; i < rows.fields(); ++i) source[mapping.positions[i]] = i;
  out.begin_row(rows.time(row));
  for (std::size_t f = 0; f < fields; ++f) {
    if (source[f] == rows.fields()) {
      out.add_missing();
      continue;
    }
    const Cell& cell = rows.cell(row, source[f]);
    if (cell.kind == Cell::Kind::integer) {
      out.add_integer(*scaled(cell.integer, mapping.factors[source[f]]));
    } else {
      out.add_cell(rows, cell);
    }
  }
}

}  // namespace dunlin::replication
