#include "common/replication/origin.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/log/chain.h"
#include "common/log/limits.h"
#include "common/replication/lost_ranges.h"

namespace dunlin::replication {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// An entry's canonical size is bounded from above while rows are gathered.
constexpr std::size_t kSamplesOverhead = 32;  // of one stream's readings in an entry, without rows

// Under load a write waits this long after the one before, or for a segment's worth of entries, so
// that signatures and commits are shared. An idle node writes at once.
constexpr Duration kWriteSpacing = milliseconds(2);
constexpr std::size_t kWriteBytes = 64 * 1024;
constexpr Duration kAckWriteDelay = seconds(10);  // of an idle node, for the sake of its flash
constexpr Duration kRetryFirst = seconds(1);
constexpr Duration kRetryMax = seconds(30);
constexpr std::uint64_t kTrimShare = 32;       // of the bound goes at a time
constexpr std::uint64_t kStretches = 16;       // of a log, for drop_alternate
constexpr std::uint64_t kNearShare = 8;        // so much of a bound is left, or less: it is near
constexpr std::ptrdiff_t kLogsNamedMax = 192;  // of former epochs that gateways alone have
constexpr std::size_t kLostRangesMax = 64;     // in one declaration

bool is_near(std::uint64_t used, std::uint64_t bound) {
  return bound > 0 && used > bound - bound / kNearShare;
}

}  // namespace

Track track_of(std::string_view name) {
  if (name == "samples") return kSamplesTrack;
  const Hash hash = sha256(as_bytes(name));
  // Numbers below 16 are for tracks that the formats name.
  return Track{16 + (std::uint64_t{hash[0]} << 24 | std::uint64_t{hash[1]} << 16 |
                     std::uint64_t{hash[2]} << 8 | hash[3])};
}

Origin::Origin(Context& context, Uplink& uplink, OriginOptions options)
    : c_(context), uplink_(uplink), options_(std::move(options)) {}

Result<void> Origin::start(const Moment& now, const std::vector<Define>& streams,
                           const std::vector<Lost>& lost, BootTime boot) {
  boot_ = boot;
  const auto open_track = [&](OwnTrack& own) {
    own.log = {c_.self(), c_.epoch, own.policy.track};
    const LogState& state = c_.table.log(own.log).state;
    own.next_seq = state.head() + 1;
    own.hash = state.head() == 0 ? chain_start(own.log) : state.head_hash();
  };
  for (const Lost& declared : lost)
    lost_[{c_.self(), declared.epoch, declared.track}] = declared.ranges;
  control_.policy.track = kControlTrack;
  open_track(control_);
  for (const TrackPolicy& policy : options_.tracks) {
    tracks_.emplace_back().policy = policy;
    open_track(tracks_.back());
  }
  defines_ = streams;
  for (const Define& define : streams) {
    last_stream_id_ = std::max(last_stream_id_, define.id);
    StreamMapping& known = streams_[define.schema.name];
    if (define.version > known.latest.version || known.latest.id == 0) known.latest = define;
  }
  c_.table.nodes[c_.self()] = {c_.signer.public_key(), options_.name};
  if (control_.next_seq == 1)
    cut_entry(now, control_, {Open{c_.signer.public_key(), options_.name}});
  start_write(now);
  return {};
}

// ---- from readings to entries ----

Origin::OwnTrack& Origin::track_for(const std::string& stream) {
  const auto named = options_.stream_tracks.find(stream);
  if (named != options_.stream_tracks.end()) {
    for (OwnTrack& own : tracks_) {
      if (own.policy.name == named->second) return own;
    }
  }
  return tracks_.front();
}

Samples& Origin::pending_samples(OwnTrack& track, std::uint64_t stream, std::size_t fields,
                                 std::optional<std::uint64_t> boot) {
  for (auto it = track.pending.rbegin(); it != track.pending.rend(); ++it) {
    if (it->stream == stream && it->boot == boot) return *it;
  }
  track.pending.push_back({stream, boot, 0, Rows(fields)});
  track.pending_bytes += kSamplesOverhead;
  unwritten_bytes_ += kSamplesOverhead;
  return track.pending.back();
}

