#include "common/replication/origin.h"

#include <algorithm>
#include <array>

#include "common/base/check.h"
#include "common/base/utf8.h"
#include "common/codec/cbor.h"
#include "common/codec/entry_codec.h"
#include "common/log/chain.h"
#include "common/log/limits.h"

namespace dunlin::replication {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// An entry's canonical size is bounded from above while rows are gathered.
constexpr std::size_t kRowOverhead = 12;      // array head and time offset
constexpr std::size_t kSamplesOverhead = 32;  // of one stream's readings in an entry, without rows
constexpr std::size_t kPendingBytesMax = kEntryBytesMax - 1024;

// Under load a write waits this long after the one before, or for a segment's worth of entries, so
// that signatures and commits are shared. An idle node writes at once.
constexpr Duration kWriteSpacing = milliseconds(2);
constexpr std::size_t kWriteBytes = 64 * 1024;
constexpr Duration kRetryFirst = seconds(1);
constexpr Duration kRetryMax = seconds(30);
constexpr Duration kPushTimeout = seconds(2);    // then a pushed segment no longer fills the window
constexpr Duration kProbeFirst = seconds(2);     // Vector while something is unacknowledged
constexpr Duration kVectorPeriod = seconds(30);  // Vector when all is well, doubling
constexpr Duration kVectorPeriodMax = seconds(300);
constexpr std::uint64_t kGreetingSpread = 2'000'000;  // us, so that a cell does not greet in chorus
constexpr std::size_t kPushMessageBytes = 64 * 1024;
constexpr std::uint64_t kTrimShare = 32;    // of the bound goes at a time
constexpr std::size_t kLostRangesMax = 64;  // in one declaration

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

}  // namespace

std::string_view to_string(Overflow overflow) {
  return overflow == Overflow::drop_oldest ? "drop_oldest" : "refuse_new";
}

Track track_of(std::string_view name) {
  if (name == "samples") return kSamplesTrack;
  const Hash hash = sha256(as_bytes(name));
  // Numbers below 16 are for tracks that the formats name.
  return Track{16 + (std::uint64_t{hash[0]} << 24 | std::uint64_t{hash[1]} << 16 |
                     std::uint64_t{hash[2]} << 8 | hash[3])};
}

Origin::Origin(Context& context, OriginOptions options)
    : c_(context), options_(std::move(options)) {}

