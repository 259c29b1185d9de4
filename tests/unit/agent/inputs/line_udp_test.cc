#include "agent/inputs/line_udp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "common/base/stop_event.h"
#include "tests/support/eventually.h"
#include "tests/support/fake_sink.h"
#include "tests/support/udp_port.h"

namespace dunlin::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class LineUdpTest : public ::testing::Test {
 protected:
  std::unique_ptr<Input> input(const std::string& keys = "") {
    auto made = test::make_input("type = \"line_protocol\"\nprecision = \"s\"\nlisten = \"" +
                                 port_.url() + "\"\n" + keys);
    EXPECT_THAT(made.mistakes, IsEmpty());
    return std::move(made.input);
  }
  void send(std::string_view datagram) { ASSERT_TRUE(port_.send(datagram)); }
  void wait_for_listener() {
    ASSERT_TRUE(test::eventually([&] { return port_.listened_at(); }));
  }
  const test::UdpPort port_;
  test::FakeSink sink_;
};

TEST_F(LineUdpTest, ADatagramIsABatch) {
  test::InputRun run(sink_, input());
  wait_for_listener();
  send("a x=1 1\na x=2 2\n# comment\n\na x=3 3");
  send("a x=4 4\r\n");
  ASSERT_TRUE(test::eventually([&] { return sink_.rows() == 4; }));
  EXPECT_THAT(sink_.lines(),
              ElementsAre("a 1000000 x=1", "a 2000000 x=2", "a 3000000 x=3", "a 4000000 x=4"));
  EXPECT_EQ(sink_.batches().size(), 2u);
  EXPECT_THAT(sink_.reports(), IsEmpty());
  EXPECT_TRUE(run.stop().ok());
}

TEST_F(LineUdpTest, MalformedLinesHaveAPosition) {
  test::InputRun run(sink_, input());
  wait_for_listener();
  send("a x=1 1\nbroken\na x=2 2");
  send("a x=\"never ends\na x=3 3");
  send("a x=4 4");
  ASSERT_TRUE(test::eventually([&] { return sink_.rows() == 4; }));
  EXPECT_TRUE(run.stop().ok());
  const auto reports = sink_.reports();
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_TRUE(reports[0].where.starts_with("127.0.0.1:")) << reports[0].where;
  EXPECT_TRUE(reports[0].where.ends_with(":2")) << reports[0].where;
  EXPECT_TRUE(reports[1].where.ends_with(":1")) << reports[1].where;
  EXPECT_THAT(reports[1].where, HasSubstr(" datagram "));
}

TEST_F(LineUdpTest, TheLargestDatagramFits) {
  test::InputRun run(sink_, input());
  wait_for_listener();
  std::string lines;
  while (lines.size() < 65'000) lines += "a x=1 1\n";
  const std::size_t rows = lines.size() / 8;
  send(lines);
  EXPECT_TRUE(test::eventually([&] { return sink_.rows() == rows; }));
  EXPECT_TRUE(run.stop().ok());
}

TEST_F(LineUdpTest, WhatTheKernelDropsIsCounted) {
  std::atomic<bool> waiting = false, open = false;
  sink_.set_refuse([&](const StreamSchema&) {
    waiting = true;
    waiting.notify_all();
    open.wait(false);
    return Result<void>();
  });
  test::InputRun run(sink_, input("buffer_bytes = \"4KiB\"\n"));
  wait_for_listener();
  send("a x=1 1");
  waiting.wait(false);  // the log has no room
  constexpr std::size_t kSent = 200;
  for (std::size_t i = 1; i < kSent; ++i) send("a x=1 1");
  open = true;
  open.notify_all();
  const auto dropped = [&] {
    std::uint64_t sum = 0;
    for (const auto& report : sink_.reports()) sum += report.times;
    return sum;
  };
  // The last drops are told with the next datagram that gets through.
  std::size_t more = 0;
  ASSERT_TRUE(test::eventually([&] {
    if (sink_.rows() + dropped() == kSent + more) return true;
    send("a x=1 1"), ++more;
    return false;
  }));
  EXPECT_GT(dropped(), 0u);
  EXPECT_EQ(sink_.reports().at(0).error.code, Errc::backpressure);
  EXPECT_TRUE(run.stop().ok());
}

TEST_F(LineUdpTest, APortInUseIsAnError) {
  const FileDescriptor other(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(other.get(), port_.any(), sizeof(sockaddr_in)), 0);
  EXPECT_EQ(test::InputRun(sink_, input()).wait().error().code, Errc::io);
}

TEST_F(LineUdpTest, StopEndsItWhileDatagramsKeepComing) {
  test::InputRun run(sink_, input());
  wait_for_listener();
  std::atomic<bool> stopped = false;
  std::jthread sender([&] {
    while (!stopped) port_.send("a x=1 1");  // refused once nobody listens
  });
  ASSERT_TRUE(test::eventually([&] { return sink_.rows() > 0; }));
  EXPECT_TRUE(run.stop().ok());
  stopped = true;
}

TEST(LineUdpKeys, AreChecked) {
  const auto mistakes = [](const std::string& keys) {
    return test::make_input("type = \"line_protocol\"\n" + keys).mistakes.size();
  };
  for (const char* good :
       {"udp://127.0.0.1:8094", "udp://0.0.0.0:1", "udp://[::1]:65535", "udp://:8094"}) {
    EXPECT_EQ(mistakes("listen = \"" + std::string(good) + "\"\n"), 0u) << good;
  }
  for (const char* bad :
       {"", "8094", ":8094", "127.0.0.1:8094", "tcp://127.0.0.1:8094", "udp://", "udp://127.0.0.1",
        "udp://127.0.0.1:", "udp://127.0.0.1:0", "udp://127.0.0.1:65536", "udp://127.0.0.1:8094/",
        "udp://::1:8094", "udp://[::1:8094", "udp://[127.0.0.1]:1", "udp://localhost:8094",
        "udp://1.2.3:5"}) {
    EXPECT_EQ(mistakes("listen = \"" + std::string(bad) + "\"\n"), 1u) << bad;
  }
  const std::string listen = "listen = \"udp://:8094\"\n";
  EXPECT_EQ(mistakes(listen + "socket = \"/tmp/a.sock\"\n"), 1u);
  EXPECT_EQ(mistakes(listen + "buffer_bytes = 4095\n"), 1u);
  EXPECT_EQ(mistakes(listen + "buffer_bytes = \"65MiB\"\n"), 1u);
  EXPECT_EQ(mistakes(listen + "clients = 3\n"), 1u);  // a key of the socket
}

}  // namespace
}  // namespace dunlin::agent
