// Opening: schema, check, and what to do with a damaged file.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <tuple>

#include "common/base/stop_event.h"
#include "common/base/wall_clock.h"
#include "common/storage/log_store.h"
#include "common/storage/salvage.h"
#include "common/storage/schema.h"

namespace dunlin::storage {

namespace {

// Above this size the whole-file check costs more than a start may; the vectors and the newest
// segments are read at every start anyway.
constexpr std::int64_t kFullCheckBytesMax = 256 * 1024 * 1024;
constexpr int kChecksMax = 3;
constexpr const char* kSuspect = ".suspect";
constexpr std::uint64_t kFrameHeader = 24;  // of a page in a WAL
constexpr std::uint64_t kCommitPages = 16;  // which a WAL may take once it is to be moved

Result<void> configure(Connection& db, const LogStore::Options& options) {
  DUNLIN_TRY(db.execute("PRAGMA locking_mode = NORMAL"));
  // Does nothing to a file that has its size.
  const std::string of_new_file = "PRAGMA page_size = " + std::to_string(options.page_bytes);
  DUNLIN_TRY(db.execute(of_new_file.c_str()));
  DUNLIN_ASSIGN(const std::string mode, db.query_text("PRAGMA journal_mode = WAL"));
  if (mode != "wal") return {Errc::io, "the file system does not support SQLite's WAL mode"};
  DUNLIN_ASSIGN(const std::int64_t page, db.query_integer("PRAGMA page_size"));
  const auto frame = static_cast<std::uint64_t>(page) + kFrameHeader;
  const std::uint64_t wal_pages =
      std::max(options.wal_bytes_max / frame, 2 * kCommitPages) - kCommitPages;
  const std::string settings =
      "PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF; PRAGMA temp_store = MEMORY;"
      "PRAGMA cache_size = -" +
      std::to_string(std::max<std::uint64_t>(options.cache_bytes / 1024, 64)) +
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
    return {Errc::unsupported,
            path + " was written by a newer version (schema " + std::to_string(version) + ")"};
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

// A file that grows makes the file system note that at each commit, in several blocks of its
// journal. Zeros are no frames to SQLite. Without room for them it grows as it always does.
void write_ahead(const std::string& wal, std::uint64_t bytes) {
  const FileDescriptor file(::open(wal.c_str(), O_WRONLY | O_CLOEXEC));
  const off_t end = file.get() < 0 ? -1 : ::lseek(file.get(), 0, SEEK_END);
  if (end < 0) return;
  const std::string zeros(16 * 1024, '\0');
  for (auto at = static_cast<std::uint64_t>(end); at < bytes;) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(zeros.size(), bytes - at));
    const ssize_t written = ::pwrite(file.get(), zeros.data(), size, static_cast<off_t>(at));
    if (written <= 0) {  // others need the room more
      std::ignore = ::ftruncate(file.get(), end);
      return;
    }
    at += static_cast<std::uint64_t>(written);
  }
  ::fdatasync(file.get());
}

// Reads that fail for once look like damage, too: only what is found again is believed.
Result<void> check(Connection& db, bool whole) {
  DUNLIN_ASSIGN(const std::int64_t pages, db.query_integer("PRAGMA page_count"));
  DUNLIN_ASSIGN(const std::int64_t page_size, db.query_integer("PRAGMA page_size"));
  if (!whole && pages > kFullCheckBytesMax / page_size) return {};
  std::string verdict;
  for (int n = 0; n < kChecksMax; ++n) {
    DUNLIN_ASSIGN(verdict, db.query_text("PRAGMA quick_check(1)"));
    if (verdict == "ok") return {};
  }
  return {Errc::corrupt, verdict};
}

// "20261122T093000Z".
std::string utc_stamp() {
  std::string text = utc_text(utc_now());
  text.erase(text.find('.'), 4);
  std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
  return text;
}

Result<std::string> set_aside(const std::string& path) {
  const std::string stem = path + ".damaged-" + utc_stamp();
  std::string target = stem;
  for (int n = 2; std::filesystem::exists(target); ++n) target = stem + "-" + std::to_string(n);
  for (const char* suffix : {"-wal", "-shm", ""}) {
    const std::string from = path + suffix;
    if (::rename(from.c_str(), (target + suffix).c_str()) != 0 && errno != ENOENT) {
      return {Errc::io, "cannot set aside " + from + ": " + std::strerror(errno)};
    }
  }
  return target;
}

// Makes renames in the folder of `path` survive a power failure.
Result<void> sync_folder(const std::string& path) {
  const std::string folder = std::filesystem::absolute(path).parent_path();
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = fd >= 0 && ::fsync(fd) == 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (!synced) return {Errc::io, "cannot sync " + folder + ": " + std::strerror(error)};
  return {};
}

Result<void> rename_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return {};
  return {Errc::io, "cannot rename " + from + ": " + std::strerror(errno)};
}

