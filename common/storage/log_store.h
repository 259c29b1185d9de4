#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/log/log_state.h"
#include "common/log/stored.h"
#include "common/storage/branch.h"
#include "common/storage/compactor.h"
#include "common/storage/forks.h"
#include "common/storage/quarantine.h"
#include "common/storage/sqlite.h"

namespace dunlin::storage {

// The append-only log of one node in one SQLite file: its own logs and those it replicates.
// WAL with synchronous=FULL: what commit() returned is on the disk. Not thread-safe: one thread
// owns it. The tables are described in common/doc/log_format.md.
class LogStore {
 public:
  struct Options {
    std::string path;
    std::size_t shard = 0;  // the number of this file (shard_files.h)
    Epoch fresh_epoch;      // random; taken when the file is new
    std::uint64_t page_bytes = 4096, cache_bytes = 512 * 1024;  // pages: of a new file
    std::uint64_t wal_bytes_max = 4 * 1024 * 1024;
    bool wal_in_place = false;  // has its full size from the start: commits cost less metadata
    CompactionPolicy compaction = {};
    std::optional<NodeId> authority = {};  // whose Revokes count
  };

  // What a damaged database left behind.
  struct Salvage {
    std::string set_aside;  // where the damaged file lies now
    std::string reason;
    std::uint64_t segments = 0, entries = 0;
    std::uint64_t refused = 0;  // segments that did not verify any more
  };

  // Everything the replica starts from.
  struct Contents {
    Epoch epoch;  // of this database: drawn when it was created, or committed since
    std::vector<LogState> logs;
    std::vector<KnownNode> nodes;
    std::vector<Define> own_streams;  // of this epoch
    std::vector<Lost> own_lost;  // what this node declared of each of its logs, former ones too
    Hlc own_hlc;                 // the latest in this epoch
    std::vector<TimeAnchor> own_anchors = {};  // of this epoch
    // The latest boot of which own readings without UTC were stored; 0 = none.
    std::uint64_t own_timeless_boot = 0;
    std::vector<LogId> forked = {};  // of which a second branch came
    std::vector<std::pair<Hlc, Revoke>> revocations = {};
  };

  // Opens or creates the file, migrates its schema and checks it. A damaged file is renamed to
  // "<path>.damaged-<UTC>" with its -wal and -shm, never overwritten; what still verifies in it is
  // copied into a fresh file under its old epochs (`salvage` says how much). A crash on the way
  // loses nothing: the next start goes on. Without a `salvage` to report in, a damaged file is left
  // as it is and `corrupt` returned. `unsupported` when a newer version wrote it.
  static Result<LogStore> open(const Options& options, const NodeId& node, Verifier& verifier,
                               std::optional<Salvage>* salvage);
  // Has the next opening look at the whole file, whatever its size ("<path>.suspect" says so).
  static void suspect(const std::string& path);

  // Moves what was committed from the WAL into the file. `backpressure` where a reader holds it for
  // longer than that.
  Result<void> checkpoint(std::chrono::milliseconds patience = std::chrono::seconds(5));

  Result<Contents> load();

  // One transaction: moves to another epoch, takes back what is rolled back, stores segments and
  // the version vector that claims them, applies what track 0 says of logs and nodes, deletes what
  // is released, notes acks. Segments that are held already are `duplicate`; a second branch is
  // kept as evidence and reported as `fork`, unless it has `won`. One outcome per segment. An error
  // changes nothing; `invalid_argument` when a stored segment spans the end of a rollback.
  //
  // Of two branches of another node's log the one wins that contains what a Revoke or else a Seal
  // names, or else the one whose first differing entry has the smaller hash: on every node the
  // same, whichever came first. It takes the place of all that is stored from its segment's first
  // entry on, provided that it joins what is stored before it.
  //
  // Of a control log that is rolled back the definitions and anchors go; what it said of other logs
  // and of its node stays said.
  Result<std::vector<WriteOutcome>> commit(const Changes& changes);

  // Whole stored segments that hold entries of `wanted`, newest first, at most `bytes_max` but at
  // least one. O(log n + answer).
  Result<std::vector<StoredSegment>> read(const LogId& log, Interval wanted,
                                          std::uint64_t bytes_max);

  // The oldest stored segments of a log with entries from `from` on, until they have `bytes_min`
  // bytes in sum; at least one, at most 4096.
  Result<std::vector<OldSegment>> oldest(const LogId& log, std::uint64_t bytes_min, Seq from = 1);
  // The segments whose newest reading is older than `before`, of own logs those that are acked.
  // Segments of unknown times are as old as what follows them.
  Result<std::vector<OldSegment>> older_than(const LogId& log, UtcMicros before);

  // The segments that arrived first, of `track` or of any data track, until they have `bytes_min`
  // bytes in sum.
  Result<std::vector<OldSegment>> first_arrived(std::uint64_t bytes_min,
                                                std::optional<Track> track = std::nullopt);
  // Some segments of other nodes, of `track` or of all, that came after newer ones were released.
  Result<std::vector<OldSegment>> overtaken(std::optional<Track> track = std::nullopt);

