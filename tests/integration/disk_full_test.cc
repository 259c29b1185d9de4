// Full disks and small bounds: the gateway promises nothing that it cannot keep, agents keep
// theirs, and what a policy drops is said.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "tests/support/eventually.h"
#include "tests/support/fleet.h"

namespace dunlin {
namespace {

using nlohmann::json;
using test::Fleet;
using test::Member;

// A file system of a few megabytes in memory.
class SmallDisk {
 public:
  SmallDisk(const std::string& path, std::size_t bytes) : path_(path) {
    std::filesystem::create_directories(path);
    if (::mount("dunlin-test", path.c_str(), "tmpfs", 0,
                ("size=" + std::to_string(bytes)).c_str()) != 0) {
      refused = std::strerror(errno);
    }
  }
  ~SmallDisk() {
    if (refused.empty()) ::umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  // Leaves no byte free, by a file of zeros.
  void fill() const {
    std::ofstream file(path_ + "/ballast", std::ios::binary);
    const std::string zeros(4096, '\0');
    while (file.write(zeros.data(), static_cast<std::streamsize>(zeros.size())).flush()) {
    }
  }
  // Leaves that many bytes free.
  void fill_up_to(std::uintmax_t left) const {
    std::ofstream file(path_ + "/ballast", std::ios::binary);
    const std::string zeros(4096, '\0');
    while (std::filesystem::space(path_).available > left + zeros.size())
      file.write(zeros.data(), static_cast<std::streamsize>(zeros.size())).flush();
  }
  void empty() const { std::filesystem::remove(path_ + "/ballast"); }

  std::string refused;

 private:
  std::string path_;
};

#define DUNLIN_SMALL_DISK(disk, path, bytes)                                \
  const SmallDisk disk(path, bytes);                                        \
  if (!disk.refused.empty() && !(std::getenv("CI") && ::geteuid() == 0)) {  \
    GTEST_SKIP() << "no file system can be mounted here: " << disk.refused; \
  }                                                                         \
  ASSERT_EQ(disk.refused, "")

std::string model(std::int64_t readings) {
  return "[[input]]\ntype = \"model\"\nstream = \"greenhouse_model\"\nseed = 7\nspeed = 0\nbatch = "
         "500\n"
         "readings = " +
         std::to_string(readings) + "\n";
}

// Readings that do not compress well.
std::string numbers(std::int64_t first, std::int64_t last) {
  std::string lines;
  for (std::int64_t n = first; n <= last; ++n) {
    const std::string noise = std::to_string(static_cast<std::uint64_t>(n) * 0x9e3779b97f4a7c15);
    lines += "numbers n=" + std::to_string(n) + "i,noise=\"" + noise + "\"\n";
  }
  return lines;
}

json samples_log(const Member& gateway, const std::string& node) {
  const json answer = gateway.get_json("/v1/nodes");
  if (!answer.is_object()) return {};
  for (const json& known : answer["nodes"]) {
    if (known["node"] != node) continue;
    for (const json& log : known["logs"]) {
      if (log["track"] == 1) return log;
    }
  }
  return {};
}

class GatewayDiskFullTest : public testing::TestWithParam<const char*> {};

TEST_P(GatewayDiskFullTest, StopsAcknowledgingAndGoesOnWhenThereIsRoom) {
  DUNLIN_FLEET(fleet);
  const std::string mount = fleet.folder().file("small");
  DUNLIN_SMALL_DISK(disk, mount, 12 << 20);
  Member& gateway = fleet.add_gateway({.storage_keys = GetParam(), .data_dir = mount + "/data"});
  Member& a = fleet.add_agent("a");
  Member& b = fleet.add_agent("b");
  DUNLIN_ASSERT_OK(fleet.start());
  ASSERT_TRUE(a.say(numbers(1, 1000)) && b.say(numbers(1, 1000)));
  ASSERT_TRUE(test::eventually([&] { return a.readings() == 1000 && b.readings() == 1000; }));
  ASSERT_EQ(fleet.converge(), "");
  // An agent notes what is acked with its next write.
  ASSERT_TRUE(a.say(numbers(1, 1)) && b.say(numbers(1, 1)));
  ASSERT_TRUE(test::eventually(
      [&] { return a.status(a.node(), "acked") > 0 && b.status(b.node(), "acked") > 0; }));

  disk.fill();
  std::int64_t said = 1000;
  ASSERT_TRUE(test::eventually([&] {  // what lies allocated in the WAL may take some more
    said += 1000;
    return a.say(numbers(said - 999, said)) && b.say(numbers(said - 999, said)) &&
           gateway.get("/readyz").status == 503;
  })) << gateway.log();
  EXPECT_EQ(json::parse(gateway.get("/readyz").body)["code"], "store_not_writable");
  EXPECT_EQ(gateway.metric("dunlin_store_writable"), 0);
  EXPECT_EQ(gateway.get("/healthz").status, 200);

  // From here on nothing is promised: what agents believe to be acked stays what it was.
  ASSERT_TRUE(a.say(numbers(said + 1, said + 3000)) && b.say(numbers(said + 1, said + 3000)));
  said += 3000;
  ASSERT_TRUE(
      test::eventually([&] { return a.readings() == said + 1 && b.readings() == said + 1; }));
  for (Member* agent : {&a, &b}) {
    EXPECT_LT(agent->status(agent->node(), "acked"), agent->status(agent->node(), "last"));
    EXPECT_LE(agent->status(agent->node(), "acked"), gateway.status(agent->node(), "last"));
  }
  EXPECT_EQ(gateway.get("/readyz").status, 503);
  EXPECT_TRUE(gateway.process().running());

  disk.empty();
  EXPECT_EQ(fleet.converge(), "");
  EXPECT_EQ(gateway.readings(), 2 * (said + 1));
  EXPECT_TRUE(test::eventually([&] { return gateway.get("/readyz").status == 200; }));
  EXPECT_TRUE(gateway.events("database_damaged").empty());
}

// Really full, and full by the setting that leaves room to others.
INSTANTIATE_TEST_SUITE_P(Bounds, GatewayDiskFullTest,
                         testing::Values("min_free_bytes = 0\n", "min_free_bytes = \"2MiB\"\n"));

TEST(AgentDiskFull, RefusesReadingsAndGoesOnWhenThereIsRoom) {
  DUNLIN_FLEET(fleet);
  const std::string mount = fleet.folder().file("small");
  DUNLIN_SMALL_DISK(disk, mount, 12 << 20);
  Member& gateway = fleet.add_gateway();
  Member& a =
      fleet.add_agent("a", {.storage_keys = "min_free_bytes = 0\n", .data_dir = mount + "/data"});
  DUNLIN_ASSERT_OK(fleet.start());
  ASSERT_TRUE(a.say(numbers(1, 1000)));
  ASSERT_TRUE(test::eventually([&] { return a.readings() == 1000; }));
  disk.fill();
  std::int64_t said = 1000;
  ASSERT_TRUE(test::eventually([&] {
    said += 1000;
    return a.say(numbers(said - 999, said), std::chrono::seconds(5)) &&
           a.metric("dunlin_readings_refused_total{reason=\"storage_full\"}") > 0;
  })) << a.log();
  EXPECT_EQ(a.get("/readyz").status, 503);
  disk.empty();
  ASSERT_TRUE(test::eventually([&] { return a.get("/readyz").status == 200; }));
  const std::int64_t full = said;
  ASSERT_TRUE(test::eventually([&] {
    said += 1;
    return a.say(numbers(said, said)) &&
           a.sql_integer("SELECT count(*) FROM stream_numbers WHERE n > " + std::to_string(full)) >
               0;
  }));
  // What the gateway had signed for may have made room here, so it holds more than the agent.
  EXPECT_TRUE(test::eventually([&] { return fleet.behind().empty(); })) << fleet.behind();
  EXPECT_TRUE(test::eventually([&] { return gateway.readings() >= a.readings(); }));
  EXPECT_GT(gateway.sql_integer("SELECT max(n) FROM stream_numbers"), full);
  EXPECT_EQ(gateway.sql_integer("SELECT count(*) - count(DISTINCT n) FROM stream_numbers"), 0);
}

// What the log gives shows inside its file, not in the file system: it must not give it all.
TEST(AgentDiskFull, AShortageOfFreeSpaceTakesWhatIsShortAndNoMore) {
  DUNLIN_FLEET(fleet);
  const std::string mount = fleet.folder().file("small");
  DUNLIN_SMALL_DISK(disk, mount, 24 << 20);
  Member& a = fleet.add_agent(
      "a", {.storage_keys = "min_free_bytes = \"8MiB\"\n", .data_dir = mount + "/data"});
  fleet.broker().stop();
  DUNLIN_ASSERT_OK(a.start());
  ASSERT_TRUE(a.say(numbers(1, 60'000)));
  ASSERT_TRUE(test::eventually([&] { return a.readings() == 60'000; }));
  disk.fill_up_to((8 << 20) - 100'000);
  const auto lost = [&] { return a.metric("dunlin_lost_entries_total{policy=\"drop_oldest\"}"); };
  ASSERT_TRUE(test::eventually([&] { return lost() > 0; }));
  std::int64_t said = 60'000;
  for (int round = 0; round < 6; ++round) {  // each takes a flush interval
    said += 10;
    ASSERT_TRUE(a.say(numbers(said - 9, said)));
    ASSERT_TRUE(test::eventually(
        [&] { return a.sql_integer("SELECT max(n) FROM stream_numbers") == said; }));
  }
  EXPECT_GT(a.readings(), 40'000) << a.log();
}

TEST(AgentBound, DropOldestSaysWhatIsLost) {
  DUNLIN_FLEET(fleet);
  Member& gateway = fleet.add_gateway();
  Member& a =
      fleet.add_agent("a", {.storage_keys = "max_bytes = \"1MiB\"\n", .more = model(1'000'000)});
  fleet.broker().stop();
  DUNLIN_ASSERT_OK(fleet.start());
  ASSERT_TRUE(test::eventually([&] { return a.events("input_ended").size() == 1; },
                               std::chrono::seconds(60)));
  const auto on_disk = [&] {
    return std::filesystem::file_size(a.database()) +
           std::filesystem::file_size(a.database() + "-wal");
  };
  EXPECT_LT(on_disk(), 1'500'000u);
  const double lost = a.metric("dunlin_lost_entries_total{policy=\"drop_oldest\"}");
  EXPECT_GT(lost, 100);
  ASSERT_FALSE(a.events("entries_lost").empty());

  DUNLIN_ASSERT_OK(fleet.broker().restart());
  EXPECT_EQ(fleet.converge(), "");
  const json log = samples_log(gateway, a.node());
  EXPECT_EQ(log["complete"], log["head"]);
  EXPECT_EQ(log["missing_entries"], 0);
  EXPECT_EQ(log["lost_entries"].get<double>(),
            a.metric("dunlin_lost_entries_total{policy=\"drop_oldest\"}"));
  EXPECT_EQ(log["lost_readings"].get<std::int64_t>() + gateway.readings(), 1'000'000);
  EXPECT_EQ(gateway.get_json("/v1/gaps")["gaps"].size(), 0u);

  // Room again, by what the gateway has: nothing more is lost.
  ASSERT_TRUE(a.say(numbers(1, 20'000)));
  EXPECT_TRUE(test::eventually(
      [&] { return gateway.sql_integer("SELECT count(*) FROM stream_numbers") == 20'000; }));
  EXPECT_LT(on_disk(), 1'500'000u);
}

TEST(AgentBound, RefuseNewKeepsWhatItHas) {
  DUNLIN_FLEET(fleet);
  Member& gateway = fleet.add_gateway();
  Member& a =
      fleet.add_agent("a", {.storage_keys = "max_bytes = \"1MiB\"\noverflow = \"refuse_new\"\n",
                            .more = model(1'000'000)});
  fleet.broker().stop();
  DUNLIN_ASSERT_OK(fleet.start());
  ASSERT_TRUE(test::eventually([&] { return a.events("input_ended").size() == 1; },
                               std::chrono::seconds(60)));
  const auto refused =
      static_cast<std::int64_t>(a.metric("dunlin_readings_refused_total{reason=\"storage_full\"}"));
  EXPECT_GT(refused, 100'000);
  ASSERT_TRUE(test::eventually([&] { return a.readings() + refused == 1'000'000; }))
      << a.readings();
  EXPECT_EQ(a.metric("dunlin_lost_entries_total{policy=\"drop_oldest\"}"), 0);
  EXPECT_LT(a.events("readings_refused").size(), 5u);  // said, not shouted

  DUNLIN_ASSERT_OK(fleet.broker().restart());
  EXPECT_EQ(fleet.converge(), "");
  EXPECT_EQ(gateway.readings() + refused, 1'000'000);
  EXPECT_EQ(samples_log(gateway, a.node())["lost_entries"], 0);
  // Acked entries make room, so readings are taken again.
  std::int64_t said = 0;
  EXPECT_TRUE(test::eventually([&] {
    said += 1;
    return a.say(numbers(said, said)) &&
           gateway.sql_integer("SELECT count(*) FROM stream_numbers") > 0;
  }));
}

}  // namespace
}  // namespace dunlin
