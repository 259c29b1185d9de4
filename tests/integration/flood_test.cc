// A member that sends garbage as fast as it can, in a fleet with rights: the gateway has the broker
// send nothing of it for a while. An honest agent is heard throughout, a newcomer after a minute.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "common/runtime/topics.h"
#include "common/security/bundle.h"
#include "tests/integration/membership.h"
#include "tests/support/eventually.h"
#include "tests/support/fleet.h"
#include "tests/support/publisher.h"

namespace dunlin {
namespace {

using test::eventually;
using test::Member;

std::string numbers(std::int64_t first, std::int64_t last) {
  std::string lines;
  for (std::int64_t n = first; n <= last; ++n) lines += "numbers n=" + std::to_string(n) + "i\n";
  return lines;
}

TEST(Flood, IsMutedAndOthersAreHeard) {
  DUNLIN_FLEET(fleet);
  Member& gateway = fleet.add_gateway();
  Member& honest = fleet.add_agent("honest");
  Member& newcomer = fleet.add_agent("newcomer");
  DUNLIN_ASSERT_OK(gateway.start());
  DUNLIN_ASSERT_OK(honest.start());
  ASSERT_TRUE(honest.say(numbers(1, 100)));
  ASSERT_TRUE(eventually([&] { return gateway.readings(honest.node()) == 100; }));

  const auto bundle = fleet.admit({.name = "hostile"});
  ASSERT_TRUE(bundle.ok()) << bundle.error().message();
  const auto read = security::read_bundle(read_file(*bundle));
  ASSERT_TRUE(read.ok()) << read.error().message();
  const test::TempDir folder;
  DUNLIN_ASSERT_OK(security::install(*read, folder.path().string()));
  const NodeId node = read->membership.certificate.node();
  TransportOptions how{.url = fleet.broker().url(), .client_id = node.to_string()};
  how.ca_file = security::authority_file(folder.path().string());
  how.cert_file = security::certificate_file(folder.path().string());
  how.key_file = security::key_file(folder.path().string());
  test::Publisher hostile(how);
  std::atomic<std::uint64_t> sent = 0;
  std::jthread flood([&](const std::stop_token& stop) {
    const std::string live =
        runtime::topic_name("default", "default", replication::TopicClass::live, node);
    const Bytes noise(1000, 'x');
    while (!stop.stop_requested()) {
      if (hostile.offer(live, noise)) {
        sent += 1;
      } else {
        std::this_thread::yield();
      }
    }
  });

  const auto mutes = [&] { return gateway.metric("dunlin_mutes_total"); };
  ASSERT_TRUE(eventually([&] { return mutes() >= 1; })) << gateway.log();
  EXPECT_EQ(gateway.events("node_muted").front().value("node", ""), node.to_string());
  // What was on its way comes to an end, and nothing more comes while it goes on.
  const auto dropped = [&] {
    return gateway.metric("dunlin_messages_refused_total{reason=\"mailbox_full\"}");
  };
  const auto send_more = [&] {
    const std::uint64_t before = sent;
    return eventually([&] { return sent > before + 20'000; });
  };
  EXPECT_TRUE(eventually([&] {
    const double before = dropped();
    return send_more() && dropped() == before;
  }));
  ASSERT_TRUE(honest.say(numbers(101, 200)));
  EXPECT_TRUE(eventually([&] { return gateway.readings(honest.node()) == 200; }));
  // Whom it did not know when it left the hostile one out is heard when that time is over, also of
  // what it measured meanwhile.
  DUNLIN_ASSERT_OK(newcomer.start());
  ASSERT_TRUE(newcomer.say(numbers(1, 100)));
  ASSERT_TRUE(eventually([&] { return mutes() >= 2; }, std::chrono::minutes(2)));
  ASSERT_TRUE(newcomer.say(numbers(101, 200)));
  EXPECT_TRUE(eventually([&] { return gateway.readings(newcomer.node()) == 200; },
                         std::chrono::minutes(1)));
}

}  // namespace
}  // namespace dunlin
