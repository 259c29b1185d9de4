#include <algorithm>

#include "common/codec/segment_codec.h"
#include "common/log/limits.h"
#include "tests/simulation/store/sim_store.h"

namespace dunlin::simulation {

namespace {

using storage::Difference;

constexpr std::size_t kOldestMax = 4096;
constexpr std::size_t kYoungMax = 16;
constexpr std::size_t kForksPerLog = 16;

struct Segment {
  std::shared_ptr<const Bytes> bytes;
  std::uint64_t arrived = 0;
  std::uint64_t readings = 0;
  UtcMicros time_min = 0;
  UtcMicros time_max = -1;
  std::vector<BootSpan> boots = {};
  Hash before{};
};

struct Log {
  LogState state;
  std::map<std::pair<Seq, Seq>, Segment> segments;  // by first and last
  std::uint64_t bytes = 0;
  std::map<std::pair<Seq, Hash>, int> forks;
};

// Everything that a database would hold.
struct Database {
  Epoch epoch;
  std::map<LogId, Log> logs;
  std::map<NodeId, KnownNode> nodes;
  std::map<NodeId, std::pair<Hlc, Revoke>> revocations;
  std::uint64_t arrivals = 0;
  using Boot = std::tuple<NodeId, Epoch, std::uint64_t>;
  std::map<Boot, UtcMicros> boots = {};  // the latest that an anchor has of the UTC of their start
  Hlc own_hlc = {};
  std::uint64_t timeless_boot = 0;
};

Seq covered(const Lost& lost) {
  Seq sum = 0;
  for (const LostRange& range : lost.ranges) sum += range.last - range.first + 1;
  return sum;
}

// Of each log the declaration that says most counts.
void add_lost(std::vector<Lost>& known, const Lost& lost) {
  const auto same = std::find_if(known.begin(), known.end(), [&](const Lost& other) {
    return other.epoch == lost.epoch && other.track == lost.track;
  });
  if (same == known.end()) return known.push_back(lost);
  if (covered(lost) >= covered(*same)) *same = lost;
}

class MemoryStore final : public SimStore {
 public:
  MemoryStore(std::shared_ptr<Database> data, NodeId node, std::optional<NodeId> authority)
      : data_(std::move(data)), node_(node), authority_(authority) {}

  Result<Contents> load() override;
  Result<std::vector<WriteOutcome>> commit(const Changes& changes) override;
  Result<std::vector<StoredSegment>> read(const LogId& id, Interval wanted,
                                          std::uint64_t bytes_max) override;
  Result<std::vector<OldSegment>> oldest(const LogId& id, std::uint64_t bytes_min,
                                         Seq from) override {
    return collect_oldest(id, bytes_min, std::nullopt, from);
  }
  Result<std::vector<OldSegment>> older_than(const LogId& id, UtcMicros before) override {
    return collect_oldest(id, ~std::uint64_t{0}, before);
  }
  Result<std::vector<OldSegment>> first_arrived(std::uint64_t bytes_min) override;
  Result<std::uint64_t> compact_step() override { return std::uint64_t{0}; }
  std::vector<LogId> logs() const override {
    std::vector<LogId> out;
    for (const auto& [id, log] : data_->logs) {
      if (!log.segments.empty()) out.push_back(id);
    }
    return out;
  }
  std::uint64_t log_bytes(const LogId& id) const override {
    const auto it = data_->logs.find(id);
    return it == data_->logs.end() ? 0 : it->second.bytes;
  }
  Result<std::uint64_t> used_bytes() override {
    std::uint64_t total = 0;
    for (const auto& [id, log] : data_->logs) total += log.bytes;
    return total;
  }
  Result<std::uint64_t> fork_count() override {
    std::uint64_t total = 0;
    for (const auto& [id, log] : data_->logs) total += log.forks.size();
    return total;
  }

 private:
  Log& log(const LogId& id) {
    return data_->logs.try_emplace(id, Log{LogState(id), {}, 0, {}}).first->second;
  }
  Result<WriteOutcome> store_segment(const SegmentRecord& record);
  Result<std::optional<Difference>> difference(const Log& log, const SegmentRecord& record) const;
  std::optional<LogState::Sealed> end_of(const Log& log) const;
  Result<std::optional<SegmentRecord>> winner(const Log& log, const SegmentRecord& record,
                                              const Difference& parting) const;
  Result<void> quarantine(Log& log, Seq from, const SegmentInfo& winner, Seq parting);
  void apply_control(const SegmentRecord& record);
  void apply_anchor(const LogId& id, const TimeAnchor& anchor);
  bool spanned(const Rollback& rollback) const;
  void drop_from(Log& log, Seq first);
  Result<void> cut(Log& log, Seq last, const Hash& hash);
  Result<void> load_own(const Log& log, Contents& contents) const;
  std::optional<UtcMicros> newest_of(const LogId& id, const Segment& segment) const;
  std::vector<OldSegment> collect_oldest(const LogId& id, std::uint64_t bytes_min,
                                         std::optional<UtcMicros> before, Seq from = 1) const;

