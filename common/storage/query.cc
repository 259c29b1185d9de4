#include "common/storage/query.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <utility>

#include "common/storage/samples_table.h"
#include "common/storage/schema.h"
#include "common/storage/shard_files.h"

namespace dunlin::storage {

namespace {

// SQLite looks at the clock between its operations, and only where it loops. So what it can make of
// one statement is bounded: every value of a row is in memory at once, and to search in a text may
// cost the square of its size.
constexpr int kValueBytesMax = 256 * 1024;  // of any text or blob a query makes
constexpr std::size_t kStatementBytesMax = 16 * 1024;
// Of all that SQLite does in this process, as it counts no other way; a store takes a few MiB. WITH
// makes terabytes of a short statement before it runs, and nothing else ends that.
constexpr std::int64_t kMemoryMax = 256 * 1024 * 1024;
constexpr int kOpsBetweenChecks = 50;  // of SQLite's machine, some microseconds

bool contains(std::span<const char* const> names, const char* name) {
  return name != nullptr && std::any_of(names.begin(), names.end(), [name](const char* known) {
           return sqlite3_stricmp(known, name) == 0;
         });
}

// What a statement of a user may do. `trusted` points to a bool that is false from its preparation
// to its end, since it may prepare others as it runs. Exchanging the authorizer instead would
// expire our own prepared statements.
int authorize(void* trusted, int action, const char* first, const char* second, const char*,
              const char*) {
  constexpr const char* kDescribing[] = {"table_info", "table_xinfo", "table_list",   "index_list",
                                         "index_info", "index_xinfo", "function_list"};
  constexpr const char* kValues[] = {"user_version", "schema_version", "application_id",
                                     "page_count",   "page_size",      "freelist_count",
                                     "encoding"};
  constexpr const char* kSchemaTables[] = {"sqlite_master", "sqlite_temp_master"};
  constexpr const char* kFunctionsRefused[] = {"load_extension", "fts3_tokenizer"};
  if (*static_cast<const bool*>(trusted)) return SQLITE_OK;
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
      return SQLITE_OK;
    case SQLITE_FUNCTION:
      return contains(kFunctionsRefused, second) ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_UPDATE:
      // Declaring a virtual table asks for this, though nothing is written. A real update of the
      // schema is refused by SQLite itself, since writable_schema is off for good.
      return contains(kSchemaTables, first) ? SQLITE_OK : SQLITE_DENY;
    case SQLITE_PRAGMA:
      if (contains(kDescribing, first)) return SQLITE_OK;
      return contains(kValues, first) && second == nullptr ? SQLITE_OK : SQLITE_DENY;
    default:
      return SQLITE_DENY;
  }
}

// The errors of SQLite, except that what is none of the file's or system's fault is the
// statement's.
Error statement_error(sqlite3* db) {
  Error error = sqlite_error(db, "SQL");
  const int code = sqlite3_errcode(db);
  if (code == SQLITE_READONLY || code == SQLITE_TOOBIG || code == SQLITE_CONSTRAINT ||
      code == SQLITE_NOMEM) {
    error.code = Errc::invalid_argument;
  }
  error.context = sqlite3_errmsg(db);
  return error;
}

struct Finalize {
  void operator()(sqlite3_stmt* stmt) const { sqlite3_finalize(stmt); }
};
using UserStatement = std::unique_ptr<sqlite3_stmt, Finalize>;

Result<UserStatement> prepare_one(sqlite3* db, const std::string& sql) {
  if (sql.size() > kStatementBytesMax) return {Errc::invalid_argument, "SQL above 16 KiB"};
  if (sql.find('\0') != std::string::npos) return {Errc::invalid_argument, "SQL with a zero byte"};
  UserStatement statement;
  const char* rest = sql.c_str();
  while (*rest != 0) {
    sqlite3_stmt* stmt = nullptr;
    if (sqlite3_prepare_v2(db, rest, -1, &stmt, &rest) != SQLITE_OK) return statement_error(db);
    UserStatement next(stmt);
    if (next == nullptr) continue;  // white space and comments
    if (statement != nullptr) return {Errc::invalid_argument, "more than one statement"};
    statement = std::move(next);
  }
  if (statement == nullptr) return {Errc::invalid_argument, "no statement"};
  if (sqlite3_stmt_readonly(statement.get()) == 0) {
    return {Errc::invalid_argument, "only statements that read are allowed"};
  }
  return statement;
}

struct Binder {
  sqlite3_stmt* stmt;
  int index;