Result<void> Origin::append(const Moment& now, const Append& append) {
  Result<void> taken = take(now, append);
  if (!taken.ok() && taken.error().code != Errc::backpressure) {
    // Refused for good: nobody waits for it to become durable.
    last_ticket_ = std::max(last_ticket_, append.ticket);
    report_durable();
  }
  return taken;
}

Result<void> Origin::take(const Moment& now, const Append& append) {
  const Rows& rows = append.rows;
  OwnTrack& track = track_for(append.schema.name);
  if (track.refusing)
    return {Errc::storage_full, "the disk bound is reached and new readings are refused"};
  if (track.trimming) return {Errc::backpressure, "room is being made on the disk"};
  if (unwritten_bytes_ > options_.unwritten_bytes_max) {
    if (write_failed_) return {Errc::storage_full, "readings cannot be written to the disk"};
    flush(now);  // several tracks may hold it all, each below its own bounds
    return {Errc::backpressure, "too many readings wait for the disk"};
  }
  auto known = streams_.find(append.schema.name);
  std::optional<StreamMapping> fresh;
  if (known == streams_.end() || known->second.incoming != append.schema) {
    const Define latest = known == streams_.end() ? Define{} : known->second.latest;
    DUNLIN_ASSIGN(fresh, map_stream(append.schema, latest, last_stream_id_ + 1));
  }
  DUNLIN_ASSIGN(const std::vector<std::size_t> sizes,
                row_sizes(fresh ? *fresh : known->second, rows));
  // From here on nothing is refused.
  if (fresh) {
    if (fresh->defines) {
      last_stream_id_ = fresh->latest.id;
      defines_.push_back(fresh->latest);
      cut_entry(now, control_, {fresh->latest});
    }
    known = streams_.insert_or_assign(append.schema.name, *std::move(fresh)).first;
  }
  const StreamMapping& mapping = known->second;
  last_ticket_ = std::max(last_ticket_, append.ticket);
  const std::optional<std::uint64_t> boot =
      append.since_boot ? std::optional(options_.boot) : std::nullopt;
  boot_.timeless = boot_.timeless || append.since_boot;
  Samples* samples = nullptr;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const std::size_t bytes = sizes[row];
    if (track.pending_bytes + bytes + kSamplesOverhead > kEntryOpsBytesMax)
      cut_pending(now, track), samples = nullptr;
    if (samples == nullptr) {
      samples =
          &pending_samples(track, mapping.latest.id, mapping.latest.schema.fields.size(), boot);
    }
    if (track.pending_ticket == 0) track.pending_ticket = append.ticket;
    add_row(mapping, rows, row, *samples);
    track.pending_readings += 1;
    track.pending_bytes += bytes;
    unwritten_bytes_ += bytes;
    if (track.pending_readings >= track.policy.flush_readings ||
        track.pending_bytes >= track.policy.flush_bytes) {
      cut_pending(now, track), samples = nullptr;
    }
  }
  if (rows.empty()) report_durable();
  c_.stats.readings_appended += rows.size();
  if (track.pending_readings > 0 && !track.flush_at)
    track.flush_at = now.mono + track.policy.flush_interval;
  start_write(now);
  return {};
}

void Origin::flush(const Moment& now) {
  for (OwnTrack& track : tracks_) cut_pending(now, track);
  start_write(now);
}

void Origin::cut_pending(const Moment& now, OwnTrack& track) {
  track.flush_at.reset();
  if (track.pending.empty()) return;
  std::vector<Op> ops;
  for (Samples& samples : track.pending) ops.emplace_back(std::move(samples));
  track.pending.clear();
  unwritten_bytes_ -= track.pending_bytes;
  track.pending_readings = 0;
  track.pending_bytes = 0;
  if (track.cut_ticket == 0) track.cut_ticket = track.pending_ticket;
  track.pending_ticket = 0;
  cut_entry(now, track, std::move(ops));
}

