#include "tests/simulation/hostile_node.h"

#include <algorithm>

#include "common/codec/segment_codec.h"
#include "common/log/chain.h"
#include "common/log/limits.h"
#include "common/runtime/topics.h"
#include "tests/simulation/keys.h"

namespace dunlin::simulation {

using namespace replication;

namespace {

constexpr std::uint64_t kKey = 99, kStranger = 98;  // of nobody else in a cluster
const char* const kName = "hostile";

std::string name_of(TopicClass topic, const NodeId& writer, const NodeId& reader) {
  return runtime::topic_name("sim", "cell", topic, writer, reader);
}

}  // namespace

HostileNode::HostileNode(Cluster& cluster, Role role, std::uint64_t seed)
    : cluster_(cluster),
      role_(role),
      random_(seed ^ 0xbad),
      key_(fixed_key(kKey)),
      stranger_(fixed_key(kStranger)),
      certificate_(
          fixed_certificate(*authority_key(false), {key_->node(), role == Role::gateway, kName})) {
  cluster_.watch([this](std::size_t, const Output& output) {
    const auto* send = std::get_if<Send>(&output);
    if (send == nullptr || random_.below(4) != 0) return;
    if (heard_.size() < 100) return heard_.push_back(send->payload);
    heard_[random_.below(heard_.size())] = send->payload;
  });
}

void HostileNode::act() {
  switch (random_.below(8)) {
    case 0:
      return greet();
    case 1:
      return grow_a_branch();
    case 2:
    case 3:
      return lie_in_a_vector();
    case 4:
      return ask_for_everything();
    case 5:
      return acknowledge();
    case 6:
      return tell_a_wrong_time();
    default:
      return make_noise();
  }
}

void HostileNode::act_for(int times, Duration every) {
  for (int n = 0; n < times; ++n) cluster_.after(n * every, [this] { act(); });
}

SimNode& HostileNode::somebody() {
  return cluster_.node(random_.below(cluster_.size()));
}

NodeId HostileNode::some_gateway() {
  return cluster_.node(random_.below(cluster_.gateways())).id();
}

Bytes HostileNode::heard() {
  return heard_.empty() ? Bytes() : heard_[random_.below(heard_.size())];
}

Hash HostileNode::some_hash() {
  Hash hash;
  for (auto& byte : hash) byte = static_cast<std::uint8_t>(random_.next());
  return hash;
}

// Of the present epoch mostly, and of tracks that there are, mostly.
LogId HostileNode::some_log(SimNode& of) {
  const bool present = of.up() && random_.below(4) != 0;
  return {of.id(), present ? of.replica().epoch() : Epoch{random_.below(100)},
          Track{random_.below(4)}};
}

HostileNode::Place HostileNode::some_place() {
  constexpr TopicClass kTopics[] = {TopicClass::hello,  TopicClass::gate, TopicClass::live,
                                    TopicClass::gossip, TopicClass::bulk, TopicClass::inbox};
  const NodeId writer = random_.below(4) == 0 ? somebody().id() : id();
  return {kTopics[random_.below(std::size(kTopics))], writer, somebody().id()};
}

void HostileNode::publish(const Place& place, ByteView payload) {
  cluster_.inject(name_of(place.topic, place.writer, place.reader), payload);
}

Envelope HostileNode::envelope(Message message) {
  return {nonce_, ++counter_, std::move(message)};
}

void HostileNode::say(const Place& place, Message message) {
  publish(place, encode_envelope(envelope(std::move(message))));
}

void HostileNode::greet() {
  Hello hello{.node = id(), .public_key = key_->public_key(), .name = kName, .role = role_};
  for (std::uint64_t n = random_.below(kHelloLogsMax); n > 0; --n)
    hello.heads.push_back({Epoch{random_.below(40)}, Track{random_.below(3)}, 1ULL << n % 60});
  if (random_.below(4) == 0) nonce_ = Nonce{random_.next()};
  hello.nonce = nonce_, hello.counter = ++counter_, hello.certificate = certificate_;
  hello.hlc = Hlc{random_.next() >> random_.below(64)};
  hello.signature = key_->sign(hello_statement(hello)).value();
  say({is_gateway() ? TopicClass::gate : TopicClass::hello, id()}, std::move(hello));
}

// Its log begins anew each time, with other entries; now and then it is a stranger's.
void HostileNode::grow_a_branch() {
  const bool control = random_.below(2) == 0;
  Signer& signer = random_.below(4) == 0 ? *stranger_ : *key_;
  const LogId log{signer.node(), Epoch{random_.below(20)}, control ? kControlTrack : kSamplesTrack};
  Hash before = chain_start(log);
  Chain chain;
  const Seq last = 1 + random_.below(5);
  for (Seq seq = 1; seq <= last; ++seq) {
    Op op = TimeAnchor{random_.next(), "hostile", 1, 1, 1};
    if (control && seq == 1) op = Open{signer.public_key(), kName};
    if (control && seq == 2)
      op = Lost{Epoch{random_.below(20)}, kSamplesTrack, {{1, 1ULL << random_.below(60), {}, {}}}};
    if (control && seq == 3) op = Revoke{somebody().id(), {}};
    if (control && seq == 4)
      op = Seal{Epoch{random_.below(400)}, kSamplesTrack, random_.below(kSeqMax), some_hash()};
    before = chain.add({seq, Hlc{random_.next()}, {std::move(op)}}, before).value().after;
  }
  const auto built = build_segments(log, chain_start(log), control ? 0 : 1, chain, signer);
  Segments message;
  message.segments.push_back(built->front().bytes);
  const TopicClass topic = random_.below(2) == 0 ? TopicClass::live : TopicClass::bulk;
  say({topic, id()}, std::move(message));
}

// Of its own logs or of everybody's, as itself, as a gateway, or as the victim.
void HostileNode::lie_in_a_vector() {
  SimNode& victim = somebody();
  const NodeId writers[] = {id(), some_gateway(), victim.id()};
  const NodeId writer = writers[random_.below(std::size(writers))];
  Vector vector{{}, random_.below(2) == 0};
  std::set<LogId> logs;
  for (std::uint64_t n = 1 + random_.below(20); n > 0; --n)
    logs.insert(some_log(random_.below(2) == 0 ? victim : somebody()));
  for (const LogId& log : logs)
    vector.logs.push_back({log, 1ULL << random_.below(60), some_hash(), {}});
  const TopicClass topic = random_.below(2) == 0 ? TopicClass::inbox : TopicClass::gossip;
  say({topic, writer, victim.id()}, std::move(vector));
}

void HostileNode::ask_for_everything() {
  const NodeId requester = random_.below(2) == 0 ? id() : some_gateway();
  Fetch fetch{1 + random_.below(5), ~0ULL, {}};
  IntervalSet all;
  all.insert({1, 1ULL << 40});
  fetch.wants.push_back({some_log(somebody()), all});
  say({TopicClass::inbox, requester, somebody().id()}, std::move(fetch));
}

// In another's name, or of what it never had; half of it with the hashes that there are.
void HostileNode::acknowledge() {
  SimNode& whom = somebody();
  SimNode& gateway = cluster_.node(random_.below(cluster_.gateways()));
  if (!whom.up() || !gateway.up()) return;
  const bool as_itself = random_.below(2) == 0;
  const NodeId sender = as_itself ? id() : gateway.id();
  Ack ack{whom.id(), whom.instance(), {}, {}};
  std::map<LogId, Vector::Item> items;
  for (std::uint64_t n = 1 + random_.below(20); n > 0; --n) {
    const LogId log = some_log(whom);
    items[log] = {log, 1 + random_.below(1ULL << random_.below(40)), some_hash(), {}};
  }
  if (random_.below(2) == 0) {
    for (const NodeStatus& node : whom.replica().status(whom.moment()))
      for (const LogStatus& log : node.logs)
        if (node.node == whom.id() && log.proven > 0)
          items[log.log] = {log.log, log.proven, log.proven_hash, {}};
  }
  for (auto& [log, item] : items) ack.logs.push_back(std::move(item));
  Envelope signed_in = envelope({});
  if (!as_itself) signed_in.nonce = gateway.instance(), signed_in.counter += 1ULL << 40;
  ack.signature = key_->sign(ack_statement(sender, ack, signed_in)).value();
  if (as_itself && is_gateway())  // its word counts as long as it is one
    for (const Vector::Item& item : ack.logs) cluster_.audit().claimed(cluster_.size(), item);
  signed_in.message = std::move(ack);
  publish({TopicClass::inbox, sender, whom.id()}, encode_envelope(signed_in));
}

void HostileNode::tell_a_wrong_time() {
  const NodeId whom = somebody().id();
  const NodeId sender = some_gateway();
  TimeReply reply{whom, random_.below(100), 1'900'000'000'000'000, {}};
  reply.signature = key_->sign(time_statement(sender, reply)).value();
  say({TopicClass::inbox, sender, whom}, reply);
}

void HostileNode::make_noise() {
  Bytes noise = heard();
  if (random_.below(2) == 0) return publish(some_place(), noise);
  for (int n = 0; n < 3 && !noise.empty(); ++n)
    noise[random_.below(noise.size())] ^= static_cast<std::uint8_t>(1 + random_.below(255));
  publish(some_place(), noise);
}

void HostileNode::look(Problems& problems) const {
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    const auto contents = cluster_.node(i).contents();
    const bool clean = contents.ok() && std::none_of(contents->logs.begin(), contents->logs.end(),
                                                     [&](const LogState& state) {
                                                       return state.id().node == stranger_->node();
                                                     });
    if (!clean)
      problems.push_back(cluster_.node(i).client_id() + " has a log of who was never admitted");
  }
}

void revoke(Cluster& cluster, const NodeId& node) {
  const std::unique_ptr<Signer> authority = authority_key(false);
  const LogId log{authority->node(), Epoch{1}, kControlTrack};
  const Hash start = chain_start(log);
  Chain chain;
  const Hash open =
      chain.add({1, Hlc::of(1, 0), {Open{authority->public_key(), "authority"}}}, start)->after;
  (void)chain.add({2, Hlc::of(2, 0), {Revoke{node, {}}}}, open);
  Segments message{Lane::live, 0, true, {}};
  const auto built = build_segments(log, start, 0, chain, *authority).value();
  for (const SegmentRecord& segment : built) message.segments.push_back(segment.bytes);
  cluster.inject(name_of(TopicClass::authority, authority->node(), {}),
                 encode_envelope({Nonce{1}, 1, std::move(message)}));
}

}  // namespace dunlin::simulation
