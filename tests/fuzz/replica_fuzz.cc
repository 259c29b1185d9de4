// Bytes as operations on a replica: readings, messages of honest, broken and hostile peers in its
// cell and in the backbone, a store that is slow, fails or lies, clocks that jump, restarts; with
// an authority or without. After each, what left the replica must be true: nothing promised before
// it is durable, no message too large, nothing endless.
#include <fuzzer/FuzzedDataProvider.h>

#include <deque>
#include <optional>

#include "common/log/limits.h"
#include "common/runtime/replica_start.h"
#include "tests/fuzz/foreign_node.h"
#include "tests/fuzz/fuzz.h"
#include "tests/simulation/store/sim_store.h"

namespace dunlin::fuzz {

namespace {

using namespace replication;

constexpr Epoch kOwnEpoch{1};
constexpr std::size_t kWritingBytesMax = 4096;
constexpr std::size_t kWaitingBytesMax = 2048;
constexpr int kOutputsMax = 2000;  // of one step
constexpr int kDeadlinesAtOnceMax = 200;
constexpr int kPatience = 400;  // rounds until all that was appended is durable

ReplicaOptions options(Role role) {
  ReplicaOptions options;
  options.role = role;
  if (role == Role::gateway) options.cells.emplace_back(kBackboneName);
  options.origin.name = "fuzz";
  options.uplink.pushes = role == Role::agent;
  options.origin.tracks = {TrackPolicy{.flush_readings = 6, .bytes_max = 4096},
                           TrackPolicy{.name = "alarms",
                                       .track = track_of("alarms"),
                                       .flush_readings = 1,
                                       .overflow = Overflow::refuse_new}};
  options.origin.stream_tracks = {{"s2", "alarms"}};
  options.origin.storage_bytes_max = 16 * 1024;
  options.origin.unwritten_bytes_max = 4096;
  options.uplink.window_bytes = 2048;
  options.receiver = {.writing_bytes_max = kWritingBytesMax,
                      .waiting_bytes_max = kWaitingBytesMax,
                      .chunk_bytes = 1024,
                      .sessions_max = 1,
                      .logs_max = 6};
  return options;
}

class Machine {
 public:
  explicit Machine(ByteView input)
      : data_(input.data(), input.size()),
        options_(options(data_.ConsumeBool() ? Role::gateway : Role::agent)),
        closed_(data_.ConsumeBool()),
        store_(*medium_->open(signer_->node(), kOwnEpoch, *verifier_)) {
    if (closed_) {
      options_.admission = simulation::make_admission(*authority_, *verifier_);
      options_.certificate = certificate(*signer_, options_.role, "fuzz");
    }
    restart();
  }

  void run() {
    while (data_.remaining_bytes() > 0) operate();
    settle();
    check_status();
  }

 private:
  void operate() {
    static constexpr void (Machine::*kOperations[])() = {
        &Machine::append,       &Machine::append,   &Machine::answer,    &Machine::answer,
        &Machine::pass_time,    &Machine::hello,    &Machine::vector,    &Machine::fetch,
        &Machine::segments,     &Machine::segments, &Machine::raw,       &Machine::link,
        &Machine::tell_space,   &Machine::retire,   &Machine::set_clock, &Machine::restart,
        &Machine::check_status, &Machine::flush,    &Machine::digest,    &Machine::follow,
    };
    (this->*data_.PickValueInArray(kOperations))();
  }

  std::uint64_t below(std::uint64_t bound) {
    return data_.ConsumeIntegralInRange<std::uint64_t>(0, bound - 1);
  }

  // ---- the device ----