void Origin::cut_entry(const Moment& now, OwnTrack& track, std::vector<Op> ops) {
  const Hlc hlc = c_.clock.next(now);
  const Result<ChainLink> link = track.cut.add({track.next_seq, hlc, std::move(ops)}, track.hash);
  DUNLIN_CHECK(link.ok());  // the bounds above are upper bounds
  track.next_seq += 1;
  track.hash = link->after;
  unwritten_bytes_ += link->canonical_bytes;
  cut_bytes_ += link->canonical_bytes;
}

// ---- from entries to durable segments ----

// Encodes everything that is cut. Nothing changes when signing fails.
Result<Origin::OwnWrite> Origin::build_write() {
  OwnWrite write;
  const auto build = [&](const OwnTrack& track, Seq needs) -> Result<void> {
    if (track.cut.empty()) return {};
    const LogState& state = c_.table.log(track.log).state;
    DUNLIN_CHECK(track.cut.entries.front().seq == state.head() + 1);
    const Hash before = state.head() == 0 ? chain_start(track.log) : state.head_hash();
    DUNLIN_ASSIGN(std::vector<SegmentRecord> built,
                  build_segments(track.log, before, needs, track.cut, c_.signer));
    std::move(built.begin(), built.end(), std::back_inserter(write.segments));
    return {};
  };
  DUNLIN_TRY(build(control_, 0));
  for (const OwnTrack& track : tracks_) DUNLIN_TRY(build(track, control_.next_seq - 1));
  return write;
}

void Origin::take_cut(OwnTrack& track, OwnWrite& write) {
  for (const ChainLink& link : track.cut.links) write.canonical_bytes += link.canonical_bytes;
  track.cut.clear();
  if (track.cut_ticket != 0 && (write.first_ticket == 0 || track.cut_ticket < write.first_ticket)) {
    write.first_ticket = track.cut_ticket;
  }
  track.cut_ticket = 0;
}

bool Origin::has_work() const {
  return !control_.cut.empty() || !releases_.empty() || !rollbacks_.empty() ||
         std::any_of(tracks_.begin(), tracks_.end(),
                     [](const OwnTrack& t) { return !t.cut.empty(); });
}

void Origin::start_write(const Moment& now) {
  const bool waiting = !releases_.empty() || (write_ && !write_->releases.empty());
  if (write_ && write_failed_ && disk_full_ && !relief_ && waiting) return start_relief();
  if (write_ || write_failed_) return;
  if (epoch_wanted_) switch_epoch(now);
  if (!has_work() && !(acks_due_ && *acks_due_ <= now.mono)) return;
  if (cut_bytes_ < kWriteBytes && now.mono < wrote_at_ + kWriteSpacing) return;
  Result<OwnWrite> write = build_write();
  if (!write.ok()) return on_write_failed(now, write.error());
  write->token = c_.next_token();
  write->releases = std::exchange(releases_, {});
  write->rollbacks = std::exchange(rollbacks_, {});
  write->epoch = std::exchange(fresh_epoch_, {});
  write->segments.insert(write->segments.begin(), kept_.begin(), kept_.end());
  kept_.clear();
  take_cut(control_, *write);
  for (OwnTrack& track : tracks_) take_cut(track, *write);
  write_ = *std::move(write);
  wrote_at_ = now.mono;
  cut_bytes_ = 0;
  emit(*write_);
}

