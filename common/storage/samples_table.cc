#include "common/storage/samples_table.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include "common/storage/segment_scan.h"

namespace dunlin::storage {

namespace {

// The columns that both tables have, numbered as in `samples`; a stream's table starts at kNode.
enum Key : int { kStream, kNode, kEpoch, kSeq, kRow, kTime, kField, kValue };
constexpr int kStreamColumns = 5;  // in front of the fields of a stream's table

constexpr const char* kSamplesDeclaration =
    "CREATE TABLE samples(stream TEXT, node TEXT, epoch TEXT, seq INTEGER, \"row\" INTEGER,"
    " time INTEGER, field TEXT, value)";

std::string quoted(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) out.append(c == '"' ? 2 : 1, c);
  return out + '"';
}

constexpr auto kPowersOfTen = [] {
  std::array<double, 19> powers{};
  double power = 1;
  for (double& p : powers) p = power, power *= 10;
  return powers;
}();

// mantissa / 10^decimals, rounded once. Both are exact doubles below 2^53; larger mantissas go
// through their digits.
double decimal_value(std::int64_t mantissa, std::uint8_t decimals) {
  constexpr std::int64_t kExact = std::int64_t{1} << 53;
  if (decimals >= kPowersOfTen.size()) return 0;
  if (mantissa > -kExact && mantissa < kExact) {
    return static_cast<double>(mantissa) / kPowersOfTen[decimals];
  }
  const std::string digits = std::to_string(mantissa) + "e-" + std::to_string(decimals);
  double value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

struct Table : sqlite3_vtab {
  SamplesContext* context = nullptr;
  std::optional<std::string> stream;  // nothing: `samples`
  bool is_samples() const { return !stream; }
  int key_of(int column) const { return is_samples() ? column : column + kNode; }
};

struct Cursor : sqlite3_vtab_cursor {
  explicit Cursor(SamplesContext& context) : scan(*context.db, context.segments_decoded) {}

  const Table& table() const { return *static_cast<const Table*>(pVtab); }
  SegmentScan scan;
  bool at_end = true;
  std::size_t row = 0;
  std::size_t field = 0;
  std::size_t fields = 0;  // lines of one reading
};

int fail(sqlite3_vtab* vtab, const Error& error) {
  auto* table = static_cast<Table*>(vtab);
  table->context->failure = error;
  sqlite3_free(table->zErrMsg);
  table->zErrMsg = sqlite3_mprintf("%s", error.message().c_str());
  switch (error.code) {
    case Errc::corrupt:
      return SQLITE_CORRUPT_VTAB;
    case Errc::timeout:
      return SQLITE_INTERRUPT;
    default:
      return SQLITE_ERROR;
  }
}

int declare(sqlite3* db, const std::string& declaration, Table table, sqlite3_vtab** out) {
  // Reads only, and nothing but this database.
  sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
  const int code = sqlite3_declare_vtab(db, declaration.c_str());
  if (code == SQLITE_OK) *out = new Table(std::move(table));
  return code;
}

int connect_samples(sqlite3* db, void* context, int, const char* const*, sqlite3_vtab** out,
                    char**) {
  return declare(db, kSamplesDeclaration, {{}, static_cast<SamplesContext*>(context), {}}, out);
}

int connect_stream(sqlite3* db, void* aux, int, const char* const* arguments, sqlite3_vtab** out,
                   char** message) {
  auto* context = static_cast<SamplesContext*>(aux);
  const Catalog::Stream* stream = context->catalog->stream_of_table(arguments[2]);
  if (stream == nullptr) {
    *message = sqlite3_mprintf("no stream has the table %s", arguments[2]);
    return SQLITE_ERROR;
  }
  return declare(db, stream_declaration(*stream), {{}, context, stream->name}, out);
}

// Distinct from connect_stream, or the module would be a table by its own name.
int create_stream(sqlite3* db, void* aux, int count, const char* const* arguments,
                  sqlite3_vtab** out, char** message) {
  return connect_stream(db, aux, count, arguments, out, message);
}

int disconnect(sqlite3_vtab* vtab) {
  delete static_cast<Table*>(vtab);
  return SQLITE_OK;
}

// ---- Planning. The plan is a text of two characters a constraint: the column and the operator.
// ----

char operator_of(unsigned char op) {
  switch (op) {
    case SQLITE_INDEX_CONSTRAINT_EQ:
      return '=';
    case SQLITE_INDEX_CONSTRAINT_GT:
      return '>';
    case SQLITE_INDEX_CONSTRAINT_GE:
      return ']';
    case SQLITE_INDEX_CONSTRAINT_LT:
      return '<';
    case SQLITE_INDEX_CONSTRAINT_LE:
      return '[';
    default:
      return 0;
  }
}

// The part of the readings that is left, by rule of thumb; 0 when the constraint does not prune.
double share_left(int key, char op) {
  switch (key) {
    case kStream:
      return op == '=' ? 0.2 : 0;
    case kNode:
      return op == '=' ? 0.05 : 0;
    case kEpoch:
      return op == '=' ? 0.5 : 0;
    case kSeq:
      return op == '=' ? 1e-4 : op != 0 ? 0.3 : 0;
    case kTime:
      return op == '=' ? 1e-3 : op != 0 ? 0.3 : 0;
    default:
      return 0;
  }
}

int best_index(sqlite3_vtab* vtab, sqlite3_index_info* info) {
  const auto& table = *static_cast<const Table*>(vtab);
  double rows = table.is_samples() ? 4e6 : 1e6;
  std::string plan;
  for (int i = 0; i < info->nConstraint; ++i) {
    const auto& constraint = info->aConstraint[i];
    const int key = constraint.iColumn < 0 ? kValue : table.key_of(constraint.iColumn);
    const char op = operator_of(constraint.op);
    const double left = constraint.usable ? share_left(key, op) : 0;
    if (left <= 0) continue;
    // Text is compared byte by byte here, so another collation is for SQLite to apply.
    if (key <= kEpoch && std::strcmp(sqlite3_vtab_collation(info, i), "BINARY") != 0) continue;
    rows *= left;
    plan += static_cast<char>('0' + key);
    plan += op;
    info->aConstraintUsage[i].argvIndex = static_cast<int>(plan.size() / 2);
  }
  info->estimatedRows = static_cast<sqlite3_int64>(rows) + 1;
  info->estimatedCost = 1000 + rows;  // a segment at least has to be decoded
  info->idxStr = sqlite3_mprintf("%s", plan.c_str());
  info->needToFreeIdxStr = 1;
  return info->idxStr == nullptr ? SQLITE_NOMEM : SQLITE_OK;
}

// ---- Filtering. SQLite checks every constraint again, so a comparison with anything else than a
// number or a text may be left to it. ----

// Takes `column op value` into the range of a column of whole numbers. False when none can pass.
bool narrow(std::int64_t& low, std::int64_t& high, char op, sqlite3_value* value) {
  std::int64_t floor = 0, ceiling = 0;  // of the value
  switch (sqlite3_value_type(value)) {
    case SQLITE_NULL:
      return false;
    case SQLITE_INTEGER:
      floor = ceiling = sqlite3_value_int64(value);
      break;
    case SQLITE_FLOAT: {
      const double real = sqlite3_value_double(value);
      if (!(std::fabs(real) < 9e18)) return true;
      floor = static_cast<std::int64_t>(std::floor(real));
      ceiling = static_cast<std::int64_t>(std::ceil(real));
      break;
    }
    default:
      return true;
  }
  switch (op) {
    case '=':
      low = std::max(low, ceiling), high = std::min(high, floor);
      break;
    case ']':
      low = std::max(low, ceiling);
      break;
    case '[':
      high = std::min(high, floor);
      break;
    case '>':
      if (floor == ScanFilter::kHighest) return false;
      low = std::max(low, floor + 1);
      break;
    case '<':
      if (ceiling == ScanFilter::kLowest) return false;
      high = std::min(high, ceiling - 1);
      break;
    default:
      break;
  }
  return low <= high;
}

bool name(std::optional<std::string>& wanted, sqlite3_value* value) {
  if (sqlite3_value_type(value) == SQLITE_NULL) return false;
  if (sqlite3_value_type(value) != SQLITE_TEXT) return true;
  const auto* data = reinterpret_cast<const char*>(sqlite3_value_text(value));
  std::string text(data, static_cast<std::size_t>(sqlite3_value_bytes(value)));
  if (wanted && *wanted != text) return false;
  wanted = std::move(text);
  return true;
}

// Nothing when no line can pass.
std::optional<ScanFilter> filter_of(const Table& table, const char* plan, sqlite3_value** values) {
  ScanFilter filter;
  filter.stream = table.stream;
  for (; plan != nullptr && *plan != 0; plan += 2, ++values) {
    bool possible = true;
    switch (plan[0] - '0') {
      case kStream:
        possible = name(filter.stream, *values);
        break;
      case kNode:
        possible = name(filter.node, *values);
        break;
      case kEpoch:
        possible = name(filter.epoch, *values);
        break;
      case kSeq:
        possible = narrow(filter.seq_min, filter.seq_max, plan[1], *values);
        break;
      case kTime:
        filter.timed = true;
        possible = narrow(filter.time_min, filter.time_max, plan[1], *values);
        break;
      default:
        break;
    }
    if (!possible) return std::nullopt;
  }
  return filter;
}

// ---- Cursors ----

int open_cursor(sqlite3_vtab* vtab, sqlite3_vtab_cursor** out) {
  *out = new Cursor(*static_cast<Table*>(vtab)->context);
  return SQLITE_OK;
}

int close_cursor(sqlite3_vtab_cursor* base) {
  delete static_cast<Cursor*>(base);
  return SQLITE_OK;
}

// Steps to the next Samples that has a line.
int next_samples(Cursor& cursor) {
  cursor.row = 0;
  cursor.field = 0;
  do {
    const Result<bool> found = cursor.scan.next();
    cursor.at_end = !found.ok() || !*found;
    if (!found.ok()) return fail(cursor.pVtab, found.error());
    if (cursor.at_end) return SQLITE_OK;
    cursor.fields =
        std::min(cursor.scan.samples().rows.fields(), cursor.scan.shape().fields.size());
  } while (cursor.table().is_samples() && cursor.fields == 0);
  return SQLITE_OK;
}

int filter(sqlite3_vtab_cursor* base, int, const char* plan, int, sqlite3_value** values) {
  auto& cursor = *static_cast<Cursor*>(base);
  cursor.at_end = true;
  std::optional<ScanFilter> wanted = filter_of(cursor.table(), plan, values);
  if (!wanted) return SQLITE_OK;
  const Result<void> started =
      cursor.scan.start(*cursor.table().context->catalog, *std::move(wanted));
  if (!started.ok()) return fail(base->pVtab, started.error());
  return next_samples(cursor);
}

int next(sqlite3_vtab_cursor* base) {
  auto& cursor = *static_cast<Cursor*>(base);
  if (cursor.table().is_samples()) {
    if (++cursor.field < cursor.fields) return SQLITE_OK;
    cursor.field = 0;
  }
  if (++cursor.row < cursor.scan.samples().rows.size()) return SQLITE_OK;
  return next_samples(cursor);
}

int at_end(sqlite3_vtab_cursor* base) {
  return static_cast<Cursor*>(base)->at_end ? 1 : 0;
}

// Unique and the same whenever a statement comes by again, as SQLite asks for with OR: the segment
// and the place in it. A segment has fewer than 2^20 cells, each a byte of its decoded form.
int rowid(sqlite3_vtab_cursor* base, sqlite3_int64* out) {
  const auto& cursor = *static_cast<Cursor*>(base);
  const std::uint64_t cell = cursor.scan.cells_before() +
                             cursor.row * (cursor.scan.samples().rows.fields() + 1) + cursor.field;
  *out = cursor.scan.segment_id() * (std::int64_t{1} << 20) + static_cast<std::int64_t>(cell);
  return SQLITE_OK;
}

// For text that the catalog holds, which outlives the statement.
void result_static(sqlite3_context* out, const std::string& text) {
  sqlite3_result_text(out, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
}

void result_cell(sqlite3_context* out, const Rows& rows, std::size_t row, std::size_t field,
                 const Field& declared) {
  const Cell& cell = rows.cell(row, field);
  switch (cell.kind) {
    case Cell::Kind::missing:
      return;  // NULL
    case Cell::Kind::integer:
      if (declared.type == FieldType::decimal) {
        return sqlite3_result_double(out, decimal_value(cell.integer, declared.decimals));
      }
      return sqlite3_result_int64(out, cell.integer);
    case Cell::Kind::real:
      return sqlite3_result_double(out, cell.real);
    case Cell::Kind::boolean:
      return sqlite3_result_int(out, cell.boolean ? 1 : 0);
    case Cell::Kind::text: {
      const std::string_view text = rows.text(cell);
      return sqlite3_result_text(out, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
    }
  }
}

int column(sqlite3_vtab_cursor* base, sqlite3_context* out, int number) {
  const auto& cursor = *static_cast<Cursor*>(base);
  const SegmentScan& scan = cursor.scan;
  const Rows& rows = scan.samples().rows;
  const std::vector<Field>& fields = scan.shape().fields;
  if (!cursor.table().is_samples() && number >= kStreamColumns) {
    const int field = scan.shape().field_at(static_cast<std::size_t>(number - kStreamColumns));
    const auto at = static_cast<std::size_t>(field);
    if (field >= 0 && at < cursor.fields) result_cell(out, rows, cursor.row, at, fields[at]);
    return SQLITE_OK;
  }
  switch (cursor.table().key_of(number)) {
    case kStream:
      result_static(out, scan.shape().stream->name);
      break;
    case kNode:
      result_static(out, scan.log().node);
      break;
    case kEpoch:
      result_static(out, scan.log().epoch);
      break;
    case kSeq:
      sqlite3_result_int64(out, static_cast<std::int64_t>(scan.entry().seq));
      break;
    case kRow:
      sqlite3_result_int64(out, static_cast<std::int64_t>(scan.first_row() + cursor.row));
      break;
    case kTime:
      if (const auto time = scan.time(cursor.row)) sqlite3_result_int64(out, *time);
      break;
    case kField:
      result_static(out, fields[cursor.field].name);
      break;
    case kValue:
      result_cell(out, rows, cursor.row, cursor.field, fields[cursor.field]);
      break;
    default:
      break;
  }
  return SQLITE_OK;
}

using Connect = int (*)(sqlite3*, void*, int, const char* const*, sqlite3_vtab**, char**);

sqlite3_module module_of(Connect create, Connect connect) {
  sqlite3_module module{};
  module.xCreate = create;
  module.xConnect = connect;
  module.xBestIndex = best_index;
  module.xDisconnect = disconnect;
  module.xDestroy = disconnect;
  module.xOpen = open_cursor;
  module.xClose = close_cursor;
  module.xFilter = filter;
  module.xNext = next;
  module.xEof = at_end;
  module.xColumn = column;
  module.xRowid = rowid;
  return module;
}

}  // namespace

Result<void> register_samples(SamplesContext& context) {
  // Without xCreate a module is a table by its own name and cannot make others.
  static const sqlite3_module samples = module_of(nullptr, connect_samples);
  static const sqlite3_module streams = module_of(create_stream, connect_stream);
  sqlite3* db = context.db->raw();
  if (sqlite3_create_module(db, "samples", &samples, &context) != SQLITE_OK ||
      sqlite3_create_module(db, "dunlin_stream", &streams, &context) != SQLITE_OK) {
    return sqlite_error(db, "cannot register the table samples");
  }
  return {};
}

std::string stream_declaration(const Catalog::Stream& stream) {
  std::string sql =
      "CREATE TABLE x(node TEXT, epoch TEXT, seq INTEGER, \"row\" INTEGER, time INTEGER";
  for (const Catalog::Column& column : stream.columns) {
    sql += ", " + quoted(column.name) + " " + column.type;
  }
  return sql + ")";
}

std::string create_stream_table(const Catalog::Stream& stream) {
  return "CREATE VIRTUAL TABLE temp." + quoted(stream.table) + " USING dunlin_stream";
}

std::string drop_stream_table(std::string_view table) {
  return "DROP TABLE temp." + quoted(table);
}

}  // namespace dunlin::storage
