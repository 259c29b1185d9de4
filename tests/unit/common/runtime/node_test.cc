#include "common/runtime/node.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "common/storage/query.h"
#include "common/transport/topic_filter.h"
#include "tests/support/eventually.h"
#include "tests/support/peer.h"
#include "tests/support/temp_dir.h"

namespace dunlin::runtime {
namespace {

using namespace std::chrono_literals;
using replication::Role;
using test::eventually;

// The test's end of a transport: keeps what was published, delivers what the test says. While it
// is held, publish() stands still, and with it the node's loop.
class Wire final : public Transport {
 public:
  struct Published {
    std::string topic;
    Bytes payload;
    PublishOptions how;
  };

  Result<void> start(TransportEvents& events, std::vector<Subscription> all, Will will) override {
    listen(std::move(all));
    const std::lock_guard lock(mutex_);
    events_ = &events;
    will_ = std::move(will);
    return {};
  }
  Result<void> publish(const std::string& topic, ByteView payload, PublishOptions how) override {
    std::unique_lock lock(mutex_);
    if (const auto callback = on_publish_) lock.unlock(), callback(), lock.lock();
    published_.push_back({topic, Bytes(payload.begin(), payload.end()), how});
    wake_.notify_all();
    wake_.wait(lock, [this] { return !held_; });
    return {};
  }
  void listen(std::vector<Subscription> subscriptions) override {
    const std::lock_guard lock(mutex_);
    filters_.clear();
    for (Subscription& each : subscriptions) filters_.push_back(std::move(each.filter));
  }
  std::size_t unsent_bytes() override { return unsent; }
  void stop(bool) override {}

  std::atomic<std::size_t> unsent = 0;

  TransportEvents& events() { return *events_; }
  const Will& will() const { return will_; }
  void deliver(const std::string& topic, const Bytes& payload) {
    events_->on_message("dunlin/v1/fleet/" + topic, payload, false);
  }
  bool listens_to(const std::string& topic) const {
    const std::lock_guard lock(mutex_);
    return std::ranges::any_of(filters_, [&](const std::string& filter) {
      return topic_matches(filter, "dunlin/v1/fleet/" + topic);
    });
  }
  std::vector<Published> published() const {
    const std::lock_guard lock(mutex_);
    return published_;
  }
  bool published_to(const std::string& topic) const {
    for (const Published& each : published()) {
      if (each.topic == "dunlin/v1/fleet/" + topic) return true;
    }
    return false;
  }
  void hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  void release() {
    const std::lock_guard lock(mutex_);
    held_ = false;
    wake_.notify_all();
  }
  void on_publish(std::function<void()> callback) {
    const std::lock_guard lock(mutex_);
    on_publish_ = std::move(callback);
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  TransportEvents* events_ = nullptr;
  Will will_;
  std::function<void()> on_publish_;
  std::vector<Published> published_;
  std::vector<std::string> filters_;
  bool held_ = false;
};

const StreamSchema kNumbers{"numbers",
                            {{"n", FieldType::int64, "", 0}, {"text", FieldType::text, "", 0}}};

Rows numbers(std::int64_t first, std::int64_t last) {
  Rows rows(2);
  for (std::int64_t n = first; n <= last; ++n) {
    rows.begin_row(test::SegmentMaker::kStart + n);
    rows.add_integer(n), rows.add_text(std::string(80, 'x'));
  }
  return rows;
}

class NodeTest : public testing::Test {
 protected:
  NodeTest() {
    options_.fleet = "fleet";
    options_.replica.cells = {"cell"};
    options_.replica.origin.tracks[0].flush_interval = 1h;
  }
  void TearDown() override {
    if (wire_ != nullptr) wire_->release();
  }