// The write that found the disk full gives up its control segments, which Lost has to follow, and
// comes again behind the relief. What it takes back and what it appends instead stay together.
void Origin::start_relief() {
  const auto is_control = [&](const SegmentRecord& s) { return s.info.log == control_.log; };
  OwnWrite relief;
  std::copy_if(write_->segments.begin(), write_->segments.end(),
               std::back_inserter(relief.segments), is_control);
  if (!control_.cut.empty()) {
    const LogState& state = c_.table.log(control_.log).state;
    const Hash before = !relief.segments.empty() ? relief.segments.back().info.after
                        : state.head() == 0      ? chain_start(control_.log)
                                                 : state.head_hash();
    Result<std::vector<SegmentRecord>> built =
        build_segments(control_.log, before, 0, control_.cut, c_.signer);
    if (!built.ok()) return;  // the next try builds it anew
    std::move(built->begin(), built->end(), std::back_inserter(relief.segments));
    take_cut(control_, relief);
  }
  std::erase_if(write_->segments, is_control);
  relief.token = c_.next_token();
  relief.epoch = std::exchange(write_->epoch, {});
  relief.releases = std::exchange(write_->releases, {});
  relief.releases.insert(relief.releases.end(), releases_.begin(), releases_.end());
  releases_.clear();
  relief_ = std::move(relief);
  write_failed_ = false;
  emit(*relief_);
}

void Origin::emit(const OwnWrite& write) {
  Write out{{.segments = write.segments,
             .releases = write.releases,
             .rollbacks = write.rollbacks,
             .epoch = write.epoch},
            write.token};
  for (const SegmentRecord& segment : write.segments) uplink_.written(segment.info);
  if (acks_due_) {
    const auto [begin, end] = c_.table.of(c_.self());
    for (auto it = begin; it != end; ++it) {  // none, too: somebody took it back
      const LogState& state = it->second.state;
      if (state.head() > 0) out.acks.push_back({it->first, state.acked()});
    }
    acks_due_.reset();
  }
  c_.outputs.push_back(std::move(out));
}

bool Origin::on_write_finished(const Moment& now, const WriteFinished& finished) {
  const bool relieved = relief_ && relief_->token == finished.token;
  if (!relieved && (!write_ || write_->token != finished.token)) return false;
  if (!finished.outcomes.ok()) {
    on_write_failed(now, finished.outcomes.error());
    disk_full_ = finished.outcomes.error().code == Errc::storage_full;
    if (disk_full_) look_after_room();
    return true;
  }
  write_failed_ = false;
  retry_after_ = Duration{};
  const OwnWrite done = *std::exchange(relieved ? relief_ : write_, std::nullopt);
  became_durable(done, *finished.outcomes);
  uplink_.push(now, done.segments);
  if (relieved) return emit(*write_), true;  // there is room now
  disk_full_ = false;
  report_durable();
  start_write(now);
  return true;
}

// Nothing was promised and nothing is forgotten: the same bytes are tried again, later.
void Origin::on_write_failed(const Moment& now, const Error& error) {
  write_failed_ = true;
  retry_after_ = std::min(kRetryMax, retry_after_ == Duration{} ? kRetryFirst : retry_after_ * 2);
  retry_at_ = now.mono + retry_after_;
  acks_due_ = now.mono;
  c_.notice(Notice::Kind::storage_failed, c_.self(), error.message());
}

void Origin::became_durable(const OwnWrite& write, const std::vector<WriteOutcome>& outcomes) {
  unwritten_bytes_ -= std::min(unwritten_bytes_, write.canonical_bytes);
  for (const Rollback& rollback : write.rollbacks) {
    c_.table.log(rollback.log).state.roll_back(rollback.last, rollback.hash);
    uplink_.rolled_back(rollback.log, rollback.last);
  }
  if (write.epoch || !write.rollbacks.empty()) move_pending_ = false;
  for (std::size_t i = 0; i < write.segments.size(); ++i) {
    const SegmentInfo& info = write.segments[i].info;
    LogRecord& log = c_.table.log(info.log);
    if (outcomes[i].kind == WriteOutcome::Kind::fork) {
      c_.stats.forks += 1;
      c_.notice(Notice::Kind::fork, c_.self(), "own log " + info.log.to_string());
      continue;
    }
    log.state.admit(info);
    c_.stats.entries_appended += info.last - info.first + 1;
    for (const Entry& entry : write.segments[i].control) {
      for (const Op& op : entry.ops) {
        if (const auto* lost = std::get_if<Lost>(&op))
          c_.table.log({c_.self(), lost->epoch, lost->track}).state.declare_lost(lost->ranges);
      }
    }
  }
  for (const Release& release : write.releases) {
    c_.table.log(release.log).state.release(release.interval, release.before, release.after);
    leaving_[release.log].erase(release.interval);
  }
}

