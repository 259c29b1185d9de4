#include "common/storage/salvage.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>

#include "common/codec/log_state_codec.h"
#include "common/codec/segment_codec.h"
#include "common/log/chain.h"

namespace dunlin::storage {

namespace {

constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kBatch = 64;

// A connection that reads what it can: files shorter than they say included.
Result<Connection> open_damaged(const std::string& path, int flags) {
  DUNLIN_ASSIGN(Connection db, Connection::open(path, flags));
  DUNLIN_TRY(db.execute("PRAGMA writable_schema = ON"));
  DUNLIN_TRY(db.query_integer("SELECT count(*) FROM segments WHERE id = 0"));
  return db;
}

// The first page tells SQLite where all tables start; without it nothing is found. It is the same
// in every file of one schema version, so a copy of the damaged file gets that of the fresh one.
class Copy {
 public:
  explicit Copy(std::string path) : path_(std::move(path)) { remove(); }
  ~Copy() { remove(); }
  Copy(const Copy&) = delete;
  Copy& operator=(const Copy&) = delete;

  Result<void> make(const std::string& damaged, const std::string& fresh) {
    {
      DUNLIN_ASSIGN(Connection db, Connection::open(fresh, SQLITE_OPEN_READWRITE));
      DUNLIN_TRY(db.query_integer("PRAGMA wal_checkpoint(TRUNCATE)"));
    }
    std::array<char, kPageBytes> page{};
    std::ifstream(fresh, std::ios::binary).read(page.data(), page.size());
    // The file's size in its header only counts where these two agree (SQLite file format, 1.3.7).
    std::copy_n("\0\0\0\1", 4, page.begin() + 24);
    std::copy_n("\0\0\0\0", 4, page.begin() + 92);
    std::error_code error;
    std::filesystem::copy_file(damaged, path_, error);
    if (error) return {Errc::io, "cannot copy " + damaged + ": " + error.message()};
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.write(page.data(), page.size());
    if (!file.flush()) return {Errc::io, "cannot write " + path_};
    return {};
  }
  const std::string& path() const { return path_; }

 private:
  void remove() {
    std::error_code ignored;
    for (const char* suffix : {"", "-wal", "-shm"})
      std::filesystem::remove(path_ + suffix, ignored);
  }
  std::string path_;
};

class Salvager {
 public:
  Salvager(LogStore& fresh, Verifier& verifier, LogStore::Salvage& report)
      : fresh_(fresh), verifier_(verifier), report_(report) {}

  Result<void> run(Connection& db) {
    learn_keys(db);
    const auto [first, last] = find_ids(db);
    Result<Statement> select = db.prepare("SELECT body FROM segments WHERE id = ?1");
    if (!select.ok()) return {};
    // Track 0 first: it holds the keys that the other tracks are verified with. A row that cannot
    // be read does not hide its neighbours, so each is asked for alone.
    for (const bool control : {true, false}) {
      for (std::int64_t id = first; id <= last; ++id) {
        select->bind(1, id);
        const Result<bool> row = select->step();
        if (!row.ok() || !*row) continue;
        const ByteView body = select->blob(0);
        const Bytes bytes(body.begin(), body.end());
        select->reset();
        DUNLIN_TRY(take(id, bytes, control));
      }
    }
    DUNLIN_TRY(flush());
    DUNLIN_TRY(take_vouched(*select));
    return take_states(db);
  }

 private:
  // A segment whose signature does not verify.
  struct Doubtful {
    LogId log;
    Seq first = 0, last = 0;
    Hash before{}, after{};
    std::int64_t id = 0;
  };
  struct Range {
    std::int64_t first = std::numeric_limits<std::int64_t>::max();
    std::int64_t last = 0;
  };

  // What the table and its index show from either end before they come to damage.
  static Range find_ids(Connection& db) {
    Range range;
    for (const char* walk :
         {"SELECT id FROM segments ORDER BY id", "SELECT id FROM segments ORDER BY id DESC",
          "SELECT id FROM segments INDEXED BY segments_by_log ORDER BY log, first",
          "SELECT id FROM segments INDEXED BY segments_by_log ORDER BY log DESC, first DESC"}) {
      Result<Statement> ids = db.prepare(walk);
      if (!ids.ok()) continue;
      for (Result<bool> row = ids->step(); row.ok() && *row; row = ids->step()) {
        range.first = std::min(range.first, ids->integer(0));
        range.last = std::max(range.last, ids->integer(0));
      }
    }
    return range;
  }

  // The keys of all nodes, in case that their own logs cannot be read any more. A key proves
  // itself.
  void learn_keys(Connection& db) {
    Result<Statement> keys = db.prepare("SELECT public_key FROM nodes");
    if (!keys.ok()) return;
    for (Result<bool> row = keys->step(); row.ok() && *row; row = keys->step()) {
      const ByteView key = keys->blob(0);
      keys_[node_id_of(key)] = Bytes(key.begin(), key.end());
    }
  }

  void learn_keys(const std::vector<Entry>& entries, const NodeId& node) {
    for (const Entry& entry : entries) {
      for (const Op& op : entry.ops) {
        const auto* open = std::get_if<Open>(&op);
        if (open != nullptr && node_id_of(open->public_key) == node) keys_[node] = open->public_key;
      }
    }
  }