  std::shared_ptr<Database> data_;
  NodeId node_;
  std::optional<NodeId> authority_;
};

// ---- what the replica starts from ----

Result<SimStore::Contents> MemoryStore::load() {
  Contents contents{.epoch = data_->epoch,
                    .logs = {},
                    .nodes = {},
                    .own_streams = {},
                    .own_lost = {},
                    .own_hlc = data_->own_hlc,
                    .own_anchors = {},
                    .own_timeless_boot = data_->timeless_boot};
  for (const auto& [id, known] : data_->nodes) contents.nodes.push_back(known);
  for (const auto& [id, revoked] : data_->revocations) contents.revocations.push_back(revoked);
  for (const auto& [id, log] : data_->logs) {
    contents.logs.push_back(log.state);
    if (!log.forks.empty()) contents.forked.push_back(id);
    if (id.node == node_) DUNLIN_TRY(load_own(log, contents));
  }
  return contents;
}

Result<void> MemoryStore::load_own(const Log& log, Contents& contents) const {
  const LogId& id = log.state.id();
  const bool current = id.epoch == data_->epoch;
  for (const auto& [interval, segment] : log.segments) {
    if (id.track != kControlTrack) continue;
    DUNLIN_ASSIGN(const SegmentHeader header, parse_segment(*segment.bytes));
    DUNLIN_ASSIGN(const DecodedSegment decoded, decode_segment(header));
    for (const Entry& entry : decoded.entries) {
      for (const Op& op : entry.ops) {
        if (const auto* define = std::get_if<Define>(&op); define && current)
          contents.own_streams.push_back(*define);
        if (const auto* lost = std::get_if<Lost>(&op)) add_lost(contents.own_lost, *lost);
        if (const auto* anchor = std::get_if<TimeAnchor>(&op); anchor && current)
          contents.own_anchors.push_back(*anchor);
      }
    }
  }
  return {};
}

// ---- commits ----

Result<std::vector<WriteOutcome>> MemoryStore::commit(const Changes& changes) {
  for (const Rollback& rollback : changes.rollbacks) {
    if (spanned(rollback))
      return {Errc::invalid_argument, "a segment goes beyond the end of a rollback"};
  }
  data_->epoch = changes.epoch.value_or(data_->epoch);
  for (const Rollback& rollback : changes.rollbacks)
    DUNLIN_TRY(cut(log(rollback.log), rollback.last, rollback.hash));
  std::vector<WriteOutcome> outcomes;
  for (const SegmentRecord& record : changes.segments) {
    DUNLIN_ASSIGN(const WriteOutcome outcome, store_segment(record));
    outcomes.push_back(outcome);
  }
  for (const Release& release : changes.releases) {
    Log& from = log(release.log);
    std::erase_if(from.segments, [&](const auto& item) {
      const auto& [first, last] = item.first;
      const bool goes = first >= release.interval.first && last <= release.interval.last;
      if (goes) from.bytes -= item.second.bytes->size();
      return goes;
    });
    from.state.release(release.interval, release.before, release.after);
  }
  for (const Acked& ack : changes.acks) log(ack.log).state.acknowledge(ack.acked);
  for (const KnownNode& member : changes.members) {
    const auto known = data_->nodes.find(member.node);
    const Bytes key = known == data_->nodes.end() ? member.public_key : known->second.public_key;
    data_->nodes[member.node] = {member.node, Bytes(key), member.name, member.certificate};
  }
  return outcomes;
}

Result<WriteOutcome> MemoryStore::store_segment(const SegmentRecord& record) {
  const SegmentInfo& info = record.info;
  Log& to = log(info.log);
  const LogState::Fit fit = to.state.fit(info);
  std::optional<Difference> parting;
  if (fit == LogState::Fit::covered || fit == LogState::Fit::overlaps) {
    DUNLIN_ASSIGN(parting, difference(to, record));
  }
  WriteOutcome outcome;
  std::optional<SegmentRecord> won;
  if (parting) {
    DUNLIN_ASSIGN(won, winner(to, record, *parting));
  }
  if (won) {
    DUNLIN_TRY(quarantine(to, won->info.first, info, parting->seq));
    outcome = {WriteOutcome::Kind::won, parting->seq};
  } else if (const auto twice = parting ? parting->seq : to.state.misfit(info)) {
    const bool room = to.forks.size() < kForksPerLog;
    const bool known = !room || !to.forks.emplace(std::pair(*twice, info.after), 0).second;
    return WriteOutcome{WriteOutcome::Kind::fork, *twice, known};
  } else if (fit == LogState::Fit::covered) {
    return WriteOutcome{WriteOutcome::Kind::duplicate};
  }
  const SegmentRecord& stored = won ? *won : record;
  const SegmentInfo& in = stored.info;
  // A copy, as a disk has one: what its node allocated is counted as the node's.
  to.segments[{in.first, in.last}] = {std::make_shared<const Bytes>(*stored.bytes),
                                      ++data_->arrivals,
                                      in.readings,
                                      in.time_min,
                                      in.time_max,
                                      in.boots,
                                      in.before};
  to.bytes += stored.bytes->size();
  to.state.admit(in);
  if (info.log.node == node_ && info.log.epoch == data_->epoch) {
    data_->own_hlc = std::max(data_->own_hlc, info.hlc_last);
    for (const BootSpan& span : info.boots)
      data_->timeless_boot = std::max(data_->timeless_boot, span.boot);
  }
  apply_control(stored);
  return outcome;
}

Result<std::optional<Difference>> MemoryStore::difference(const Log& log,
                                                          const SegmentRecord& record) const {
  const SegmentInfo& info = record.info;
  DUNLIN_ASSIGN(const SegmentHeader header, parse_segment(*record.bytes));
  DUNLIN_ASSIGN(const EntryHashes hashes, entry_hashes(header));
  std::optional<Difference> first;
  for (const auto& [interval, segment] : log.segments) {
    if (interval.first > info.last || interval.second < info.first) continue;
    DUNLIN_ASSIGN(const auto found, storage::first_difference(*segment.bytes, hashes));
    if (found && (!first || found->seq < first->seq)) first = found;
  }
  return first;
}

std::optional<LogState::Sealed> MemoryStore::end_of(const Log& log) const {
  const LogId& id = log.state.id();
  const auto revoked = data_->revocations.find(id.node);
  if (revoked == data_->revocations.end()) return log.state.sealed();
  const Revoke::End* end = revoked->second.second.end_of(id);
  return end != nullptr ? std::optional(LogState::Sealed{end->last, end->hash}) : std::nullopt;
}

Result<std::optional<SegmentRecord>> MemoryStore::winner(const Log& log,
                                                         const SegmentRecord& record,
                                                         const Difference& parting) const {
  const SegmentInfo& info = record.info;
  const std::optional<SegmentRecord> none;
  const std::optional<LogState::Sealed> sealed = end_of(log);
  std::vector<const Segment*> around;
  std::optional<Hash> at_seal;
  for (const auto& [interval, segment] : log.segments) {
    const auto& [first, last] = interval;
    if (first <= info.first && last >= info.first) around.push_back(&segment);
    if (sealed && first <= sealed->last && last >= sealed->last) {
      DUNLIN_ASSIGN(at_seal, storage::hash_in(*segment.bytes, sealed->last));
    }
  }
  if (info.log.node == node_) return none;
  const Hash* left = log.state.hash_after(info.first - 1);
  if (left != nullptr && *left != info.before) return none;
  std::optional<SegmentRecord> won;
  if (around.empty()) won = record;
  for (const Segment* other : around) {
    DUNLIN_ASSIGN(std::optional<SegmentRecord> behind, storage::joined(*other->bytes, record));
    if (!behind) return none;
    if (!won || behind->info.first < won->info.first) won = std::move(behind);
  }
  if (sealed && sealed->last >= parting.seq) {
    const Hash* end = log.state.hash_after(sealed->last);
    if (at_seal == sealed->hash || (end != nullptr && *end == sealed->hash)) return none;
    DUNLIN_ASSIGN(const std::optional<Hash> coming, storage::hash_in(*record.bytes, sealed->last));
    if (coming == sealed->hash) return won;
  }
  const bool parts = std::any_of(log.segments.begin(), log.segments.end(), [&](const auto& item) {
    return item.first.first <= parting.seq && item.first.second >= parting.seq;
  });
  return !parts || parting.coming < parting.stored ? won : none;
}

Result<void> MemoryStore::quarantine(Log& log, Seq from, const SegmentInfo& winner, Seq parting) {
  for (const auto& [interval, segment] : log.segments) {
    const auto& [first, last] = interval;
    if (first < from || last < parting) continue;
    DUNLIN_ASSIGN(const std::optional<Hash> after, storage::hash_in(*segment.bytes, last));
    log.forks.emplace(std::pair(std::max(parting, first), after.value_or(Hash{})), 0);
  }
  drop_from(log, from);
  return cut(log, winner.first - 1, winner.before);
}

void MemoryStore::apply_control(const SegmentRecord& record) {
  const LogId& id = record.info.log;
  for (const Entry& entry : record.control) {
    for (const Op& op : entry.ops) {
      if (const auto* open = std::get_if<Open>(&op)) {
        const auto known = data_->nodes.find(id.node);
        const Bytes& key =
            known == data_->nodes.end() ? open->public_key : known->second.public_key;
        const Bytes certificate = known == data_->nodes.end() ? Bytes() : known->second.certificate;
        data_->nodes[id.node] = {id.node, Bytes(key), open->name, certificate};
      } else if (const auto* revoke = std::get_if<Revoke>(&op)) {
        if (id.node != authority_) continue;
        const auto [known, fresh] =
            data_->revocations.try_emplace(revoke->node, entry.hlc, *revoke);
        if (!fresh && known->second.first < entry.hlc) known->second = {entry.hlc, *revoke};
      } else if (const auto* anchor = std::get_if<TimeAnchor>(&op)) {
        apply_anchor(id, *anchor);
      } else if (const auto* seal = std::get_if<Seal>(&op)) {
        log({id.node, seal->epoch, seal->track}).state.seal(seal->last, seal->hash);
      } else if (const auto* lost = std::get_if<Lost>(&op)) {
        log({id.node, lost->epoch, lost->track}).state.declare_lost(lost->ranges);
      }
    }
  }
}

void MemoryStore::apply_anchor(const LogId& id, const TimeAnchor& anchor) {
  const UtcMicros start = anchor.utc_us - anchor.monotonic_us;
  UtcMicros& known =
      data_->boots.try_emplace({id.node, id.epoch, anchor.boot}, start).first->second;
  known = std::max(known, start);
}

bool MemoryStore::spanned(const Rollback& rollback) const {
  const auto it = data_->logs.find(rollback.log);
  if (it == data_->logs.end()) return false;
  const auto& segments = it->second.segments;
  return std::any_of(segments.begin(), segments.end(), [&](const auto& item) {
    return item.first.first <= rollback.last && item.first.second > rollback.last;
  });
}

void MemoryStore::drop_from(Log& log, Seq first) {
  const auto from = log.segments.lower_bound({first, 0});
  for (auto it = from; it != log.segments.end(); ++it) log.bytes -= it->second.bytes->size();
  log.segments.erase(from, log.segments.end());
}

Result<void> MemoryStore::cut(Log& log, Seq last, const Hash& hash) {
  const LogId& id = log.state.id();
  drop_from(log, last + 1);
  log.state.roll_back(last, hash);
  if (id.track != kControlTrack) return {};
  std::erase_if(data_->boots, [&](const auto& item) {
    return std::get<0>(item.first) == id.node && std::get<1>(item.first) == id.epoch;
  });
  for (const auto& [interval, segment] : log.segments) {
    DUNLIN_ASSIGN(const SegmentHeader header, parse_segment(*segment.bytes));
    DUNLIN_ASSIGN(const std::vector<Entry> entries, decode_entries(header));
    for (const Entry& entry : entries) {
      for (const Op& op : entry.ops) {
        if (const auto* anchor = std::get_if<TimeAnchor>(&op)) apply_anchor(id, *anchor);
      }
    }
  }
  return {};
}

// ---- reads ----

Result<std::vector<StoredSegment>> MemoryStore::read(const LogId& id, Interval wanted,
                                                     std::uint64_t bytes_max) {
  std::vector<StoredSegment> found;
  const auto it = data_->logs.find(id);
  if (it == data_->logs.end()) return found;
  const auto& segments = it->second.segments;
  const Seq earliest = wanted.first > kSegmentEntriesMax ? wanted.first - kSegmentEntriesMax : 1;
  std::uint64_t total = 0;
  auto next = segments.upper_bound({wanted.last, ~Seq{0}});
  while (next != segments.begin()) {
    --next;
    const auto& [first, last] = next->first;
    if (first < earliest) break;
    if (last < wanted.first) continue;
    total += next->second.bytes->size();
    if (!found.empty() && total > bytes_max) break;
    found.push_back({{first, last}, *next->second.bytes});
  }
  return found;
}

std::optional<UtcMicros> MemoryStore::newest_of(const LogId& id, const Segment& segment) const {
  std::optional<UtcMicros> newest;
  if (segment.time_min <= segment.time_max) newest = segment.time_max;
  for (const BootSpan& span : segment.boots) {
    const auto start = data_->boots.find({id.node, id.epoch, span.boot});
    if (start == data_->boots.end()) continue;
    newest = std::max(newest.value_or(span.high + start->second), span.high + start->second);
  }
  return newest;
}

std::vector<OldSegment> MemoryStore::collect_oldest(const LogId& id, std::uint64_t bytes_min,
                                                    std::optional<UtcMicros> before,
                                                    Seq from) const {
  std::vector<OldSegment> found;
  const auto it = data_->logs.find(id);
  if (it == data_->logs.end()) return found;
  const LogState& state = it->second.state;
  const auto may_go = [&](Interval interval) {
    return id.node != node_ || state.acked().contains(interval);
  };
  std::size_t due = 0;
  std::size_t young = 0;
  std::uint64_t total = 0;
  for (const auto& [at, segment] : it->second.segments) {
    const Interval interval{at.first, at.second};
    if (interval.last < from) continue;
    if (!found.empty() && found.back().release.interval.last + 1 == interval.first)
      found.back().release.after = segment.before;
    const std::optional<UtcMicros> newest = newest_of(id, segment);
    const bool keep = before && ((newest && *newest >= *before) || !may_go(interval));
    young += keep ? 1 : 0;
    if (young > kYoungMax || total >= bytes_min || found.size() == kOldestMax) break;
    if (keep) continue;
    OldSegment item{{id, interval, segment.before, {}}, segment.readings, segment.bytes->size()};
    if (const Hash* after = state.hash_after(interval.last)) item.release.after = *after;
    total += item.bytes;
    found.push_back(std::move(item));
    if (!before || newest) due = found.size();
  }
  found.resize(due);
  std::erase_if(found, [](const OldSegment& old) { return old.release.after == Hash{}; });
  return found;
}

Result<std::vector<OldSegment>> MemoryStore::first_arrived(std::uint64_t bytes_min) {
  std::map<std::uint64_t, std::pair<LogId, std::uint64_t>> arrivals;
  for (const auto& [id, log] : data_->logs) {
    if (id.track == kControlTrack) continue;
    for (const auto& [at, segment] : log.segments)
      arrivals[segment.arrived] = {id, segment.bytes->size()};
  }
  std::map<LogId, std::uint64_t> shares;
  std::uint64_t total = 0;
  for (const auto& [order, arrival] : arrivals) {
    if (total >= bytes_min) break;
    shares[arrival.first] += arrival.second;
    total += arrival.second;
  }
  std::vector<OldSegment> found;
  for (const auto& [id, share] : shares) {
    std::vector<OldSegment> old = collect_oldest(id, share, std::nullopt);
    std::move(old.begin(), old.end(), std::back_inserter(found));
  }
  return found;
}

// ---- the medium: what is committed survives everything ----

class MemoryMedium final : public Medium {
 public:
  MemoryMedium(std::uint64_t seed, std::optional<NodeId> authority)
      : random_(seed), authority_(authority) {}