void Origin::report_durable() {
  Ticket durable = last_ticket_;
  const auto wait_for = [&](Ticket first) {
    if (first != 0) durable = std::min(durable, first - 1);
  };
  for (const OwnTrack& track : tracks_) wait_for(track.cut_ticket), wait_for(track.pending_ticket);
  if (write_) wait_for(write_->first_ticket);
  if (durable <= durable_ticket_) return;
  durable_ticket_ = durable;
  c_.outputs.push_back(Durable{durable});
}

// ---- epochs ----

void Origin::begin_epoch(const Moment& now) {
  epoch_wanted_ = move_pending_ = true;
  start_write(now);
}

// What is cut was seen by nobody: it comes again, with other numbers. Streams keep their ids, so
// what moves from former epochs means the same.
void Origin::switch_epoch(const Moment& now) {
  epoch_wanted_ = false;
  c_.epoch = Epoch{c_.random.next()};
  fresh_epoch_ = c_.epoch;
  c_.stats.epochs_begun += 1;
  c_.notice(Notice::Kind::epoch_begun, c_.self(), "epoch " + control_.log.to_string() + " is over");
  const auto start_over = [&](OwnTrack& track) {
    const Chain cut = std::exchange(track.cut, {});
    for (const ChainLink& link : cut.links) unwritten_bytes_ -= link.canonical_bytes;
    track.log.epoch = c_.epoch;
    track.next_seq = 1;
    track.hash = chain_start(track.log);
    return cut.entries;
  };
  cut_bytes_ = 0;
  const std::vector<Entry> control = start_over(control_);
  cut_entry(now, control_, {Open{c_.signer.public_key(), options_.name}});
  for (const Define& define : defines_) cut_entry(now, control_, {define});
  for (const Entry& entry : control) cut_again(now, control_, entry.ops);
  for (OwnTrack& track : tracks_) {
    for (const Entry& entry : start_over(track)) cut_again(now, track, entry.ops);
  }
  boot_.anchored = false;
  uplink_.confirm(now);
}

// The present epoch was opened and defines for itself.
void Origin::cut_again(const Moment& now, OwnTrack& track, std::vector<Op> ops) {
  std::erase_if(ops, [](const Op& op) {
    return std::holds_alternative<Open>(op) || std::holds_alternative<Define>(op);
  });
  if (!ops.empty()) cut_entry(now, track, std::move(ops));
}

Result<void> Origin::move(const Moment& now, const StoredSegment& segment, Seq last) {
  DUNLIN_ASSIGN(const SegmentHeader header, parse_segment(segment.bytes));
  DUNLIN_ASSIGN(std::vector<Entry> entries, decode_entries(header));
  Chain kept;
  Hash end = header.before;
  for (const Entry& entry : entries) {
    if (entry.seq > last) break;
    DUNLIN_ASSIGN(const ChainLink link, kept.add(entry, end));
    end = link.after;
  }
  if (!kept.empty()) {
    DUNLIN_ASSIGN(kept_, build_segments(header.log, header.before, header.needs, kept, c_.signer));
  }
  // From here on nothing fails.
  OwnTrack& track = header.log.track == kControlTrack ? control_ : owner_of(header.log);
  for (Entry& entry : entries) {
    if (entry.seq <= last) continue;
    // What was lost and what has ended is said when all has moved.
    std::erase_if(entry.ops, [](const Op& op) {
      return std::holds_alternative<Lost>(op) || std::holds_alternative<Seal>(op);
    });
    cut_again(now, track, std::move(entry.ops));
    c_.stats.entries_moved += 1;
  }
  roll_back(now, header.log, header.first - 1, header.before);
  return {};
}

