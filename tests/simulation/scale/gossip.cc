#include "tests/simulation/scale/gossip.h"

#include <algorithm>
#include <ctime>
#include <optional>

#include "tests/simulation/checkers.h"

namespace dunlin::simulation {

namespace {

using namespace replication;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::size_t kOrigins = 4;
constexpr Duration kComesToRest = minutes(20);  // until Digests are as seldom as they get
constexpr Duration kSpreadsWithin = minutes(30);
constexpr Duration kPushTakes = seconds(1);  // a commit and two crossings, amply

constexpr Duration kMeetWithin = minutes(10);

const StreamSchema kSensor{"sensor", {{"temperature", FieldType::decimal, "Cel", 2}}};

ClusterOptions options_of(const GossipPlan& plan) {
  ClusterOptions options;
  options.seed = plan.seed;
  options.agents = plan.keepers;
  options.gateways = 0;
  options.interest = [](std::size_t) {
    return replication::Interest{replication::Interest::Scope::cell};
  };
  options.light = true;
  options.origin.tracks.front().flush_readings = 1;
  return options;
}

bool is_digest(const Send& send) {
  const Result<Envelope> envelope = decode_envelope(send.payload);
  return envelope.ok() && std::holds_alternative<Digest>(envelope->message);
}

GossipMeeting meet(const GossipPlan& plan, std::vector<std::string>& problems) {
  Cluster cluster(options_of(plan));
  GossipMeeting out;
  cluster.watch([&](std::size_t, const Output& output) {
    const auto* send = std::get_if<Send>(&output);
    if (send == nullptr) return;
    out.messages += 1;
    out.digests += is_digest(*send) ? 1 : 0;
  });
  const Instant began = cluster.now(), limit = began + kMeetWithin;
  do cluster.run_for(seconds(1));
  while (!converged(cluster) && cluster.now() < limit);
  if (cluster.now() >= limit) problems.emplace_back("those who meet do not come to agree");
  out.seconds = std::chrono::duration<double>(cluster.now() - began).count();
  out.digests /= static_cast<double>(plan.keepers);
  out.messages /= static_cast<double>(plan.keepers);
  return out;
}

class Gossip {
 public:
  explicit Gossip(const GossipPlan& plan) : plan_(plan), cluster_(options_of(plan)) {}

  GossipRun run() {
    const std::clock_t began = std::clock();
    out_.keepers = plan_.keepers;
    if (plan_.meeting) out_.meeting = meet(plan_, out_.problems);
    begin();
    cluster_.run_for(kComesToRest);
    expect_convergence();
    out_.idle = rest();
    for (std::size_t i = 0; i < plan_.entries; ++i) {
      spread(i % origins(), false, out_.said);
      cluster_.run_for(minutes(1));
    }
    for (std::size_t i = 0; i < plan_.entries; ++i) {
      // At some time of a period.
      cluster_.run_for(kComesToRest + seconds(cluster_.random().below(300)));
      spread(i % origins(), true, out_.handed);
    }
    cluster_.run_for(minutes(1));
    expect_convergence();
    out_.problems.insert(out_.problems.end(), cluster_.problems().begin(),
                         cluster_.problems().end());
    out_.core_seconds = static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;
    return std::move(out_);
  }

 private:
  void sample(std::size_t origin) {
    const std::int64_t value = 2000;
    cluster_.node(origin).sample(kSensor, {&value, 1});
  }

  // Everybody has the first entries of all, as if they had come long ago: what it takes hundreds to
  // tell each other of that when all meet at once is not what is looked for.
  void begin() {
    const auto all = [&](auto what) {
      for (std::size_t i = 0; i < cluster_.size(); ++i) what(i);
    };
    Changes first;
    cluster_.watch([&](std::size_t, const Output& output) {
      const auto* write = std::get_if<Write>(&output);
      if (write == nullptr) return;
      first.segments.insert(first.segments.end(), write->segments.begin(), write->segments.end());
    });
    all([&](std::size_t i) { cluster_.bus().partition(cluster_.node(i).client_id()); });
    for (std::size_t i = 0; i < origins(); ++i) sample(i);
    cluster_.run_for(kPushTakes);
    all([&](std::size_t i) {
      if (!cluster_.node(i).store()->commit(first).ok())
        out_.problems.emplace_back("a store refuses what others have");
      cluster_.crash(i);
      cluster_.start(i);
      cluster_.bus().heal(cluster_.node(i).client_id());
    });
    cluster_.watch([this](std::size_t node, const Output& output) { watch(node, output); });
  }
  std::size_t origins() const { return std::min(kOrigins, plan_.keepers); }

  // ---- one entry ----

  struct Entry {
    std::size_t origin;
    Instant cut;
    LogId log{};
    Seq seq = 0;
    std::vector<bool> there;  // of each node
    std::size_t count = 0;
    double rounds = 0;
    Instant begun;  // the first of them
  };