  Result<void> take(std::int64_t id, const Bytes& bytes, bool control) {
    const Result<SegmentHeader> header = parse_segment(bytes);
    if (!header.ok()) return report_.refused += control ? 1 : 0, Result<void>{};
    if ((header->log.track == kControlTrack) != control) return {};
    Result<DecodedSegment> decoded = decode_segment(*header);
    if (!decoded.ok()) return report_.refused++, Result<void>{};
    if (control) learn_keys(decoded->entries, header->log.node);
    const auto key = keys_.find(header->log.node);
    const Bytes statement = head_statement(header->log, header->last, decoded->info.after);
    if (key == keys_.end() || !verifier_.verify(key->second, statement, header->signature).ok()) {
      const SegmentInfo& info = decoded->info;
      doubtful_.push_back({info.log, info.first, info.last, info.before, info.after, id});
      return report_.refused++, Result<void>{};
    }
    return add(bytes, *std::move(decoded));
  }

  // When it came, a verified successor vouched for it, and nobody looked at its signature. Newest
  // first, so that each may vouch for the one before it.
  Result<void> take_vouched(Statement& select) {
    std::sort(doubtful_.begin(), doubtful_.end(), [](const Doubtful& a, const Doubtful& b) {
      return a.log != b.log ? a.log < b.log : a.last > b.last;
    });
    std::map<std::pair<LogId, Seq>, Hash> vouched;  // the hash before those that are taken here
    for (const Doubtful& item : doubtful_) {
      const LogState* state = fresh_.state(item.log);
      const Hash* verified = state == nullptr ? nullptr : state->hash_before(item.last + 1);
      const auto here = vouched.find({item.log, item.last + 1});
      const bool proven = (verified != nullptr && *verified == item.after) ||
                          (here != vouched.end() && here->second == item.after);
      if (!proven) continue;
      select.bind(1, item.id);
      const Result<bool> row = select.step();
      if (!row.ok() || !*row) continue;
      const ByteView body = select.blob(0);
      const Bytes bytes(body.begin(), body.end());
      select.reset();
      const Result<SegmentHeader> header = parse_segment(bytes);
      if (!header.ok()) continue;
      Result<DecodedSegment> decoded = decode_segment(*header);
      if (!decoded.ok() || decoded->info.after != item.after) continue;
      vouched[{item.log, item.first}] = item.before;
      report_.refused -= 1;
      DUNLIN_TRY(add(bytes, *std::move(decoded)));
    }
    return flush();
  }

  Result<void> add(const Bytes& bytes, DecodedSegment decoded) {
    const bool control = decoded.info.log.track == kControlTrack;
    SegmentRecord record{std::move(decoded.info), std::make_shared<const Bytes>(bytes), {}};
    if (control) record.control = std::move(decoded.entries);
    batch_.segments.push_back(std::move(record));
    return batch_.segments.size() < kBatch ? Result<void>{} : flush();
  }

  Result<void> flush() {
    DUNLIN_TRY(fresh_.commit(batch_));
    for (const SegmentRecord& record : batch_.segments) {
      report_.segments += 1;
      report_.entries += record.info.last - record.info.first + 1;
    }
    batch_ = {};
    return {};
  }

  // What was released by rule, and what gateways hold, stands in the states alone. A state counts
  // when it says of the salvaged entries what they say themselves.
  Result<void> take_states(Connection& db) {
    Result<Statement> rows = db.prepare("SELECT node, epoch, track, state FROM logs");
    if (!rows.ok()) return {};
    Changes changes;
    for (Result<bool> row = rows->step(); row.ok() && *row; row = rows->step()) {
      LogId log;
      const ByteView node = rows->blob(0);
      if (node.size() != log.node.bytes.size()) continue;
      std::copy(node.begin(), node.end(), log.node.bytes.begin());
      log.epoch.value = static_cast<std::uint64_t>(rows->integer(1));
      log.track.value = static_cast<std::uint64_t>(rows->integer(2));
      const Result<LogState> state = decode_log_state(log, rows->blob(3));
      if (!state.ok() || !agrees(*state, fresh_.state(log))) continue;
      for (const Interval& interval : state->released().intervals()) {
        if (interval.last <= state->head()) changes.releases.push_back({log, interval, {}, {}});
      }
      if (!state->acked().empty()) changes.acks.push_back({log, state->acked()});
    }
    DUNLIN_TRY(fresh_.commit(changes));
    return {};
  }

  static bool agrees(const LogState& state, const LogState* salvaged) {
    if (salvaged == nullptr) return true;
    const IntervalSet held = state.held();
    return std::all_of(salvaged->runs().begin(), salvaged->runs().end(),
                       [&](const LogState::Run& run) {
                         const Hash* before = state.hash_before(run.first);
                         const Hash* after = state.hash_after(run.last);
                         return held.contains({run.first, run.last}) &&
                                (before == nullptr || *before == run.before) &&
                                (after == nullptr || *after == run.after);
                       });
  }

  LogStore& fresh_;
  Verifier& verifier_;
  LogStore::Salvage& report_;
  std::map<NodeId, Bytes> keys_;
  std::vector<Doubtful> doubtful_;
  Changes batch_;
};

}  // namespace

Result<void> salvage(const std::string& path, LogStore& fresh, Verifier& verifier,
                     LogStore::Salvage& report) {
  Copy copy(fresh.options().path + "-source");
  Result<Connection> db = open_damaged(path, SQLITE_OPEN_READONLY);
  if (!db.ok()) {
    DUNLIN_TRY(copy.make(path, fresh.options().path));
    db = open_damaged(copy.path(), SQLITE_OPEN_READWRITE);
  }
  if (!db.ok()) return {};
  Result<void> done = Salvager(fresh, verifier, report).run(*db);
  if (done.ok() || done.error().code != Errc::storage_full) return done;
  report.reason += "; the disk is too full for all that could be salvaged";
  return {};
}

}  // namespace dunlin::storage
