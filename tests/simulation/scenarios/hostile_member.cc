// A member whose key is in hostile hands says what it likes wherever the broker lets a member
// write: false heads, two branches of its own log, vectors and acknowledgements in the name of
// others, requests for everything, what it heard, and garbage. The others lose nothing, double
// nothing and converge when it is quiet.
#include "common/codec/segment_codec.h"
#include "common/log/chain.h"
#include "common/runtime/topics.h"
#include "tests/simulation/run.h"

namespace dunlin::simulation {
namespace {

using namespace replication;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class HostileMember {
 public:
  HostileMember(Cluster& cluster, std::uint64_t seed)
      : cluster_(cluster),
        random_(seed ^ 0xbad),
        certificate_(
            fixed_certificate(*authority_key(false), {key_->node(), false, "agent-hostile"})) {
    cluster_.watch([this](std::size_t, const Output& output) {
      const auto* send = std::get_if<Send>(&output);
      if (send == nullptr || random_.below(4) != 0) return;
      if (heard_.size() < 100) return heard_.push_back(send->payload);
      heard_[random_.below(heard_.size())] = send->payload;
    });
  }

  void act() {
    switch (random_.below(8)) {
      case 0:
        return greet();
      case 1:
        return grow_a_branch();
      case 2:
        return lie_in_a_vector();
      case 3:
        return ask_for_everything();
      case 4:
        return acknowledge_in_anothers_name();
      case 5:
        return tell_a_wrong_time();
      case 6:
        return publish(some_topic(), heard());
      default: {
        Bytes noise = heard();
        for (int n = 0; n < 3 && !noise.empty(); ++n)
          noise[random_.below(noise.size())] ^= static_cast<std::uint8_t>(1 + random_.below(255));
        return publish(some_topic(), noise);
      }
    }
  }

 private:
  NodeId self() const { return key_->node(); }
  SimNode& somebody() { return cluster_.node(random_.below(cluster_.size())); }
  NodeId some_gateway() { return cluster_.node(random_.below(cluster_.gateways())).id(); }
  Bytes heard() { return heard_.empty() ? Bytes() : heard_[random_.below(heard_.size())]; }
  Hash some_hash() {
    Hash hash;
    for (auto& byte : hash) byte = static_cast<std::uint8_t>(random_.next());
    return hash;
  }

  // Where a member may write.
  std::pair<TopicClass, NodeId> some_topic() {
    switch (random_.below(5)) {
      case 0:
        return {TopicClass::hello, self()};
      case 1:
        return {TopicClass::live, self()};
      case 2:
        return {TopicClass::gossip, {}};
      case 3:
        return {TopicClass::bulk, {}};
      default:
        return {TopicClass::inbox, somebody().id()};
    }
  }
  void publish(std::pair<TopicClass, NodeId> topic, const Bytes& payload) {
    cluster_.inject(runtime::topic_name("sim", "cell", topic.first, topic.second), payload);
  }
  void say(std::pair<TopicClass, NodeId> topic, Message message) {
    publish(topic, encode_envelope({nonce_, ++counter_, std::move(message)}));
  }

  void greet() {
    Hello hello{.node = self(), .public_key = key_->public_key(), .name = "agent-hostile"};
    for (std::uint64_t n = random_.below(kHelloLogsMax); n > 0; --n)
      hello.heads.push_back({Epoch{random_.below(40)}, Track{random_.below(3)}, 1ULL << n % 60});
    if (random_.below(4) == 0) nonce_ = Nonce{random_.next()};
    hello.nonce = nonce_, hello.counter = ++counter_, hello.certificate = certificate_;
    hello.hlc = Hlc{random_.next() >> random_.below(64)};
    hello.signature = key_->sign(hello_statement(hello)).value();
    say({TopicClass::hello, self()}, std::move(hello));
  }

  // Its log begins anew each time, with other entries; now and then it goes on.
  void grow_a_branch() {
    const bool control = random_.below(2) == 0;
    const LogId log{self(), Epoch{random_.below(20)}, control ? kControlTrack : kSamplesTrack};
    Hash before = chain_start(log);
    Chain chain;
    const Seq last = 1 + random_.below(5);
    for (Seq seq = 1; seq <= last; ++seq) {
      Op op = TimeAnchor{random_.next(), "hostile", 1, 1, 1};
      if (control && seq == 1) op = Open{key_->public_key(), "agent-hostile"};
      if (control && seq == 2)
        op =
            Lost{Epoch{random_.below(20)}, kSamplesTrack, {{1, 1ULL << random_.below(60), {}, {}}}};
      if (control && seq == 3) op = Revoke{somebody().id(), {}};
      before = chain.add({seq, Hlc{random_.next()}, {std::move(op)}}, before).value().after;
    }
    const auto built = build_segments(log, chain_start(log), control ? 0 : 1, chain, *key_);
    Segments message;
    message.segments.push_back(built->front().bytes);
    const bool live = random_.below(2) == 0;
    say(live ? std::pair(TopicClass::live, self()) : std::pair(TopicClass::bulk, NodeId{}),
        std::move(message));
  }

  void lie_in_a_vector() {
    const NodeId of = somebody().id();
    const NodeId from = random_.below(2) == 0 ? self() : some_gateway();
    Vector vector{from, {}, random_.below(2) == 0};
    for (std::size_t i = 0; i < cluster_.size(); ++i) {
      if (!cluster_.node(i).up()) continue;
      const LogId log{cluster_.node(i).id(), cluster_.node(i).replica().epoch(),
                      random_.below(2) == 0 ? kControlTrack : kSamplesTrack};
      vector.logs.push_back({log, 1ULL << random_.below(40), some_hash(), {}});
    }
    const bool inbox = random_.below(2) == 0;
    say(inbox ? std::pair(TopicClass::inbox, of) : std::pair(TopicClass::gossip, NodeId{}),
        std::move(vector));
  }

  void ask_for_everything() {
    const SimNode& of = somebody();
    if (!of.up()) return;
    Fetch fetch{self(), 1 + random_.below(5), ~0ULL, {}};
    IntervalSet all;
    all.insert({1, 1ULL << 40});
    SimNode& whom = somebody();
    if (!whom.up()) return;
    fetch.wants.push_back({{whom.id(), whom.replica().epoch(), kSamplesTrack}, all});
    say({TopicClass::inbox, of.id()}, std::move(fetch));
  }

  void acknowledge_in_anothers_name() {
    SimNode& whom = somebody();
    if (!whom.up()) return;
    const LogId log{whom.id(), whom.replica().epoch(), kSamplesTrack};
    Ack ack{random_.below(2) == 0 ? self() : some_gateway(),
            whom.id(),
            whom.instance(),
            {{log, 1ULL << 40, some_hash(), {}}},
            {}};
    ack.signature = key_->sign(ack_statement(ack)).value();
    say({TopicClass::inbox, whom.id()}, std::move(ack));
  }

  void tell_a_wrong_time() {
    const NodeId whom = somebody().id();
    TimeReply reply{some_gateway(), whom, random_.below(100), 1'900'000'000'000'000, {}};
    reply.signature = key_->sign(time_statement(reply)).value();
    say({TopicClass::inbox, whom}, reply);
  }

  Cluster& cluster_;
  Random random_;
  std::unique_ptr<Signer> key_ = fixed_key(99);
  Bytes certificate_;
  Nonce nonce_{1};
  std::uint64_t counter_ = 0;
  std::vector<Bytes> heard_;
};

RunResult run(const RunOptions& options) {
  ClusterOptions fleet = random_options(options.seed);
  fleet.trace = options.trace;
  fleet.gateways = 1 + options.seed % 2;
  Cluster cluster(fleet);
  HostileMember member(cluster, options.seed);
  cluster.append_randomly(milliseconds(200), 20, seconds(30));
  for (int n = 0; n < 1500; ++n) cluster.after(milliseconds(20 * n), [&] { member.act(); });
  cluster.run_for(seconds(35));
  Problems problems =
      settle(cluster, {.crashes = false, .forks = true, .settles_within = minutes(1)});
  return finish(cluster, std::move(problems));
}

const Register kThis{{"hostile_member", "a member's key in hostile hands", run}};

}  // namespace
}  // namespace dunlin::simulation