Result<void> Origin::start(const Moment& now, const std::vector<Define>& streams,
                           const std::vector<Lost>& lost, Hlc hlc) {
  hlc_ = hlc;
  idle_after_ = kVectorPeriod;
  idle_at_ = now.mono + idle_after_;
  const auto open_track = [&](OwnTrack& own) {
    own.log = {c_.self(), c_.epoch, own.policy.track};
    const LogState& state = c_.table.log(own.log).state;
    own.next_seq = state.head() + 1;
    own.hash = state.head() == 0 ? chain_start(own.log) : state.head_hash();
    for (const Lost& declared : lost) {
      if (declared.track == own.policy.track) own.lost = declared.ranges;
    }
  };
  control_.policy.track = kControlTrack;
  open_track(control_);
  for (const TrackPolicy& policy : options_.tracks) {
    tracks_.emplace_back().policy = policy;
    open_track(tracks_.back());
  }
  for (const Define& define : streams) {
    last_stream_id_ = std::max(last_stream_id_, define.id);
    StreamVersions& known = streams_[define.schema.name];
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

// Finds or makes the version of a stream that an incoming schema fits, and how its fields lie in
// it. Fields are matched by name. New fields append; more decimals widen; another type is refused.
Result<Origin::StreamVersions*> Origin::map_schema(const Moment& now,
                                                   const StreamSchema& incoming) {
  StreamVersions& stream = streams_[incoming.name];
  if (stream.latest.id != 0 && stream.mapped == incoming) return &stream;
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
  StreamSchema next =
      stream.latest.id != 0 ? stream.latest.schema : StreamSchema{incoming.name, {}};
  std::vector<std::size_t> positions;
  for (const Field& field : incoming.fields) {
    const auto known = std::find_if(next.fields.begin(), next.fields.end(),
                                    [&](const Field& f) { return f.name == field.name; });
    positions.push_back(static_cast<std::size_t>(known - next.fields.begin()));
    if (known == next.fields.end()) {
      next.fields.push_back(field);
    } else if (known->type != field.type) {
      return {Errc::type_changed, "field " + field.name + " of stream " + incoming.name + " is " +
                                      std::string(to_string(known->type)) + ", not " +
                                      std::string(to_string(field.type))};
    } else {
      known->decimals = std::max(known->decimals, field.decimals);
    }
  }
  const bool named = !incoming.name.empty() && incoming.name.size() <= kNameBytesMax;
  const bool sane = std::all_of(next.fields.begin(), next.fields.end(), [](const Field& f) {
    return !f.name.empty() && f.name.size() <= kNameBytesMax && f.unit.size() <= kNameBytesMax &&
           f.decimals <= 18;
  });
  if (!named || !sane || next.fields.size() > kFieldsMax) {
    return {Errc::invalid_argument, "stream " + incoming.name +
                                        ": names have 1 to 128 bytes, and " +
                                        "there are at most 256 fields of at most 18 decimals"};
  }
  if (stream.latest.id == 0 || next != stream.latest.schema) {
    const Define define{last_stream_id_ + 1, stream.latest.id == 0 ? 1 : stream.latest.version + 1,
                        next};
    Bytes canonical;
    CborWriter writer(canonical);
    encode_op(writer, define);
    if (canonical.size() > kPendingBytesMax) {
      return {Errc::too_large, "the schema of stream " + incoming.name + " does not fit an entry"};
    }
    last_stream_id_ = define.id;
    stream.latest = define;
    cut_entry(now, control_, {define});
  }
  stream.mapped = incoming;
  stream.positions = std::move(positions);
  stream.factors.clear();
  for (std::size_t i = 0; i < incoming.fields.size(); ++i) {
    std::int64_t factor = 1;
    const int more = next.fields[stream.positions[i]].decimals - incoming.fields[i].decimals;
    for (int d = 0; d < more; ++d) factor *= 10;
    stream.factors.push_back(factor);
  }
  stream.identity = incoming.fields.size() == next.fields.size();
  for (std::size_t i = 0; i < stream.positions.size(); ++i) {
    stream.identity = stream.identity && stream.positions[i] == i && stream.factors[i] == 1;
  }
  return &stream;
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

void Origin::add_row(const StreamVersions& stream, const Rows& in, std::size_t row,
                     Samples& samples) {
  Rows& out = samples.rows;
  if (out.empty()) samples.base = in.time(row);
  if (stream.identity) return out.add_row(in, row);
  std::array<std::size_t, kFieldsMax> source;
  const std::size_t fields = stream.latest.schema.fields.size();
  std::fill_n(source.begin(), fields, in.fields());
  for (std::size_t i = 0; i < in.fields(); ++i) source[stream.positions[i]] = i;
  out.begin_row(in.time(row));
  for (std::size_t f = 0; f < fields; ++f) {
    if (source[f] == in.fields()) {
      out.add_missing();
      continue;
    }
    const Cell& cell = in.cell(row, source[f]);
    if (cell.kind == Cell::Kind::integer) {
      out.add_integer(*scaled(cell.integer, stream.factors[source[f]]));
    } else {
      out.add_cell(in, cell);
    }
  }
}

// The upper bound of each row's canonical size, once every value was found fit to append.
Result<std::vector<std::size_t>> Origin::check_rows(const Append& append) const {
  const Rows& rows = append.rows;
  const std::vector<Field>& fields = append.schema.fields;
  const auto mistake = [&](Errc code, std::size_t field, const char* what) {
    return Error{code,
                 "field " + fields[field].name + " of stream " + append.schema.name + ": " + what};
  };
  if (rows.fields() != fields.size()) {
    return {Errc::invalid_argument, "rows of stream " + append.schema.name + " have " +
                                        std::to_string(rows.fields()) + " cells, its schema " +
                                        std::to_string(fields.size())};
  }
  std::vector<std::size_t> sizes(rows.size(), kRowOverhead);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    for (std::size_t f = 0; f < fields.size(); ++f) {
      const Cell& cell = rows.cell(row, f);
      if (!fits_type(cell, fields[f].type))
        return mistake(Errc::type_changed, f, "a value of another type");
      if (cell.kind == Cell::Kind::text && !is_utf8(rows.text(cell))) {
        return mistake(Errc::invalid_argument, f, "text that is not UTF-8");
      }
      sizes[row] += cell_bytes(cell);
    }
    if (sizes[row] > kPendingBytesMax - 2 * kFieldsMax) {
      return {Errc::too_large, "a reading of stream " + append.schema.name};
    }
  }
  return sizes;
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
  if (refusing_)
    return {Errc::storage_full, "the disk bound is reached and new readings are refused"};
  const bool trimming =
      std::any_of(tracks_.begin(), tracks_.end(), [](const OwnTrack& t) { return t.trimming; });
  if (trimming) return {Errc::backpressure, "room is being made on the disk"};
  if (unwritten_bytes_ > options_.unwritten_bytes_max) {
    if (write_failed_) return {Errc::storage_full, "readings cannot be written to the disk"};
    return {Errc::backpressure, "too many readings wait for the disk"};
  }
  DUNLIN_ASSIGN(const std::vector<std::size_t> sizes, check_rows(append));
  DUNLIN_ASSIGN(StreamVersions* const stream, map_schema(now, append.schema));
  for (std::size_t f = 0; f < rows.fields(); ++f) {
    for (std::size_t row = 0; row < rows.size() && stream->factors[f] != 1; ++row) {
      const Cell& cell = rows.cell(row, f);
      if (cell.kind == Cell::Kind::integer && !scaled(cell.integer, stream->factors[f])) {
        return {Errc::too_large, "a value of field " + append.schema.fields[f].name +
                                     " of stream " + append.schema.name +
                                     " does not fit its decimals"};
      }
    }
  }

  OwnTrack& track = track_for(append.schema.name);
  last_ticket_ = std::max(last_ticket_, append.ticket);
  const std::optional<std::uint64_t> boot =
      append.since_boot ? std::optional(options_.boot) : std::nullopt;
  const std::size_t fields = stream->latest.schema.fields.size();
  // Mantissas that are scaled up may take all of their nine bytes.
  const std::size_t widening =
      8 * static_cast<std::size_t>(std::count_if(stream->factors.begin(), stream->factors.end(),
                                                 [](std::int64_t factor) { return factor != 1; }));
  Samples* samples = nullptr;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const std::size_t bytes = sizes[row] + (fields - rows.fields()) + widening;
    if (track.pending_bytes + bytes + kSamplesOverhead > kPendingBytesMax)
      cut_pending(now, track), samples = nullptr;
    if (samples == nullptr) samples = &pending_samples(track, stream->latest.id, fields, boot);
    if (track.pending_ticket == 0) track.pending_ticket = append.ticket;
    add_row(*stream, rows, row, *samples);
    track.pending_readings += 1;
    track.pending_bytes += bytes;
    unwritten_bytes_ += bytes;
    if (track.pending_readings >= track.policy.flush_readings ||
        track.pending_bytes >= track.policy.flush_bytes) {
      cut_pending(now, track), samples = nullptr;
    }
  }
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
  const std::uint64_t wall = now.utc > 0 ? static_cast<std::uint64_t>(now.utc) / 1000 : 0;
  hlc_ = std::max(Hlc{hlc_.value + 1}, Hlc::of(wall, 0));
  Result<ChainedEntry> entry = chain_entry({track.next_seq, hlc_, std::move(ops)}, track.hash);
  DUNLIN_CHECK(entry.ok());  // the bounds above are upper bounds
  track.next_seq += 1;
  track.hash = entry->after;
  unwritten_bytes_ += entry->canonical_bytes;
  cut_bytes_ += entry->canonical_bytes;
  track.cut.push_back(*std::move(entry));
}

// ---- from entries to durable segments ----

// Encodes everything that is cut. Nothing changes when signing fails.
Result<Origin::OwnWrite> Origin::build_write() {
  OwnWrite write;
  const auto build = [&](const OwnTrack& track, Seq needs) -> Result<void> {
    if (track.cut.empty()) return {};
    const LogState& state = c_.table.log(track.log).state;
    DUNLIN_CHECK(track.cut.front().entry.seq == state.head() + 1);
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
  for (const ChainedEntry& entry : track.cut) write.canonical_bytes += entry.canonical_bytes;
  track.cut.clear();
  if (track.cut_ticket != 0 && (write.first_ticket == 0 || track.cut_ticket < write.first_ticket)) {
    write.first_ticket = track.cut_ticket;
  }
  track.cut_ticket = 0;
}

bool Origin::has_work() const {
  return !control_.cut.empty() || !releases_.empty() ||
         std::any_of(tracks_.begin(), tracks_.end(),
                     [](const OwnTrack& t) { return !t.cut.empty(); });
}

void Origin::start_write(const Moment& now) {
  if (write_ || write_failed_ || !has_work()) return;
  if (cut_bytes_ < kWriteBytes && now.mono < wrote_at_ + kWriteSpacing) return;
  Result<OwnWrite> write = build_write();
  if (!write.ok()) {
    write_failed_ = true;
    retry_at_ = now.mono + kRetryFirst;
    c_.notice(Notice::Kind::write_failed, c_.self(), write.error().message());
    return;
  }
  write->token = c_.next_token();
  write->releases = std::exchange(releases_, {});
  take_cut(control_, *write);
  for (OwnTrack& track : tracks_) take_cut(track, *write);
  write_ = *std::move(write);
  wrote_at_ = now.mono;
  cut_bytes_ = 0;
  emit_write();
}

void Origin::emit_write() {
  Write out{write_->token, write_->segments, write_->releases, {}};
  if (acks_dirty_) {
    const auto [begin, end] = c_.table.of(c_.self());
    for (auto it = begin; it != end; ++it) {
      if (!it->second.state.acked().empty())
        out.acks.push_back({it->first, it->second.state.acked()});
    }
    acks_dirty_ = false;
  }
  c_.outputs.push_back(std::move(out));
}

bool Origin::on_write_finished(const Moment& now, const WriteFinished& finished) {
  if (!write_ || write_->token != finished.token) return false;
  if (!finished.outcomes.ok()) {
    // Nothing was promised and nothing is forgotten: the same bytes are tried again, later.
    write_failed_ = true;
    retry_after_ = std::min(kRetryMax, retry_after_ == Duration{} ? kRetryFirst : retry_after_ * 2);
    retry_at_ = now.mono + retry_after_;
    acks_dirty_ = true;
    c_.notice(Notice::Kind::write_failed, c_.self(), finished.outcomes.error().message());
    return true;
  }
  write_failed_ = false;
  retry_after_ = Duration{};
  const OwnWrite done = std::move(*write_);
  write_.reset();
  unwritten_bytes_ -= std::min(unwritten_bytes_, done.canonical_bytes);
  for (std::size_t i = 0; i < done.segments.size(); ++i) {
    const SegmentInfo& info = done.segments[i].info;
    LogRecord& log = c_.table.log(info.log);
    if ((*finished.outcomes)[i].kind == WriteOutcome::Kind::fork) {
      c_.stats.forks += 1;
      c_.notice(Notice::Kind::fork, c_.self(), "own log " + info.log.to_string());
      continue;
    }
    log.state.admit(info);
    c_.stats.entries_appended += info.last - info.first + 1;
    for (const Entry& entry : done.segments[i].control) {
      for (const Op& op : entry.ops) {
        if (const auto* lost = std::get_if<Lost>(&op)) {
          c_.table.log({c_.self(), c_.epoch, lost->track})
              .state.declare_lost(entry.seq, lost->ranges);
        }
      }
    }
  }
  for (const Release& release : done.releases) {
    c_.table.log(release.log).state.release(release.interval, release.before, release.after);
    leaving_[release.log].erase(release.interval);
  }
  report_durable();
  push(now, done.segments);
  start_write(now);
  return true;
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

// ---- to the gateways ----

// Live is never queued: what does not fit the window now is left to the receiver's Fetch.
void Origin::push(const Moment& now, const std::vector<SegmentRecord>& segments) {
  if (!c_.link_up || !options_.pushes) return;
  Segments message{.lane = Lane::live, .segments = {}};
  std::size_t bytes = 0;
  const auto send = [&] {
    if (message.segments.empty()) return;
    c_.send(TopicClass::live, c_.self(), Lane::live,
            std::exchange(message, {.lane = Lane::live, .segments = {}}));
    bytes = 0;
  };
  for (const SegmentRecord& segment : segments) {
    const std::size_t size = segment.bytes->size();
    if (pushed_bytes_ > 0 && pushed_bytes_ + size > options_.window_bytes) {
      c_.stats.live_skipped += 1;
      skipped_ = true;
      continue;
    }
    if (bytes + size > kPushMessageBytes) send();
    message.segments.push_back(segment.bytes);
    bytes += size;
    pushed_bytes_ += size;
    pushed_.push_back({segment.info.log, segment.info.interval(), size, now.mono});
  }
  send();
  expect_acknowledgement(now);
}

void Origin::expect_acknowledgement(const Moment& now) {
  if (!probe_at_) {
    probe_after_ = kProbeFirst;
    probe_at_ = now.mono + probe_after_;
  }
  idle_after_ = kVectorPeriod;
  idle_at_ = std::max(idle_at_, now.mono + idle_after_);
}

void Origin::push_newest(const Moment& now) {
  if (!options_.pushes) return;
  pushed_.clear();
  pushed_bytes_ = 0;
  expect_acknowledgement(now);
  // A gateway may have lost what it acknowledged once: our heads tell it what to ask for.
  idle_at_ = now.mono + Duration(c_.random.below(kGreetingSpread));
  const auto ask = [&](const OwnTrack& track, bool all) {
    const LogState& state = c_.table.log(track.log).state;
    const Seq head = state.head();
    if (head == 0 || state.acked().contains(head)) return;
    const Token token = c_.next_token();
    reads_[token] = track.log;
    const std::uint64_t bytes = all ? kPushMessageBytes / 2 : 0;  // 0: the newest segment alone
    c_.outputs.push_back(Read{token, track.log, {all ? Seq{1} : head, head}, bytes});
  };
  ask(control_, true);  // small, and nothing else is understood without it
  for (const OwnTrack& track : tracks_) ask(track, false);
}

bool Origin::on_read_finished(const Moment& now, const ReadFinished& finished) {
  const auto read = reads_.find(finished.token);
  if (read == reads_.end()) return false;
  const LogId log = read->second;
  reads_.erase(read);
  if (!finished.segments.ok()) {
    c_.notice(Notice::Kind::write_failed, c_.self(), finished.segments.error().message());
    return true;
  }
  push_bytes(now, log, *finished.segments);
  return true;
}

void Origin::push_bytes(const Moment& now, const LogId& log,
                        const std::vector<StoredSegment>& segments) {
  if (!c_.link_up || segments.empty()) return;
  Segments message{.lane = Lane::live, .segments = {}};
  for (auto it = segments.rbegin(); it != segments.rend();
       ++it) {  // oldest first: they are control
    message.segments.push_back(std::make_shared<const Bytes>(it->bytes));
    pushed_.push_back({log, it->interval, it->bytes.size(), now.mono});
    pushed_bytes_ += it->bytes.size();
  }
  c_.send(TopicClass::live, c_.self(), Lane::live, std::move(message));
}

void Origin::on_acknowledged(const Moment& now, const Vector::Item& item) {
  LogRecord& log = c_.table.log(item.log);
  IntervalSet durable;
  const Seq head = std::min(item.head, log.state.head());
  if (head > 0) durable.insert({1, head});
  durable.erase(item.missing);
  const std::uint64_t before = log.state.acked().count();
  log.state.acknowledge(durable);
  if (log.state.acked().count() == before) return;
  acks_dirty_ = true;
  std::erase_if(pushed_, [&](const Pushed& p) {
    if (p.log != item.log || !durable.contains(p.interval)) return false;
    pushed_bytes_ -= p.bytes;
    return true;
  });
  probe_at_.reset();
  if (!behind()) return;
  expect_acknowledgement(now);
  // The window is open again but the newest segments were not pushed: say how far the log goes.
  if (skipped_ && pushed_.empty()) publish_vector(now);
}

bool Origin::behind() const {
  if (!options_.pushes) return false;
  const auto [begin, end] = c_.table.of(c_.self());
  return std::any_of(begin, end, [](const auto& item) {
    const LogState& state = item.second.state;
    return state.head() > 0 && !state.acked().contains({1, state.head()});
  });
}

std::vector<Hello::Head> Origin::own_heads() const {
  std::vector<Hello::Head> heads;
  const auto [begin, end] = c_.table.of(c_.self());
  for (auto it = begin; it != end && heads.size() < kHelloLogsMax; ++it) {
    if (it->second.state.head() > 0) {
      heads.push_back({it->first.epoch, it->first.track, it->second.state.head()});
    }
  }
  return heads;
}

void Origin::publish_vector(const Moment& now) {
  skipped_ = false;
  if (c_.link_up && options_.pushes)
    c_.send(TopicClass::gossip, {}, Lane::live, Vector{c_.self(), c_.vector_of(c_.self())});
  idle_at_ = now.mono + idle_after_;
  idle_after_ = std::min(idle_after_ * 2, kVectorPeriodMax);
}

// ---- the disk bound ----

void Origin::on_storage_used(const StorageUsed& used) {
  std::uint64_t excess = 0;
  if (options_.storage_bytes_max > 0 && used.bytes > options_.storage_bytes_max) {
    excess =
        std::max(used.bytes - options_.storage_bytes_max, options_.storage_bytes_max / kTrimShare);
  }
  if (used.disk_free < options_.disk_free_min) {
    excess = std::max(excess, options_.disk_free_min - used.disk_free);
  }
  if (excess == 0) refusing_ = false;
  std::size_t largest = 0;  // the track with most on the disk gives for all
  std::uint64_t most = 0;
  for (std::size_t i = 0; i < tracks_.size(); ++i) {
    const auto own = used.own.find(tracks_[i].policy.track);
    if (own == used.own.end()) continue;
    if (own->second >= most) most = own->second, largest = i;
    const std::uint64_t bound = tracks_[i].policy.bytes_max;
    if (bound > 0 && own->second > bound) {
      request_trim(i, std::max(own->second - bound, bound / kTrimShare));
    }
  }
  if (excess > 0) request_trim(largest, excess);
}

void Origin::on_retire(const Moment& now, const std::vector<OldSegment>& segments) {
  for (const OldSegment& old : segments) {
    const LogRecord* log = c_.table.find(old.release.log);
    if (log != nullptr && log->state.acked().contains(old.release.interval))
      (void)let_go(old.release);
  }
  start_write(now);
}

// False when the interval is on its way out already: storage names it again until the write is
// done.
bool Origin::let_go(const Release& release) {
  IntervalSet& leaving = leaving_[release.log];
  if (leaving.contains(release.interval)) return false;
  leaving.insert(release.interval);
  releases_.push_back(release);
  return true;
}

void Origin::request_trim(std::size_t track_index, std::uint64_t bytes) {
  OwnTrack& track = tracks_[track_index];
  if (track.trimming) return;
  track.trimming = true;
  const Token token = c_.next_token();
  listings_[token] = track_index;
  c_.outputs.push_back(ListOldest{token, track.log, bytes});
}

bool Origin::on_oldest_listed(const Moment& now, const OldestListed& listed) {
  const auto listing = listings_.find(listed.token);
  if (listing == listings_.end()) return false;
  OwnTrack& track = tracks_[listing->second];
  listings_.erase(listing);
  track.trimming = false;
  if (!listed.segments.ok()) {
    c_.notice(Notice::Kind::write_failed, c_.self(), listed.segments.error().message());
    return true;
  }
  const LogState& state = c_.table.log(track.log).state;
  std::uint64_t lost_entries = 0;
  std::uint64_t lost_readings = 0;
  bool freed = false;
  for (const OldSegment& old : *listed.segments) {
    const Interval interval = old.release.interval;
    const bool acked = state.acked().contains(interval);
    if (!acked && track.policy.overflow == Overflow::refuse_new) break;
    freed = true;
    if (!let_go(old.release)) continue;
    if (!acked) {
      lost_entries += interval.size();
      lost_readings += old.readings;
      if (!track.lost.empty() && track.lost.back().last + 1 == interval.first) {
        track.lost.back().last = interval.last;
        track.lost.back().after = old.release.after;
        track.lost.back().readings += old.readings;
      } else {
        track.lost.push_back(
            {interval.first, interval.last, old.release.before, old.release.after, old.readings});
      }
    }
  }
  // What lies between the oldest two is not here either: gateways hold it, lost or not.
  while (track.lost.size() > kLostRangesMax) {
    LostRange& oldest = track.lost[0];
    oldest = {oldest.first, track.lost[1].last, oldest.before, track.lost[1].after,
              oldest.readings + track.lost[1].readings};
    track.lost.erase(track.lost.begin() + 1);
  }
  refusing_ = !freed;
  if (lost_entries > 0) {
    c_.stats.lost_entries[to_string(track.policy.overflow)] += lost_entries;
    c_.notice(Notice::Kind::lost, c_.self(),
              std::to_string(lost_entries) + " entries with " + std::to_string(lost_readings) +
                  " readings dropped from " + track.log.to_string());
    cut_entry(now, control_, {Lost{track.policy.track, track.lost}});
  }
  start_write(now);
  return true;
}

// ---- time ----

void Origin::on_deadline(const Moment& now) {
  for (OwnTrack& track : tracks_) {
    if (track.flush_at && *track.flush_at <= now.mono) cut_pending(now, track);
  }
  if (write_failed_ && retry_at_ <= now.mono) {
    write_failed_ = false;
    if (write_) emit_write();
  }
  start_write(now);
  while (!pushed_.empty() && pushed_.front().at + kPushTimeout <= now.mono) {
    pushed_bytes_ -= pushed_.front().bytes;
    pushed_.pop_front();
  }
  if (probe_at_ && *probe_at_ <= now.mono) {
    probe_at_.reset();
    if (behind()) {
      publish_vector(now);
      probe_after_ = std::min(probe_after_ * 2, kVectorPeriod);
      probe_at_ = now.mono + probe_after_;
    }
  }
  if (idle_at_ <= now.mono) publish_vector(now);
}

std::optional<Instant> Origin::next_deadline() const {
  Instant next = idle_at_;
  const auto sooner = [&](Instant at) { next = std::min(next, at); };
  for (const OwnTrack& track : tracks_) {
    if (track.flush_at) sooner(*track.flush_at);
  }
  if (write_failed_) sooner(retry_at_);
  if (!write_ && !write_failed_ && has_work()) sooner(wrote_at_ + kWriteSpacing);
  if (!pushed_.empty()) sooner(pushed_.front().at + kPushTimeout);
  if (probe_at_) sooner(*probe_at_);
  return next;
}

}  // namespace dunlin::replication