void remove_database(const std::string& path) {
  std::error_code ignored;
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path + suffix, ignored);
}

// The damaged file gives its place to what was salvaged of it. Can be taken up again wherever it
// was cut off: "<path>.salvaged" is complete, and goes last.
Result<std::string> swap_in_salvaged(const std::string& path) {
  DUNLIN_ASSIGN(const std::string target, set_aside(path));
  DUNLIN_TRY(sync_folder(path));
  DUNLIN_TRY(rename_file(path + ".salvaged", path));
  DUNLIN_TRY(sync_folder(path));
  return target;
}

}  // namespace

Result<void> LogStore::create_identity(const NodeId& node, Epoch fresh_epoch) {
  node_ = node;
  DUNLIN_ASSIGN(Statement select, db_.prepare("SELECT value FROM meta WHERE key = 'epoch'"));
  DUNLIN_ASSIGN(const bool known, select.step());
  if (known) {
    epoch_.value = static_cast<std::uint64_t>(select.integer(0));
    return {};
  }
  return begin_epoch(fresh_epoch);
}

// After a failed fsync the WAL may read back what is not on the disk, and what is committed behind
// that goes with it when the power fails. So nothing is built on an old WAL: it moves into the
// database, whose pages are written and synced anew. A full disk is no reason not to start.
Result<void> LogStore::checkpoint(std::chrono::milliseconds patience) {
  sqlite3_busy_timeout(db_.raw(), static_cast<int>(patience.count()));
  const Result<std::int64_t> busy = db_.query_integer("PRAGMA wal_checkpoint(TRUNCATE)");
  if (!busy.ok() && busy.error().code != Errc::storage_full) return busy.error();
  if (busy.ok() && *busy != 0) return {Errc::backpressure, "a reader holds the WAL"};
  return {};
}

Result<LogStore> LogStore::open_file(const Options& options, const NodeId& node) {
  DUNLIN_ASSIGN(Connection db,
                Connection::open(options.path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE));
  // A damaged file stays as it is: closing it must not move its WAL into it.
  sqlite3_db_config(db.raw(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  DUNLIN_TRY(configure(db, options));
  DUNLIN_TRY(migrate(db, options.path));
  const std::string suspected = options.path + kSuspect;
  std::error_code ignored;
  DUNLIN_TRY(check(db, std::filesystem::exists(suspected, ignored)));
  LogStore store(std::move(db), options);
  DUNLIN_TRY(store.prepare());
  DUNLIN_TRY(store.create_identity(node, options.fresh_epoch));
  DUNLIN_TRY(store.load_rows());
  DUNLIN_TRY(store.load());
  DUNLIN_TRY(store.checkpoint());
  if (options.wal_in_place) write_ahead(options.path + "-wal", options.wal_bytes_max);
  sqlite3_db_config(store.db_.raw(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);
  return store;
}

void LogStore::suspect(const std::string& path) {
  std::ofstream(path + kSuspect) << "a read or write found damage\n";
}

// What is salvaged grows in a file beside, and takes the damaged one's place when it is complete: a
// crash in between costs a second try and no readings.
Result<LogStore> LogStore::open(const Options& options, const NodeId& node, Verifier& verifier,
                                std::optional<Salvage>* salvage) {
  const std::string salvaged = options.path + ".salvaged";
  Salvage report;
  std::error_code ignored;
  if (std::filesystem::exists(salvaged, ignored)) {
    DUNLIN_ASSIGN(report.set_aside, swap_in_salvaged(options.path));
    report.reason = "a start was cut off when all was salvaged";
  }
  Result<LogStore> store = open_file(options, node);
  if (!store.ok() && store.error().code == Errc::corrupt && salvage != nullptr) {
    report.reason = store.error().context;
    Options beside = options;
    beside.path = options.path + ".salvaging";
    remove_database(beside.path);
    {
      DUNLIN_ASSIGN(LogStore fresh, open_file(beside, node));
      DUNLIN_TRY(storage::salvage(options.path, fresh, verifier, report));
      DUNLIN_TRY(fresh.db_.query_integer("PRAGMA wal_checkpoint(TRUNCATE)"));
    }
    if (std::filesystem::exists(beside.path + "-wal", ignored)) {
      return Error{Errc::io, "cannot finish " + beside.path};
    }
    DUNLIN_TRY(rename_file(beside.path, salvaged));
    DUNLIN_ASSIGN(report.set_aside, swap_in_salvaged(options.path));
    store = open_file(options, node);
  }
  if (store.ok()) std::filesystem::remove(options.path + kSuspect, ignored);
  if (salvage != nullptr && !report.set_aside.empty()) *salvage = report;
  return store;
}

}  // namespace dunlin::storage
