// Opening: schema, check, and what to do with a damaged file.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>

#include "common/codec/segment_codec.h"
#include "common/log/chain.h"
#include "common/storage/log_store.h"
#include "common/storage/schema.h"

namespace dunlin::storage {

namespace {

// Above this size the whole-file check costs more than a start may; the vectors and the newest
// segments are read at every start anyway.
constexpr std::uintmax_t kFullCheckBytesMax = 256 * 1024 * 1024;

Result<void> configure(Connection& db, const LogStore::Options& options) {
  DUNLIN_TRY(db.execute("PRAGMA locking_mode = NORMAL"));
  DUNLIN_ASSIGN(const std::string mode, db.query_text("PRAGMA journal_mode = WAL"));
  if (mode != "wal") return {Errc::io, "the file system does not support SQLite's WAL mode"};
  const std::uint64_t wal_pages = std::max<std::uint64_t>(options.wal_bytes_max / 4096, 16);
  const std::string settings =
      "PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF; PRAGMA temp_store = MEMORY;"
      "PRAGMA cache_size = -" + std::to_string(std::max<std::uint64_t>(options.cache_bytes / 1024, 64)) +
      "; PRAGMA wal_autocheckpoint = " + std::to_string(wal_pages) +
      "; PRAGMA journal_size_limit = " + std::to_string(options.wal_bytes_max);
  return db.execute(settings.c_str());
}

// Brings the schema up to date, or says why this file is not ours to open.
Result<void> migrate(Connection& db, const std::string& path) {
  DUNLIN_ASSIGN(const std::int64_t version, db.query_integer("PRAGMA user_version"));
  DUNLIN_ASSIGN(const std::int64_t application, db.query_integer("PRAGMA application_id"));
  const auto steps = schema_steps();
  if (version > static_cast<std::int64_t>(steps.size())) {
    return {Errc::unsupported, path + " was written by a newer version (schema " +
                                   std::to_string(version) + ")"};
  }
  if (version > 0 && application != kApplicationId) {
    return {Errc::invalid_argument, path + " is a database of another program"};
  }
  if (version == static_cast<std::int64_t>(steps.size())) return {};
  DUNLIN_ASSIGN(Transaction transaction, Transaction::begin(db));
  for (std::size_t step = static_cast<std::size_t>(version); step < steps.size(); ++step) {
    DUNLIN_TRY(db.execute(steps[step]));
  }
  const std::string stamp = "PRAGMA application_id = " + std::to_string(kApplicationId) +
                            "; PRAGMA user_version = " + std::to_string(steps.size());
  DUNLIN_TRY(db.execute(stamp.c_str()));
  return transaction.commit();
}

Result<void> check(Connection& db, const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::file_size(path, ignored) > kFullCheckBytesMax) return {};
  DUNLIN_ASSIGN(const std::string verdict, db.query_text("PRAGMA quick_check(1)"));
  if (verdict != "ok") return {Errc::corrupt, verdict};
  return {};
}

std::string utc_stamp() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &utc);
  return text;
}

Result<std::string> set_aside(const std::string& path) {
  const std::string stem = path + ".damaged-" + utc_stamp();
  std::string target = stem;
  for (int n = 2; std::filesystem::exists(target); ++n) target = stem + "-" + std::to_string(n);
  for (const char* suffix : {"-wal", "-shm", ""}) {
    const std::string from = path + suffix;
    if (::rename(from.c_str(), (target + suffix).c_str()) != 0 && (errno != ENOENT || *suffix == 0)) {
      return {Errc::io, "cannot set aside " + from + ": " + std::strerror(errno)};
    }
  }
  return target;
}

// Copies every segment that still verifies out of a damaged file.
class Salvager {
 public:
  Salvager(LogStore& fresh, Verifier& verifier, LogStore::Salvage& report)
      : fresh_(fresh), verifier_(verifier), report_(report) {}