  void start(std::unique_ptr<Verifier> ahead = {}, Signer* signer = nullptr) {
    std::vector<storage::LogStore::Salvage> salvages;
    auto shards = storage::Shards::open({.path = path_, .fresh_epoch = Epoch{7}}, key_->node(), 1,
                                        *verifier_, salvages);
    ASSERT_TRUE(shards.ok()) << shards.error().message();
    auto wire = std::make_unique<Wire>();
    wire_ = wire.get();
    auto node = Node::start(options_, *std::move(shards), std::move(wire),
                            signer != nullptr ? *signer : *key_, *verifier_, std::move(ahead));
    ASSERT_TRUE(node.ok()) << node.error().message();
    node_ = *std::move(node);
    ASSERT_TRUE(eventually([&] { return integer("SELECT count(*) FROM nodes") > 0; }));
  }
  void start_gateway(std::unique_ptr<Verifier> ahead = {}) {
    options_.replica.role = Role::gateway;
    options_.replica.uplink.pushes = false;
    start(std::move(ahead));
  }
  std::string inbox_from(const test::Peer& peer) const {
    return "cell/inbox/" + key_->node().to_string() + "/" + peer.node().to_string();
  }
  std::string inbox_of(const test::Peer& peer) const {
    return "cell/inbox/" + peer.node().to_string() + "/" + key_->node().to_string();
  }
  Result<void> append(std::int64_t first, std::int64_t last, std::stop_token stop = {}) {
    return node_->append(kNumbers, numbers(first, last), false, std::move(stop));
  }
  std::vector<std::int64_t> stored() const {
    std::vector<std::int64_t> found;
    auto reader = storage::Reader::open(path_);
    if (!reader.ok()) return found;
    const auto table = reader->query("SELECT n FROM stream_numbers ORDER BY seq, row");
    if (!table.ok()) return found;
    for (const auto& row : table->rows) found.push_back(std::get<std::int64_t>(row[0]));
    return found;
  }
  std::int64_t integer(const std::string& sql) const {
    auto db = storage::Connection::open(path_, SQLITE_OPEN_READWRITE);
    const Result<std::int64_t> value = db.ok() ? db->query_integer(sql) : db.error();
    return value.ok() ? *value : -1;
  }
  static std::vector<std::int64_t> one_to(std::int64_t last) {
    std::vector<std::int64_t> all;
    for (std::int64_t n = 1; n <= last; ++n) all.push_back(n);
    return all;
  }
  // Nobody else writes to the database while it lives: commits wait.
  struct SlowDisk {
    explicit SlowDisk(const std::string& path)
        : db(storage::Connection::open(path, SQLITE_OPEN_READWRITE).value()) {
      EXPECT_TRUE(db.execute("BEGIN IMMEDIATE").ok());
    }
    ~SlowDisk() { EXPECT_TRUE(db.execute("ROLLBACK").ok()); }
    storage::Connection db;
  };

  test::TempDir folder_;
  std::string path_ = folder_.file("log.db");
  std::unique_ptr<security::NodeKey> key_ = security::NodeKey::generate().value();
  std::unique_ptr<Verifier> verifier_ = security::make_mbedtls_verifier();
  NodeOptions options_;
  Wire* wire_ = nullptr;  // the node's
  std::unique_ptr<Node> node_;
};

TEST_F(NodeTest, WhatIsFlushedIsOnTheDisk) {
  start();
  EXPECT_TRUE(node_->flush(20s).ok());  // nothing yet
  ASSERT_TRUE(append(1, 10).ok());
  ASSERT_TRUE(append(11, 20).ok());
  ASSERT_TRUE(node_->flush(20s).ok());
  EXPECT_EQ(stored(), one_to(20));
  EXPECT_EQ(node_->report().stats.readings_appended, 20u);
}

// On which thread its entries were signed.
class WatchedSigner final : public Signer {
 public:
  explicit WatchedSigner(Signer& key) : key_(key) {}
  const NodeId& node() const override { return key_.node(); }
  const Bytes& public_key() const override { return key_.public_key(); }
  Result<Signature> sign(ByteView message) override {
    by = std::this_thread::get_id();
    return key_.sign(message);
  }
  std::atomic<std::thread::id> by;