  Result<std::unique_ptr<SimStore>> open(const NodeId& node, Epoch fresh_epoch,
                                         Verifier&) override {
    if (!data_) data_ = std::make_shared<Database>(Database{.epoch = fresh_epoch});
    return std::unique_ptr<SimStore>(std::make_unique<MemoryStore>(data_, node, authority_));
  }
  void kill() override {}
  void cut_power() override { leave_stale(); }
  // Whether a commit under way came through is anybody's guess.
  void cut_power_before(std::uint64_t) override {
    if (random_.below(2) == 0) leave_stale();
  }
  void set_faults(const SimDisk::Faults&) override {}
  std::any backup() const override { return data_ ? Database(*data_) : Database{}; }
  void restore(const std::any& backup) override {
    data_ = std::make_shared<Database>(std::any_cast<const Database&>(backup));
  }
  void wipe() override { data_.reset(); }
  std::uint64_t bytes_written() const override { return 0; }

 private:
  // Whoever has it open goes on with a copy that nobody sees.
  void leave_stale() {
    if (data_ && data_.use_count() > 1) data_ = std::make_shared<Database>(*data_);
  }
  std::shared_ptr<Database> data_;
  Random random_;
  std::optional<NodeId> authority_;
};

}  // namespace

std::unique_ptr<Medium> make_memory_medium(std::uint64_t seed, std::optional<NodeId> authority) {
  return std::make_unique<MemoryMedium>(seed, authority);
}

}  // namespace dunlin::simulation
