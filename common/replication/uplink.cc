#include "common/replication/uplink.h"

#include <algorithm>

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
    : c_(context), options_(std::move(options)), ledger_(options_.archive) {}

void Uplink::start(const Moment& now) {
  idle_after_ = kVectorPeriod;
  idle_at_ = now.mono + idle_after_;
  const auto [begin, end] = c_.table.of(c_.self());
  for (auto it = begin; it != end; ++it) {
    ledger_.start(it->first, it->second.state.acked());
    arrived_[it->first] = it->second.state.acked();
  }
}

// Live is never queued: what does not fit the window now is left to the receiver's Fetch.
void Uplink::push(const Moment& now, const std::vector<SegmentRecord>& segments) {
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
  expect_arrival(now);
}

void Uplink::expect_arrival(const Moment& now) {
  if (!probe_at_) {
    probe_after_ = kProbeFirst;
    probe_at_ = now.mono + probe_after_;
  }
  idle_after_ = kVectorPeriod;
  idle_at_ = std::max(idle_at_, now.mono + idle_after_);
}

void Uplink::push_newest(const Moment& now) {
  if (!options_.pushes) return;
  pushed_.clear();
  pushed_bytes_ = 0;
  expect_arrival(now);
  // A gateway may have lost what it acknowledged once: our heads tell it what to ask for.
  idle_at_ = now.mono + Duration(c_.random.below(kGreetingSpread));
  // Track 0 comes first: it is small, and nothing else is understood without it.
  const auto [begin, end] = c_.table.of(c_.self());
  for (auto it = begin; it != end; ++it) {
    const Seq head = it->second.state.head();
    if (it->first.epoch != c_.epoch || head == 0 || arrived_[it->first].contains(head)) continue;
    const bool all = it->first.track == kControlTrack;
    const Token token = c_.next_token();
    reads_[token] = it->first;
    const std::uint64_t bytes = all ? kPushMessageBytes / 2 : 0;  // 0: the newest segment alone
    c_.outputs.push_back(Read{token, it->first, {all ? Seq{1} : head, head}, bytes});
  }
}

bool Uplink::on_read_finished(const Moment& now, const ReadFinished& finished) {
  const auto read = reads_.find(finished.token);
  if (read == reads_.end()) return false;
  const LogId log = read->second;
  reads_.erase(read);
  if (!finished.segments.ok()) {
    c_.notice(Notice::Kind::storage_failed, c_.self(), finished.segments.error().message());
    return true;
  }
  push_bytes(now, log, *finished.segments);
  return true;
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

bool Uplink::is_of_another_branch(const Vector::Item& item) const {
  return item.log.epoch == c_.epoch && item.head > c_.table.find(item.log)->state.head();
}

void Uplink::on_arrived(const Moment& now, const NodeId& gateway, const Vector::Item& item) {
  const LogRecord* log = c_.table.find(item.log);
  if (log == nullptr) return;  // of an epoch that is gone from here
  if (is_of_another_branch(item)) {
    // It may be of another branch than what was appended here since: nothing of it counts.
    return c_.notice(Notice::Kind::fork, c_.self(),
                     "a gateway holds more of " + item.log.to_string() +
                         " than this database: it was restored from an older copy");
  }
  if (ledger_.counts(gateway) && gateways_.size() < kGatewaysAsked) gateways_.insert(gateway);
  // What gateways said last counts: one that lost its database takes back what it said before.
  IntervalSet arrived = held_there(item, log->state);
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

bool Uplink::on_ack(const Ack& ack) {
  bool changed = false;
  for (const Vector::Item& item : ack.logs) {
    if (c_.table.find(item.log) == nullptr || is_of_another_branch(item)) continue;
    LogState& state = c_.table.log(item.log).state;
    IntervalSet acked = ledger_.heard(item.log, ack.sender, held_there(item, state));
    if (acked == state.acked()) continue;
    state.acknowledge(std::move(acked));
    changed = true;
  }
  return changed;
}

bool Uplink::behind() const {
  if (!options_.pushes) return false;
  const auto [begin, end] = c_.table.of(c_.self());
  return std::any_of(begin, end, [&](const auto& item) {
    const Seq head = item.second.state.head();
    const auto arrived = arrived_.find(item.first);
    return head > 0 && (arrived == arrived_.end() || !arrived->second.contains({1, head}));
  });
}

// Acks come a little later than what they are for, and may be lost. A Vector to a gateway alone
// asks for one.
void Uplink::ask_for_acks() {
  if (!c_.link_up || !options_.pushes) return;
  const bool all = std::all_of(arrived_.begin(), arrived_.end(), [&](const auto& item) {
    IntervalSet rest = item.second;
    const LogRecord* log = c_.table.find(item.first);
    if (log != nullptr) rest.erase(log->state.acked());
    return rest.empty();
  });
  if (all) return;
  const Vector own{c_.self(), c_.vector_of(c_.self())};
  for (const NodeId& gateway : gateways_) c_.send(TopicClass::inbox, gateway, Lane::live, own);
}

std::vector<Hello::Head> Uplink::own_heads() const {
  std::vector<Hello::Head> heads;
  const auto [begin, end] = c_.table.of(c_.self());
  for (const bool present : {true, false}) {  // there is room for so many
    for (auto it = begin; it != end && heads.size() < kHelloLogsMax; ++it) {
      const Seq head = it->second.state.head();
      if (head > 0 && (it->first.epoch == c_.epoch) == present)
        heads.push_back({it->first.epoch, it->first.track, head});
    }
  }
  return heads;
}

void Uplink::publish_vector(const Moment& now) {
  skipped_ = false;
  if (c_.link_up && options_.pushes)
    c_.send(TopicClass::gossip, {}, Lane::live, Vector{c_.self(), c_.vector_of(c_.self())});
  idle_at_ = now.mono + idle_after_;
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