  int operator()(std::monostate) const { return sqlite3_bind_null(stmt, index); }
  int operator()(std::int64_t value) const { return sqlite3_bind_int64(stmt, index, value); }
  int operator()(double value) const { return sqlite3_bind_double(stmt, index, value); }
  int operator()(const std::string& value) const {
    return sqlite3_bind_text64(stmt, index, value.data(), value.size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  int operator()(const Bytes& value) const {
    if (value.empty()) return sqlite3_bind_zeroblob(stmt, index, 0);
    return sqlite3_bind_blob64(stmt, index, value.data(), value.size(), SQLITE_STATIC);
  }
};

Result<void> bind(sqlite3* db, sqlite3_stmt* stmt, std::span<const Value> parameters) {
  const int wanted = sqlite3_bind_parameter_count(stmt);
  if (parameters.size() != static_cast<std::size_t>(wanted)) {
    return {Errc::invalid_argument, "the statement has " + std::to_string(wanted) +
                                        " parameters, " + std::to_string(parameters.size()) +
                                        " were given"};
  }
  for (int i = 0; i < wanted; ++i) {
    const Value& value = parameters[static_cast<std::size_t>(i)];
    if (std::visit(Binder{stmt, i + 1}, value) != SQLITE_OK) return statement_error(db);
  }
  return {};
}

Value column_value(sqlite3_stmt* stmt, int column) {
  switch (sqlite3_column_type(stmt, column)) {
    case SQLITE_INTEGER:
      return sqlite3_column_int64(stmt, column);
    case SQLITE_FLOAT:
      return sqlite3_column_double(stmt, column);
    case SQLITE_TEXT: {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(stmt, column));
      return std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(stmt, column)));
    }
    case SQLITE_BLOB: {
      const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(stmt, column));
      const auto size = static_cast<std::size_t>(sqlite3_column_bytes(stmt, column));
      return size == 0 ? Bytes() : Bytes(data, data + size);
    }
    default:
      return std::monostate{};
  }
}

bool exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

// A path as SQLite's URI file name.
std::string uri_of(const std::string& path, bool immutable) {
  std::string uri = "file:";
  for (const char c : path) {
    if (c == '?' || c == '#' || c == '%') {
      uri += '%' + to_hex(as_bytes(std::string_view(&c, 1)));
    } else {
      uri += c;
    }
  }
  return uri + (immutable ? "?immutable=1" : "");
}

// Hands the name of a database file to `open`, and again as immutable where that is how it can be
// read.
template <typename Open>
auto open_readable(const std::string& path, Open open) -> decltype(open(path)) {
  if (!exists(path)) return Error{Errc::not_found, "there is no " + path};
  auto opened = open(uri_of(path, false));
  if (opened.ok() || opened.error().code != Errc::io) return opened;

  struct statvfs medium {};
  if (::statvfs(path.c_str(), &medium) == 0 && (medium.f_flag & ST_RDONLY) != 0) {
    std::error_code ignored;
    const std::uintmax_t wal =
        exists(path + "-wal") ? std::filesystem::file_size(path + "-wal", ignored) : 0;
    if (wal == 0) return open(uri_of(path, true));
    return Error{Errc::io,
                 path + " was not closed and its medium is read-only: copy it and its -wal first"};
  }
  return Error{Errc::io, opened.error().context +
                             "; reading takes the right to write its -shm file: be the"
                             " user that the daemon runs as, or root"};
}

Result<Connection> open_connection(const std::string& path) {
  return open_readable(path, [](const std::string& uri) -> Result<Connection> {
    DUNLIN_ASSIGN(Connection db, Connection::open(uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI));
    DUNLIN_TRY(db.query_integer("SELECT count(*) FROM sqlite_schema"));
    return db;
  });
}

// Read-only like the first, to which it is attached.
Result<void> attach(Connection& db, const std::string& path, const std::string& schema) {
  return open_readable(path, [&](const std::string& uri) -> Result<void> {
    DUNLIN_ASSIGN(Statement attach, db.prepare("ATTACH ?1 AS " + schema));
    DUNLIN_TRY(attach.bind(1, std::string_view(uri)).run());
    const Result<std::int64_t> read =
        db.query_integer("SELECT count(*) FROM " + schema + ".sqlite_schema");
    if (!read.ok()) (void)db.execute(("DETACH " + schema).c_str());
    return read.ok() ? Result<void>{} : read.error();
  });
}

}  // namespace

struct Reader::Impl {
  using Clock = std::chrono::steady_clock;

  bool trusted = true;
  Clock::time_point deadline{};
  bool timed_out = false;
  std::unique_ptr<const Catalog> catalog;
  SamplesContext context;
  Connection db;  // closed before what its tables point to, after its statements
  std::map<std::string, std::string> tables;  // of streams: name, declaration
  std::vector<std::string> schemas{"main"};   // by shard
  std::vector<std::int64_t> data_versions;
  // Of rows in `streams`, `logs` and `anchors`, which are never changed in what the catalog has of
  // them, nor deleted, unless `redefined` grows: so their number tells.
  std::array<std::int64_t, 4> counts{-1, -1, -1, -1};
  std::vector<Statement> select_data_version;
  Statement select_counts;