  void watch(std::size_t node, const Output& output) {
    if (!entry_) return;
    if (const auto* write = std::get_if<Write>(&output); write && node == entry_->origin) {
      for (const SegmentRecord& segment : write->segments) {
        if (segment.info.log.node != cluster_.node(node).id()) continue;
        entry_->log = segment.info.log, entry_->seq = segment.info.last;
      }
    } else if (const auto* stored = std::get_if<Replicated>(&output)) {
      if (stored->log != entry_->log || stored->last < entry_->seq || entry_->there[node]) return;
      entry_->there[node] = true;
      entry_->count += 1;
    } else if (const auto* send = std::get_if<Send>(&output)) {
      if (!begins_round(node, *send)) return;
      entry_->rounds += 1;
      if (entry_->rounds == 1) entry_->begun = cluster_.now();
    }
  }

  bool begins_round(std::size_t node, const Send& send) const {
    if (send.topic != TopicClass::gossip) return false;
    const Result<Envelope> envelope = decode_envelope(send.payload);
    if (!envelope.ok()) return false;
    if (std::holds_alternative<Vector>(envelope->message)) return node == entry_->origin;
    const auto* digest = std::get_if<Digest>(&envelope->message);
    return digest != nullptr && digest->places.empty() && digest->leaves.empty();
  }

  void set_loss(std::size_t node, double loss) {
    Faults faults = cluster_.options().link;
    faults.loss = loss;
    cluster_.bus().set_faults(cluster_.node(node).client_id(), faults);
  }

  // Who holds the entry when its origin is gone, or the origin, hears everything; others nothing.
  void say(std::size_t origin, std::optional<std::size_t> heir) {
    for (std::size_t i = 0; i < cluster_.size(); ++i)
      set_loss(i, heir && (i == origin || i == *heir) ? 0 : 1);
    sample(origin);
    cluster_.run_for(kPushTakes);
    for (std::size_t i = 0; i < cluster_.size(); ++i) set_loss(i, 0);
  }

  void spread(std::size_t origin, bool dies, GossipSpread& out) {
    entry_ =
        Entry{.origin = origin, .cut = cluster_.now(), .there = std::vector<bool>(cluster_.size())};
    std::optional<std::size_t> heir;
    if (dies) heir = (origin + 1 + cluster_.random().below(cluster_.size() - 1)) % cluster_.size();
    say(origin, heir);
    if (entry_->count != (dies ? 1U : 0U)) out_.problems.emplace_back("an entry went elsewhere");
    if (dies) cluster_.crash(origin);
    const Instant limit = cluster_.now() + kSpreadsWithin;
    while (entry_->count + 1 < cluster_.size() && cluster_.now() < limit)
      cluster_.run_for(milliseconds(100));
    if (entry_->count + 1 < cluster_.size()) out_.problems.emplace_back("an entry does not spread");
    out.rounds.push_back(entry_->rounds);
    const auto since = [&](Instant from) {
      return std::chrono::duration<double>(cluster_.now() - from).count();
    };
    out.seconds.push_back(since(entry_->cut));
    out.spreading.push_back(since(entry_->begun));
    entry_.reset();
    if (dies) cluster_.start(origin);
  }

  void expect_convergence() {
    if (!converged(cluster_)) out_.problems.emplace_back("not everybody has everything");
  }

  // ---- at rest ----

  FleetTraffic traffic() {
    FleetTraffic sum;
    const auto keepers = static_cast<double>(cluster_.size());
    for (std::size_t i = 0; i < cluster_.size(); ++i) {
      const SimNode& node = cluster_.node(i);
      sum.messages_up += static_cast<double>(node.sent().messages) / keepers;
      sum.bytes_up += static_cast<double>(node.sent().bytes) / keepers;
      sum.messages_down += static_cast<double>(node.received().messages) / keepers;
      sum.bytes_down += static_cast<double>(node.received().bytes) / keepers;
    }
    return sum;
  }

  FleetTraffic rest() {
    const FleetTraffic from = traffic();
    cluster_.run_for(plan_.idle);
    const FleetTraffic to = traffic();
    const double hours = std::chrono::duration<double, std::ratio<3600>>(plan_.idle).count();
    return {(to.messages_up - from.messages_up) / hours, (to.bytes_up - from.bytes_up) / hours,
            (to.messages_down - from.messages_down) / hours,
            (to.bytes_down - from.bytes_down) / hours};
  }

  const GossipPlan plan_;
  Cluster cluster_;
  std::optional<Entry> entry_;
  GossipRun out_;
};

}  // namespace

GossipRun run_gossip(const GossipPlan& plan) {
  return Gossip(plan).run();
}

}  // namespace dunlin::simulation
