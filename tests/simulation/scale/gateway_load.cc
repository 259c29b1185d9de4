#include "tests/simulation/scale/gateway_load.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <numeric>

#include "common/runtime/node_view.h"
#include "common/runtime/replica_start.h"
#include "tests/simulation/keys.h"
#include "tests/simulation/scale/heap.h"
#include "tests/support/peer.h"
#include "tests/support/temp_dir.h"

namespace dunlin::simulation {

namespace {

using namespace replication;
using test::Peer;

constexpr std::size_t kOwner = 1;  // of the heap: the replica
constexpr std::size_t kLiveNodes = 50;
constexpr std::uint64_t kOtherGateway = 1'000'000;
constexpr CellIndex kBackbone = 1;
constexpr std::size_t kPeersMax = 16'000;  // that are up
constexpr std::size_t kSegments = 20'000;
constexpr std::size_t kReadings = 10;  // of a segment
constexpr Duration kPace = std::chrono::milliseconds(5);

double core_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

// A replica, and the time that it takes of a core.
class Gateway {
 public:
  Gateway(ReplicaStart start, Signer& authority)
      : key_(light_key(0)), verifier_(make_light_verifier()) {
    ReplicaOptions options;
    options.role = Role::gateway;
    options.cells = {"cell", std::string(kBackboneName)};
    options.origin.name = "gateway";
    options.uplink.pushes = false;
    options.admission = make_admission(authority, *verifier_);
    options.certificate = fixed_certificate(authority, {key_->node(), true, options.origin.name});
    options.receiver.logs_max = 1'000'000;
    const HeapOwner owner(kOwner);
    replica_ = std::make_unique<Replica>(std::move(options), Nonce{1}, *key_, *verifier_);
    const double began = core_seconds();
    DUNLIN_CHECK(replica_->start(now_, std::move(start)).ok());
    started_in_ = core_seconds() - began;
    finish_writes();
  }

  double started_in() const { return started_in_; }
  void hear(TopicClass topic, const NodeId& node, Bytes payload, CellIndex cell = 0) {
    step(Received{topic, node, std::move(payload), false, cell});
  }
  void pass(Duration time) {
    const Instant end = now_.mono + time;
    while (const std::optional<Instant> next = replica_->next_deadline()) {
      if (*next > end) break;
      now_.mono = std::max(now_.mono, *next);
      step(DeadlinePassed{});
    }
    now_.mono = end;
  }
  // How long each part of a report takes.
  std::vector<double> report() const {
    std::vector<double> parts;
    std::optional<NodeId> after;
    for (std::size_t nodes = runtime::kReportNodes; nodes == runtime::kReportNodes;) {
      const double began = core_seconds();
      const std::vector<NodeStatus> part =
          replica_->status(now_, after ? &*after : nullptr, runtime::kReportNodes);
      parts.push_back(core_seconds() - began);
      nodes = part.size();
      if (nodes > 0) after = part.back().node;
    }
    return parts;
  }
  std::uint64_t readings() const { return replica_->stats().readings_received; }

 private:
  void step(Input input) {
    const HeapOwner owner(kOwner);
    DUNLIN_CHECK(replica_->step(now_, std::move(input)).ok());
    finish_writes();
  }
  void finish_writes() {
    while (std::optional<Output> output = replica_->poll()) {
      const auto* write = std::get_if<Write>(&*output);
      if (write == nullptr) continue;
      const std::vector<WriteOutcome> stored(write->segments.size());
      DUNLIN_CHECK(replica_->step(now_, WriteFinished{write->token, stored}).ok());
    }
  }