  Result<void> attach_shards(const std::string& path);
  Result<void> configure();
  Result<std::array<std::int64_t, 4>> count();
  Result<bool> catalog_is_current();
  Result<void> reload_catalog();
  Result<void> update_tables();
  Result<void> begin_current();
  void end();
  Result<void> collect(sqlite3_stmt* stmt, const QueryLimits& limits, Table& table);
  Result<Table> run(const std::string& sql, std::span<const Value> parameters,
                    const QueryLimits& limits);
};

Result<void> Reader::Impl::configure() {
  sqlite3* raw = db.raw();
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, nullptr);
  sqlite3_limit(raw, SQLITE_LIMIT_LENGTH, kValueBytesMax);
  sqlite3_limit(raw, SQLITE_LIMIT_ATTACHED, 0);
  sqlite3_limit(raw, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000);
  sqlite3_set_authorizer(raw, authorize, &trusted);
  context.db = &db;
  DUNLIN_TRY(register_samples(context));
  std::string redefined = "0";
  for (const std::string& schema : schemas) {
    DUNLIN_ASSIGN(Statement version, db.prepare("PRAGMA " + schema + ".data_version"));
    select_data_version.push_back(std::move(version));
    redefined += " + ifnull((SELECT value FROM " + schema + ".meta WHERE key = 'redefined'), 0)";
  }
  DUNLIN_ASSIGN(select_counts,
                db.prepare("SELECT (SELECT count(*) FROM streams), (SELECT count(*) FROM logs),"
                           " (SELECT count(*) FROM anchors), " +
                           redefined));
  return db.execute("PRAGMA query_only = ON");
}

// The tables of all shards are one by a view of their name, which comes before that of the first.
Result<void> Reader::Impl::attach_shards(const std::string& path) {
  for (const std::size_t shard : further_shards(path)) {
    const std::string schema = schema_of(shard);
    DUNLIN_TRY(attach(db, shard_file(path, shard), schema));
    DUNLIN_TRY(check_schema(db, shard_file(path, shard), schema));
    schemas.push_back(schema);
  }
  if (schemas.size() == 1) return {};
  for (const std::string table : {"nodes", "logs", "segments", "boot_spans", "anchors",
                                  "anchored_spans", "streams", "forks"}) {
    std::string view;
    for (const std::string& schema : schemas)
      view += (view.empty() ? "CREATE TEMP VIEW " + table + " AS" : " UNION ALL") +
              " SELECT * FROM " + schema + "." + table;
    DUNLIN_TRY(db.execute(view.c_str()));
  }
  return {};
}

Result<std::array<std::int64_t, 4>> Reader::Impl::count() {
  DUNLIN_TRY(select_counts.step());
  std::array<std::int64_t, 4> now{};
  for (int i = 0; i < 4; ++i) now[static_cast<std::size_t>(i)] = select_counts.integer(i);
  select_counts.reset();
  return now;
}

// Without a commit of another connection there is nothing to count.
Result<bool> Reader::Impl::catalog_is_current() {
  std::vector<std::int64_t> versions;
  for (Statement& select : select_data_version) {
    DUNLIN_TRY(select.step());
    versions.push_back(select.integer(0));
    select.reset();
  }
  if (versions == data_versions) return true;
  DUNLIN_ASSIGN(const auto now, count());
  if (now != counts) return false;
  data_versions = std::move(versions);
  return true;
}

Result<void> Reader::Impl::reload_catalog() {
  DUNLIN_TRY(db.execute("BEGIN"));
  const auto reload = [&]() -> Result<void> {
    DUNLIN_ASSIGN(const auto now, count());
    DUNLIN_ASSIGN(std::unique_ptr<const Catalog> fresh, Catalog::load(db));
    context.catalog = fresh.get();
    catalog = std::move(fresh);
    DUNLIN_TRY(update_tables());
    counts = now;
    return {};
  };
  // Tables of a stream stand in the temp schema, which alone is written to here.
  const auto tables_before = tables;
  DUNLIN_TRY(db.execute("PRAGMA query_only = OFF"));
  Result<void> done = reload();
  if (done.ok()) done = db.execute("COMMIT");
  if (!done.ok()) {
    end();
    tables = tables_before;
  }
  const Result<void> locked = db.execute("PRAGMA query_only = ON");
  return done.ok() ? locked : done;
}

