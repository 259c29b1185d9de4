#include "tests/bench/flood.h"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <thread>

#include "common/runtime/topics.h"
#include "common/security/bundle.h"
#include "tests/support/peer.h"
#include "tests/support/temp_dir.h"

namespace dunlin::bench {

namespace {

using replication::TopicClass;
using std::chrono::steady_clock;

constexpr std::size_t kReadings = 200;  // of one segment
constexpr std::size_t kVariants = 64;   // of what is sent: none is known as it comes

class Events final : public TransportEvents {
 public:
  void on_connected() override { connected = true; }
  void on_disconnected(const Error&) override { connected = false; }
  void on_message(std::string_view, ByteView, bool) override {}
  std::atomic<bool> connected = false;
};

}  // namespace

// A peer with the key and certificate of that bundle, and how it reaches the broker.
Result<test::Peer> enter(const std::string& bundle, const test::TempDir& folder,
                         TransportOptions& how) {
  std::ifstream file(bundle);
  DUNLIN_ASSIGN(const security::Bundle read,
                security::read_bundle(std::string(std::istreambuf_iterator<char>(file), {})));
  DUNLIN_TRY(security::install(read, folder.path().string()));
  how.ca_file = security::authority_file(folder.path().string());
  how.cert_file = security::certificate_file(folder.path().string());
  how.key_file = security::key_file(folder.path().string());
  DUNLIN_ASSIGN(std::shared_ptr<security::NodeKey> key, security::NodeKey::from_pem(read.key_pem));
  test::Peer peer(replication::Role::agent, std::move(key));
  peer.certificate = read.membership.certificate.der();
  peer.name = read.membership.certificate.member()->name;
  return peer;
}

int flood_main(const FloodOptions& options) {
  const bool tls = !options.bundle.empty();
  const test::TempDir folder;
  TransportOptions how{.url = (tls ? "mqtts://127.0.0.1:" : "mqtt://127.0.0.1:") +
                              std::to_string(options.broker_port),
                       .client_id = "flood",
                       .in_flight_bytes_max = 8 << 20};
  Result<test::Peer> entered =
      tls ? enter(options.bundle, folder, how) : Result<test::Peer>(test::Peer());
  if (!entered.ok()) return std::fprintf(stderr, "%s\n", entered.error().message().c_str()), 1;
  test::Peer& peer = *entered;
  Result<std::unique_ptr<Transport>> made = make_transport(std::move(how));
  if (!made.ok()) return std::fprintf(stderr, "%s\n", made.error().message().c_str()), 1;
  Transport& transport = **made;
  // It stands for another machine: of the processors here it gets what the others leave.
  (void)::nice(19);
  Events events;
  if (!transport.start(events, {}, {}).ok()) return 1;
  while (!events.connected) std::this_thread::sleep_for(std::chrono::milliseconds(1));

  const auto topic = [&](TopicClass kind, const NodeId& node, const NodeId& reader = {}) {
    return runtime::topic_name("default", "default", kind, node, reader);
  };
  const std::string live = topic(TopicClass::live, peer.node());
  // It is known: what comes now is looked at, down to its signature.
  (void)transport.publish(topic(TopicClass::hello, peer.node()), peer.hello(), {.qos = 1});
  (void)transport.publish(live, peer.segments({peer.open()}), {.qos = 1});
  std::vector<Bytes> messages;
  for (std::size_t n = 0; n < kVariants; ++n) {
    SegmentRecord segment = peer.samples(kReadings);
    Bytes bytes = *segment.bytes;
    bytes.back() ^= 1;  // of the signature
    segment.bytes = std::make_shared<const Bytes>(std::move(bytes));
    messages.push_back(peer.segments({segment}));
  }
  std::vector<std::string> topics{live, topic(TopicClass::gossip, peer.node()),
                                  topic(TopicClass::bulk, peer.node())};
  if (const Result<NodeId> gateway = NodeId::from_string(options.gateway); gateway.ok())
    topics.push_back(topic(TopicClass::inbox, peer.node(), *gateway));
  std::uint64_t sent = 0, bytes = 0;
  const auto end = steady_clock::now() + options.duration;
  for (std::size_t n = 0; steady_clock::now() < end; ++n) {
    const Bytes& message = messages[n % messages.size()];
    if (transport.publish(topics[n % topics.size()], message, {}).ok()) {
      sent += 1, bytes += message.size();
    } else {
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  }
  transport.stop(true);
  std::printf("{\"messages\":%llu,\"bytes\":%llu}\n", static_cast<unsigned long long>(sent),
              static_cast<unsigned long long>(bytes));
  return 0;
}

}  // namespace dunlin::bench