  void append() {
    StreamSchema schema{"s" + std::to_string(below(3)), {}};
    const std::size_t fields = 1 + below(3);
    for (std::size_t i = 0; i < fields; ++i) {
      // Mostly the same types, so that most readings are taken.
      const auto odd = below(8) == 0 ? below(5) : i;
      const auto type = static_cast<FieldType>(odd % 5);
      const auto decimals = static_cast<std::uint8_t>(type == FieldType::decimal ? below(4) : 0);
      schema.fields.push_back({"f" + std::to_string(i), type, "", decimals});
    }
    Rows rows(fields);
    for (std::uint64_t n = 1 + below(4); n > 0; --n) {
      rows.begin_row(data_.ConsumeBool() ? utc_ : data_.ConsumeIntegral<std::int64_t>());
      for (const Field& field : schema.fields) add_cell(rows, field.type);
    }
    const std::uint64_t readings = rows.size();
    const Ticket ticket = ++last_ticket_;
    if (step(Append{std::move(schema), std::move(rows), data_.ConsumeBool(), ticket}).ok()) {
      appended_.emplace_back(ticket, readings);
    }
    drain();
  }

  void add_cell(Rows& rows, FieldType type) {
    if (data_.ConsumeBool()) return rows.add_missing();
    switch (type) {
      case FieldType::float64:
        return rows.add_real(data_.ConsumeFloatingPoint<double>());
      case FieldType::int64:
      case FieldType::decimal:
        return rows.add_integer(data_.ConsumeIntegral<std::int64_t>());
      case FieldType::boolean:
        return rows.add_boolean(data_.ConsumeBool());
      case FieldType::text:
        return rows.add_text(std::string(below(2) == 0 ? below(5) : below(2000), 'x'));
    }
  }

  void flush() { input(Flush{}); }
  void link() {
    if (data_.ConsumeBool()) return input(LinkUp{});
    input(LinkDown{});
  }

  void set_clock() {
    synchronised_ = data_.ConsumeBool();
    utc_ = data_.ConsumeBool() ? 1'760'000'000'000'000
                               : data_.ConsumeIntegralInRange<std::int64_t>(0, 1LL << 52);
  }