  std::unique_ptr<Signer> key_;
  std::unique_ptr<Verifier> verifier_;
  std::unique_ptr<Replica> replica_;
  Moment now_{Instant{}, 1'767'225'600'000'000, true};
  double started_in_ = 0;
};

LogState complete(const LogId& log, Seq head, Random& random) {
  Hash hash{};
  for (std::uint8_t& byte : hash) byte = static_cast<std::uint8_t>(random.next());
  return LogState::from_parts(log, {.runs = {{1, head, chain_start(log), hash}},
                                    .lost = {},
                                    .released = {},
                                    .acked = {},
                                    .lost_readings = 0,
                                    .head = head,
                                    .head_hash = hash,
                                    .sealed = {}});
}

std::string name_of(std::size_t number) {
  return "greenhouse-" + std::to_string(number);
}

Peer make_peer(std::size_t number, Signer& authority) {
  Peer peer(Role::agent, light_key(number));
  peer.name = name_of(number);
  peer.capabilities = {"columns", "zstd"};
  peer.certificate = fixed_certificate(authority, {peer.node(), false, peer.name});
  return peer;
}

// Nodes 1 to `nodes`, and what a gateway has of their logs.
ReplicaStart idle_start(std::size_t nodes, Signer& authority) {
  Random random(1);
  ReplicaStart start{
      .epoch = Epoch{1}, .logs = {}, .nodes = {}, .own_streams = {}, .own_lost = {}, .own_hlc = {}};
  for (std::size_t n = 1; n <= nodes; ++n) {
    const std::unique_ptr<Signer> key = light_key(n);
    const LogId samples{key->node(), Epoch{5}, kSamplesTrack};
    start.logs.push_back(complete(samples.control(), 3, random));
    start.logs.push_back(complete(samples, 1000, random));
    const std::string name = name_of(n);
    start.nodes[key->node()] = {key->public_key(), name};
    start.certificates[key->node()] = fixed_certificate(authority, {key->node(), false, name});
  }
  return start;
}

}  // namespace

GatewayCost gateway_cost(std::size_t logs) {
  const std::size_t nodes = logs / 2;
  const std::unique_ptr<Signer> authority = authority_key(true);
  Gateway gateway(idle_start(nodes, *authority), *authority);
  for (std::size_t n = 1; n <= std::min(nodes, kPeersMax); ++n) {
    Peer peer = make_peer(n, *authority);
    gateway.hear(
        TopicClass::hello, peer.node(),
        peer.hello(NodeState::up, {{Epoch{5}, kControlTrack, 3}, {Epoch{5}, kSamplesTrack, 1000}}));
    gateway.pass(kPace);
  }
  Peer other(Role::gateway, light_key(kOtherGateway));
  other.name = "other";
  other.certificate = fixed_certificate(*authority, {other.node(), true, other.name});
  gateway.hear(TopicClass::gate, other.node(), other.hello(), kBackbone);
  gateway.pass(std::chrono::seconds(10));
  GatewayCost cost{.start_seconds = gateway.started_in()};
  cost.bytes_per_idle_log =
      static_cast<double>(heap_bytes(kOwner)) / static_cast<double>(2 * nodes);

  // The first one meets what the start has freed, which the allocator puts in order then.
  cost.first_status_part_seconds = std::ranges::max(gateway.report());
  const std::vector<double> parts = gateway.report();
  cost.status_seconds = std::accumulate(parts.begin(), parts.end(), 0.0);
  cost.status_part_seconds = std::ranges::max(parts);

  std::vector<Peer> live;
  for (std::size_t n = 1; n <= kLiveNodes; ++n) {
    Peer& peer = live.emplace_back(make_peer(nodes + n, *authority));
    gateway.hear(TopicClass::hello, peer.node(), peer.hello());
    gateway.hear(TopicClass::live, peer.node(), peer.segments({peer.open(), peer.define(1)}));
  }
  std::vector<std::pair<NodeId, Bytes>> messages;
  for (std::size_t i = 0; i < kSegments; ++i) {
    Peer& peer = live[i % live.size()];
    messages.emplace_back(peer.node(), peer.segments({peer.samples(kReadings)}));
  }
  const double began = core_seconds();
  for (auto& [node, message] : messages) {
    gateway.pass(kPace);
    gateway.hear(TopicClass::live, node, std::move(message));
  }
  const double took = core_seconds() - began;
  DUNLIN_CHECK(gateway.readings() == kSegments * kReadings);
  cost.cpu_us_per_reading = took * 1e6 / static_cast<double>(kSegments * kReadings);
  return cost;
}

StartCost start_cost(std::size_t logs) {
  const test::TempDir folder;
  const std::unique_ptr<Signer> self = light_key(0);
  const std::unique_ptr<Verifier> verifier = make_light_verifier();
  const storage::LogStore::Options file{.path = folder.file("log.db"), .fresh_epoch = Epoch{1}};
  {
    auto store = storage::LogStore::open(file, self->node(), *verifier, nullptr).value();
    Changes changes;
    for (std::size_t n = 1; n <= logs / 2; ++n) {
      Peer peer(Role::agent, light_key(n));
      for (SegmentRecord segment : {peer.open(), peer.define(1), peer.samples(kReadings)})
        changes.segments.push_back(std::move(segment));
      if (n % 1000 != 0 && n != logs / 2) continue;
      DUNLIN_CHECK(store.commit(changes).ok());
      changes = {};
    }
  }
  const auto seconds = [began = std::chrono::steady_clock::now()] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  };
  auto store = storage::LogStore::open(file, self->node(), *verifier, nullptr).value();
  auto contents = store.load().value();
  StartCost cost{.load_seconds = seconds()};
  DUNLIN_CHECK(contents.logs.size() == logs);
  const Gateway gateway(runtime::replica_start(std::move(contents)), *authority_key(true));
  cost.start_seconds = gateway.started_in();
  return cost;
}

}  // namespace dunlin::simulation