  Result<void> run(const std::string& damaged) {
    Result<Connection> db = Connection::open(damaged, SQLITE_OPEN_READWRITE);
    if (!db.ok()) return {};  // nothing in it can be read
    Result<std::int64_t> top = db->query_integer("SELECT max(id) FROM segments");
    const std::int64_t last = top.ok() ? *top : 0;
    // Track 0 first: it holds the keys that the other tracks are verified with. A row that cannot
    // be read does not hide its neighbours, so each is asked for alone.
    Result<Statement> select = db->prepare("SELECT body FROM segments WHERE id = ?1");
    if (!select.ok()) return {};
    for (const bool control : {true, false}) {
      for (std::int64_t id = 1; id <= last; ++id) {
        select->bind(1, id);
        const Result<bool> row = select->step();
        if (!row.ok() || !*row) continue;
        const ByteView body = select->blob(0);
        const Bytes bytes(body.begin(), body.end());
        select->reset();
        DUNLIN_TRY(take(bytes, control));
      }
    }
    return flush();
  }

 private:
  Result<void> take(const Bytes& bytes, bool control) {
    const Result<SegmentHeader> header = parse_segment(bytes);
    if (!header.ok()) return report_.refused += control ? 1 : 0, Result<void>{};
    if ((header->log.track == kControlTrack) != control) return {};
    Result<DecodedSegment> decoded = decode_segment(*header);
    if (!decoded.ok()) return report_.refused++, Result<void>{};
    if (control) learn_keys(decoded->entries, header->log.node);
    const auto key = keys_.find(header->log.node);
    const Bytes statement = head_statement(header->log, header->last, decoded->info.after);
    if (key == keys_.end() || !verifier_.verify(key->second, statement, header->signature).ok()) {
      return report_.refused++, Result<void>{};
    }
    SegmentRecord record{decoded->info, std::make_shared<const Bytes>(bytes), {}};
    if (control) record.control = std::move(decoded->entries);
    report_.entries += record.info.last - record.info.first + 1;
    report_.segments += 1;
    batch_.push_back(std::move(record));
    return batch_.size() < 64 ? Result<void>{} : flush();
  }

  void learn_keys(const std::vector<Entry>& entries, const NodeId& node) {
    for (const Entry& entry : entries) {
      for (const Op& op : entry.ops) {
        const auto* open = std::get_if<Open>(&op);
        if (open != nullptr && node_id_of(open->public_key) == node) keys_[node] = open->public_key;
      }
    }
  }

  Result<void> flush() {
    DUNLIN_TRY(fresh_.commit(batch_, {}, {}));
    batch_.clear();
    return {};
  }

  LogStore& fresh_;
  Verifier& verifier_;
  LogStore::Salvage& report_;
  std::map<NodeId, Bytes> keys_;
  std::vector<SegmentRecord> batch_;
};

}  // namespace

Result<void> LogStore::create_identity(const NodeId& node, Epoch fresh_epoch) {
  node_ = node;
  DUNLIN_ASSIGN(Statement select, db_.prepare("SELECT value FROM meta WHERE key = 'epoch'"));
  DUNLIN_ASSIGN(const bool known, select.step());
  if (known) {
    epoch_.value = static_cast<std::uint64_t>(select.integer(0));
    return {};
  }
  epoch_ = fresh_epoch;
  DUNLIN_ASSIGN(Statement insert, db_.prepare("INSERT INTO meta(key, value) VALUES('epoch', ?1)"));
  return insert.bind(1, static_cast<std::int64_t>(epoch_.value)).run();
}

Result<LogStore> LogStore::open(const Options& options, const NodeId& node, Verifier& verifier,
                                std::optional<Salvage>* salvage) {
  const auto attempt = [&]() -> Result<LogStore> {
    DUNLIN_ASSIGN(Connection db,
                  Connection::open(options.path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE));
    DUNLIN_TRY(configure(db, options));
    DUNLIN_TRY(migrate(db, options.path));
    DUNLIN_TRY(check(db, options.path));
    LogStore store(std::move(db), options.path);
    DUNLIN_TRY(store.prepare());
    DUNLIN_TRY(store.create_identity(node, options.fresh_epoch));
    DUNLIN_TRY(store.load_rows());
    DUNLIN_TRY(store.load());
    return store;
  };
  Result<LogStore> store = attempt();
  if (store.ok() || store.error().code != Errc::corrupt) return store;

  Salvage report;
  report.reason = store.error().context;
  DUNLIN_ASSIGN(report.set_aside, set_aside(options.path));
  DUNLIN_ASSIGN(LogStore fresh, attempt());
  DUNLIN_TRY(Salvager(fresh, verifier, report).run(report.set_aside));
  if (salvage != nullptr) *salvage = report;
  return fresh;
}

}  // namespace dunlin::storage
