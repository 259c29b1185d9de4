#include "tests/bench/shards.h"

#include <time.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "common/runtime/node.h"
#include "common/security/keys.h"
#include "common/storage/query.h"
#include "tests/support/eventually.h"
#include "tests/support/peer.h"
#include "tests/support/temp_dir.h"

namespace dunlin::bench {

namespace {

using std::chrono::steady_clock;

constexpr std::size_t kOnTheirWayBytes = 2 * 1024 * 1024;
constexpr auto kPatience = std::chrono::minutes(1);

enum class Mode { large, small, mixed };

double cpu_seconds(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// Delivers what it is handed, and sends nothing anywhere.
class Feed final : public Transport {
 public:
  Result<void> start(TransportEvents& events, std::vector<Subscription>, Will) override {
    events_ = &events;
    return {};
  }
  void listen(std::vector<Subscription>) override {}
  Result<void> publish(const std::string&, ByteView, PublishOptions) override { return {}; }
  std::size_t unsent_bytes() override { return 0; }
  void stop(bool) override {}

  void deliver(const std::string& topic, const NodeId& node, const Bytes& payload) {
    events_->on_message("dunlin/v1/fleet/cell/" + topic + "/" + node.to_string(), payload, false);
  }

 private:
  TransportEvents* events_ = nullptr;
};

// The one of the thread that reads ahead: tells how long that has worked.
class AheadVerifier final : public Verifier {
 public:
  explicit AheadVerifier(std::atomic<double>& cpu) : cpu_(cpu) {}
  Result<void> verify(ByteView key, ByteView message, const Signature& signature) override {
    Result<void> verified = verifier_->verify(key, message, signature);
    cpu_ = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
    return verified;
  }

 private:
  std::unique_ptr<Verifier> verifier_ = security::make_openssl_verifier();
  std::atomic<double>& cpu_;
};

struct Message {
  NodeId node;
  Bytes payload;
};

// Of all origins, in turns.
std::vector<Message> messages_of(std::vector<test::Peer>& origins, std::size_t segments,
                                 Mode mode) {
  std::vector<Message> messages;
  for (std::size_t n = 0; n < segments; ++n) {
    for (test::Peer& origin : origins) {
      const SegmentRecord record = mode == Mode::large ? origin.samples(100, 64) : origin.samples();
      messages.push_back({origin.node(), origin.segments({record})});
    }
  }
  return messages;
}

class Gateway {
 public:
  Result<void> start(std::size_t shards) {
    std::vector<storage::LogStore::Salvage> salvages;
    DUNLIN_ASSIGN(storage::Shards opened,
                  storage::Shards::open(
                      {.path = path(), .fresh_epoch = Epoch{5}, .cache_bytes = 8 * 1024 * 1024},
                      key_->node(), shards, *verifier_, salvages));
    runtime::NodeOptions options;
    options.fleet = "fleet";
    options.replica.cells = {"cell"};
    options.replica.role = replication::Role::gateway;
    options.replica.uplink.pushes = false;
    auto feed = std::make_unique<Feed>();
    feed_ = feed.get();
    DUNLIN_ASSIGN(
        node_, runtime::Node::start(std::move(options), std::move(opened), std::move(feed), *key_,
                                    *verifier_, std::make_unique<AheadVerifier>(ahead_cpu_)));
    node_->on_replicated([this](const replication::Replicated&, Duration) {
      loop_cpu_ = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
      durable_ += 1;
    });
    return {};
  }
  // What readings need comes before them.
  Result<void> meet(std::vector<test::Peer>& origins) {
    for (test::Peer& origin : origins) {
      feed_->deliver("hello", origin.node(), origin.hello());
      feed_->deliver("live", origin.node(), origin.segments({origin.open(), origin.define(1)}));
    }
    return wait_durable(2 * origins.size());
  }
  // Returns when all is durable: one segment in each message.
  Result<void> take(const std::vector<Message>& messages) {
    const std::uint64_t before = durable_;
    std::uint64_t bytes = 0;  // of messages that are not durable, about
    std::size_t done = 0;
    for (std::size_t sent = 0; sent < messages.size(); ++sent) {
      bytes += messages[sent].payload.size();
      while (bytes > kOnTheirWayBytes) {
        if (done < durable_ - before) {
          bytes -= messages[done++].payload.size();
        } else {
          std::this_thread::sleep_for(std::chrono::microseconds(200));
        }
      }
      feed_->deliver("live", messages[sent].node, messages[sent].payload);
    }
    return wait_durable(before + messages.size());
  }

  std::string path() const { return folder_.file("log.db"); }
  double loop_cpu() const { return loop_cpu_; }
  double ahead_cpu() const { return ahead_cpu_; }

 private:
  Result<void> wait_durable(std::uint64_t segments) {
    if (test::eventually([&] { return durable_ >= segments; }, kPatience)) return {};
    return {Errc::timeout, std::to_string(durable_) + " of " + std::to_string(segments) +
                               " segments became durable"};
  }

  test::TempDir folder_;
  std::unique_ptr<security::NodeKey> key_ = security::NodeKey::generate().value();
  std::unique_ptr<Verifier> verifier_ = security::make_openssl_verifier();
  Feed* feed_ = nullptr;  // the node's
  std::atomic<std::uint64_t> durable_{0};
  std::atomic<double> loop_cpu_{0};
  std::atomic<double> ahead_cpu_{0};
  std::unique_ptr<runtime::Node> node_;  // goes first
};

// Reads every reading, again and again.
class Scanner {
 public:
  explicit Scanner(std::string path)
      : thread_([this, path = std::move(path)](std::stop_token stop) {
          Result<storage::Reader> reader = storage::Reader::open(path);
          while (reader.ok() && !stop.stop_requested()) {
            const auto table = reader->query("SELECT count(value) FROM samples");
            if (table.ok()) rows_ += static_cast<double>(std::get<std::int64_t>(table->rows[0][0]));
            cpu_ = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
          }
        }) {}
  void stop() {
    thread_.request_stop();
    thread_.join();
  }
  double rows() const { return rows_; }
  double cpu() const { return cpu_; }

 private:
  double rows_ = 0;
  double cpu_ = 0;
  std::jthread thread_;
};

Result<void> measure(const ShardsOptions& options, std::size_t shards, Mode mode,
                     std::vector<Figure>& figures) {
  std::vector<test::Peer> origins(options.origins);
  Gateway gateway;
  DUNLIN_TRY(gateway.start(shards));
  DUNLIN_TRY(gateway.meet(origins));
  const std::vector<Message> messages = messages_of(origins, options.segments, mode);
  const double process = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID);
  const double own = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
  const auto begin = steady_clock::now();
  std::unique_ptr<Scanner> scanner;
  if (mode == Mode::mixed) scanner = std::make_unique<Scanner>(gateway.path());
  DUNLIN_TRY(gateway.take(messages));
  const double seconds = std::chrono::duration<double>(steady_clock::now() - begin).count();
  if (scanner) scanner->stop();
  const double others = cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - own + gateway.loop_cpu() +
                        gateway.ahead_cpu() + (scanner ? scanner->cpu() : 0);
  const double disks = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) - process - others;

