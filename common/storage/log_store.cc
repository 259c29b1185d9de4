#include "common/storage/log_store.h"
#include "common/storage/meta.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "common/base/check.h"
#include "common/codec/cbor.h"
#include "common/codec/entry_codec.h"
#include "common/codec/log_state_codec.h"
#include "common/codec/segment_codec.h"
#include "common/log/limits.h"
#include "common/storage/row_values.h"
#include "common/storage/schema.h"
#include "common/storage/shard_files.h"
#include "common/storage/sightings.h"

namespace dunlin::storage {

namespace {

Bytes encode_stream_ids(const std::vector<std::uint64_t>& ids) {
  Bytes out;
  CborWriter writer(out);
  writer.array(ids.size());
  for (std::uint64_t id : ids) writer.uint(id);
  return out;
}

// The first that a segment with `seq` can begin with.
Seq earliest_with(Seq seq) {
  return seq > kSegmentEntriesMax ? seq - kSegmentEntriesMax : 1;
}

// By the fewest stored segments that hold `shared`; `farthest` is select_farthest_.
Result<std::optional<Difference>> first_parting(Statement& farthest, std::int64_t row,
                                                Interval shared, const EntryHashes& coming) {
  for (Seq next = shared.first; next <= shared.last;) {
    farthest.bind(1, row).bind(2, stored(earliest_with(next))).bind(3, stored(next));
    DUNLIN_ASSIGN(const bool held, farthest.step());
    if (!held) break;
    const auto found = first_difference(farthest.blob(0), coming);
    next = loaded(farthest.integer(1)) + 1;
    farthest.reset();
    if (!found.ok() || *found) return found;
  }
  return std::optional<Difference>();
}

constexpr std::uint64_t kForksKeptPerLog = 16;  // besides those that were stored

}  // namespace

LogStore::LogStore(Connection db, const Options& options)
    : db_(std::move(db)), options_(options), compactor_(options.compaction) {}

Result<void> LogStore::prepare() {
  const auto prepare_into = [&](Statement& statement, const std::string& sql) -> Result<void> {
    DUNLIN_ASSIGN(statement, db_.prepare(sql));
    return {};
  };
  const auto next_id = [this](const char* table) {
    return "(SELECT ifnull(max(id), " + std::to_string(ids_begin(options_.shard)) + ") + 1 FROM " +
           table + ")";
  };
  DUNLIN_TRY(prepare_into(
      insert_segment_,
      "INSERT INTO segments(log, first, last, time_min, time_max, readings, streams, body, id)"
      " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, " +
          next_id("segments") + ")"));
  DUNLIN_TRY(prepare_into(insert_log_,
                          "INSERT INTO logs(node, epoch, track, bytes, segments, state, id)"
                          " VALUES(?1, ?2, ?3, 0, 0, ?4, " +
                              next_id("logs") + ")"));
  DUNLIN_TRY(prepare_into(update_log_,
                          "UPDATE logs SET bytes = ?2, segments = ?3, state = ?4 WHERE id = ?1"));
  DUNLIN_TRY(prepare_into(insert_node_,
                          "INSERT INTO nodes(node, public_key, name) VALUES(?1, ?2, ?3)"
                          " ON CONFLICT(node) DO UPDATE SET name = excluded.name"));
  DUNLIN_TRY(prepare_into(insert_member_,
                          "INSERT INTO nodes(node, public_key, name, certificate)"
                          " VALUES(?1, ?2, ?3, ?4) ON CONFLICT(node) DO UPDATE"
                          " SET name = excluded.name, certificate = excluded.certificate"));
  DUNLIN_TRY(prepare_into(insert_revocation_,
                          "INSERT INTO revocations(node, hlc, operation) VALUES(?1, ?2, ?3)"
                          " ON CONFLICT(node) DO UPDATE SET hlc = excluded.hlc,"
                          " operation = excluded.operation WHERE excluded.hlc > hlc"));
  DUNLIN_TRY(
      prepare_into(insert_stream_,
                   "INSERT OR IGNORE INTO streams(node, epoch, id, version, name, definition)"
                   " VALUES(?1, ?2, ?3, ?4, ?5, ?6)"));
  DUNLIN_TRY(
      prepare_into(insert_anchor_,
                   "INSERT OR IGNORE INTO anchors(node, epoch, boot, seq, boot_id, monotonic,"
                   " utc, uncertainty) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"));
  DUNLIN_TRY(
      prepare_into(insert_boot_span_,
                   "INSERT INTO boot_spans(segment, boot, low, high) VALUES(?1, ?2, ?3, ?4)"));
  // No segment is longer than the format allows, which bounds how far back an overlap can start.
  DUNLIN_TRY(prepare_into(select_earliest_,
                          "SELECT body FROM segments WHERE log = ?1 AND first BETWEEN ?2 AND ?3"
                          " AND last >= ?3 ORDER BY first LIMIT 1"));
  DUNLIN_TRY(prepare_into(select_farthest_,
                          "SELECT body, last FROM segments WHERE id = (SELECT id FROM segments"
                          " WHERE log = ?1 AND first BETWEEN ?2 AND ?3 AND last >= ?3"
                          " ORDER BY last DESC LIMIT 1)"));
  DUNLIN_TRY(prepare_into(select_newest_,
                          "SELECT first, last, body FROM segments"
                          " WHERE log = ?1 AND first BETWEEN ?2 AND ?3 AND last >= ?4"
                          " ORDER BY first DESC"));
  DUNLIN_TRY(prepare_into(select_oldest_,
                          "SELECT first, last, readings, max(ifnull((SELECT max(a.time_max) FROM"
                          " anchored_spans a WHERE a.segment = s.id), -1 << 63),"
                          " iif(time_min <= time_max, time_max, -1 << 63)), body"
                          " FROM segments s WHERE log = ?1 AND first >= ?2 AND last >= ?3"
                          " ORDER BY first"));
  DUNLIN_TRY(prepare_into(
      select_first_arrived_,
      "SELECT s.log, s.first, s.last, length(s.body) FROM segments s JOIN logs l"
      " ON l.id = s.log WHERE l.track <> 0 AND (?1 < 0 OR l.track = ?1) ORDER BY s.id"));
  DUNLIN_TRY(prepare_into(delete_boot_spans_, "DELETE FROM boot_spans WHERE segment = ?1"));
  DUNLIN_TRY(prepare_into(delete_one_, "DELETE FROM segments WHERE id = ?1"));
  DUNLIN_TRY(prepare_into(update_segment_,
                          "UPDATE segments SET first = ?2, last = ?3, time_min = ?4, time_max = ?5,"
                          " readings = ?6, streams = ?7, body = ?8 WHERE id = ?1"));
  DUNLIN_TRY(compactor_.prepare(db_));
  return prepare_into(
      delete_range_,
      "DELETE FROM segments WHERE log = ?1 AND first BETWEEN ?2 AND ?3 AND last <= ?3"
      " RETURNING length(body)");
}

Result<LogStore::LogRow> LogStore::row_of(const LogId& log, std::map<LogId, LogRow>& changed) {
  if (const auto it = changed.find(log); it != changed.end()) return it->second;
  if (const auto it = rows_.find(log); it != rows_.end()) return it->second;
  LogRow row{.id = 0, .state = LogState(log)};
  const Bytes state = encode_log_state(row.state);
  insert_log_.bind(1, ByteView(log.node.bytes)).bind(2, stored(log.epoch.value));
  insert_log_.bind(3, stored(log.track.value)).bind(4, ByteView(state));
  DUNLIN_TRY(insert_log_.run());
  row.id = sqlite3_last_insert_rowid(db_.raw());
  return row;
}

Result<void> LogStore::write_row(const LogRow& row) {
  const Bytes state = encode_log_state(row.state);
  update_log_.bind(1, row.id).bind(2, stored(row.bytes)).bind(3, stored(row.segments));
  update_log_.bind(4, ByteView(state));
  return update_log_.run();
}

// What is committed takes the place of what was.
void LogStore::adopt(LogRow row) {
  LogRow& known = rows_[row.state.id()];
  track_bytes_[row.state.id().track] += row.bytes - known.bytes;
  known = std::move(row);
}

Result<std::vector<WriteOutcome>> LogStore::commit(const Changes& changes) {
  const Epoch former = epoch_;
  std::map<LogId, LogRow> changed;
  Result<std::vector<WriteOutcome>> outcomes = write(changes, changed);
  if (!outcomes.ok()) return epoch_ = former, outcomes;
  for (auto& [log, row] : changed) adopt(std::move(row));
  compactor_.committed(changes, *outcomes);
  return outcomes;
}

Result<std::vector<WriteOutcome>> LogStore::write(const Changes& changes,
                                                  std::map<LogId, LogRow>& changed) {
  DUNLIN_ASSIGN(Transaction transaction, Transaction::begin(db_));
  if (changes.epoch) DUNLIN_TRY(begin_epoch(*changes.epoch));
  for (const Rollback& rollback : changes.rollbacks) DUNLIN_TRY(roll_back(rollback, changed));
  std::vector<WriteOutcome> outcomes;
  outcomes.reserve(changes.segments.size());
  for (const SegmentRecord& segment : changes.segments) {
    DUNLIN_ASSIGN(const WriteOutcome outcome, store_segment(segment, changed));
    outcomes.push_back(outcome);
  }
  for (const Release& release : changes.releases) DUNLIN_TRY(delete_segments(release, changed));
  for (const Acked& ack : changes.acks) {
    DUNLIN_ASSIGN(LogRow row, row_of(ack.log, changed));
    row.state.acknowledge(ack.acked);
    changed[ack.log] = std::move(row);
  }
  for (const KnownNode& member : changes.members) {
    insert_member_.bind(1, ByteView(member.node.bytes)).bind(2, ByteView(member.public_key));
    insert_member_.bind(3, std::string_view(member.name)).bind(4, ByteView(member.certificate));
    DUNLIN_TRY(insert_member_.run());
  }
  for (const auto& [hlc, revoke] : changes.revocations) DUNLIN_TRY(keep_revocation(hlc, revoke));
  for (const Quarantined& refused : changes.refused) DUNLIN_TRY(quarantine().keep(refused));
  DUNLIN_TRY(keep_sightings(db_, changes.sightings));
  for (const auto& [log, row] : changed) DUNLIN_TRY(write_row(row));
  DUNLIN_TRY(transaction.commit());
  return outcomes;
}

// The clock goes on, though the logs of the new epoch do not tell it yet.
Result<void> LogStore::begin_epoch(Epoch epoch) {
  DUNLIN_TRY(keep_own_hlc());
  epoch_ = epoch;
  DUNLIN_ASSIGN(Statement upsert,
                db_.prepare("INSERT INTO meta(key, value) VALUES('epoch', ?1)"
                            " ON CONFLICT(key) DO UPDATE SET value = excluded.value"));
  return upsert.bind(1, stored(epoch.value)).run();
}

Result<void> LogStore::insert_boot_spans(std::int64_t segment, const SegmentInfo& info) {
  for (const BootSpan& span : info.boots) {
    insert_boot_span_.bind(1, segment).bind(2, stored(span.boot));
    DUNLIN_TRY(insert_boot_span_.bind(3, span.low).bind(4, span.high).run());
  }
  return {};
}

// What own readings without UTC wait for, and how far the own clock was, outlive the entries that
// told it.
Result<void> LogStore::note_own(const SegmentInfo& info) {
  own_hlc_ = std::max(own_hlc_, info.hlc_last);
  if (info.boots.empty()) return {};
  DUNLIN_ASSIGN(const std::uint64_t known, read_meta_number(db_, "timeless_boot"));
  if (info.boots.back().boot <= known) return {};
  return write_meta(db_, "timeless_boot", std::to_string(info.boots.back().boot));
}

Result<void> LogStore::keep_own_hlc() {
  DUNLIN_ASSIGN(const std::uint64_t known, read_meta_number(db_, "hlc"));
  return own_hlc_.value > known ? write_meta(db_, "hlc", std::to_string(own_hlc_.value))
                                : Result<void>{};
}

Result<WriteOutcome> LogStore::store_segment(const SegmentRecord& segment,
                                             std::map<LogId, LogRow>& changed) {
  const SegmentInfo& info = segment.info;
  DUNLIN_ASSIGN(LogRow row, row_of(info.log, changed));
  const LogState::Fit fit = row.state.fit(info);
  std::optional<Difference> parting;
  if (fit == LogState::Fit::covered || fit == LogState::Fit::overlaps) {
    DUNLIN_ASSIGN(parting, difference(row, segment));
  }
  WriteOutcome outcome;
  std::optional<SegmentRecord> won;
  if (parting) {
    DUNLIN_ASSIGN(won, winner(row, segment, *parting));
  }
  if (won) {
    DUNLIN_TRY(set_aside(row, won->info.first, info, parting->seq));
    outcome = {WriteOutcome::Kind::won, parting->seq};
  } else if (const auto twice = parting ? parting->seq : row.state.misfit(info)) {
    Forks forks(db_);
    DUNLIN_ASSIGN(const std::uint64_t known, forks.count_of(row.id));
    if (known >= kForksKeptPerLog) return WriteOutcome{WriteOutcome::Kind::fork, *twice, true};
    DUNLIN_ASSIGN(std::int64_t room, forks.room(info.log.node));
    DUNLIN_ASSIGN(const bool fresh, forks.keep(row.id, {*twice, info.after, *segment.bytes}, room));
    return WriteOutcome{WriteOutcome::Kind::fork, *twice, !fresh};
  } else if (fit == LogState::Fit::covered) {
    return WriteOutcome{WriteOutcome::Kind::duplicate};
  }

  if (is_own(info.log)) DUNLIN_TRY(note_own(info));
  DUNLIN_TRY(insert(row, won ? *won : segment));
  changed[info.log] = std::move(row);
  DUNLIN_TRY(apply_control(won ? *won : segment, changed));
  return outcome;
}

Result<void> LogStore::insert(LogRow& row, const SegmentRecord& segment) {
  const SegmentInfo& info = segment.info;
  const Bytes streams = encode_stream_ids(info.streams);
  insert_segment_.bind(1, row.id).bind(2, stored(info.first)).bind(3, stored(info.last));
  insert_segment_.bind(4, info.time_min).bind(5, info.time_max).bind(6, stored(info.readings));
  insert_segment_.bind(7, ByteView(streams)).bind(8, ByteView(*segment.bytes));
  DUNLIN_TRY(insert_segment_.run());
  row.state.admit(info);
  row.bytes += segment.bytes->size();
  row.segments += 1;
  return insert_boot_spans(sqlite3_last_insert_rowid(db_.raw()), info);
}

// Where a segment and what is stored of the same sequence numbers part. Hashes are chained: where
// the last one that a run shares with it is the same, so are all before it, however many stored
// segments hold them.
Result<std::optional<Difference>> LogStore::difference(const LogRow& row,
                                                       const SegmentRecord& segment) {
  const SegmentInfo& info = segment.info;
  std::optional<EntryHashes> coming;
  for (const LogState::Run& run : row.state.runs()) {
    if (run.last < info.first || run.first > info.last) continue;
    const Seq last = std::min(run.last, info.last);
    DUNLIN_ASSIGN(const std::optional<Hash> here, hash_at(row, last));
    if (last == info.last && here == info.after) continue;
    if (!coming) {
      DUNLIN_ASSIGN(const SegmentHeader header, parse_segment(*segment.bytes));
      DUNLIN_ASSIGN(coming, entry_hashes(header));
    }
    if (here == coming->at(last)) continue;
    DUNLIN_ASSIGN(
        const auto found,
        first_parting(select_farthest_, row.id, {std::max(run.first, info.first), last}, *coming));
    if (found) return found;
  }
  return std::optional<Difference>();
}

// Where the authority says that a log ends, or its node where the authority says nothing.
Result<std::optional<LogState::Sealed>> LogStore::end_of(const LogRow& row) {
  const LogId& log = row.state.id();
  DUNLIN_ASSIGN(Statement select, db_.prepare("SELECT operation FROM revocations WHERE node = ?1"));
  DUNLIN_ASSIGN(const bool revoked, select.bind(1, ByteView(log.node.bytes)).step());
  if (!revoked) return row.state.sealed();
  DUNLIN_ASSIGN(const Revoke revoke, revocation_of(select.blob(0)));
  const Revoke::End* end = revoke.end_of(log);
  return end != nullptr ? std::optional(LogState::Sealed{end->last, end->hash}) : std::nullopt;
}

Result<bool> LogStore::wins(const LogRow& row, const SegmentRecord& segment,
                            const Difference& parting) {
  if (segment.info.log.node == node_) return false;
  DUNLIN_ASSIGN(const std::optional<LogState::Sealed> end, end_of(row));
  if (end && end->last >= parting.seq) {
    DUNLIN_ASSIGN(const std::optional<Hash> here, hash_at(row, end->last));
    if (here == end->hash) return false;
    DUNLIN_ASSIGN(const std::optional<Hash> coming, hash_in(*segment.bytes, end->last));
    if (coming == end->hash) return true;
  }
  // Where the other branch is not stored up to the parting, nobody can tell which one stays: the
  // one that has more there, until more of the other comes.
  DUNLIN_ASSIGN(const std::vector<StoredSegment> parts,
                read_row(row.id, {parting.seq, parting.seq}, 0));
  return parts.empty() || parting.coming < parting.stored;
}

// What to store of a segment whose branch wins; nothing when it does not, or does not join.
Result<std::optional<SegmentRecord>> LogStore::winner(const LogRow& row,
                                                      const SegmentRecord& segment,
                                                      const Difference& parting) {
  const SegmentInfo& info = segment.info;
  std::optional<SegmentRecord> won;
  const Hash* left = row.state.hash_after(info.first - 1);
  if (left != nullptr && *left != info.before) return won;
  DUNLIN_ASSIGN(const bool wins_here, wins(row, segment, parting));
  if (!wins_here) return won;
  // The earliest of those that hold its first entry has all that stands before it.
  select_earliest_.bind(1, row.id).bind(2, stored(earliest_with(info.first)));
  DUNLIN_ASSIGN(const bool around, select_earliest_.bind(3, stored(info.first)).step());
  if (!around) return std::optional(segment);
  Result<std::optional<SegmentRecord>> record = joined(select_earliest_.blob(0), segment);
  select_earliest_.reset();
  return record;
}

// Nothing for an entry that is not stored, unless a run ends there.
Result<std::optional<Hash>> LogStore::hash_at(const LogRow& row, Seq seq) {
  if (const Hash* end = row.state.hash_after(seq)) return std::optional(*end);
  DUNLIN_ASSIGN(const std::vector<StoredSegment> found, read_row(row.id, {seq, seq}, 0));
  return found.empty() ? std::optional<Hash>() : hash_in(found.front().bytes, seq);
}

// What was stored may have been acknowledged: whole segments of it stay, as many as there is room
// for, except those that end before the branches part and say nothing that the winner does not.
Result<void> LogStore::set_aside(LogRow& row, Seq from, const SegmentInfo& winner, Seq parting) {
  DUNLIN_ASSIGN(Statement select, db_.prepare("SELECT first, last, body FROM segments"
                                              " WHERE log = ?1 AND first >= ?2 AND last >= ?3"));
  select.bind(1, row.id).bind(2, stored(from)).bind(3, stored(parting));
  Forks forks(db_);
  DUNLIN_ASSIGN(std::int64_t room, forks.room(row.state.id().node));
  for (bool first = true; first || room > 0; first = false) {
    DUNLIN_ASSIGN(const bool more, select.step());
    if (!more) break;
    const ByteView body = select.blob(2);
    DUNLIN_ASSIGN(const std::optional<Hash> after, hash_in(body, loaded(select.integer(1))));
    if (!after) return {Errc::corrupt, "a segment does not end where its row says"};
    const Seq seq = std::max(parting, loaded(select.integer(0)));
    DUNLIN_TRY(forks.keep(row.id, {seq, *after, body}, room));
  }
  select.reset();
  DUNLIN_TRY(delete_range(row, {from, kSeqMax}));
  return cut(row, winner.first - 1, winner.before);
}

Result<void> LogStore::apply_control(const SegmentRecord& segment,
                                     std::map<LogId, LogRow>& changed) {
  const LogId& log = segment.info.log;
  for (const Entry& entry : segment.control) {
    for (const Op& op : entry.ops) {
      if (const auto* open = std::get_if<Open>(&op)) {
        insert_node_.bind(1, ByteView(log.node.bytes)).bind(2, ByteView(open->public_key));
        insert_node_.bind(3, std::string_view(open->name));
        DUNLIN_TRY(insert_node_.run());
      } else if (const auto* seal = std::get_if<Seal>(&op)) {
        const LogId target{log.node, seal->epoch, seal->track};
        DUNLIN_ASSIGN(LogRow row, row_of(target, changed));
        row.state.seal(seal->last, seal->hash);
        changed[target] = std::move(row);
      } else if (const auto* lost = std::get_if<Lost>(&op)) {
        const LogId target{log.node, lost->epoch, lost->track};
        DUNLIN_ASSIGN(LogRow row, row_of(target, changed));
        row.state.declare_lost(lost->ranges);
        changed[target] = std::move(row);
      } else if (std::holds_alternative<Revoke>(op)) {
        if (log.node == options_.authority) DUNLIN_TRY(keep_revocation(entry.hlc, op));
      } else {
        DUNLIN_TRY(apply_definition(log, entry.seq, op));
      }
    }
  }
  return {};
}

Result<void> LogStore::keep_revocation(Hlc hlc, const Op& op) {
  Bytes operation;
  CborWriter writer(operation);
  encode_op(writer, op);
  insert_revocation_.bind(1, ByteView(std::get<Revoke>(op).node.bytes)).bind(2, stored(hlc.value));
  DUNLIN_TRY(insert_revocation_.bind(3, ByteView(operation)).run());
  return note_redefined();
}

// Define and TimeAnchor: what queries read the data tracks by.
Result<void> LogStore::apply_definition(const LogId& log, Seq seq, const Op& op) {
  if (const auto* define = std::get_if<Define>(&op)) {
    Bytes definition;
    CborWriter writer(definition);
    encode_op(writer, op);
    insert_stream_.bind(1, ByteView(log.node.bytes)).bind(2, stored(log.epoch.value));
    insert_stream_.bind(3, stored(define->id)).bind(4, stored(define->version));
    insert_stream_.bind(5, std::string_view(define->schema.name)).bind(6, ByteView(definition));
    return insert_stream_.run();
  }
  const auto* anchor = std::get_if<TimeAnchor>(&op);
  if (anchor == nullptr || anchor->monotonic_us < 0 || anchor->utc_us < 0) return {};  // no clock
  insert_anchor_.bind(1, ByteView(log.node.bytes)).bind(2, stored(log.epoch.value));
  insert_anchor_.bind(3, stored(anchor->boot)).bind(4, stored(seq));
  insert_anchor_.bind(5, std::string_view(anchor->boot_id)).bind(6, anchor->monotonic_us);
  insert_anchor_.bind(7, anchor->utc_us).bind(8, stored(anchor->uncertainty_us));
  return insert_anchor_.run();
}

// Readers see by it that they have to look again.
Result<void> LogStore::note_redefined() {
  DUNLIN_ASSIGN(const std::uint64_t times, read_meta_number(db_, "redefined"));
  return write_meta(db_, "redefined", std::to_string(times + 1));
}

// From what is left of a control log.
Result<void> LogStore::apply_definitions_again(const LogRow& row) {
  const LogId& log = row.state.id();
  DUNLIN_TRY(note_redefined());
  for (const char* sql : {"DELETE FROM streams WHERE node = ?1 AND epoch = ?2",
                          "DELETE FROM anchors WHERE node = ?1 AND epoch = ?2"}) {
    DUNLIN_ASSIGN(Statement clear, db_.prepare(sql));
    clear.bind(1, ByteView(log.node.bytes)).bind(2, stored(log.epoch.value));
    DUNLIN_TRY(clear.run());
  }
  DUNLIN_ASSIGN(const std::vector<StoredSegment> newest_first,
                read_row(row.id, {1, kSeqMax}, std::numeric_limits<std::uint64_t>::max()));
  for (auto segment = newest_first.rbegin(); segment != newest_first.rend(); ++segment) {
    DUNLIN_ASSIGN(const std::vector<Entry> entries, entries_of(segment->bytes));
    for (const Entry& entry : entries) {
      for (const Op& op : entry.ops) DUNLIN_TRY(apply_definition(log, entry.seq, op));
    }
  }
  return {};
}

Result<void> LogStore::roll_back(const Rollback& rollback, std::map<LogId, LogRow>& changed) {
  DUNLIN_ASSIGN(LogRow row, row_of(rollback.log, changed));
  const Seq next = rollback.last + 1;
  DUNLIN_ASSIGN(const std::vector<StoredSegment> around, read_row(row.id, {next, next}, ~0ULL));
  for (const StoredSegment& segment : around) {
    if (segment.interval.first < next) {
      return {Errc::invalid_argument, "a segment of " + rollback.log.to_string() + " goes beyond " +
                                          std::to_string(rollback.last)};
    }
  }
  DUNLIN_TRY(keep_own_hlc());
  DUNLIN_TRY(cut(row, rollback.last, rollback.hash));
  changed[rollback.log] = std::move(row);
  return {};
}

// Takes away all segments beyond `last`; none may span it.
Result<void> LogStore::cut(LogRow& row, Seq last, const Hash& hash) {
  DUNLIN_TRY(delete_range(row, {last + 1, kSeqMax}));
  row.state.roll_back(last, hash);
  const bool control = row.state.id().track == kControlTrack;
  return control ? apply_definitions_again(row) : Result<void>{};
}

Result<void> LogStore::delete_range(LogRow& row, Interval interval) {
  delete_range_.bind(1, row.id).bind(2, stored(interval.first)).bind(3, stored(interval.last));
  while (true) {
    DUNLIN_ASSIGN(const bool more, delete_range_.step());
    if (!more) return {};
    row.bytes -= loaded(delete_range_.integer(0));
    row.segments -= 1;
  }
}

Result<void> LogStore::delete_segments(const Release& release, std::map<LogId, LogRow>& changed) {
  DUNLIN_ASSIGN(LogRow row, row_of(release.log, changed));
  DUNLIN_TRY(delete_range(row, release.interval));
  row.state.release(release.interval, release.before, release.after);
  if (is_own(release.log)) DUNLIN_TRY(keep_own_hlc());
  changed[release.log] = std::move(row);
  return {};
}

Result<std::uint64_t> LogStore::compact_step() {
  const LogId* due = compactor_.due();
  if (due == nullptr) return std::uint64_t{0};
  LogRow row = rows_.at(*due);
  const LogId& log = row.state.id();
  // What an own log of a former epoch holds may be taken back, segment by segment.
  if (log.node == node_ && log.epoch != epoch_) return compactor_.pass(log), std::uint64_t{0};
  const bool own = log.node == node_ && log.track != kControlTrack;
  DUNLIN_ASSIGN(const std::optional<Compactor::Replacement> replacement,
                compactor_.next(log, row.id, own ? &row.state.acked() : nullptr));
  if (!replacement) return std::uint64_t{0};
  const std::uint64_t before = row.segments;
  DUNLIN_TRY(replace(*replacement, row));
  const std::uint64_t fewer = before - row.segments;
  adopt(std::move(row));
  return fewer;
}

Result<void> LogStore::replace(const Compactor::Replacement& replacement, LogRow& row) {
  DUNLIN_ASSIGN(Transaction transaction, Transaction::begin(db_));
  for (const StoredSpan& span : replacement.gone) {
    DUNLIN_TRY(delete_one_.bind(1, span.id).run());
    row.bytes -= span.bytes;
    row.segments -= 1;
  }
  if (replacement.merged) {
    const SegmentInfo& info = replacement.merged->info;
    const Bytes streams = encode_stream_ids(info.streams);
    update_segment_.bind(1, replacement.into.id).bind(2, stored(info.first));
    update_segment_.bind(3, stored(info.last)).bind(4, info.time_min).bind(5, info.time_max);
    update_segment_.bind(6, stored(info.readings)).bind(7, ByteView(streams));
    update_segment_.bind(8, ByteView(*replacement.merged->bytes));
    DUNLIN_TRY(update_segment_.run());
    DUNLIN_TRY(delete_boot_spans_.bind(1, replacement.into.id).run());
    DUNLIN_TRY(insert_boot_spans(replacement.into.id, info));
    row.bytes += replacement.merged->bytes->size();
    row.bytes -= replacement.into.bytes;
  }
  DUNLIN_TRY(write_row(row));
  return transaction.commit();
}

Result<std::vector<StoredSegment>> LogStore::read(const LogId& log, Interval wanted,
                                                  std::uint64_t bytes_max) {
  const auto row = rows_.find(log);
  if (row == rows_.end()) return std::vector<StoredSegment>{};
  return read_row(row->second.id, wanted, bytes_max);
}

Result<std::vector<StoredSegment>> LogStore::read_row(std::int64_t row, Interval wanted,
                                                      std::uint64_t bytes_max) {
  std::vector<StoredSegment> found;
  select_newest_.bind(1, row).bind(2, stored(earliest_with(wanted.first)));
  select_newest_.bind(3, stored(wanted.last));
  select_newest_.bind(4, stored(wanted.first));
  std::uint64_t total = 0;
  while (true) {
    DUNLIN_ASSIGN(const bool more, select_newest_.step());
    if (!more) return found;
    const ByteView body = select_newest_.blob(2);
    total += body.size();
    if (!found.empty() && total > bytes_max) {
      select_newest_.reset();
      return found;
    }
    found.push_back({{loaded(select_newest_.integer(0)), loaded(select_newest_.integer(1))},
                     Bytes(body.begin(), body.end())});
  }
}

Result<std::vector<OldSegment>> LogStore::oldest(const LogId& log, std::uint64_t bytes_min,
                                                 Seq from) {
  const auto row = rows_.find(log);
  if (row == rows_.end()) return std::vector<OldSegment>{};
  return collect_oldest(row->second, {.bytes_min = bytes_min, .from = from});
}

Result<std::vector<OldSegment>> LogStore::older_than(const LogId& log, UtcMicros before) {
  const auto row = rows_.find(log);
  if (row == rows_.end()) return std::vector<OldSegment>{};
  return collect_oldest(row->second, {.before = before});
}

Result<std::vector<OldSegment>> LogStore::collect_oldest(const LogRow& row, const Oldest& what) {
  constexpr std::size_t kOldestMax = 4096;
  constexpr std::size_t kYoungMax = 16;  // stand in the way: those of a clock that was ahead, say
  std::vector<OldSegment> found;
  std::size_t due =
      0;  // of `found`; behind them are segments without times, as old as what follows
  std::size_t young = 0;
  std::uint64_t total = 0;
  select_oldest_.bind(1, row.id).bind(2, stored(earliest_with(what.from)));
  select_oldest_.bind(3, stored(what.from));
  while (true) {
    DUNLIN_ASSIGN(const bool more, select_oldest_.step());
    if (!more) break;
    const Interval interval{loaded(select_oldest_.integer(0)), loaded(select_oldest_.integer(1))};
    const UtcMicros newest = select_oldest_.integer(3);  // the lowest number: unknown
    const bool timed = newest != std::numeric_limits<UtcMicros>::min();
    const bool keep =
        what.before && ((timed && newest >= *what.before) ||
                        (row.state.id().node == node_ && !row.state.acked().contains(interval)));
    const Result<SegmentHeader> header = parse_segment(select_oldest_.blob(4));
    if (!header.ok()) return select_oldest_.reset(), as_corrupt(header.error());
    // The hash after a segment stands in its successor's header, or at the end of its run.
    if (!found.empty() && found.back().release.interval.last + 1 == interval.first) {
      found.back().release.after = header->before;
    }
    young += keep ? 1 : 0;
    if (young > kYoungMax || total >= what.bytes_min || found.size() == kOldestMax ||
        interval.last > what.to) {
      select_oldest_.reset();
      break;
    }
    if (keep) continue;
    OldSegment item{{row.state.id(), interval, header->before, {}},
                    loaded(select_oldest_.integer(2)),
                    select_oldest_.blob(4).size()};
    if (const Hash* after = row.state.hash_after(interval.last)) item.release.after = *after;
    total += item.bytes;
    found.push_back(std::move(item));
    if (!what.before || timed) due = found.size();
  }
  found.resize(due);
  // Where segments overlap a run's hash may be unknown inside; such a segment waits for its
  // neighbour.
  std::erase_if(found, [](const OldSegment& old) { return old.release.after == Hash{}; });
  if (!found.empty()) compactor_.listed(row.state.id(), found.back().release.interval.last);
  return found;
}

Result<std::vector<OldSegment>> LogStore::first_arrived(std::uint64_t bytes_min,
                                                        std::optional<Track> track) {
  // How much of each log that is; then the oldest of each log by that much, since what leaves a log
  // leaves it from the front.
  std::map<std::int64_t, std::uint64_t> shares;
  select_first_arrived_.bind(1, track ? stored(track->value) : -1);
  std::uint64_t total = 0;
  while (total < bytes_min) {
    DUNLIN_ASSIGN(const bool more, select_first_arrived_.step());
    if (!more) break;
    shares[select_first_arrived_.integer(0)] += loaded(select_first_arrived_.integer(3));
    total += loaded(select_first_arrived_.integer(3));
  }
  select_first_arrived_.reset();
  std::vector<OldSegment> found;
  for (const auto& [log, row] : rows_) {
    const auto share = shares.find(row.id);
    if (share == shares.end()) continue;
    DUNLIN_ASSIGN(std::vector<OldSegment> old, collect_oldest(row, {.bytes_min = share->second}));
    std::move(old.begin(), old.end(), std::back_inserter(found));
  }
  return found;
}

Result<std::vector<OldSegment>> LogStore::overtaken(std::optional<Track> track) {
  constexpr std::uint64_t kBytesOfEach = 256 * 1024;
  std::vector<OldSegment> found;
  for (const auto& [log, row] : rows_) {
    const LogState& state = row.state;
    if (log.node == node_ || log.track == kControlTrack || log.track != track.value_or(log.track))
      continue;
    if (state.released().empty() || state.runs().empty()) continue;
    const Seq released = state.released().intervals().back().last;
    if (state.runs().front().first > released) continue;
    DUNLIN_ASSIGN(std::vector<OldSegment> old,
                  collect_oldest(row, {.bytes_min = kBytesOfEach, .to = released}));
    std::move(old.begin(), old.end(), std::back_inserter(found));
  }
  return found;
}

const LogState* LogStore::state(const LogId& log) const {
  const auto row = rows_.find(log);
  return row == rows_.end() ? nullptr : &row->second.state;
}

std::vector<LogId> LogStore::logs() const {
  std::vector<LogId> logs;
  for (const auto& [log, row] : rows_) {
    if (row.segments > 0) logs.push_back(log);
  }
  return logs;
}

std::vector<LogId> LogStore::logs_of(const NodeId& node) const {
  std::vector<LogId> logs;
  for (auto it = rows_.lower_bound({node, {}, {}}); it != rows_.end() && it->first.node == node;
       ++it) {
    if (it->second.segments > 0) logs.push_back(it->first);
  }
  return logs;
}

Result<std::uint64_t> LogStore::note_boot(std::string_view boot_id) {
  DUNLIN_ASSIGN(const std::string last_id, read_meta(db_, "boot_id"));
  DUNLIN_ASSIGN(const std::uint64_t last, read_meta_number(db_, "boot"));
  if (last_id == boot_id) return last;
  DUNLIN_ASSIGN(Transaction transaction, Transaction::begin(db_));
  DUNLIN_TRY(write_meta(db_, "boot_id", boot_id));
  DUNLIN_TRY(write_meta(db_, "boot", std::to_string(last + 1)));
  DUNLIN_TRY(transaction.commit());
  return last + 1;
}

Result<std::uint64_t> LogStore::used_bytes() {
  DUNLIN_ASSIGN(const std::int64_t pages, db_.query_integer("PRAGMA page_count"));
  DUNLIN_ASSIGN(const std::int64_t free_pages, db_.query_integer("PRAGMA freelist_count"));
  DUNLIN_ASSIGN(const std::int64_t page_size, db_.query_integer("PRAGMA page_size"));
  return loaded((pages - free_pages) * page_size);
}

Result<std::uint64_t> LogStore::spare_bytes() {
  DUNLIN_ASSIGN(const std::int64_t free_pages, db_.query_integer("PRAGMA freelist_count"));
  DUNLIN_ASSIGN(const std::int64_t page_size, db_.query_integer("PRAGMA page_size"));
  return loaded(free_pages * page_size);
}

std::uint64_t LogStore::log_bytes(const LogId& log) const {
  const auto row = rows_.find(log);
  return row == rows_.end() ? 0 : row->second.bytes;
}

}  // namespace dunlin::storage