  // Merges some small segments of one log, in a transaction of its own: a few milliseconds and a
  // commit. Hashes, states and answers stay the same. How many segments fewer there are; an error
  // changes nothing. Compactor has the rules.
  Result<std::uint64_t> compact_step();
  std::size_t compactions_due() const { return compactor_.logs_due(); }  // logs to look at
  Epoch epoch() const { return epoch_; }
  // What is committed of a log; null for an unknown one. Valid until the next commit.
  const LogState* state(const LogId& log) const;
  // Every log with segments; of one node.
  std::vector<LogId> logs() const;
  std::vector<LogId> logs_of(const NodeId& node) const;

  // Counts the boots of this machine that the database has seen; the same number for the same id.
  Result<std::uint64_t> note_boot(std::string_view boot_id);

  // Bytes of the database that hold something.
  Result<std::uint64_t> used_bytes();
  // Bytes of its file that hold nothing: they are used before the file grows.
  Result<std::uint64_t> spare_bytes();
  Result<std::uint64_t> fork_count() { return Forks(db_).count(); }
  Quarantine quarantine() { return Quarantine(db_); }
  // Bytes of the stored segments of a log; 0 for an unknown one.
  std::uint64_t log_bytes(const LogId& log) const;
  // The same of all logs, by track.
  const std::map<Track, std::uint64_t>& track_bytes() const { return track_bytes_; }
  const Options& options() const { return options_; }

 private:
  struct LogRow {
    std::int64_t id = 0;
    LogState state;
    std::uint64_t bytes = 0;
    std::uint64_t segments = 0;
  };

  LogStore(Connection db, const Options& options);
  static Result<LogStore> open_file(const Options& options, const NodeId& node);
  Result<void> prepare();
  Result<std::vector<WriteOutcome>> write(const Changes& changes, std::map<LogId, LogRow>& changed);
  Result<void> begin_epoch(Epoch epoch);
  Result<void> create_identity(const NodeId& node, Epoch fresh_epoch);
  Result<void> load_rows();
  Result<void> load_own_control(const LogRow& row, Contents& contents);
  Result<LogRow> row_of(const LogId& log, std::map<LogId, LogRow>& changed);
  Result<WriteOutcome> store_segment(const SegmentRecord& segment,
                                     std::map<LogId, LogRow>& changed);
  Result<void> insert(LogRow& row, const SegmentRecord& segment);
  Result<std::optional<Difference>> difference(const LogRow& row, const SegmentRecord& segment);
  Result<bool> wins(const LogRow& row, const SegmentRecord& segment, const Difference& parting);
  Result<std::optional<SegmentRecord>> winner(const LogRow& row, const SegmentRecord& segment,
                                              const Difference& parting);
  Result<std::optional<LogState::Sealed>> end_of(const LogRow& row);
  Result<std::optional<Hash>> hash_at(const LogRow& row, Seq seq);
  Result<void> set_aside(LogRow& row, Seq from, const SegmentInfo& winner, Seq parting);
  Result<void> apply_control(const SegmentRecord& segment, std::map<LogId, LogRow>& changed);
  Result<void> keep_revocation(Hlc hlc, const Op& op);
  Result<void> note_redefined();
  Result<void> apply_definition(const LogId& log, Seq seq, const Op& op);
  Result<void> apply_definitions_again(const LogRow& row);
  Result<void> roll_back(const Rollback& rollback, std::map<LogId, LogRow>& changed);
  Result<void> cut(LogRow& row, Seq last, const Hash& hash);
  Result<void> delete_range(LogRow& row, Interval interval);
  Result<void> delete_segments(const Release& release, std::map<LogId, LogRow>& changed);
  Result<std::vector<StoredSegment>> read_row(std::int64_t row, Interval wanted, std::uint64_t max);
  struct Oldest {  // as oldest() and older_than() say
    std::uint64_t bytes_min = ~std::uint64_t{0};
    std::optional<UtcMicros> before = {};
    Seq from = 1, to = ~Seq{0};
  };
  Result<std::vector<OldSegment>> collect_oldest(const LogRow& row, const Oldest& what);
  Result<void> write_row(const LogRow& row);
  void adopt(LogRow row);
  Result<void> replace(const Compactor::Replacement& replacement, LogRow& row);
  bool is_own(const LogId& log) const { return log.node == node_ && log.epoch == epoch_; }
  Result<void> insert_boot_spans(std::int64_t segment, const SegmentInfo& info);
  Result<void> note_own(const SegmentInfo& info);
  Result<void> keep_own_hlc();

  Connection db_;
  Options options_;
  NodeId node_;
  Epoch epoch_;
  std::map<LogId, LogRow> rows_;  // what is committed
  std::map<Track, std::uint64_t> track_bytes_;
  Hlc own_hlc_;  // of the latest own entry of this epoch
  Compactor compactor_;

  Statement insert_segment_, insert_log_, update_log_, insert_node_, insert_member_;
  Statement insert_stream_, insert_revocation_, delete_boot_spans_;
  Statement select_earliest_, select_farthest_, select_newest_, select_oldest_, delete_range_;
  Statement select_first_arrived_, insert_anchor_, insert_boot_span_, delete_one_, update_segment_;
};

}  // namespace dunlin::storage