Result<void> Reader::Impl::update_tables() {
  std::map<std::string, std::string> wanted;
  for (const auto& [name, stream] : catalog->streams()) {
    wanted[stream.table] = stream_declaration(stream);
  }
  for (auto it = tables.begin(); it != tables.end();) {
    const auto found = wanted.find(it->first);
    if (found != wanted.end() && found->second == it->second) {
      wanted.erase(found);
      ++it;
      continue;
    }
    DUNLIN_TRY(db.execute(drop_stream_table(it->first).c_str()));
    it = tables.erase(it);
  }
  for (const auto& [name, stream] : catalog->streams()) {
    const auto missing = wanted.find(stream.table);
    if (missing == wanted.end()) continue;
    DUNLIN_TRY(db.execute(create_stream_table(stream).c_str()));
    tables.insert(*missing);
  }
  return {};
}

// Begins a transaction whose state of the database is the one the catalog was read from.
Result<void> Reader::Impl::begin_current() {
  constexpr int kAttempts = 8;  // a fleet that joins may define streams faster than we read them
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    DUNLIN_TRY(db.execute("BEGIN"));
    const Result<bool> current = catalog_is_current();
    if (current.ok() && *current) return {};
    end();
    if (!current.ok()) return current.error();
    DUNLIN_TRY(reload_catalog());
  }
  return db.execute("BEGIN");  // the newest streams wait for the next query
}

// A failed statement may have ended the transaction already.
void Reader::Impl::end() {
  if (!sqlite3_get_autocommit(db.raw())) (void)db.execute("ROLLBACK");
}

Result<void> Reader::Impl::collect(sqlite3_stmt* stmt, const QueryLimits& limits, Table& table) {
  const int columns = sqlite3_column_count(stmt);
  for (int i = 0; i < columns; ++i) table.columns.emplace_back(sqlite3_column_name(stmt, i));
  std::size_t bytes = 0;
  int code = SQLITE_ROW;
  while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
    for (int i = 0; i < columns; ++i) {
      const int type = sqlite3_column_type(stmt, i);
      const bool sized = type == SQLITE_TEXT || type == SQLITE_BLOB;
      bytes +=
          sizeof(Value) + (sized ? static_cast<std::size_t>(sqlite3_column_bytes(stmt, i)) : 0);
    }
    if (table.rows.size() == limits.rows_max || bytes > limits.bytes_max) {
      table.truncated = true;
      return {};
    }
    std::vector<Value>& row = table.rows.emplace_back();
    row.reserve(static_cast<std::size_t>(columns));
    for (int i = 0; i < columns; ++i) row.push_back(column_value(stmt, i));
  }
  if (code == SQLITE_DONE) return {};
  if (timed_out) {
    return {Errc::timeout,
            "the query took more than " + std::to_string(limits.time_max.count()) + " ms"};
  }
  if (context.failure) return *context.failure;
  return statement_error(db.raw());
}

Result<Table> Reader::Impl::run(const std::string& sql, std::span<const Value> parameters,
                                const QueryLimits& limits) {
  Table table;
  DUNLIN_ASSIGN(const UserStatement statement, prepare_one(db.raw(), sql));
  DUNLIN_TRY(bind(db.raw(), statement.get(), parameters));
  context.failure.reset();
  timed_out = false;
  deadline = Clock::now() + limits.time_max;
  const auto check_deadline = [](void* self) -> int {
    auto& impl = *static_cast<Impl*>(self);
    impl.timed_out = Clock::now() >= impl.deadline;
    return impl.timed_out ? 1 : 0;
  };
  sqlite3_progress_handler(db.raw(), kOpsBetweenChecks, check_deadline, this);
  const Result<void> collected = collect(statement.get(), limits, table);
  sqlite3_progress_handler(db.raw(), 0, nullptr, nullptr);
  if (!collected.ok()) return collected.error();
  return table;
}

Reader::Reader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Reader::Reader(Reader&&) noexcept = default;
Reader& Reader::operator=(Reader&&) noexcept = default;
Reader::~Reader() = default;

Result<Reader> Reader::open(const std::string& path) {
  sqlite3_hard_heap_limit64(kMemoryMax);
  auto impl = std::make_unique<Impl>();
  DUNLIN_ASSIGN(impl->db, open_connection(path));
  DUNLIN_TRY(check_schema(impl->db, path));
  DUNLIN_TRY(impl->attach_shards(path));
  DUNLIN_TRY(impl->configure());
  DUNLIN_TRY(impl->reload_catalog());
  return Reader(std::move(impl));
}

Result<Table> Reader::query(const std::string& sql, std::span<const Value> parameters,
                            const QueryLimits& limits) {
  DUNLIN_TRY(impl_->begin_current());
  impl_->trusted = false;
  Result<Table> table = impl_->run(sql, parameters, limits);
  impl_->trusted = true;
  impl_->end();
  return table;
}

const std::vector<std::string>& Reader::schemas() const {
  return impl_->schemas;
}

std::uint64_t Reader::segments_decoded() const {
  return impl_->context.segments_decoded;
}

}  // namespace dunlin::storage
