#include "common/replication/replica.h"

#include <algorithm>

#include "common/base/check.h"

namespace dunlin::replication {

namespace {

// Whether a message may come on such a topic.
bool belongs_on(TopicClass topic, const Message& message) {
  if (std::holds_alternative<UnknownMessage>(message)) return true;
  switch (topic) {
    case TopicClass::hello:
    case TopicClass::gate:
      return std::holds_alternative<Hello>(message);
    case TopicClass::gossip:
      return std::holds_alternative<Vector>(message) || std::holds_alternative<Digest>(message);
    case TopicClass::authority:
    case TopicClass::live:
    case TopicClass::bulk:
      return std::holds_alternative<Segments>(message);
    case TopicClass::inbox:
      return !std::holds_alternative<Hello>(message);
  }
  return false;
}

bool says(const std::vector<std::string>& capabilities, std::string_view capability) {
  return std::ranges::find(capabilities, capability) != capabilities.end();
}

bool says_keeper(const std::vector<std::string>& capabilities) {
  return says(capabilities, kKeepsCell) || says(capabilities, kKeepsFleet) ||
         says(capabilities, kFollows);
}

Lane lane_of(const Message& message) {
  if (const auto* segments = std::get_if<Segments>(&message)) return segments->lane;
  return std::holds_alternative<Fetch>(message) ? Lane::bulk : Lane::live;
}

}  // namespace

Replica::Replica(ReplicaOptions options, Nonce nonce, Signer& signer, Verifier& verifier)
    : options_(std::move(options)),
      context_{signer,
               verifier,
               Random(options_.seed),
               nonce,
               {},
               Members(options_.admission),
               Whereabouts(options_.cells),
               Gateways(signer.node(), context_.where),
               {},
               {},
               {}},
      uplink_(context_, options_.uplink),
      origin_(context_, uplink_, options_.origin),
      rescue_(context_, origin_, uplink_),
      forwarder_(context_, followers_),
      receiver_(context_, forwarder_, options_.receiver,
                [this](const LogId& log) { return wants(log); }),
      follower_(context_, receiver_, options_.interest),
      anti_entropy_(context_, receiver_, options_.role,
                    options_.role == Role::agent && !options_.interest.beyond_cell()),
      authority_relay_(context_, receiver_, options_.role == Role::gateway),
      responder_(context_),
      time_sync_(context_) {
  if (context_.where.backbone()) anti_entropy_.keep(*context_.where.backbone());
  if (options_.interest.keeps_cell()) anti_entropy_.keep(0);
}

Result<void> Replica::start(const Moment& now, ReplicaStart start) {
  context_.epoch = start.epoch;
  context_.table.nodes = std::move(start.nodes);
  // By a clock that was wrong, then or now, nobody knows.
  for (auto& [node, record] : context_.table.nodes)
    if (record.last_seen > now.utc) record.last_seen = 0;
  if (options_.role == Role::gateway) sightings_due_ = now.mono + kSightingsPeriod;
  for (auto& [node, certificate] : start.certificates)
    context_.members.start(node, std::move(certificate));
  for (const auto& [at, revoke] : start.revocations) context_.members.revoke(at, revoke);
  (void)context_.members.take_revoked();  // no news
  for (LogState& state : start.logs) {
    const LogId id = state.id();
    LogRecord& log = context_.table.log(id);
    log.state = std::move(state);
    log.settle(now.mono);  // gaps age from here: who was away tells no better
  }
  context_.table.forked.insert(start.forked.begin(), start.forked.end());
  context_.clock.start(start.own_hlc);
  const std::uint64_t boot = options_.origin.boot;
  BootTime known{start.own_timeless_boot == boot && boot != 0, false};
  for (const TimeAnchor& anchor : start.own_anchors) {
    if (anchor.boot != boot || known.anchored) continue;
    known.anchored = true;
    context_.clock.learn(Instant(Duration(anchor.monotonic_us)), anchor.utc_us,
                         Duration(anchor.uncertainty_us));
  }
  DUNLIN_ASSIGN(will_, make_hello(now, NodeState::down));
  uplink_.start(now);
  DUNLIN_TRY(origin_.start(now, start.own_streams, start.own_lost, known));
  return after_step(now), Result<void>{};
}

struct Replica::Visitor {
  Replica& r;
  const Moment& now;