  const std::string mode_name = mode == Mode::large   ? "large"
                                : mode == Mode::small ? "small"
                                                      : "mixed";
  const auto add = [&](const char* name, double value, const char* unit, bool higher = false) {
    figures.push_back({.figure = name,
                       .value = value,
                       .unit = unit,
                       .system = "dunlin",
                       .mode = mode_name,
                       .side = std::to_string(shards) + (shards == 1 ? " shard" : " shards"),
                       .higher_is_better = higher});
  };
  add("segments_per_second", static_cast<double>(messages.size()) / seconds, "1/s", true);
  add("loop_busy", gateway.loop_cpu() / seconds, "cores");
  add("ahead_busy", gateway.ahead_cpu() / seconds, "cores");
  add("disks_busy", disks / seconds, "cores");
  if (scanner) add("readings_scanned_per_second", scanner->rows() / seconds, "1/s", true);
  return {};
}

}  // namespace

Result<std::vector<Figure>> run_shards(const ShardsOptions& options) {
  std::vector<Figure> figures;
  for (const Mode mode : {Mode::large, Mode::small, Mode::mixed}) {
    for (const std::size_t shards : options.shards)
      DUNLIN_TRY(measure(options, shards, mode, figures));
  }
  return figures;
}

}  // namespace dunlin::bench