bool Origin::begin_move(const LogId& log) {
  if (move_pending_ || log.epoch == c_.epoch || !leaving_[log].empty()) return false;
  moving_log_ = log;
  return true;
}

void Origin::roll_back(const Moment& now, const LogId& log, Seq last, const Hash& hash) {
  move_pending_ = true;
  rollbacks_.push_back({log, last, hash});
  std::erase_if(lost_[log], [&](const LostRange& range) { return range.last > last; });
  start_write(now);
}

// What was lost of them is said again: the track 0 that said it may be gone.
void Origin::end_logs(const Moment& now, const std::vector<Vector::Item>& logs) {
  std::vector<Op> ops;
  for (const Vector::Item& item : logs) {
    // Others make room for so many logs of a node, and epochs to come need some of it.
    const auto [begin, end] = c_.table.of(c_.self());
    if (c_.table.find(item.log) == nullptr && std::distance(begin, end) >= kLogsNamedMax) continue;
    LogState& state = c_.table.log(item.log).state;
    if (state.sealed() && state.sealed()->last >= item.head) continue;
    state.seal(item.head, item.hash);
    ops.emplace_back(Seal{item.log.epoch, item.log.track, item.head, item.hash});
    const auto lost = lost_.find(item.log);
    if (lost != lost_.end() && !lost->second.empty())
      cut_entry(now, control_, {Lost{item.log.epoch, item.log.track, lost->second}});
  }
  if (!ops.empty()) cut_entry(now, control_, std::move(ops));
  start_write(now);
}

// ---- the disk bound ----

void Origin::on_acks_changed(const Moment& now) {
  stuck_.clear();
  if (!acks_due_) acks_due_ = now.mono + kAckWriteDelay;
}

// What was counted while something was on its way out may or may not contain that: room would be
// made twice. The next count will do.
void Origin::on_storage_used(StorageUsed used) {
  if (std::any_of(leaving_.begin(), leaving_.end(),
                  [](const auto& log) { return !log.second.empty(); }))
    return;
  used_ = std::move(used);
  look_after_room();
}

void Origin::look_after_room() {
  std::uint64_t excess = 0;
  if (options_.storage_bytes_max > 0 && used_.bytes > options_.storage_bytes_max) {
    excess =
        std::max(used_.bytes - options_.storage_bytes_max, options_.storage_bytes_max / kTrimShare);
  }
  if (used_.disk_free < options_.disk_free_min)
    excess = std::max(excess, options_.disk_free_min - used_.disk_free);
  if (disk_full_ && !relief_) excess = std::max<std::uint64_t>(excess, 2 * kWriteBytes);

  std::vector<const OwnTrack*> crowded;
  OwnTrack* giver = nullptr;  // the track with most on the disk gives for all, if it may
  std::uint64_t most = 0;
  for (OwnTrack& track : tracks_) {
    std::uint64_t held = 0;
    for (const auto& [log, bytes] : used_.own) held += &owner_of(log) == &track ? bytes : 0;
    const std::uint64_t bound = track.policy.bytes_max;
    const bool above = bound > 0 && held > bound;
    if (!above && excess == 0) track.refusing = false;
    if (above) make_room(track, std::max(held - bound, bound / kTrimShare));
    if (is_near(held, bound)) crowded.push_back(&track);
    const bool better = giver == nullptr || (giver->refusing && !track.refusing) ||
                        (giver->refusing == track.refusing && held >= most);
    if (better) most = held, giver = &track;
  }
  if (excess > 0) make_room(*giver, excess);
  const bool little_free = used_.disk_free < options_.disk_free_min / kNearShare * (kNearShare + 1);
  if (little_free || is_near(used_.bytes, options_.storage_bytes_max)) crowded.push_back(giver);
  c_.running_out.clear();
  for (const auto& [log, held] : used_.own) {
    if (std::count(crowded.begin(), crowded.end(), &owner_of(log)) > 0) c_.running_out.insert(log);
  }
}