  Result<void> operator()(const Append& input) { return r.origin_.append(now, input); }
  Result<void> operator()(const Flush&) {
    r.origin_.flush(now);
    if (r.sightings_due_) r.keep_sightings(now);
    return {};
  }
  Result<void> operator()(const LinkUp&) { return r.on_link_up(now), Result<void>{}; }
  Result<void> operator()(const LinkDown&) { return r.on_link_down(), Result<void>{}; }
  Result<void> operator()(const Received& input) { return r.on_received(now, input); }
  Result<void> operator()(const WriteFinished& input) {
    if (r.sightings_token_ == input.token) return r.sightings_token_.reset(), Result<void>{};
    DUNLIN_CHECK(r.origin_.on_write_finished(now, input) ||
                 r.receiver_.on_write_finished(now, input));
    return {};
  }
  Result<void> operator()(const Reconsider& input) {
    r.receiver_.reconsider(now, input.refused);
    return {};
  }
  Result<void> operator()(const ReadFinished& input) {
    // An answer that nobody waits for belongs to a request that was replaced.
    if (!r.uplink_.on_read_finished(now, input) && !r.rescue_.on_read_finished(now, input) &&
        !r.authority_relay_.on_read_finished(input))
      (void)r.responder_.on_read_finished(now, input);
    return {};
  }
  Result<void> operator()(const OldestListed& input) {
    DUNLIN_CHECK(r.origin_.on_oldest_listed(now, input));
    return {};
  }
  Result<void> operator()(const StorageUsed& input) {
    r.context_.storage = {input.bytes, input.disk_free, input.written};
    return r.origin_.on_storage_used(input), Result<void>{};
  }
  Result<void> operator()(const Retire& input) { return r.on_retire(now, input), Result<void>{}; }
  Result<void> operator()(const DeadlinePassed&) {
    r.origin_.on_deadline(now);
    r.uplink_.on_deadline(now);
    r.rescue_.on_deadline(now);
    r.receiver_.on_deadline(now);
    r.follower_.on_deadline(now);
    r.forwarder_.on_deadline(now);
    r.anti_entropy_.on_deadline(now);
    r.authority_relay_.on_deadline(now);
    if (r.sightings_due_ && *r.sightings_due_ <= now.mono) r.keep_sightings(now);
    return {};
  }
};

Result<void> Replica::step(const Moment& now, Input input) {
  const Result<void> result = std::visit(Visitor{*this, now}, input);
  after_step(now);
  return result;
}

void Replica::after_step(const Moment& now) {
  for (const NodeId& node : context_.members.take_revoked()) expel(now, node);
  const Uplink::News news = uplink_.take_news();
  if (news.acks) origin_.on_acks_changed(now);
  for (const Uplink::Stray& stray : news.strays) {
    endings_.forget(stray.item.log);
    rescue_.begin(now, stray);
  }
  for (const Vector::Item& item : news.ended) endings_.heard(now, item);
  origin_.end_logs(now, endings_.take_due(now));
  rescue_.look(now);
  anti_entropy_.look(now);
  origin_.look_at_clock(now);
  const bool names_heads = news.confirmed && context_.link_up;  // its Hello did not yet
  if (time_sync_.look(now) || names_heads) publish_hello(now);
}

std::optional<Output> Replica::poll() {
  if (context_.outputs.empty()) return std::nullopt;
  Output output = std::move(context_.outputs.front());
  context_.outputs.pop_front();
  return output;
}

std::optional<Instant> Replica::next_deadline() const {
  std::optional<Instant> next = origin_.next_deadline();
  for (const std::optional<Instant>& other :
       {uplink_.next_deadline(), rescue_.next_deadline(), endings_.next_deadline(),
        receiver_.next_deadline(), follower_.next_deadline(), forwarder_.next_deadline(),
        anti_entropy_.next_deadline(), time_sync_.next_deadline(), authority_relay_.next_deadline(),
        sightings_due_}) {
    if (other) next = std::min(next.value_or(*other), *other);
  }
  return next;
}

// ---- presence ----

std::vector<std::string> Replica::capabilities() const {
  std::vector<std::string> capabilities{"columns", "zstd"};
  const Interest& interest = options_.interest;
  if (interest.keeps_cell()) capabilities.emplace_back(kKeepsCell);
  if (interest.scope == Interest::Scope::fleet) capabilities.emplace_back(kKeepsFleet);
  if (!interest.follows.empty()) capabilities.emplace_back(kFollows);
  return capabilities;
}

// Hello is a message like any other, but it travels retained and as the will, so its bytes are made
// here.
Result<Bytes> Replica::make_hello(const Moment& now, NodeState state) {
  Hello hello;
  hello.node = self();
  hello.public_key = context_.signer.public_key();
  hello.name = options_.origin.name;
  hello.role = options_.role;
  hello.state = state;
  if (state == NodeState::up) hello.heads = uplink_.own_heads();
  hello.capabilities = capabilities();
  hello.nonce = context_.nonce;
  hello.counter = ++context_.last_counter;
  hello.hlc = context_.clock.last();
  const std::optional<UtcMicros> utc = context_.clock.utc(now);
  // A will is sent by others, some time.
  if (utc && state == NodeState::up) hello.utc = std::clamp<UtcMicros>(*utc, 0, kLatestUtc);
  hello.certificate = options_.certificate;
  DUNLIN_ASSIGN(hello.signature, context_.signer.sign(hello_statement(hello)));
  const std::uint64_t counter = hello.counter;
  return encode_envelope({context_.nonce, counter, std::move(hello)});
}

void Replica::publish_hello(const Moment& now) {
  Result<Bytes> hello = make_hello(now, NodeState::up);
  time_sync_.announced(now);
  if (!hello.ok())
    return context_.notice(Notice::Kind::storage_failed, self(), hello.error().message());
  Stats::Traffic& sent = context_.stats.traffic[{false, Lane::live, "hello"}];
  sent.messages += 1;
  sent.bytes += hello->size();
  const TopicClass topic = presence_topic(keeps_others());
  context_.outputs.push_back(Send{topic, self(), *std::move(hello), Lane::live, "hello"});
}

void Replica::on_link_up(const Moment& now) {
  context_.link_up = true;
  publish_hello(now);
  authority_relay_.on_link_up(now);
  const bool gateway_near = std::any_of(peers_.begin(), peers_.end(), [](const auto& item) {
    return item.second.up && item.second.role == Role::gateway;
  });
  if (gateway_near) uplink_.push_newest(now);
}

// Whoever is still there says so again when the link returns: their Hello is retained.
void Replica::on_link_down() {
  context_.link_up = false;
  forwarder_.on_link_down();
  anti_entropy_.on_link_down();
  follower_.on_link_down();
  for (auto& [node, peer] : peers_) {
    if (peer.up) receiver_.on_peer_down(node);
    if (peer.up) context_.gateways.down(node);
    followers_.forget(node);
    peer.up = false;
  }
  responder_.on_link_down();
  authority_relay_.on_link_down();
  rescue_.on_link_down();
  time_sync_.on_link_down();
}

// What it says counts no more, and nobody is to find its Hello at the broker.
void Replica::expel(const Moment& now, const NodeId& node) {
  context_.notice(Notice::Kind::revoked, node, "the fleet's authority revoked it");
  on_peer_down(now, node);
  uplink_.forget(node);
  context_.table.touch(node);  // less of it counts
  const auto peer = peers_.find(node);
  const bool kept_others =
      is_gateway(node) || (peer != peers_.end() && says_keeper(peer->second.capabilities()));
  if (peer != peers_.end()) peers_.erase(peer);
  storage_of_.erase(node);
  context_.where.forget(node);
  if (options_.role == Role::gateway && node != self())
    clear_hello(node, presence_topic(kept_others));
}

bool Replica::is_gateway(const NodeId& node) const {
  const auto peer = peers_.find(node);
  return peer != peers_.end() && peer->second.role == Role::gateway;
}

const Bytes* Replica::key_of(const NodeId& node) const {
  const auto peer = peers_.find(node);
  const auto known = context_.table.nodes.find(node);
  if (peer == peers_.end() || !peer->second.up || known == context_.table.nodes.end())
    return nullptr;
  return known->second.public_key.empty() ? nullptr : &known->second.public_key;
}

void Replica::clear_hello(const NodeId& node, TopicClass topic) {
  context_.outputs.push_back(Send{topic, node, {}, Lane::live, "hello"});
}

void Replica::heard(const Moment& now, const Received& received, Nonce instance) {
  const NodeId& node = received.topic_node;
  auto it = peers_.find(node);
  if (it == peers_.end()) {
    // Its Hello never came: brokers lose retained messages, and some keep them to one of their
    // nodes.
    const auto record = context_.table.nodes.find(node);
    const bool known = record != context_.table.nodes.end() && !record->second.public_key.empty() &&
                       context_.members.check(node).ok();
    if (!keeps_others() || !known || !make_room_for_peer().ok()) return;
    it = peers_.emplace(node, Peer{}).first;
    it->second.name = record->second.name;
    it->second.nonce = instance;
    context_.where.heard(node, received.cell);
  }
  Peer& peer = it->second;
  peer.last_heard = now.mono;
  peer.last_heard_utc = now.utc;
  if (peer.up) return;
  peer.up = true;  // fresh traffic speaks louder than an old will
  on_peer_up(now, node, peer, received.cell);
}

void Replica::on_peer_up(const Moment& now, const NodeId& node, const Peer& peer, CellIndex cell) {
  const bool gateway = peer.role == Role::gateway;
  if (gateway) context_.gateways.up(node), follower_.on_gateway_up(now, node);
  if (!keeps_others()) return;
  const bool keeps = keeps_others(node, peer);
  receiver_.on_peer_up(now, node, peer.nonce, keeps);
  if (!gateway) answer_origin(node);
  if (keeps) meet(now, node, peer, cell);
}

// Who keeps logs of others may be in several cells, and may be heard in any of them first. Where an
// agent keeps all of a cell a gateway compares with it there; what it does with other gateways is
// the backbone's.
void Replica::meet(const Moment& now, const NodeId& node, const Peer& peer, CellIndex cell) {
  context_.where.heard(node, cell);
  const bool gateway = peer.role == Role::gateway;
  if (!is_replica(node, peer, cell)) return;
  if (!gateway && cell == context_.where.backbone()) context_.gateways.listens(node);
  if (options_.role == Role::gateway && !gateway && !anti_entropy_.keeps(cell)) {
    anti_entropy_.keep(cell);
    for (const auto& [other, its] : peers_) {
      if (its.up && is_replica(other, its, cell) && context_.where.met(other, cell))
        anti_entropy_.on_replica_up(now, other, cell);
    }
  }
  anti_entropy_.on_replica_up(now, node, cell);
}

bool Replica::keeps_others(const NodeId& node, const Peer& peer) const {
  return peer.role == Role::gateway || ((peer.compares || says_keeper(peer.capabilities())) &&
                                        context_.members.may_keep_cell(node));
}

bool Replica::is_replica(const NodeId& node, const Peer& peer, CellIndex cell) const {
  if (peer.role == Role::gateway) return true;
  if (cell == context_.where.backbone())
    return says(peer.capabilities(), kKeepsFleet) && context_.members.may_keep_fleet(node);
  return (peer.compares || says(peer.capabilities(), kKeepsCell)) &&
         context_.members.may_keep_cell(node);
}

bool Replica::wants(const LogId& log) const {
  const Interest& interest = options_.interest;
  if (options_.role == Role::gateway || interest.scope == Interest::Scope::fleet) return true;
  return (interest.keeps_cell() && !is_gateway(log.node)) || follower_.follows(log);
}

// An agent takes what it has an interest in: what others hand on in its cell may be for somebody
// else. Of its cell a node says what is its own, and answers come from who keeps logs of others,
// perhaps when the Fetch that asked for them is over.
bool Replica::takes(const Received& received, const LogId& log) const {
  if (received.cell == context_.where.backbone() || follower_.follows(log)) return true;
  if (!options_.interest.keeps_cell()) return false;
  if (received.topic_node == log.node) return true;
  const auto peer = peers_.find(received.topic_node);
  return received.topic == TopicClass::inbox && peer != peers_.end() &&
         keeps_others(peer->first, peer->second);
}

// Tells an origin what is here of its logs. A gateway does; where none is, some of those who keep
// the cell, each by chance, so that two do on average.
void Replica::answer_origin(const NodeId& node) {
  if (options_.role == Role::gateway) return receiver_.tell(node);
  if (!options_.interest.keeps_cell() || !context_.gateways.all().empty()) return;
  if (context_.random.below(1 + anti_entropy_.replicas(0)) < 2) receiver_.tell(node);
}

void Replica::on_peer_down(const Moment& now, const NodeId& node) {
  receiver_.on_peer_down(node);
  time_sync_.on_gateway_down(node);
  anti_entropy_.on_replica_down(node);
  follower_.on_gateway_down(node);
  followers_.forget(node);
  if (context_.gateways.all().contains(node)) {
    forwarder_.on_gateway_down(now, node);
  } else {
    context_.gateways.down(node);
  }
}

// Who was away longest is forgotten first; its logs are not.
Result<void> Replica::make_room_for_peer() {
  if (peers_.size() < kPeersMax) return {};
  auto oldest = peers_.end();
  for (auto it = peers_.begin(); it != peers_.end(); ++it) {
    if (it->second.up) continue;
    if (oldest == peers_.end() || it->second.last_heard < oldest->second.last_heard) oldest = it;
  }
  if (oldest == peers_.end())
    return {Errc::too_large, "more than " + std::to_string(kPeersMax) + " peers"};
  context_.where.forget(oldest->first);
  storage_of_.erase(oldest->first);
  peers_.erase(oldest);
  return {};
}

const std::vector<std::string>& Replica::Peer::capabilities() const {
  static const std::vector<std::string> kNone;
  return speaks ? speaks->capabilities : kNone;
}

void Replica::keep(Peer& peer, const Hello& heard) {
  NodeStatus::Protocol speaks{heard.minor, heard.capabilities};
  if (!speak_ || *speak_ != speaks)
    speak_ = std::make_shared<NodeStatus::Protocol>(std::move(speaks));
  peer.speaks = speak_;
  peer.compares = false;
  peer.role = heard.role;
  peer.name = heard.name;
  peer.nonce = heard.nonce;
  peer.counter = heard.counter;
  peer.public_key = heard.role == Role::gateway ? heard.public_key : Bytes();
}

Result<void> Replica::on_hello(const Moment& now, const Received& received, const Hello& hello,
                               const LaterFields& later) {
  const TopicClass topic =
      presence_topic(hello.role == Role::gateway || says_keeper(hello.capabilities));
  if (received.topic != topic || received.topic_node != hello.node ||
      node_id_of(hello.public_key) != hello.node) {
    return {Errc::bad_signature,
            "a Hello of " + hello.node.to_string() + " in another node's place"};
  }
  DUNLIN_TRY(
      context_.verifier.verify(hello.public_key, hello_statement(hello, later), hello.signature));
  if (hello.node == self()) {
    // A will of ours that came late would keep us down in everyone's eyes.
    if (hello.nonce == context_.nonce && hello.state == NodeState::down && context_.link_up)
      publish_hello(now);
    // Of a time when this node had another interest, to all who come later.
    if (topic != presence()) clear_hello(self(), topic);
    return {};
  }
  if (context_.members.revoked(hello.node) && received.retained && options_.role == Role::gateway)
    clear_hello(hello.node, topic);
  DUNLIN_ASSIGN(const bool admitted_now, context_.members.admit(hello));
  if (admitted_now && keeps_others())
    receiver_.keep({hello.node, hello.public_key, hello.name, hello.certificate});
  const auto known = peers_.find(hello.node);
  if (known == peers_.end()) DUNLIN_TRY(make_room_for_peer());
  const bool same_instance = known != peers_.end() && known->second.nonce == hello.nonce;
  if (hello.state == NodeState::down) {
    if (known != peers_.end() && !same_instance) return {};  // the will of a former instance
    Peer& peer = peers_[hello.node];
    if (peer.up) context_.notice(Notice::Kind::peer_down, hello.node, hello.name);
    peer.up = false;
    if (peer.last_heard == Instant{}) peer.last_heard = now.mono;
    // It lived at least when it said what will be its will, which was not after now.
    if (peer.last_heard_utc == 0)
      peer.last_heard_utc = std::min(now.utc, static_cast<UtcMicros>(hello.hlc.millis() * 1000));
    if (known == peers_.end()) {
      keep(peer, hello);
      context_.where.heard(hello.node, received.cell);
    }
    on_peer_down(now, hello.node);
    return {};
  }
  if (peers_[hello.node].instances.heard(hello.nonce, hello.counter)) {
    context_.stats.clones += 1;
    context_.notice(Notice::Kind::clone, hello.node,
                    "two machines run with the key of " + hello.name);
  }
  if (same_instance && known->second.up && hello.counter < known->second.counter) {
    if (keeps_others(hello.node, known->second))
      meet(now, hello.node, known->second, received.cell);
    return {};
  }

  Peer& peer = peers_[hello.node];
  const bool unseen = !peer.speaks;  // its traffic came first
  const bool fresh = !peer.up || !same_instance || unseen;
  if (!same_instance) peer.last_ack = 0;
  keep(peer, hello);
  const bool keeps = keeps_others(hello.node, peer);
  // A node that moved left a will in its former cell; who keeps logs of others may be in several.
  if (!keeps || !same_instance) context_.where.forget(hello.node);
  context_.where.heard(hello.node, received.cell);
  peer.up = true;
  peer.last_heard = now.mono;
  peer.last_heard_utc = now.utc;
  context_.clock.heard(now, hello.hlc);
  if (!received.retained) {
    peer.time = Peer::Time{hello.utc.has_value(),
                           Duration(hello.utc.value_or(0)) - now.mono.time_since_epoch()};
  } else if (!same_instance) {
    peer.time.reset();
  }
  if (fresh) context_.notice(Notice::Kind::peer_up, hello.node, hello.name);
  if (fresh && hello.role == Role::gateway)
    time_sync_.on_gateway_up(now, hello.node, !received.retained);
  if (fresh) context_.table.touch(hello.node);  // its cell is known
  if (fresh) on_peer_up(now, hello.node, peer, received.cell);
  follower_.met(hello.node, hello.name);
  // It may have lost its connection, and with it who follows.
  if (hello.role == Role::gateway && !received.retained) follower_.on_gateway_up(now, hello.node);
  if (keeps_others()) {
    if (keeps) meet(now, hello.node, peer, received.cell);
    for (const Hello::Head& head : hello.heads) {
      const LogId log{hello.node, head.epoch, head.track};
      if (wants(log)) DUNLIN_TRY(receiver_.on_claim(now, log, head.head));
    }
  }
  if (!fresh || !context_.link_up) return {};
  if (hello.role == Role::gateway)
    uplink_.push_newest(now);
  else if (keeps)
    uplink_.say_soon(now);  // what it said of our logs came before its Hello
  return {};
}

// ---- messages ----

Result<void> Replica::on_received(const Moment& now, const Received& received) {
  if (received.payload.empty()) {  // a retained message was cleared
    if (received.topic == TopicClass::authority) authority_relay_.publish_soon(now);
    return {};
  }
  // Brokers send us what we sent, where we listen to all.
  if (received.topic_node == self() &&
      (received.topic == TopicClass::live || received.topic == TopicClass::bulk))
    return {};
  Result<Envelope> envelope = decode_envelope(received.payload);
  Result<void> result;
  if (!envelope.ok()) {
    result = envelope.error();
  } else {
    Stats::Traffic& traffic =
        context_.stats.traffic[{true, lane_of(envelope->message), message_name(envelope->message)}];
    traffic.messages += 1;
    traffic.bytes += received.payload.size();
    struct Dispatch {
      Replica& r;
      const Moment& now;
      const Received& received;
      const Envelope& envelope;
      Result<void> operator()(const Hello& m) {
        if (m.nonce != envelope.nonce)
          return {Errc::bad_signature, "a Hello in another instance's envelope"};
        return r.on_hello(now, received, m, envelope.later);
      }
      Result<void> operator()(const Digest& m) { return r.on_digest(now, received, m, envelope); }
      Result<void> operator()(const Vector& m) {
        return r.on_vector(now, received, m, envelope.nonce);
      }
      Result<void> operator()(const Ack& m) {
        return r.on_ack(now, received.topic_node, m, envelope);
      }
      Result<void> operator()(const TimeQuery& m) {
        DUNLIN_TRY(r.context_.members.check(received.topic_node));
        return r.time_sync_.on_query(now, received.topic_node, m);
      }
      Result<void> operator()(const TimeReply& m) {
        return r.on_time_reply(now, received.topic_node, m, envelope.later);
      }
      Result<void> operator()(const Fetch& m) { return r.on_fetch(now, received.topic_node, m); }
      Result<void> operator()(const Segments& m) {
        return r.on_segments(now, received, m, envelope.nonce);
      }
      Result<void> operator()(const Follow& m) { return r.on_follow(now, received, m); }
      Result<void> operator()(const UnknownMessage&) {
        r.context_.stats.unknown.messages += 1;
        return {};
      }
    };
    if (!belongs_on(received.topic, envelope->message)) {
      result = Error{Errc::malformed, "a message on a topic that is not for it"};
    } else {
      result = std::visit(Dispatch{*this, now, received, *envelope}, envelope->message);
    }
    if (result.ok()) context_.stats.unknown.fields += envelope->later.items;
  }
  // Foreign mistakes are counted and told; they are nobody's error here.
  if (!result.ok()) context_.refuse(received.topic_node, result.error());
  return {};
}

Result<void> Replica::on_digest(const Moment& now, const Received& received, const Digest& digest,
                                const Envelope& envelope) {
  const NodeId& sender = received.topic_node;
  if (sender != self()) {
    DUNLIN_TRY(context_.members.check(sender));
    heard(now, received, envelope.nonce);
    // Its Hello may have been lost, which would have said so.
    const auto peer = peers_.find(sender);
    if (is_gateway(sender)) {
      meet(now, sender, peer->second, received.cell);
      // The answer to a Follow is no comparison.
      if (received.topic == TopicClass::inbox && digest.roots == DigestPair{})
        return follower_.on_answer(now, sender, digest), Result<void>{};
    }
    if (peer != peers_.end() && !keeps_others(peer->first, peer->second) &&
        context_.members.may_keep_cell(sender)) {
      peer->second.compares = true;
      on_peer_up(now, sender, peer->second, received.cell);
    }
  }
  return anti_entropy_.on_digest(now, received, digest, envelope.counter);
}

Result<void> Replica::on_vector(const Moment& now, const Received& received, const Vector& vector,
                                Nonce instance) {
  const NodeId& sender = received.topic_node;
  if (sender == self()) return {};
  DUNLIN_TRY(context_.members.check(sender));
  heard(now, received, instance);
  if (vector.storage && peers_.contains(sender)) storage_of_[sender] = *vector.storage;
  // Where no gateway is, those who keep the cell stand in for it.
  const bool stands_in = context_.gateways.all().empty() && received.topic == TopicClass::inbox &&
                         peers_.contains(sender) && keeps_others(sender, peers_.at(sender));
  if (is_gateway(sender) || stands_in)
    return uplink_.on_vector(now, sender, vector), Result<void>{};
  if (!keeps_others()) return {};
  // An origin that says how far its logs go is told what is here, whatever it claims; one that says
  // it to us alone wants it signed.
  answer_origin(sender);
  if (options_.role == Role::gateway && received.topic == TopicClass::inbox)
    receiver_.sign_soon(now, sender);
  for (const Vector::Item& item : vector.logs) {
    // A Hello or a segment has made its logs known, which it signed.
    if (item.log.node == sender && context_.table.find(item.log) != nullptr && wants(item.log))
      DUNLIN_TRY(receiver_.on_claim(now, item.log, item.head));
  }
  return {};
}

// A node gets back what is its own; gateways get all, and who keeps a cell, what is of that. What
// may be of another branch than the gateways have stays here until that is clear.
bool Replica::may_have(const NodeId& requester, const LogId& log) const {
  if (log.node == self() && !uplink_.may_serve(log)) return false;
  if (is_gateway(requester) || log.node == requester) return true;
  const auto peer = peers_.find(requester);
  if (peer == peers_.end() || !keeps_others(peer->first, peer->second)) return false;
  if (context_.members.may_keep_fleet(requester)) return true;
  if (options_.role == Role::agent && (log.node == self() || !options_.interest.beyond_cell()))
    return true;
  for (CellIndex cell = 0; cell < context_.where.cells(); ++cell) {
    if (cell != context_.where.backbone() && context_.where.met(log.node, cell) &&
        context_.where.met(requester, cell))
      return true;
  }
  return false;
}

// It is told all that is here of those nodes and that it may have, a message for each so many logs.
Result<void> Replica::on_follow(const Moment& now, const Received& received, const Follow& follow) {
  constexpr std::size_t kLogsPerMessage = 128;
  const NodeId& agent = received.topic_node;
  DUNLIN_TRY(context_.members.check(agent));
  if (options_.role != Role::gateway) return {};
  const auto peer = peers_.find(agent);
  if (peer == peers_.end() || !peer->second.up || !keeps_others(peer->first, peer->second))
    return {Errc::untrusted, "a Follow of node " + agent.to_string() + ", which is no keeper"};
  const bool everywhere = context_.members.may_keep_fleet(agent);
  if (!followers_.follow(now.mono, agent, received.cell,
                         everywhere ? follow.follows : std::vector<Followed>{}))
    return {};
  Digest::Leaf leaf{{}, true, {}};
  const auto answer = [&] {
    if (leaf.logs.empty()) return;
    context_.send_in(received.cell, TopicClass::inbox, agent, Lane::live,
                     {context_.nonce, ++context_.last_counter, Digest{{}, {}, {leaf}}});
    leaf.logs.clear();
  };
  for (const auto& [node, record] : context_.table.nodes) {
    const std::string& name = context_.name_of(node);
    if (!covers(follow.follows, name, kControlTrack)) continue;
    const auto [begin, end] = context_.table.of(node);
    for (auto it = begin; it != end; ++it) {
      const LogId& log = it->first;
      if (it->second.state.head() == 0 || !covers(follow.follows, name, log.track) ||
          !may_have(agent, log))
        continue;
      leaf.logs.push_back(anti_entropy_.log_of(log));
      if (leaf.logs.size() == kLogsPerMessage) answer();
    }
  }
  answer();
  return {};
}

Result<void> Replica::on_fetch(const Moment& now, const NodeId& requester, const Fetch& fetch) {
  DUNLIN_TRY(context_.members.check(requester));
  Fetch allowed = fetch;
  std::erase_if(allowed.wants,
                [&](const Fetch::Want& want) { return !may_have(requester, want.log); });
  if (allowed.wants.empty() && !fetch.wants.empty()) return {};
  return responder_.on_fetch(now, requester, allowed);
}

Result<void> Replica::on_ack(const Moment& now, const NodeId& sender, const Ack& ack,
                             const Envelope& envelope) {
  // What was signed for a former instance of ours, or of another, is no mistake.
  if (ack.origin != self() || ack.nonce != context_.nonce || !uplink_.ledger().counts(sender))
    return {};
  if (!is_gateway(sender)) return {Errc::bad_signature, "an Ack of a node that is no gateway"};
  Peer& peer = peers_.at(sender);
  // The latest word counts: one that lost its disk may have taken back what it said before. Of an
  // instance that nobody heard of yet it comes again.
  if (envelope.nonce != peer.nonce || envelope.counter <= peer.last_ack) return {};
  DUNLIN_TRY(context_.verifier.verify(peer.public_key, ack_statement(sender, ack, envelope),
                                      ack.signature));
  peer.last_ack = envelope.counter;
  uplink_.on_ack(now, sender, ack);
  return {};
}

Result<void> Replica::on_time_reply(const Moment& now, const NodeId& sender, const TimeReply& reply,
                                    const LaterFields& later) {
  if (!is_gateway(sender)) return {Errc::bad_signature, "the time from a node that is no gateway"};
  return time_sync_.on_reply(now, sender, reply, later, peers_.at(sender).public_key);
}

Result<void> Replica::on_segments(const Moment& now, const Received& received,
                                  const Segments& segments, Nonce instance) {
  if (received.topic == TopicClass::authority)
    return authority_relay_.on_segments(now, received.topic_node, segments);
  if (options_.role == Role::agent && received.topic == TopicClass::inbox)
    rescue_.on_segments(now, segments);
  if (!keeps_others()) return {};  // its own logs alone
  heard(now, received, instance);
  Segments fresh = segments;
  if (options_.role == Role::gateway && received.topic != TopicClass::inbox &&
      is_gateway(received.topic_node)) {
    forwarder_.heard(received.topic_node, received.cell, fresh);
    // What is handed on in a cell is for who follows there.
    if (received.cell != context_.where.backbone()) return {};
  }
  if (options_.role == Role::agent) {
    std::erase_if(fresh.segments, [&](const auto& bytes) {
      const Result<SegmentHeader> header = parse_segment(*bytes);
      return header.ok() && !takes(received, header->log);
    });
  }
  receiver_.on_segments(now, received.topic_node, received.cell, fresh, received.prepared);
  return {};
}

void Replica::on_retire(const Moment& now, const Retire& retire) {
  std::vector<OldSegment> own;
  std::vector<OldSegment> foreign;
  for (const OldSegment& old : retire.segments) {
    (old.release.log.node == self() ? own : foreign).push_back(old);
  }
  origin_.on_retire(now, own);
  receiver_.on_retire(foreign);
}

}  // namespace dunlin::replication
