#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/runtime/replica_start.h"
#include "tests/support/peer.h"
#include "tests/support/temp_dir.h"

namespace dunlin::replication::test {

using dunlin::test::Peer;
using dunlin::test::SegmentMaker;
using namespace std::chrono_literals;

inline const StreamSchema kNoise{
    "noise", {{"n", FieldType::int64, "", 0}, {"text", FieldType::text, "", 0}}};

// One replica in the test's hand, with a real store. Time stands still until pass(); nothing is
// written, read or listed until serve() or finish(); what comes out waits to be taken.
class ReplicaTest : public testing::Test {
 protected:
  // From what the store holds, as a new instance.
  void start(ReplicaOptions options) {
    replica_.reset();
    store_.reset();
    outputs_.clear();
    storage::LogStore::Options file{.path = folder_.file("log.db"), .fresh_epoch = Epoch{7}};
    if (options.admission != nullptr) file.authority = options.admission->authority();
    auto store = storage::LogStore::open(file, key_->node(), *verifier_, nullptr);
    ASSERT_TRUE(store.ok()) << store.error().message();
    store_ = std::make_unique<storage::LogStore>(*std::move(store));
    auto contents = store_->load().value();
    nonce_.value += 1;
    replica_ = std::make_unique<Replica>(std::move(options), nonce_, *key_, *verifier_);
    ASSERT_TRUE(replica_->start(now_, runtime::replica_start(std::move(contents))).ok());
    collect();
  }
  static ReplicaOptions agent_options() {
    ReplicaOptions options;
    options.origin.name = "agent";
    options.origin.tracks[0].flush_interval = 1h;
    return options;
  }
  static ReplicaOptions gateway_options() {
    ReplicaOptions options;
    options.role = Role::gateway;
    options.origin.name = "gateway";
    options.uplink.pushes = false;
    return options;
  }

  Result<void> step(Input input) {
    Result<void> result = replica_->step(now_, std::move(input));
    collect();
    return result;
  }
  // Lets time pass, with every deadline at its time.
  void pass(Duration time) {
    const Instant end = now_.mono + time;
    for (int i = 0; i < 10'000; ++i) {
      const std::optional<Instant> next = replica_->next_deadline();
      const Instant at = std::min(end, std::max(now_.mono, next.value_or(end)));
      now_.utc += (at - now_.mono).count();
      now_.mono = at;
      if (next && *next <= at) (void)step(DeadlinePassed{});
      if (at == end) return;
    }
    ADD_FAILURE() << "its deadlines never end";
  }

  // Takes what came out of one kind.
  template <typename T>
  std::vector<T> take() {
    std::vector<T> found;
    std::vector<Output> rest;
    for (Output& output : std::exchange(outputs_, {})) {
      T* item = std::get_if<T>(&output);
      item != nullptr ? found.push_back(std::move(*item)) : rest.push_back(std::move(output));
    }
    outputs_ = std::move(rest);
    return found;
  }
  // The same of sent messages of one kind.
  template <typename T>
  std::vector<T> sent() {
    std::vector<T> found;
    for (Send& send : take<Send>()) {
      auto envelope = decode_envelope(send.payload);
      EXPECT_TRUE(envelope.ok());
      T* message = std::get_if<T>(&envelope->message);
      message != nullptr ? found.push_back(std::move(*message))
                         : unseen_.push_back(std::move(send));
    }
    for (Send& send : std::exchange(unseen_, {})) outputs_.emplace_back(std::move(send));
    return found;
  }

  // Storage.
  void finish(const Write& write) {
    auto outcomes = store_->commit(write);
    ASSERT_TRUE(outcomes.ok()) << outcomes.error().message();
    (void)step(WriteFinished{write.token, *std::move(outcomes)});
  }
  void fail(const Write& write, Errc code = Errc::io) {
    (void)step(WriteFinished{write.token, Error{code, "a test said so"}});
  }
  void answer(const Read& read) {
    (void)step(ReadFinished{read.token, store_->read(read.log, read.interval, read.bytes_max)});
  }
  void answer(const ListOldest& list) {
    (void)step(OldestListed{list.token, store_->oldest(list.log, list.bytes_min, list.from)});
  }
  // Does what was asked for, and what is asked for then, until nothing is.
  void serve() {
    for (int quiet = 0; quiet < 2;) {
      const auto writes = take<Write>();
      const auto reads = take<Read>();
      const auto lists = take<ListOldest>();
      for (const Write& write : writes) finish(write);
      for (const Read& read : reads) answer(read);
      for (const ListOldest& list : lists) answer(list);
      quiet = writes.empty() && reads.empty() && lists.empty() ? quiet + 1 : 0;
      if (quiet > 0) pass(5ms);  // writes may keep some distance
    }
  }