// Asks storage what could go, former epochs first. What came of it stands in on_oldest_listed().
void Origin::make_room(OwnTrack& track, std::uint64_t bytes) {
  if (track.trimming) return;
  const LogId* from = nullptr;
  for (const auto& [log, held] : used_.own) {
    if (held == 0 || &owner_of(log) != &track || stuck_.contains(log) || log == moving_log_)
      continue;
    // What has moved is not to go before what has not: only a disk that is full cannot wait.
    if (moving_log_ && log.epoch == c_.epoch && !disk_full_) continue;
    if (from == nullptr || log.epoch != c_.epoch) from = &log;
  }
  if (from == nullptr && moving_log_) return;
  track.refusing = from == nullptr;
  if (from == nullptr) return stuck_.clear();  // to be looked at again
  track.trimming = true;
  const Token token = c_.next_token();
  listings_[token] = {*from, bytes};
  c_.outputs.push_back(ListOldest{token, *from, bytes});
}

// A log of a track that is not configured any more is bounded as the first one.
Origin::OwnTrack& Origin::owner_of(const LogId& log) {
  const auto own = std::find_if(tracks_.begin(), tracks_.end(), [&](const OwnTrack& track) {
    return track.policy.track == log.track;
  });
  return own == tracks_.end() ? tracks_.front() : *own;
}

void Origin::on_retire(const Moment& now, const std::vector<OldSegment>& segments) {
  for (const OldSegment& old : segments) {
    const LogRecord* log = c_.table.find(old.release.log);
    if (log != nullptr && log->state.acked().contains(old.release.interval)) (void)let_go(old);
  }
  start_write(now);
}

// False when the interval is on its way out already, since storage names it again until the write
// is done, or about to move.
bool Origin::let_go(const OldSegment& old) {
  const LogId& log = old.release.log;
  IntervalSet& leaving = leaving_[log];
  if (leaving.contains(old.release.interval) || log == moving_log_) return false;
  leaving.insert(old.release.interval);
  releases_.push_back(old.release);
  used_.bytes -= std::min(used_.bytes, old.bytes);
  const auto held = used_.own.find(log);
  if (held != used_.own.end()) held->second -= std::min(held->second, old.bytes);
  return true;
}

// Passes by one stretch more than the last time, so that each round through the older half takes
// every other one of what is left there. Stretches are long enough that few ranges tell of them.
void Origin::thin(OwnTrack& track, const LogId& log, std::uint64_t bytes) {
  IntervalSet held = c_.table.log(log).state.held();
  held.erase(leaving_[log]);
  if (held.empty()) return void(stuck_.insert(log));
  const std::uint64_t entries = held.count();
  const std::uint64_t stretch = std::max<std::uint64_t>(1, entries / kStretches);
  track.thinned = (track.thinned + 1) * stretch > entries / 2 ? 1 : track.thinned + 1;
  std::uint64_t before = std::min(track.thinned * stretch, entries - 1);
  Seq from = 0;
  for (const Interval& interval : held.intervals()) {
    from = interval.first + before;
    if (from <= interval.last) break;
    before -= interval.size();
  }
  track.trimming = true;
  const Token token = c_.next_token();
  listings_[token] = {log, bytes, true};
  // The last segment overshoots.
  bytes = std::max(bytes, used_.own[log] / kStretches * 3 / 4);
  c_.outputs.push_back(ListOldest{token, log, bytes, from});
}

