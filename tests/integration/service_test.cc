// The programs as a service manager and a person at a shell see them.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "tests/support/eventually.h"
#include "tests/support/fleet.h"

namespace dunlin {
namespace {

using nlohmann::json;
using test::Fleet;
using test::Member;

// What systemd is to a service: the other end of $NOTIFY_SOCKET.
class NotifySocket {
 public:
  explicit NotifySocket(const std::string& path)
      : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ~NotifySocket() { ::close(fd_); }
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  // That, and more perhaps, after what it heard before.
  bool hears(const std::string& state) {
    return test::eventually([&] {
      char buffer[256];
      const ssize_t n = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
      return n > 0 && std::string(buffer, static_cast<std::size_t>(n)).starts_with(state);
    });
  }

 private:
  int fd_;
};

TEST(Service, SaysReadyAndStopping) {
  DUNLIN_FLEET(fleet);
  const std::string path = fleet.folder().file("notify");
  NotifySocket manager(path);
  const std::vector<std::string> environment = {"NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=100000"};
  Member& gateway = fleet.add_gateway({.environment = environment});
  Member& a = fleet.add_agent("a", {.environment = environment});
  for (Member* member : {&gateway, &a}) {
    DUNLIN_ASSERT_OK(member->start());
    EXPECT_TRUE(manager.hears("READY=1")) << member->name();
    EXPECT_TRUE(manager.hears("WATCHDOG=1")) << member->name();
    EXPECT_EQ(member->stop(), 0);
    EXPECT_TRUE(manager.hears("STOPPING=1")) << member->name();
  }
}

// Or a reload that takes long would look like a hang.
TEST(Service, SaysThatItReloadsAndGetsOn) {
  DUNLIN_FLEET(fleet);
  const std::string path = fleet.folder().file("notify");
  NotifySocket manager(path);
  fleet.add_gateway();
  Member& a = fleet.add_agent("a", {.environment = {"NOTIFY_SOCKET=" + path}});
  DUNLIN_ASSERT_OK(fleet.start());
  EXPECT_TRUE(manager.hears("READY=1"));
  DUNLIN_ASSERT_OK(a.reload());
  for (const char* state :
       {"RELOADING=1\nMONOTONIC_USEC=", "WATCHDOG=1\nEXTEND_TIMEOUT_USEC=60000000", "READY=1"})
    EXPECT_TRUE(manager.hears(state)) << state;
  // With a mistake in it there is nothing to wait for.
  { std::ofstream(a.config(), std::ios::app) << "[node]\n"; }
  a.process().kill(SIGHUP);
  for (const char* state : {"RELOADING=1", "READY=1"}) EXPECT_TRUE(manager.hears(state)) << state;
  EXPECT_EQ(a.events("started").size(), 2u);
}

TEST(Service, SaysUntilWhenCertificatesAreGood) {
  DUNLIN_FLEET(fleet);
  Member& gateway = fleet.add_gateway();
  Member& a = fleet.add_agent("a");
  DUNLIN_ASSERT_OK(fleet.start());
  const double until = a.metric("dunlin_certificate_expiry_timestamp_seconds");
  EXPECT_GT(until, static_cast<double>(::time(nullptr)) + 86'400);
  EXPECT_GT(gateway.metric("dunlin_certificate_expiry_timestamp_seconds"), 0);
  const std::string seen =
      "dunlin_node_certificate_expiry_timestamp_seconds{node=\"" + a.node() + "\"}";
  EXPECT_TRUE(test::eventually([&] { return gateway.metric(seen) == until; }));
}

TEST(Service, LogsMoreAndLessWithoutARestart) {
  DUNLIN_FLEET(fleet);
  Member& gateway = fleet.add_gateway();
  Member& a = fleet.add_agent("a");
  DUNLIN_ASSERT_OK(fleet.start());
  const auto messages = [&] { return gateway.events("received").size(); };
  EXPECT_EQ(messages(), 0U);
  gateway.process().kill(SIGUSR1);
  const auto hears_more = [&] {
    const auto heard = [&] {
      return gateway.metric("dunlin_readings_total{direction=\"received\"}");
    };
    const double before = heard();
    return a.say("numbers n=1i\n") && test::eventually([&] { return heard() > before; });
  };
  ASSERT_TRUE(test::eventually([&] { return hears_more() && messages() > 0; }));
  EXPECT_FALSE(gateway.events("sent").empty());
  gateway.process().kill(SIGUSR2);
  EXPECT_TRUE(test::eventually([&] {
    const std::size_t lines = messages();
    return hears_more() && messages() == lines;
  }));
  EXPECT_EQ(gateway.events("started").size(), 1U);
}

TEST(Service, HealthcheckNeedsNoHttpAndNoBroker) {
  DUNLIN_FLEET(fleet);
  // The folder's name is longer than the address of a socket may be.
  const std::string folder = fleet.folder().file(std::string(120, 'd'));
  Member& gateway = fleet.add_gateway();
  Member& a = fleet.add_agent("a", {.data_dir = folder});
  EXPECT_EQ(a.command({"healthcheck"}).code, 1);
  DUNLIN_ASSERT_OK(fleet.start());
  for (Member* member : {&gateway, &a}) {
    EXPECT_TRUE(test::eventually([&] {
      const auto printed = member->command({"healthcheck"});
      return printed.code == 0 && printed.text == "store writable, broker connected\n";
    })) << member->name();
  }
  fleet.broker().kill();
  EXPECT_TRUE(test::eventually([&] {
    const auto printed = a.command({"healthcheck"});
    return printed.code == 0 && printed.text == "store writable, broker not connected\n";
  }));
  // One that hangs or was killed is not well.
  a.process().kill(SIGSTOP);
  const auto hanging = a.command({"healthcheck"});
  EXPECT_EQ(hanging.code, 1);
  EXPECT_NE(hanging.text.find("timeout"), std::string::npos) << hanging.text;
  a.kill();
  EXPECT_EQ(a.command({"healthcheck"}).code, 1);
  DUNLIN_ASSERT_OK(a.start());  // where that left its socket
  EXPECT_TRUE(test::eventually([&] { return a.command({"healthcheck"}).code == 0; }));
  EXPECT_EQ(a.stop(), 0);
  EXPECT_FALSE(std::filesystem::exists(folder + "/health.sock"));
}

TEST(Service, StoppingFlushesWhatIsPending) {
  DUNLIN_FLEET(fleet);
  fleet.add_gateway();
  Member& a = fleet.add_agent("a", {.track_keys = "flush_interval = \"1h\"\n"});
  DUNLIN_ASSERT_OK(fleet.start());
  ASSERT_TRUE(a.say("numbers n=0i\n"));  // the first one is flushed at once
  ASSERT_TRUE(test::eventually([&] { return a.readings() == 1; }));
  ASSERT_TRUE(a.say("numbers n=1i\nnumbers n=2i\n"));
  ASSERT_TRUE(test::eventually(
      [&] { return a.metric("dunlin_readings_total{direction=\"appended\"}") == 3; }));
  EXPECT_EQ(a.readings(), 1);
  EXPECT_EQ(a.stop(), 0);
  // All of it is in the database itself.
  std::error_code none;
  const std::uintmax_t wal = std::filesystem::file_size(a.database() + "-wal", none);
  EXPECT_TRUE(none || wal == 0) << wal;
  EXPECT_EQ(a.readings(), 3);
  EXPECT_FALSE(std::filesystem::exists(fleet.folder().file("a.sock")));
  a.process() = {};
  DUNLIN_ASSERT_OK(a.start());  // and SIGINT, as Ctrl-C
  a.process().kill(SIGINT);
  EXPECT_EQ(a.process().wait(std::chrono::seconds(20)), 0);
  // A broker that is away does not hold it up.
  fleet.broker().kill();
  DUNLIN_ASSERT_OK(a.start());
  EXPECT_EQ(a.stop(), 0);
}

TEST(Service, NamesEveryMistakeOfAConfiguration) {
  const test::TempDir folder;
  const std::string file = folder.write(
      "bad.toml", "[node]\nname = \"x\"\ndata_dir = \"" + folder.file("data") +
                      "\"\nfleet = \"no/slash\"\n[broker]\nprotokoll = 4\nprotocol = 3\n"
                      "[storage]\nmax_bytes = \"many\"\noverflow = \"drop\"\n"
                      "[[input]]\ntype = \"csv\"\n[[input]]\ntype = \"hots\"\n"
                      "[[stream]]\nname = \"s\"\ntrack = \"nowhere\"\n");
  for (const char* command : {"check", "run", "status"}) {
    const std::string output = folder.file(std::string(command) + ".out");
    EXPECT_EQ(test::run_program({.program = test::built_program("dunlin-agent"),
                                 .args = {command, "--config", file},
                                 .output_file = output}),
              2);
    std::ifstream stream(output);
    const std::string text(std::istreambuf_iterator<char>(stream), {});
    for (const auto& [line, key] : {std::pair{4, "fleet"},
                                    {6, "protokoll"},
                                    {7, "protocol"},
                                    {9, "max_bytes"},
                                    {10, "overflow"},
                                    {11, "file"},
                                    {14, "type"},
                                    {17, "track"}}) {
      bool named = false;
      std::istringstream lines(text);
      for (std::string said; std::getline(lines, said);) {
        named |= said.starts_with(file + ":" + std::to_string(line)) &&
                 said.find(key) != std::string::npos;
      }
      EXPECT_TRUE(named) << command << " does not name line " << line << ", " << key << ":\n"
                         << text;
    }
    EXPECT_NE(text.find("protocol"), std::string::npos) << "the nearest known key";
  }
  EXPECT_FALSE(std::filesystem::exists(folder.file("data")));
  EXPECT_EQ(test::run_program({.program = test::built_program("dunlin-agent"),
                               .args = {"check", "--config", folder.file("absent.toml")}}),
            2);
  EXPECT_EQ(
      test::run_program({.program = test::built_program("dunlin-gateway"), .args = {"dance"}}), 2);
}

TEST(Service, AnswersAtTheShellWhetherTheDaemonRunsOrNot) {
  DUNLIN_FLEET(fleet);
  Member& gateway = fleet.add_gateway();
  Member& a = fleet.add_agent("a");
  EXPECT_EQ(a.command({"check"}).code, 0);
  EXPECT_EQ(a.command({"check"}).text, "");
  EXPECT_EQ(a.command({"status"}).code, 1);  // nothing there yet
  EXPECT_EQ(
      test::run_program({.program = test::built_program("dunlin-agent"), .args = {"version"}}), 0);
  DUNLIN_ASSERT_OK(fleet.start());
  ASSERT_TRUE(a.say("numbers n=1i,t=\"x,y\"\nnumbers n=2i\n"));
  ASSERT_TRUE(test::eventually([&] { return a.readings() == 2; }));
  ASSERT_EQ(fleet.converge(), "");
  for (const bool running : {true, false}) {
    SCOPED_TRACE(running ? "running" : "stopped");
    for (Member* member : {&a, &gateway}) {
      SCOPED_TRACE(member->name());
      if (!running) {
        EXPECT_EQ(member->stop(), 0);
      }
      EXPECT_EQ(member->command({"sql", "SELECT n, t FROM stream_numbers", "--format", "csv"}).text,
                "n,t\r\n1,\"x,y\"\r\n2,\r\n");
      const auto as_json =
          member->command({"sql", "SELECT n FROM stream_numbers ORDER BY n DESC", "--json"});
      EXPECT_EQ(json::parse(as_json.text)["rows"], json::parse("[[2],[1]]"));
      EXPECT_NE(member->command({"sql", "SELECT n FROM stream_numbers"}).text.find("n"),
                std::string::npos);
      const auto wrong = member->command({"sql", "SELEKT 1"});
      EXPECT_EQ(wrong.code, 1);
      EXPECT_NE(wrong.text.find("SELEKT"), std::string::npos) << wrong.text;
      EXPECT_EQ(member->command({"sql", "DELETE FROM segments"}).code, 1);
      EXPECT_EQ(member->command({"sql", "SELECT 1", "--format", "xml"}).code, 2);
      const auto status = member->command({"status", "--json"});
      EXPECT_EQ(status.code, 0);
      const json table = json::parse(status.text);
      EXPECT_GE(table["rows"].size(), 2u);
      EXPECT_EQ(table["columns"][0], "node");
      EXPECT_NE(member->command({"status"}).text.find(a.node()), std::string::npos);
    }
  }
}

// Two daemons never share a database: the second one says so and goes.
TEST(Service, StartsOncePerDatabase) {
  DUNLIN_FLEET(fleet);
  fleet.add_gateway();
  Member& a = fleet.add_agent("a");
  DUNLIN_ASSERT_OK(a.start());
  const auto second = a.command({"run"});
  EXPECT_EQ(second.code, 1);
  EXPECT_NE(second.text.find("another process has the database open"), std::string::npos)
      << second.text;
  EXPECT_TRUE(a.process().running());
}

}  // namespace
}  // namespace dunlin