 private:
  Signer& key_;
};

// A device that sleeps is woken once for a reading, not by two threads in turn.
TEST_F(NodeTest, WhoAppendsDoesTheWorkWhileTheLoopSleeps) {
  options_.replica.origin.tracks[0].flush_readings = 1;
  WatchedSigner signer(*key_);
  start({}, &signer);
  ASSERT_TRUE(node_->flush(20s).ok());
  const std::thread::id here = std::this_thread::get_id();
  signer.by = std::thread::id();
  std::int64_t last = 0;
  EXPECT_TRUE(eventually([&] {
    EXPECT_TRUE(append(last + 1, last + 1).ok());
    last += 1;
    EXPECT_TRUE(node_->flush(20s).ok());
    return signer.by.load() == here;
  }));
  EXPECT_EQ(stored(), one_to(last));
}

TEST_F(NodeTest, ManyAppendAtATimeBesideTheLoop) {
  options_.replica.origin.tracks[0].flush_readings = 10;
  start();
  wire_->events().on_connected();
  constexpr std::int64_t kEach = 300;
  std::vector<std::thread> threads;
  for (std::int64_t n = 0; n < 4; ++n) {
    threads.emplace_back([&, n] {
      for (std::int64_t i = 1; i <= kEach; ++i)
        EXPECT_TRUE(append(n * kEach + i, n * kEach + i).ok());
    });
  }
  const test::Peer peer;
  for (int i = 0; i < 100; ++i) {
    wire_->deliver("cell/gossip/" + peer.node().to_string(), Bytes(30, 0xff));
    EXPECT_TRUE(node_->flush(20s).ok());
    EXPECT_LE(node_->report().stats.readings_appended, 4u * kEach);
  }
  for (std::thread& each : threads) each.join();
  node_->stop();
  std::vector<std::int64_t> all = stored();
  for (std::int64_t n = 0; n < 4; ++n) {  // each in its order, nothing doubled
    std::vector<std::int64_t> of_one;
    std::ranges::copy_if(all, std::back_inserter(of_one),
                         [&](std::int64_t i) { return (i - 1) / kEach == n; });
    EXPECT_TRUE(std::ranges::is_sorted(of_one)) << n;
  }
  std::ranges::sort(all);
  EXPECT_EQ(all, one_to(4 * kEach));
}

TEST_F(NodeTest, StopFlushesAndThenNothingIsTaken) {
  start();
  ASSERT_TRUE(append(1, 30).ok());
  node_->stop();
  EXPECT_EQ(stored(), one_to(30));
  EXPECT_EQ(append(31, 40).error().code, Errc::closed);
  EXPECT_TRUE(node_->flush(20s).ok());  // of what was appended nothing is missing
  EXPECT_TRUE(node_->report().nodes.empty());
  node_->on_replicated([](const auto&, Duration) {});
  node_->stop();
  EXPECT_EQ(stored(), one_to(30));
}

TEST_F(NodeTest, FlushSaysWhenTheDiskIsTooSlow) {
  start();
  {
    const SlowDisk slow(path_);
    ASSERT_TRUE(append(1, 10).ok());
    const Result<void> flushed = node_->flush(10ms);
    ASSERT_FALSE(flushed.ok());
    EXPECT_EQ(flushed.error().code, Errc::timeout);
  }
  EXPECT_TRUE(node_->flush(20s).ok());
  EXPECT_EQ(stored(), one_to(10));
}

TEST_F(NodeTest, AppendsThatWaitForRoomKeepTheirOrder) {
  options_.replica.origin.unwritten_bytes_max = 2000;
  options_.replica.origin.tracks[0].flush_readings = 10;
  start();
  std::stop_source stopped;
  stopped.request_stop();  // who is stopped while waiting leaves what it appended in its place
  int waiting = 0;
  {
    const SlowDisk slow(path_);
    for (std::int64_t n = 0; n < 6; ++n) {
      const Result<void> taken = append(n * 10 + 1, n * 10 + 10, stopped.get_token());
      if (taken.ok()) continue;
      EXPECT_EQ(taken.error().code, Errc::closed);
      waiting += 1;
    }
  }
  EXPECT_GT(waiting, 1);
  ASSERT_TRUE(node_->flush(20s).ok());
  EXPECT_EQ(stored(), one_to(60));
}

TEST_F(NodeTest, AMailboxThatIsFullDropsMessagesAndCountsThem) {
  options_.mailbox_bytes_max = 4000;
  start();
  wire_->hold();
  wire_->events().on_connected();
  ASSERT_TRUE(eventually([&] { return !wire_->published().empty(); }));  // its loop stands still
  const Bytes noise(300, 0xff);
  const test::Peer peer, other;
  const std::string gossip = "cell/gossip/" + peer.node().to_string();
  for (int i = 0; i < 5; ++i) wire_->deliver(gossip, noise);
  // Of another fleet, or for another node.
  for (int i = 0; i < 5; ++i) {
    wire_->events().on_message("dunlin/v1/another/" + gossip, noise, false);
    wire_->deliver("cell/inbox/" + other.node().to_string() + "/" + peer.node().to_string(), noise);
  }
  wire_->release();
  EXPECT_EQ(node_->report().messages_dropped, 3u);
  const auto refused = [&] {
    std::uint64_t sum = 0;
    const NodeReport report = node_->report();
    for (const auto& [reason, count] : report.stats.refused) sum += count;
    return sum;
  };
  EXPECT_TRUE(eventually([&] { return refused() == 2; }));
  wire_->deliver(gossip, noise);  // there is room again
  EXPECT_TRUE(eventually([&] { return refused() == 3; }));
  EXPECT_EQ(node_->report().messages_dropped, 3u);
}

// What is refused costs its sender more than its bytes, and nobody else.
TEST_F(NodeTest, WhoSendsGarbageIsNotReadAnyMore) {
  start_gateway();
  wire_->events().on_connected();
  test::Peer hostile, honest;
  const std::string live = "cell/live/" + hostile.node().to_string();
  const Bytes noise(300, 0xff);
  const auto refused = [&] {
    std::uint64_t sum = 0;
    const NodeReport report = node_->report();
    for (const auto& [reason, count] : report.stats.refused) sum += count;
    return sum;
  };
  std::uint64_t sent = 0;
  while (sent < 1000 && node_->report().messages_dropped == 0) {
    wire_->deliver(live, noise);
    sent += 1;
    ASSERT_TRUE(eventually([&] { return refused() + node_->report().messages_dropped == sent; }));
  }
  EXPECT_LT(sent, 1000u);
  EXPECT_GT(sent, 100u);
  wire_->deliver("cell/live/" + honest.node().to_string(), honest.segments({honest.open()}));
  EXPECT_TRUE(eventually([&] { return integer("SELECT count(*) FROM nodes") > 1; }));
}

// And the broker is asked for nothing of it any more, for a while; others are heard.
TEST_F(NodeTest, WhoFloodsIsNotListenedTo) {
  options_.muted_for = 1h;
  start_gateway();
  wire_->events().on_connected();
  const test::Peer hostile, other;
  test::Peer honest, late;
  const std::string live = "cell/live/" + hostile.node().to_string();
  const auto hears = [&](const test::Peer& peer) {
    const std::string id = peer.node().to_string();
    return wire_->listens_to("cell/live/" + id) && wire_->listens_to(inbox_from(peer));
  };
  wire_->deliver("cell/hello/" + honest.node().to_string(), honest.hello());
  ASSERT_TRUE(eventually([&] { return node_->report().nodes.size() == 2; }));
  EXPECT_TRUE(hears(hostile));
  const Bytes noise(300, 0xff);
  ASSERT_TRUE(eventually([&] {
    for (int n = 0; n < 10'000; ++n) wire_->deliver(live, noise);
    return node_->report().mutes > 0;
  }));
  EXPECT_TRUE(eventually([&] { return !hears(hostile) && hears(honest); }));
  EXPECT_FALSE(wire_->listens_to("cell/hello/" + hostile.node().to_string()));
  // Nor to strangers, until they are known.
  EXPECT_FALSE(hears(late));
  wire_->deliver("cell/hello/" + late.node().to_string(), late.hello());
  EXPECT_TRUE(eventually([&] { return hears(late); }));
  EXPECT_FALSE(hears(hostile));
  EXPECT_EQ(node_->report().mutes, 1u);
}

// A broker may refuse some of so many filters, and then there would be no connection at all.
TEST_F(NodeTest, AmongVeryManyAFloodIsEndured) {
  options_.muted_for = 1h;
  start_gateway();
  wire_->events().on_connected();
  std::vector<test::Peer> others(700);
  for (test::Peer& other : others)
    wire_->deliver("cell/hello/" + other.node().to_string(), other.hello());
  ASSERT_TRUE(eventually([&] { return node_->report().nodes.size() == 701; }));
  const test::Peer hostile;
  const std::string live = "cell/live/" + hostile.node().to_string();
  const Bytes noise(300, 0xff);
  ASSERT_TRUE(eventually([&] {
    for (int n = 0; n < 10'000; ++n) wire_->deliver(live, noise);
    return node_->report().mutes > 0;
  }));
  (void)node_->report();  // what is to be listened to was said by now
  EXPECT_TRUE(wire_->listens_to(live));
  EXPECT_TRUE(wire_->listens_to("cell/live/" + others.back().node().to_string()));
}

TEST_F(NodeTest, WhoFloodedIsListenedToAgain) {
  options_.muted_for = 1ms;
  start_gateway();
  wire_->events().on_connected();
  const test::Peer hostile;
  const std::string live = "cell/live/" + hostile.node().to_string();
  const Bytes noise(300, 0xff);
  ASSERT_TRUE(eventually([&] {
    for (int n = 0; n < 10'000; ++n) wire_->deliver(live, noise);
    return node_->report().mutes > 0;
  }));
  EXPECT_TRUE(eventually([&] { return wire_->listens_to(live); }));
}

// Of many at once, in both lanes, some are prepared while others are taken.
TEST_F(NodeTest, WhatIsReadAheadIsStoredAsEver) {
  start_gateway(security::make_openssl_verifier());
  wire_->events().on_connected();
  std::vector<test::Peer> origins(4);
  for (test::Peer& origin : origins) {
    wire_->deliver("cell/hello/" + origin.node().to_string(), origin.hello());
    wire_->deliver("cell/live/" + origin.node().to_string(),
                   origin.segments({origin.open(), origin.define(1)}));
  }
  ASSERT_TRUE(eventually([&] { return integer("SELECT count(*) FROM nodes") == 5; }));
  wire_->hold();  // when it next says something, its loop stands still
  for (int n = 0; n < 25; ++n) {
    for (test::Peer& origin : origins) {
      const std::string id = origin.node().to_string();
      wire_->deliver("cell/live/" + id, origin.segments({origin.samples(20)}));
      wire_->deliver(inbox_from(origin), origin.segments({origin.samples(20)}, 7));
    }
  }
  wire_->release();
  const std::string readings = "SELECT coalesce(sum(readings), 0) FROM segments";
  EXPECT_TRUE(eventually([&] { return integer(readings) == 4 * 25 * 40; })) << integer(readings);
  EXPECT_EQ(node_->report().stats.refused.size(), 0u);
}

TEST_F(NodeTest, TheBulkLaneLeavesRoomForLiveMessages) {
  options_.mailbox_bytes_max = 32'000;
  start();
  wire_->hold();
  wire_->events().on_connected();
  ASSERT_TRUE(eventually([&] { return !wire_->published().empty(); }));  // its loop stands still
  test::Peer peer;
  const Bytes bulk = peer.wrap(replication::Segments{
      .lane = replication::Lane::bulk, .segments = {std::make_shared<const Bytes>(300)}});
  const std::string id = peer.node().to_string();
  for (int i = 0; i < 10; ++i) wire_->deliver("cell/bulk/" + id, bulk);
  const std::size_t kept = 4000 / (bulk.size() + 128);  // its quarter of a half
  const Bytes noise(300, 0xff);
  for (int i = 0; i < 4; ++i) wire_->deliver("cell/gossip/" + id, noise);
  wire_->release();
  EXPECT_EQ(node_->report().messages_dropped, 10 - kept);
  const auto taken = [&] {
    return node_->report().stats.traffic[{true, replication::Lane::bulk, "segments"}].messages;
  };
  EXPECT_TRUE(eventually([&] { return taken() == kept; }));
  wire_->deliver("cell/bulk/" + id, bulk);  // there is room again
  EXPECT_TRUE(eventually([&] { return taken() == kept + 1; }));
}

TEST_F(NodeTest, TakesWhatIsLiveBeforeTheBacklog) {
  start_gateway();
  std::mutex mutex;
  std::vector<Seq> order;
  node_->on_replicated([&](const replication::Replicated& replicated, Duration) {
    if (replicated.log.track == kControlTrack) return;
    const std::lock_guard lock(mutex);
    order.push_back(replicated.last);
  });
  const auto stored_so_far = [&] {
    const std::lock_guard lock(mutex);
    return order;
  };
  test::Peer peer;
  const std::string live = "cell/live/" + peer.node().to_string();
  const std::string inbox = inbox_from(peer);
  wire_->hold();
  wire_->deliver(live, peer.segments({peer.open()}));
  ASSERT_TRUE(eventually([&] { return !wire_->published().empty(); }));  // its loop stands still
  const SegmentRecord old[] = {peer.samples(), peer.samples()};
  for (const SegmentRecord& segment : old) wire_->deliver(inbox, peer.segments({segment}, 9));
  wire_->deliver(live, peer.segments({peer.samples()}));
  wire_->deliver(live, peer.segments({peer.samples()}));
  wire_->release();
  ASSERT_TRUE(eventually([&] { return stored_so_far().size() == 4; }));
  EXPECT_EQ(stored_so_far(), (std::vector<Seq>{3, 4, 1, 2}));
}

// Each answer brings another live message, so that one always waits.
TEST_F(NodeTest, TheBacklogGoesOnWhileLiveMessagesKeepComing) {
  start_gateway();
  wire_->events().on_connected();
  test::Peer peer;
  const std::string live = "cell/live/" + peer.node().to_string();
  const std::string inbox = inbox_from(peer);
  wire_->deliver(live, peer.segments({peer.open()}));
  ASSERT_TRUE(eventually([&] { return integer("SELECT count(*) FROM nodes") > 1; }));
  std::atomic<bool> stored = false;
  node_->on_replicated([&](const replication::Replicated& replicated, Duration) {
    if (replicated.log.track != kControlTrack) stored = true;
  });
  const Bytes vector = peer.wrap(replication::Vector{{{peer.log(kControlTrack), 1, Hash{1}, {}}}});
  wire_->on_publish([&] {
    if (!stored) wire_->deliver(inbox, vector);
  });
  wire_->deliver(inbox, vector);
  wire_->deliver(inbox, peer.segments({peer.samples()}, 9));
  EXPECT_TRUE(eventually([&] { return stored.load(); }));
  stored = true;
  node_->stop();  // it knows what ends here
}

// What is live finds a short line before the broker.
TEST_F(NodeTest, TheBacklogWaitsWhileMuchIsUnsent) {
  start();
  wire_->events().on_connected();
  ASSERT_TRUE(append(1, 10).ok());
  ASSERT_TRUE(node_->flush(20s).ok());
  test::Peer gateway(Role::gateway);
  wire_->unsent = 1 << 20;
  IntervalSet wanted;
  wanted.insert({1, 1});
  const LogId log{key_->node(), node_->report().epoch, kSamplesTrack};
  wire_->deliver("cell/gate/" + gateway.node().to_string(), gateway.hello());
  wire_->deliver(inbox_from(gateway),
                 gateway.wrap(replication::Fetch{9, 1 << 20, {{log, wanted}}}));
  for (std::int64_t n = 11; n <= 40; n += 10) {  // the disk would have answered by then
    ASSERT_TRUE(append(n, n + 9).ok());
    ASSERT_TRUE(node_->flush(20s).ok());
  }
  const std::string live = "cell/live/" + key_->node().to_string();
  EXPECT_TRUE(eventually([&] { return wire_->published_to(live); }));
  const std::string answer = inbox_of(gateway);
  EXPECT_FALSE(wire_->published_to(answer));
  wire_->unsent = 0;
  EXPECT_TRUE(eventually([&] { return wire_->published_to(answer); }));
}

TEST_F(NodeTest, TellsOfEachConnectionAndItsHandshake) {
  start();
  std::atomic<int> told = 0;
  node_->on_connection([&] { told += 1; });
  wire_->events().on_connected();
  EXPECT_TRUE(eventually([&] { return told == 1; }));
  wire_->events().on_disconnected({Errc::io, "gone"});
  wire_->events().on_connected();
  EXPECT_TRUE(eventually([&] { return told == 2; }));
  node_->on_connection([&] { told += 10; });
  EXPECT_EQ(told, 12);
  wire_->events().on_handshake();
  EXPECT_EQ(told, 22);
  node_->stop();  // it knows what ends here
}

TEST_F(NodeTest, IsPresentInEveryCell) {
  options_.replica.cells = {"north", "south"};
  start_gateway();
  wire_->events().on_connected();
  const std::string gate = "/gate/" + key_->node().to_string();
  for (const char* cell : {"north", "south"}) {
    EXPECT_TRUE(eventually([&] { return wire_->published_to(cell + gate); })) << cell;
  }
  for (const Wire::Published& each : wire_->published()) {
    EXPECT_TRUE(each.how.retain) << each.topic;
    EXPECT_EQ(each.how.qos, 1) << each.topic;
  }
  EXPECT_EQ(wire_->will().topic, "dunlin/v1/fleet/north" + gate);
  EXPECT_TRUE(node_->connected());
  wire_->events().on_disconnected({Errc::io, "gone"});
  EXPECT_FALSE(node_->report().connected);
}

// A node that moved has left a will in its former cell; it is answered where its Hello counts.
// At each connection, since a will of its former one may come late.
TEST_F(NodeTest, TakesItsHelloAwayFromTheBackboneThatItLeft) {
  const auto taken_away = [&] {
    std::size_t times = 0;
    for (const Wire::Published& each : wire_->published()) {
      if (each.topic != "dunlin/v1/fleet/_core/gate/" + key_->node().to_string()) continue;
      EXPECT_TRUE(each.payload.empty() && each.how.retain);
      times += 1;
    }
    return times;
  };
  for (const std::size_t left : {0u, 1u}) {
    options_.left_backbone = left == 1;
    start();
    for (std::size_t connections = 1; connections <= 2; ++connections) {
      wire_->events().on_connected();
      (void)node_->report();
      EXPECT_EQ(taken_away(), left * connections);
    }
    node_->stop();
  }
}

TEST_F(NodeTest, AnswersInTheCellWhereAPeerIs) {
  options_.replica.cells = {"north", "south"};
  start_gateway();
  wire_->events().on_connected();
  test::Peer peer;
  const std::string id = peer.node().to_string();
  peer.nonce = Nonce{1};
  const Bytes will = peer.hello(replication::NodeState::down);
  peer.nonce = Nonce{2};
  const Bytes here = peer.hello();
  test::Peer forger;
  wire_->deliver("south/hello/" + id, will);
  wire_->deliver("north/hello/" + id, here);
  wire_->deliver("south/hello/" + id, will);
  wire_->deliver("south/hello/" + id, forger.hello());
  wire_->deliver("north/live/" + id, peer.segments({peer.open()}));
  EXPECT_TRUE(eventually([&] { return wire_->published_to("north" + inbox_of(peer).substr(4)); }));
  EXPECT_FALSE(wire_->published_to("south" + inbox_of(peer).substr(4)));
  for (const replication::NodeStatus& node : node_->report().nodes) {
    if (node.node == peer.node()) {
      EXPECT_EQ(node.cell, "north");
    }
  }
}

TEST_F(NodeTest, AReplacedCallbackIsNeverCalledAgain) {
  start_gateway();
  wire_->events().on_connected();
  test::Peer peer;
  const std::string live = "cell/live/" + peer.node().to_string();
  std::atomic<int> first = 0;
  std::atomic<bool> held = true, left = false;
  node_->on_replicated([&](const replication::Replicated& replicated, Duration) {
    EXPECT_EQ(replicated.log, peer.log(kControlTrack));
    first += 1;
    eventually([&] { return !held; });
    left = true;
  });
  wire_->deliver(live, peer.segments({peer.open()}));
  ASSERT_TRUE(eventually([&] { return first == 1; }));
  std::atomic<std::uint64_t> readings = 0;
  std::thread replacing([&] {
    node_->on_replicated(
        [&](const replication::Replicated& r, Duration) { readings += r.readings; });
    EXPECT_TRUE(left);  // it waited for the former one
  });
  held = false;
  replacing.join();
  wire_->deliver(live, peer.segments({peer.samples(4)}));
  EXPECT_TRUE(eventually([&] { return readings == 4; }));
  EXPECT_EQ(first, 1);
}

}  // namespace
}  // namespace dunlin::runtime