  // The bus.
  void hear(TopicClass topic, const NodeId& node, Bytes payload, CellIndex cell = 0) {
    EXPECT_TRUE(step(Received{topic, node, std::move(payload), false, cell}).ok());
  }
  void greet(Peer& peer, Role role, std::vector<Hello::Head> heads = {}, CellIndex cell = 0) {
    hear(role == Role::gateway ? TopicClass::gate : TopicClass::hello, peer.node(),
         peer.hello(NodeState::up, std::move(heads)), cell);
  }
  void hear_live(Peer& peer, const std::vector<SegmentRecord>& segments, CellIndex cell = 0) {
    hear(TopicClass::live, peer.node(), peer.segments(segments), cell);
  }
  void hear_answer(Peer& peer, const std::vector<SegmentRecord>& segments, std::uint64_t request,
                   bool done = false, CellIndex cell = 0) {
    hear(TopicClass::inbox, peer.node(), peer.segments(segments, request, done), cell);
  }
  // What a gateway says that holds [1..head] of an own log but for `missing`.
  Vector::Item item(const LogId& log, Seq head, IntervalSet missing = {}) {
    Vector::Item item{log, head, {}, std::move(missing)};
    const auto stored = store_->read(log, {head, head}, 0).value();
    if (stored.empty()) return item;
    const SegmentHeader header = parse_segment(stored[0].bytes).value();
    item.hash = entry_hashes(header).value().at(head);
    return item;
  }
  // `gateway` says that it holds [1..head] of a log but for `missing`, and signs it.
  void acknowledge(Peer& gateway, const LogId& log, Seq head, const IntervalSet& missing = {}) {
    arrive(gateway, log, head, missing);
    hear(TopicClass::inbox, gateway.node(),
         gateway.ack(replica_->self(), nonce_, {item(log, head, missing)}));
  }
  // It says so without a signature.
  void arrive(Peer& gateway, const LogId& log, Seq head, const IntervalSet& missing = {}) {
    hear(TopicClass::inbox, gateway.node(), gateway.wrap(Vector{{item(log, head, missing)}}));
  }

  // Of this node.
  LogId own(Track track = kSamplesTrack) const {
    return {replica_->self(), replica_->epoch(), track};
  }
  Ticket next_ticket() { return ++last_ticket_; }
  // Appends `rows` readings of noise.
  Result<void> append(std::size_t rows = 1, std::size_t noise_bytes = 8) {
    Append append{kNoise, Rows(2), false, next_ticket()};
    for (std::size_t i = 0; i < rows; ++i) {
      append.rows.begin_row(now_.utc);
      append.rows.add_integer(static_cast<std::int64_t>(++last_number_));
      std::string text;
      while (text.size() < noise_bytes) text.push_back(static_cast<char>('!' + noise_.below(90)));
      append.rows.add_text(text);
    }
    return step(std::move(append));
  }
  // One entry of a reading, asked to be written.
  void append_entry(std::size_t noise_bytes = 8) {
    ASSERT_TRUE(append(1, noise_bytes).ok());
    ASSERT_TRUE(step(Flush{}).ok());
    pass(5ms);
  }
  // The same, on the disk.
  void store_entry(std::size_t noise_bytes = 8) {
    append_entry(noise_bytes);
    serve();
  }
  LogState stored(const LogId& log) const {
    const auto contents = store_->load().value();
    for (const LogState& state : contents.logs) {
      if (state.id() == log) return state;
    }
    return LogState(log);
  }
  LogStatus status(const LogId& log) const {
    for (const NodeStatus& node : replica_->status(now_)) {
      for (const LogStatus& each : node.logs) {
        if (each.log == log) return each;
      }
    }
    return {};
  }
  std::optional<NodeStatus> known(const NodeId& id) const {
    for (const NodeStatus& node : replica_->status(now_)) {
      if (node.node == id) return node;
    }
    return std::nullopt;
  }
  std::uint64_t refusals() const {
    std::uint64_t sum = 0;
    for (const auto& [reason, count] : replica_->stats().refused) sum += count;
    return sum;
  }

  static IntervalSet set_of(Seq first, Seq last) {
    IntervalSet set;
    set.insert({first, last});
    return set;
  }
  static std::vector<Interval> intervals(const std::vector<SegmentRecord>& segments,
                                         const LogId& log) {
    std::vector<Interval> found;
    for (const SegmentRecord& segment : segments) {
      if (segment.info.log == log) found.push_back(segment.info.interval());
    }
    return found;
  }
  // What the segments of messages hold, in the order in which they were sent.
  static std::vector<std::pair<Track, Interval>> carried(const std::vector<Segments>& messages) {
    std::vector<std::pair<Track, Interval>> found;
    for (const Segments& message : messages) {
      for (const auto& bytes : message.segments) {
        const SegmentHeader header = parse_segment(*bytes).value();
        found.push_back({header.log.track, {header.first, header.last}});
      }
    }
    return found;
  }

  dunlin::test::TempDir folder_;
  std::unique_ptr<security::NodeKey> key_ = security::NodeKey::generate().value();
  std::unique_ptr<Verifier> verifier_ = security::make_mbedtls_verifier();
  std::unique_ptr<storage::LogStore> store_;
  std::unique_ptr<Replica> replica_;
  Nonce nonce_{100};
  Moment now_{Instant(1h), SegmentMaker::kStart, true};
  std::vector<Output> outputs_;

 private:
  void collect() {
    while (std::optional<Output> output = replica_->poll()) outputs_.push_back(*std::move(output));
  }

  std::vector<Send> unseen_;
  Ticket last_ticket_ = 0;
  std::uint64_t last_number_ = 0;
  Random noise_{3};
};

}  // namespace dunlin::replication::test