bool Origin::on_oldest_listed(const Moment& now, const OldestListed& listed) {
  const auto listing = listings_.find(listed.token);
  if (listing == listings_.end()) return false;
  const auto [log, bytes, stretch] = listing->second;
  listings_.erase(listing);
  OwnTrack& track = owner_of(log);
  const Overflow overflow = track.policy.overflow;
  track.trimming = false;
  if (!listed.segments.ok()) {
    c_.notice(Notice::Kind::storage_failed, c_.self(), listed.segments.error().message());
    return true;
  }
  const IntervalSet& acked = c_.table.log(log).state.acked();
  std::vector<OldSegment> dropped;
  bool freed = false;
  for (const OldSegment& old : *listed.segments) {
    const bool safe = acked.contains(old.release.interval);
    if (!safe && overflow != Overflow::drop_oldest && !stretch) break;
    freed = true;
    if (let_go(old) && !safe) dropped.push_back(old);
  }
  if (freed) {
    track.refusing = false;
  } else if (overflow == Overflow::drop_alternate && !stretch) {
    thin(track, log, bytes);
  } else {
    stuck_.insert(log);
    look_after_room();  // something else may go
  }
  if (!dropped.empty()) declare_lost(now, log, dropped);
  start_write(now);
  return true;
}

void Origin::declare_lost(const Moment& now, const LogId& log,
                          const std::vector<OldSegment>& dropped) {
  std::vector<LostRange>& lost = lost_[log];
  std::uint64_t entries = 0;
  std::uint64_t readings = 0;
  for (const OldSegment& old : dropped) {
    const Interval interval = old.release.interval;
    entries += interval.size();
    readings += old.readings;
    // Storage names again what grew together while it was on its way out.
    add_lost(lost,
             {interval.first, interval.last, old.release.before, old.release.after, old.readings});
  }
  IntervalSet held = c_.table.log(log).state.held();
  held.erase(leaving_[log]);
  bound_lost(lost, held, kLostRangesMax);
  c_.stats.lost_entries[to_string(owner_of(log).policy.overflow)] += entries;
  c_.notice(Notice::Kind::lost, c_.self(),
            std::to_string(entries) + " entries with " + std::to_string(readings) +
                " readings dropped from " + log.to_string());
  cut_entry(now, control_, {Lost{log.epoch, log.track, lost}});
}

// ---- time ----

void Origin::look_at_clock(const Moment& now) {
  const std::optional<UtcMicros> utc = c_.clock.utc(now);
  if (!boot_.timeless || boot_.anchored || !utc) return;
  boot_.anchored = true;
  const auto uncertainty = static_cast<std::uint64_t>(c_.clock.uncertainty(now).count());
  cut_entry(now, control_,
            {TimeAnchor{options_.boot, options_.boot_id, now.mono.time_since_epoch().count(), *utc,
                        uncertainty}});
  start_write(now);
}

void Origin::on_deadline(const Moment& now) {
  for (OwnTrack& track : tracks_) {
    if (track.flush_at && *track.flush_at <= now.mono) cut_pending(now, track);
  }
  if (write_failed_ && retry_at_ <= now.mono) {
    write_failed_ = false;
    if (relief_) {
      emit(*relief_);
    } else if (write_) {
      emit(*write_);
    }
  }
  start_write(now);
}

std::optional<Instant> Origin::next_deadline() const {
  std::optional<Instant> next;
  const auto sooner = [&](Instant at) { next = std::min(next.value_or(at), at); };
  for (const OwnTrack& track : tracks_) {
    if (track.flush_at) sooner(*track.flush_at);
  }
  if (write_failed_) sooner(retry_at_);
  if (!write_ && !write_failed_) {
    if (has_work()) sooner(wrote_at_ + kWriteSpacing);
    if (acks_due_) sooner(*acks_due_);
  }
  return next;
}

}  // namespace dunlin::replication