  void pass_time() {
    static constexpr std::int64_t kSteps[] = {0,         1'000,      60'000,
                                              2'000'000, 40'000'000, 1'000'000'000};
    advance(Duration(data_.PickValueInArray(kSteps)));
  }

  void advance(Duration by) {
    now_ += by;
    utc_ += by.count();
    for (int n = 0; replica_->next_deadline().value_or(Instant::max()) <= now_; ++n) {
      DUNLIN_CHECK(n < kDeadlinesAtOnceMax);
      input(DeadlinePassed{});
    }
  }

  // ---- storage ----

  void answer() { answer_front(below(8)); }

  void answer_front(std::uint64_t luck) {
    if (requests_.empty()) return;
    const Output request = std::move(requests_.front());
    requests_.pop_front();
    const Error failure{Errc::io, "simulated"};
    if (const auto* write = std::get_if<Write>(&request)) {
      for (const SegmentRecord& segment : write->segments) {
        if (segment.info.log.node != signer_->node()) writing_bytes_ -= segment.bytes->size();
      }
      if (luck == 0) return input(WriteFinished{write->token, failure});
      std::vector<WriteOutcome> outcomes = commit(*write);
      if (luck == 1) return input(WriteFinished{write->token, failure});  // yet stored
      input(WriteFinished{write->token, std::move(outcomes)});
    } else if (const auto* read = std::get_if<Read>(&request)) {
      if (luck == 0) return input(ReadFinished{read->token, failure});
      input(ReadFinished{read->token, store_->read(read->log, read->interval, read->bytes_max)});
    } else if (const auto* list = std::get_if<ListOldest>(&request)) {
      if (luck == 0) return input(OldestListed{list->token, failure});
      input(OldestListed{list->token, store_->oldest(list->log, list->bytes_min, list->from)});
    }
  }

  std::vector<WriteOutcome> commit(const Write& write) {
    Result<std::vector<WriteOutcome>> outcomes = store_->commit(write);
    DUNLIN_CHECK(outcomes.ok() && outcomes->size() == write.segments.size());
    for (std::size_t i = 0; i < outcomes->size(); ++i) {
      const WriteOutcome::Kind kind = (*outcomes)[i].kind;
      const SegmentInfo& info = write.segments[i].info;
      if (kind == WriteOutcome::Kind::won) settled_[info.log].erase({info.first, ~Seq{0}});
      if (kind == WriteOutcome::Kind::won || kind == WriteOutcome::Kind::stored)
        stored(write.segments[i]);
    }
    return *std::move(outcomes);
  }

  void stored(const SegmentRecord& segment) {
    const SegmentInfo& info = segment.info;
    settled_[info.log].insert(info.interval());
    if (info.log.node == signer_->node()) own_readings_ever_ += info.readings;
    for (const Entry& entry : segment.control) {
      for (const Op& op : entry.ops) {
        const auto* lost = std::get_if<Lost>(&op);
        if (lost == nullptr) continue;
        IntervalSet& settled = settled_[{info.log.node, lost->epoch, lost->track}];
        for (const LostRange& range : lost->ranges) settled.insert({range.first, range.last});
      }
    }
  }

  void tell_space() {
    StorageUsed used{*store_->used_bytes(), 1ULL << 40, {}};
    for (const LogId& log : store_->logs()) {
      const bool own = log.node == signer_->node() && log.track != kControlTrack;
      if (own) used.own[log] = store_->log_bytes(log);
    }
    if (data_.ConsumeBool()) used.bytes = below(64 * 1024);
    input(std::move(used));
  }

  void retire() {
    const std::vector<LogId> logs = store_->logs();
    if (logs.empty()) return;
    const LogId& log = logs[below(logs.size())];
    if (log.track == kControlTrack) return;  // never pruned
    input(Retire{*store_->oldest(log, below(1000))});
  }

  // What was neither durable nor promised is gone; the store stays.
  void restart() {
    requests_.clear();
    appended_.clear();
    writing_bytes_ = 0;
    last_token_ = 0;
    committed_before_ = own_readings_ever_;
    durable_ = last_ticket_ = 0;
    options_.origin.boot += 1;
    options_.seed = below(4);
    replica_.emplace(options_, Nonce{++nonce_}, *signer_, *verifier_);
    DUNLIN_CHECK(replica_->start(moment(), contents()).ok());
    drain();
  }

  ReplicaStart contents() {
    Result<simulation::SimStore::Contents> held = store_->load();
    DUNLIN_CHECK(held.ok());
    return runtime::replica_start(*std::move(held));
  }

  // ---- peers ----

  const ForeignNode& peer() {
    static const ForeignNode kPeers[] = {ForeignNode(1), ForeignNode(2), ForeignNode(3)};
    return kPeers[below(3)];
  }

  Bytes certificate(const Signer& of, Role role, const std::string& name) {
    return simulation::fixed_certificate(*authority_, {of.node(), role == Role::gateway, name});
  }

  LogId some_log(const ForeignNode& node) {
    const Track track = data_.ConsumeBool() ? kSamplesTrack : kControlTrack;
    switch (below(8)) {
      case 0:
        return {node.signer->node(), Epoch{below(100)}, Track{below(100)}};
      case 1:
      case 2:
      case 3:
        return {signer_->node(), kOwnEpoch, track};
      default:
        return {node.signer->node(), ForeignNode::kEpoch, track};
    }
  }

  Seq some_seq() { return below(8) == 0 ? below(kSeqMax) + 1 : below(12) + 1; }

  IntervalSet some_set(std::uint64_t intervals_max) {
    IntervalSet set;
    for (std::uint64_t n = below(intervals_max + 1); n > 0; --n) {
      const Seq first = some_seq();
      set.insert({first, std::min(kSeqMax, first + below(5))});
    }
    return set;
  }

  void hello() {
    const ForeignNode& node = peer();
    Hello hello;
    hello.node = node.signer->node();
    hello.public_key = node.signer->public_key();
    hello.name = "other";
    hello.role = data_.ConsumeBool() ? Role::gateway : Role::agent;
    hello.state = below(4) == 0 ? NodeState::down : NodeState::up;
    hello.nonce = Nonce{below(3)};
    hello.counter = below(100);
    for (std::uint64_t n = below(3); n > 0; --n) {
      hello.heads.push_back({ForeignNode::kEpoch, Track{n - 1}, some_seq()});
    }
    if (closed_ && below(8) != 0)
      hello.certificate = certificate(*node.signer, hello.role, "other");
    hello.signature = *node.signer->sign(hello_statement(hello));
    const TopicClass topic = presence_topic(hello.role == Role::gateway);
    const Nonce nonce = hello.nonce;
    receive(topic, hello.node, {nonce, 1, std::move(hello)});
  }

  void vector() {
    const ForeignNode& node = peer();
    Vector vector;
    for (std::uint64_t n = below(4); n > 0; --n) {
      Vector::Item item{some_log(node), some_seq(), {}, {}};
      if (below(4) == 0) item.log.node = signer_->node();
      if (below(4) == 0) item.log.epoch = replica_->epoch();
      item.missing = some_set(3);
      if (item.head < kSeqMax) item.missing.erase({item.head + 1, kSeqMax});
      vector.logs.push_back(std::move(item));
    }
    std::sort(vector.logs.begin(), vector.logs.end(),
              [](const auto& a, const auto& b) { return a.log < b.log; });
    receive(TopicClass::gossip, node.signer->node(), {Nonce{1}, 1, std::move(vector)});
  }

  // A place, most often one that some log stands under.
  TriePath some_path(const ForeignNode& node) {
    TriePath path;
    const TrieKey key = trie_key(some_log(node));
    for (std::uint64_t depth = below(5); depth > 0; --depth) {
      const unsigned nibble = TriePath::step(key, path.depth());
      path = path.child(below(8) == 0 ? nibble ^ 1U : nibble);
    }
    return path;
  }

  void digest() {
    const ForeignNode& node = peer();
    Digest digest{last_roots_, {}, {}};
    if (below(4) != 0) digest.roots.head.fill(static_cast<std::uint8_t>(below(3)));
    for (std::uint64_t n = below(4); n > 0; --n) {
      Digest::Place place{some_path(node), {}};
      for (auto& child : place.children) child.fill(static_cast<std::uint8_t>(below(2)));
      digest.places.push_back(place);
    }
    for (std::uint64_t n = below(4); n > 0; --n) {
      Digest::Leaf leaf{some_path(node), data_.ConsumeBool(), {}};
      for (std::uint64_t logs = below(4); logs > 0; --logs) {
        Digest::Log log{{some_log(peer()), some_seq(), {}, some_set(3)}, 1};
        if (log.item.head < kSeqMax) log.item.missing.erase({log.item.head + 1, kSeqMax});
        if (below(2) == 0) log.floor = 1 + below(log.item.head + 1);
        leaf.logs.push_back(std::move(log));
      }
      digest.leaves.push_back(std::move(leaf));
    }
    const TopicClass topic = data_.ConsumeBool() ? TopicClass::gossip : TopicClass::inbox;
    receive(topic, node.signer->node(), {Nonce{below(3)}, 1, std::move(digest)});
  }

  void follow() {
    Follow follow;
    for (std::uint64_t n = below(4); n > 0; --n) {
      follow.follows.push_back({below(2) == 0 ? "other" : "peer", {}});
      if (below(2) == 0) follow.follows.back().track = Track{below(3)};
    }
    receive(TopicClass::inbox, peer().signer->node(), {Nonce{1}, 1, std::move(follow)});
  }

  void fetch() {
    const ForeignNode& node = peer();
    Fetch fetch{1 + below(3), below(100'000), {}};
    for (std::uint64_t n = below(3); n > 0; --n) {
      IntervalSet wanted = some_set(3);
      if (!wanted.empty()) fetch.wants.push_back({some_log(node), std::move(wanted)});
    }
    receive(TopicClass::inbox, node.signer->node(), {Nonce{1}, 1, std::move(fetch)});
  }

  void segments() {
    const ForeignNode& node = peer();
    Segments message;
    message.lane = data_.ConsumeBool() ? Lane::live : Lane::bulk;
    message.request = message.lane == Lane::bulk ? last_request_ : 0;
    message.done = message.lane == Lane::bulk && data_.ConsumeBool();
    const ForeignNode& of = below(3) == 0 ? peer() : node;  // it may bring what is not its own
    for (std::uint64_t n = below(3); n > 0; --n)
      message.certificates.push_back(certificate(*peer().signer, Role::agent, "other"));
    for (std::uint64_t n = below(6); n > 0; --n) {
      std::shared_ptr<const Bytes> bytes = of.segments[below(of.segments.size())];
      if (below(16) == 0) {
        Bytes broken = *bytes;
        broken[below(broken.size())] ^= static_cast<std::uint8_t>(1 + below(255));
        bytes = std::make_shared<const Bytes>(std::move(broken));
      }
      message.segments.push_back(std::move(bytes));
    }
    const bool live = message.lane == Lane::live;
    receive(live ? TopicClass::live : TopicClass::inbox, node.signer->node(),
            {Nonce{1}, 1, std::move(message)});
  }

  void receive(TopicClass topic, const NodeId& node, Envelope envelope) {
    input(Received{topic, node, encode_envelope(envelope), false, some_cell()});
  }
  CellIndex some_cell() { return static_cast<CellIndex>(below(options_.cells.size())); }

  void raw() {
    const std::string payload = data_.ConsumeRandomLengthString(300);
    const ByteView bytes = as_bytes(payload);
    const NodeId node = peer().signer->node();
    const auto topic = static_cast<TopicClass>(below(7));
    input(Received{topic, node, Bytes(bytes.begin(), bytes.end()), false, some_cell()});
  }

  // ---- what comes out ----

  Moment moment() const { return {now_, utc_, synchronised_}; }
  Result<void> step(Input input) { return replica_->step(moment(), std::move(input)); }

  void input(Input input) {
    const bool append = std::holds_alternative<Append>(input);
    DUNLIN_CHECK(step(std::move(input)).ok() || append);  // foreign mistakes are nobody's error
    drain();
  }

  void drain() {
    for (int n = 0; std::optional<Output> output = replica_->poll(); ++n) {
      DUNLIN_CHECK(n < kOutputsMax);
      if (const auto* send = std::get_if<Send>(&*output)) {
        check(*send);
      } else if (const auto* durable = std::get_if<Durable>(&*output)) {
        check(*durable);
      } else if (const auto* write = std::get_if<Write>(&*output)) {
        check(*write);
        requests_.push_back(std::move(*output));
      } else if (const auto* read = std::get_if<Read>(&*output)) {
        new_token(read->token);
        requests_.push_back(std::move(*output));
      } else if (const auto* list = std::get_if<ListOldest>(&*output)) {
        new_token(list->token);
        requests_.push_back(std::move(*output));
      }
    }
    DUNLIN_CHECK(writing_bytes_ <= kWritingBytesMax + kWaitingBytesMax + kSegmentBytesMax);
  }

  void new_token(Token token) {
    DUNLIN_CHECK(token > last_token_);
    last_token_ = token;
  }

  void check(const Write& write) {
    if (write.token > last_token_) last_token_ = write.token;  // a write that failed comes again
    for (const SegmentRecord& segment : write.segments) {
      const Result<SegmentHeader> header = parse_segment(*segment.bytes);
      DUNLIN_CHECK(header.ok() && header->log == segment.info.log);
      if (header->log.node != signer_->node()) {
        writing_bytes_ += segment.bytes->size();
        continue;
      }
      const Bytes statement = head_statement(header->log, header->last, segment.info.after);
      DUNLIN_CHECK(verifier_->verify(signer_->public_key(), statement, header->signature).ok());
    }
  }

  void check(const Durable& durable) {
    DUNLIN_CHECK(durable.ticket > durable_ && durable.ticket <= last_ticket_);
    durable_ = durable.ticket;
    std::uint64_t promised = 0;
    for (const auto& [ticket, readings] : appended_) promised += ticket <= durable_ ? readings : 0;
    DUNLIN_CHECK(own_readings_ever_ - committed_before_ >= promised);
  }

  void check(const Send& send) {
    DUNLIN_CHECK(send.payload.size() <= kMessageBytesMax);
    const Result<Envelope> envelope = decode_envelope(send.payload);
    DUNLIN_CHECK(envelope.ok());
    if (const auto* hello = std::get_if<Hello>(&envelope->message)) {
      for (const Hello::Head& head : hello->heads) {
        const IntervalSet& settled = settled_[{signer_->node(), head.epoch, head.track}];
        DUNLIN_CHECK(head.head <= settled.last().value_or(0));
      }
    } else if (const auto* vector = std::get_if<Vector>(&envelope->message)) {
      for (const Vector::Item& item : vector->logs) {
        IntervalSet claimed;
        claimed.insert({1, item.head});
        claimed.erase(item.missing);
        claimed.erase(settled_[item.log]);
        DUNLIN_CHECK(claimed.empty());
      }
    } else if (const auto* digest = std::get_if<Digest>(&envelope->message)) {
      last_roots_ = digest->roots;
      for (const Digest::Leaf& leaf : digest->leaves) {
        for (const Digest::Log& log : leaf.logs) check(log);
      }
    } else if (const auto* segments = std::get_if<Segments>(&envelope->message)) {
      for (const auto& bytes : segments->segments) {
        const Result<SegmentHeader> header = parse_segment(*bytes);
        DUNLIN_CHECK(header.ok());
        DUNLIN_CHECK(settled_[header->log].contains(Interval{header->first, header->last}));
      }
    } else if (const auto* fetch = std::get_if<Fetch>(&envelope->message)) {
      last_request_ = fetch->request;
    }
  }

  // Few of these have many pieces, of which some would be left out.
  void check(const Digest::Log& log) {
    IntervalSet claimed;
    if (log.floor <= log.item.head) claimed.insert({log.floor, log.item.head});
    claimed.erase(log.item.missing);
    claimed.erase(settled_[log.item.log]);
    DUNLIN_CHECK(claimed.empty());
  }

  void check_status() {
    for (const NodeStatus& node : replica_->status(moment())) {
      for (const LogStatus& log : node.logs) {
        DUNLIN_CHECK(log.complete <= log.head);
        DUNLIN_CHECK(log.missing.count() == log.missing_entries);
        DUNLIN_CHECK(log.missing.last().value_or(0) <= log.head);
        DUNLIN_CHECK(log.missing.empty() == (log.complete == log.head));
      }
    }
  }

  // With a store that works again, all that was taken becomes durable.
  void settle() {
    const Ticket taken = appended_.empty() ? 0 : appended_.back().first;
    input(Flush{});
    for (int n = 0; durable_ < taken; ++n) {
      DUNLIN_CHECK(n < kPatience);
      while (!requests_.empty()) answer_front(7);
      const std::optional<Instant> next = replica_->next_deadline();
      DUNLIN_CHECK(next.has_value() || durable_ >= taken);
      if (durable_ < taken) advance(std::max(Duration{}, *next - now_));
    }
  }

  FuzzedDataProvider data_;
  ReplicaOptions options_;
  const bool closed_;  // the fleet has an authority
  const std::unique_ptr<Signer> authority_ = simulation::authority_key(true);
  const std::unique_ptr<Signer> signer_ = simulation::light_key(0);
  const std::unique_ptr<Verifier> verifier_ = simulation::make_light_verifier();
  const std::unique_ptr<simulation::Medium> medium_ = simulation::make_memory_medium(1);
  const std::unique_ptr<simulation::SimStore> store_;
  std::optional<Replica> replica_;
  std::deque<Output> requests_;
  std::map<LogId, IntervalSet> settled_;  // what was ever durable here or declared lost
  std::uint64_t own_readings_ever_ = 0;

  Instant now_{std::chrono::hours(1)};
  UtcMicros utc_ = 1'760'000'000'000'000;
  bool synchronised_ = true;
  std::uint64_t nonce_ = 1000;
  Ticket last_ticket_ = 0;
  Ticket durable_ = 0;
  Token last_token_ = 0;
  std::uint64_t last_request_ = 0;
  DigestPair last_roots_;                                   // that it said
  std::vector<std::pair<Ticket, std::uint64_t>> appended_;  // since the start: ticket, readings
  std::uint64_t committed_before_ = 0;                      // own readings, when it started
  std::size_t writing_bytes_ = 0;                           // of others, on the way to storage
};

}  // namespace

void take(ByteView input) {
  if (input.empty()) return;
  Machine(input).run();
}

}  // namespace dunlin::fuzz
