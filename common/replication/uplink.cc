#include "common/replication/uplink.h"

#include <algorithm>

#include "common/log/chain.h"
#include "common/log/limits.h"

namespace dunlin::replication {

namespace {

using std::chrono::seconds;

constexpr Duration kPushTimeout = seconds(2);    // then a pushed segment no longer fills the window
constexpr Duration kProbeFirst = seconds(2);     // Vector while something has not arrived
constexpr Duration kVectorPeriod = seconds(30);  // Vector when all is well, doubling
constexpr Duration kVectorPeriodMax = seconds(300);
constexpr std::size_t kPushMessageBytes = 64 * 1024;
constexpr std::size_t kGatewaysAsked = 16;  // for Acks that did not come

// What is at a gateway that says this of an own log.
IntervalSet held_there(const Vector::Item& item, const LogState& state) {
  IntervalSet held;
  const Seq head = std::min(item.head, state.head());
  if (head > 0) held.insert({1, head});
  held.erase(item.missing);
  return held;
}

}  // namespace

Uplink::Uplink(Context& context, UplinkOptions options)
    : c_(context), options_(std::move(options)), lineage_(context), ledger_(options_.archive) {}

void Uplink::start(const Moment& now) {
  idle_after_ = kVectorPeriod;
  idle_at_ = now.mono + idle_after_;
  say_by_ = now.mono + kVectorPeriodMax;
  const auto [begin, end] = c_.table.of(c_.self());
  for (auto it = begin; it != end; ++it) {
    ledger_.start(it->first, it->second.state.acked());
    arrived_[it->first] = it->second.state.acked();
    if (it->first.epoch == c_.epoch && it->second.state.head() > 0) confirmed_ = !options_.pushes;
  }
  opened_ = confirmed_;
}

// Live is never queued: what does not fit the window now is left to the receiver's Fetch.
void Uplink::push(const Moment& now, const std::vector<SegmentRecord>& segments) {
  if (!c_.link_up || !options_.pushes || !confirmed_) return;
  Segments message{.lane = Lane::live, .segments = {}};
  std::size_t bytes = 0;
  const auto send = [&] {
    if (message.segments.empty()) return;
    c_.send(TopicClass::live, c_.self(), Lane::live,
            std::exchange(message, {.lane = Lane::live, .segments = {}}));
    bytes = 0;
  };
  for (const SegmentRecord& segment : segments) {
    if (segment.info.log.epoch != c_.epoch) continue;  // rewritten, not new
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
  expect_arrival(now);
}

void Uplink::expect_arrival(const Moment& now) {
  if (!probe_at_) {
    probe_after_ = kProbeFirst;
    probe_at_ = now.mono + probe_after_;
  }
  idle_after_ = kVectorPeriod;
  idle_at_ = std::min(say_by_, std::max(idle_at_, now.mono + idle_after_));
}

void Uplink::say_soon(const Moment& now) {
  if (!options_.pushes) return;
  expect_arrival(now);
  idle_at_ = now.mono + Duration(c_.random.below(kGreetingSpread));
}

void Uplink::push_newest(const Moment& now) {
  if (!options_.pushes) return;
  pushed_.clear();
  pushed_bytes_ = 0;
  say_soon(now);
  if (!confirmed_) return;
  // Track 0 comes first: it is small, and nothing else is understood without it.
  const auto [begin, end] = c_.table.of(c_.self());
  for (auto it = begin; it != end; ++it) {
    const Seq head = it->second.state.head();
    if (it->first.epoch != c_.epoch || head == 0 || arrived_[it->first].contains(head)) continue;
    const bool all = it->first.track == kControlTrack;
    show(it->first, {all ? Seq{1} : head, head}, all ? kPushMessageBytes / 2 : 0);
  }
}

void Uplink::show(const LogId& log, Interval interval, std::uint64_t bytes_max) {
  const Token token = c_.next_token();
  reads_[token] = log;
  c_.outputs.push_back(Read{token, log, interval, bytes_max});
}

bool Uplink::on_read_finished(const Moment& now, const ReadFinished& finished) {
  const auto failed = [&](const std::string& why) {
    c_.notice(Notice::Kind::storage_failed, c_.self(), why);
  };
  if (const std::optional<bool> known = lineage_.on_read_finished(finished)) {
    if (!*known)
      failed(finished.segments.ok() ? "a segment does not read back"
                                    : finished.segments.error().message());
    return ask_again(now, *known), true;
  }
  const auto read = reads_.find(finished.token);
  if (read == reads_.end()) return false;
  const LogId log = read->second;
  reads_.erase(read);
  if (!finished.segments.ok()) return failed(finished.segments.error().message()), true;
  return push_bytes(now, log, *finished.segments), true;
}

void Uplink::push_bytes(const Moment& now, const LogId& log,
                        const std::vector<StoredSegment>& segments) {
  if (!c_.link_up || segments.empty()) return;
  Segments message{.lane = Lane::live, .segments = {}};
  for (auto it = segments.rbegin(); it != segments.rend(); ++it) {  // oldest first
    message.segments.push_back(std::make_shared<const Bytes>(it->bytes));
    pushed_.push_back({log, it->interval, it->bytes.size(), now.mono});
    pushed_bytes_ += it->bytes.size();
  }
  c_.send(TopicClass::live, c_.self(), Lane::live, std::move(message));
}

// ---- what gateways say ----

// Of a sealed log what is not here any more cannot be compared.
Lineage::Branch Uplink::branch_of(const Moment& now, const Vector::Item& item) {
  const LogRecord* log = c_.table.find(item.log);
  if (log == nullptr) return Lineage::Branch::another;  // of the present epoch, and not from here
  const LogState& state = log->state;
  const std::optional<LogState::Sealed>& sealed = state.sealed();
  if (!sealed || sealed->last < state.head() || item.head <= state.head())
    return lineage_.of(now, item.log, item.head, item.hash);
  if (item.head == sealed->last && item.hash == sealed->hash) return Lineage::Branch::ours;
  return item.head < sealed->last ? Lineage::Branch::ours : Lineage::Branch::beyond;
}

void Uplink::on_vector(const Moment& now, const NodeId& gateway, const Vector& vector) {
  if (!options_.pushes) return;
  bool ours = vector.whole;
  bool doubtful = false;
  for (const Vector::Item& item : vector.logs) {
    if (item.log.node != c_.self()) continue;
    const LogRecord* log = c_.table.find(item.log);
    const Seq head = log == nullptr ? 0 : log->state.head();
    const Lineage::Branch branch =
        head == 0 && item.log.epoch != c_.epoch ? Lineage::Branch::ours : branch_of(now, item);
    const bool control = item.log.track == kControlTrack;
    if (branch == Lineage::Branch::another && (vector.whole || !control)) {
      // Data may have to move with its track 0, so that nobody is to fetch it meanwhile.
      news_.strays.push_back({gateway, item, {}});
      if (control) news_.strays.back().data = data_of(item.log.epoch, vector);
      held_back_.insert(item.log);
      for (const Vector::Item& data : news_.strays.back().data) held_back_.insert(data.log);
    }
    if (branch == Lineage::Branch::ours && head > 0) on_arrived(now, gateway, item);
    ours = ours && (branch == Lineage::Branch::ours || branch == Lineage::Branch::beyond);
    doubtful = doubtful || branch == Lineage::Branch::unknown;
  }
  if (doubtful) doubtful_[gateway] = vector;
  opened_ = opened_ || ours;
  if (ours && !confirmed_) confirm(now);
}

void Uplink::inquire() {
  if (c_.link_up && options_.pushes) c_.send(TopicClass::gossip, c_.self(), Lane::live, Vector{});
}

Vector Uplink::own_vector() {
  Vector vector = c_.vector_of(c_.self());
  std::erase_if(vector.logs, [&](const Vector::Item& item) { return !may_serve(item.log); });
  return vector;
}

void Uplink::on_ack(const Moment& now, const NodeId& gateway, const Ack& ack) {
  for (const Vector::Item& item : ack.logs) {
    if (item.log.node != c_.self()) continue;
    const LogRecord* log = c_.table.find(item.log);
    const Seq head = log == nullptr ? 0 : log->state.head();
    const bool former = item.log.epoch != c_.epoch;
    if (head == 0 && !former) continue;
    const Lineage::Branch branch = head == 0 ? Lineage::Branch::ours : branch_of(now, item);
    if (branch == Lineage::Branch::unknown) doubtful_acks_[gateway] = ack;
    if (branch != Lineage::Branch::ours) continue;
    // Others may not know that it ended: this gateway answers for that with its signature.
    const bool sealed =
        log != nullptr && log->state.sealed() && log->state.sealed()->last >= item.head;
    if (confirmed_ && former && item.head >= head && !sealed) news_.ended.push_back(item);
    if (head == 0) continue;
    LogState& state = c_.table.log(item.log).state;
    IntervalSet acked = ledger_.heard(item.log, gateway, held_there(item, state));
    if (acked == state.acked()) continue;
    state.acknowledge(std::move(acked));
    news_.acks = true;
  }
}

void Uplink::forget(const NodeId& gateway) {
  gateways_.erase(gateway);
  doubtful_.erase(gateway);
  doubtful_acks_.erase(gateway);
  for (auto& [log, acked] : ledger_.forget(gateway)) {
    LogState& state = c_.table.log(log).state;
    if (acked == state.acked()) continue;
    state.acknowledge(std::move(acked));
    news_.acks = true;
  }
}

// What a gateway that says this has of each own data log of an epoch, nothing perhaps.
std::vector<Vector::Item> Uplink::data_of(Epoch epoch, const Vector& vector) {
  std::vector<Vector::Item> items;
  const auto [begin, end] = c_.table.of(c_.self());
  for (auto it = begin; it != end; ++it) {
    const LogId& log = it->first;
    if (log.epoch != epoch || log.track == kControlTrack || it->second.state.head() == 0) continue;
    const auto same = std::find_if(vector.logs.begin(), vector.logs.end(),
                                   [&](const Vector::Item& item) { return item.log == log; });
    items.push_back(same == vector.logs.end() ? Vector::Item{log, 0, chain_start(log), {}} : *same);
  }
  return items;
}

// Storage knows by now. If it does not, gateways will say the same again.
void Uplink::ask_again(const Moment& now, bool known) {
  const auto vectors = std::exchange(doubtful_, {});
  const auto acks = std::exchange(doubtful_acks_, {});
  if (!known) return;
  for (const auto& [gateway, vector] : vectors) on_vector(now, gateway, vector);
  for (const auto& [gateway, ack] : acks) on_ack(now, gateway, ack);
}

void Uplink::confirm(const Moment& now) {
  confirmed_ = news_.confirmed = true;
  push_newest(now);
}

void Uplink::rolled_back(const LogId& log, Seq last) {
  const Interval gone{last + 1, kSeqMax};
  lineage_.rolled_back(log);
  ledger_.roll_back(log, last);
  arrived_[log].erase(gone);
  std::erase_if(pushed_, [&](const Pushed& p) {
    if (p.log != log || p.interval.last <= last) return false;
    pushed_bytes_ -= p.bytes;
    return true;
  });
}

bool Uplink::public_beyond(const LogId& log, Seq last) const {
  const auto arrived = arrived_.find(log);
  const LogRecord* record = c_.table.find(log);
  return opened_ || (arrived != arrived_.end() && arrived->second.last().value_or(0) > last) ||
         (record != nullptr && record->state.acked().last().value_or(0) > last);
}

void Uplink::on_arrived(const Moment& now, const NodeId& gateway, const Vector::Item& item) {
  const bool asked = ledger_.counts(gateway) && c_.gateways.all().contains(gateway);
  if (asked && gateways_.size() < kGatewaysAsked) gateways_.insert(gateway);
  // What gateways said last counts: one that lost its database takes back what it said before.
  IntervalSet arrived = held_there(item, c_.table.log(item.log).state);
  if (arrived == arrived_[item.log]) return;
  std::erase_if(pushed_, [&](const Pushed& p) {
    if (p.log != item.log || !arrived.contains(p.interval)) return false;
    pushed_bytes_ -= p.bytes;
    return true;
  });
  arrived_[item.log] = std::move(arrived);
  probe_at_.reset();
  if (!behind()) return;
  expect_arrival(now);
  // The window is open again but the newest segments were not pushed: say how far the log goes.
  if (skipped_ && pushed_.empty()) publish_vector(now);
}

bool Uplink::behind() const {
  if (!options_.pushes) return false;
  if (!confirmed_) return true;
  const auto [begin, end] = c_.table.of(c_.self());
  return std::any_of(begin, end, [&](const auto& item) {
    const Seq head = item.second.state.head();
    const auto& sealed = item.second.state.sealed();
    if (sealed && sealed->last >= head) return false;
    const auto arrived = arrived_.find(item.first);
    return head > 0 && (arrived == arrived_.end() || !arrived->second.contains({1, head}));
  });
}

// Acks come a little later than what they are for, and may be lost. A Vector to a gateway alone
// asks for one.
void Uplink::ask_for_acks() {
  if (!c_.link_up || !options_.pushes || !confirmed_) return;
  const bool all = std::all_of(arrived_.begin(), arrived_.end(), [&](const auto& item) {
    IntervalSet rest = item.second;
    const LogRecord* log = c_.table.find(item.first);
    if (log != nullptr) rest.erase(log->state.acked());
    return rest.empty();
  });
  if (all) return;
  const Vector own = own_vector();
  for (const NodeId& gateway : gateways_) c_.send(TopicClass::inbox, gateway, Lane::live, own);
}

std::vector<Hello::Head> Uplink::own_heads() const {
  std::vector<Hello::Head> heads;
  const auto [begin, end] = c_.table.of(c_.self());
  for (const bool present : {true, false}) {  // there is room for so many
    for (auto it = begin; it != end && heads.size() < kHelloLogsMax; ++it) {
      const Seq head = it->second.state.head();
      if (head > 0 && (it->first.epoch == c_.epoch) == present && may_serve(it->first))
        heads.push_back({it->first.epoch, it->first.track, head});
    }
  }
  return heads;
}

void Uplink::publish_vector(const Moment& now) {
  skipped_ = false;
  // An empty one is the question what gateways have.
  if (c_.link_up && options_.pushes) {
    Vector vector = own_vector();
    vector.storage = c_.storage;
    c_.send(TopicClass::gossip, c_.self(), Lane::live, std::move(vector));
  }
  idle_at_ = now.mono + idle_after_;
  say_by_ = now.mono + kVectorPeriodMax;
  idle_after_ = std::min(idle_after_ * 2, kVectorPeriodMax);
}

void Uplink::on_deadline(const Moment& now) {
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
  if (idle_at_ <= now.mono) {
    publish_vector(now);
    ask_for_acks();
  }
}

std::optional<Instant> Uplink::next_deadline() const {
  Instant next = idle_at_;
  if (!pushed_.empty()) next = std::min(next, pushed_.front().at + kPushTimeout);
  if (probe_at_) next = std::min(next, *probe_at_);
  return next;
}

}  // namespace dunlin::replication
