#include "agent/inputs/host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/eventually.h"
#include "tests/support/fake_sink.h"
#include "tests/support/temp_dir.h"

namespace dunlin::agent {
namespace {

using ::testing::IsEmpty;

std::int64_t value(const test::FakeSink::Batch& batch, std::string_view name) {
  for (std::size_t i = 0; i < batch.schema.fields.size(); ++i) {
    if (batch.schema.fields[i].name != name) continue;
    const Cell& cell = batch.rows.cell(0, i);
    return cell.kind == Cell::Kind::integer ? cell.integer : -1;
  }
  return -2;
}

TEST(HostInput, ReadsARecordedTree) {
  const test::TempDir proc;
  std::filesystem::create_directory(proc.path() / "net");
  proc.write("stat", "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 100 0 100 800 0 0 0\n");
  proc.write("loadavg", "0.52 1.5 12.25 1/100 4242\n");
  proc.write("meminfo", "MemTotal: 1000 kB\nMemFree: 10 kB\nMemAvailable: 600 kB\n");
  proc.write("net/dev",
             "Inter-| Receive | Transmit\n face |bytes packets\n"
             "    lo: 999 1 0 0 0 0 0 0 999 1 0 0 0 0 0 0\n"
             "  eth0: 100 1 0 0 0 0 0 0 10 1 0 0 0 0 0 0\n"
             " wlan0:200 1 0 0 0 0 0 0 20 1 0 0 0 0 0 0\n");
  proc.write("diskstats",
             "7 0 loop0 1 0 50 0 1 0 50 0\n8 0 sda 1 0 10 0 1 0 20 0\n8 1 sda1 1 0 9 0 1 0 9 0\n"
             "259 0 nvme0n1 1 0 1 0 1 0 2 0\n259 1 nvme0n1p1 1 0 1 0 1 0 1 0\n"
             "253 0 dm-0 1 0 7 0 1 0 7 0\n179 0 mmcblk0 1 0 4 0 1 0 8 0\n");
  auto made = test::make_input("type = \"host\"\ninterval = \"10ms\"\nproc = \"" +
                               proc.path().string() + "\"\ndisk_path = \"/\"\n");
  ASSERT_THAT(made.mistakes, IsEmpty());
  test::FakeSink sink;
  test::InputRun run(sink, std::move(made.input));
  ASSERT_TRUE(test::eventually([&] { return sink.rows() >= 1; }));
  // 60 ticks of user time (nice included), 20 of system, 20 idle.
  proc.write("stat.new", "cpu  150 10 110 815 5 5 5 0 0 0\n");
  std::filesystem::rename(proc.file("stat.new"), proc.file("stat"));
  ASSERT_TRUE(test::eventually([&] {
    for (const auto& batch : sink.batches()) {
      if (value(batch, "cpu_user") == 6000) return true;
    }
    return false;
  }));
  ASSERT_TRUE(run.stop().ok());
  const auto batches = sink.batches();
  const auto& first = batches.front();
  EXPECT_EQ(first.schema.name, "host");
  EXPECT_EQ(first.rows.time(0), 1'700'000'000'000'000);
  EXPECT_EQ(value(first, "cpu_user"), -1);  // nothing to compare with yet
  EXPECT_EQ(value(first, "load_1"), 52);
  EXPECT_EQ(value(first, "load_5"), 150);
  EXPECT_EQ(value(first, "load_15"), 1225);
  EXPECT_EQ(value(first, "memory_total"), 1000 * 1024);
  EXPECT_EQ(value(first, "memory_used"), 400 * 1024);
  EXPECT_EQ(value(first, "network_rx"), 300);
  EXPECT_EQ(value(first, "network_tx"), 30);
  EXPECT_EQ(value(first, "disk_read"), 15 * 512);
  EXPECT_EQ(value(first, "disk_write"), 30 * 512);
  EXPECT_GT(value(first, "disk_free"), 0);
  for (const auto& batch : batches) {
    if (value(batch, "cpu_user") != 6000) continue;
    EXPECT_EQ(value(batch, "cpu_system"), 2000);
    EXPECT_EQ(value(batch, "cpu_idle"), 2000);
  }
}

TEST(HostInput, AnEmptyOrStrangeTreeIsMissingValues) {
  const test::TempDir proc;
  proc.write("stat", "cpu x\n\n\xff\n");
  proc.write("loadavg", "");
  proc.write("diskstats", "1 2\n");
  auto made = test::make_input("type = \"host\"\nproc = \"" + proc.path().string() +
                               "\"\ndisk_path = \"/does/not/exist\"\n");
  test::FakeSink sink;
  test::InputRun run(sink, std::move(made.input));
  ASSERT_TRUE(test::eventually([&] { return sink.rows() >= 1; }));
  ASSERT_TRUE(run.stop().ok());
  const auto batch = sink.batches().front();
  for (std::size_t i = 0; i < batch.rows.fields(); ++i) {
    EXPECT_EQ(batch.rows.cell(0, i).kind, Cell::Kind::missing) << batch.schema.fields[i].name;
  }
}

TEST(HostInput, ThisMachineHasReadings) {
  auto made = test::make_input("type = \"host\"\ninterval = \"10ms\"\n");
  test::FakeSink sink;
  test::InputRun run(sink, std::move(made.input));
  ASSERT_TRUE(test::eventually([&] { return sink.rows() >= 2; }));
  ASSERT_TRUE(run.stop().ok());
  EXPECT_GT(value(sink.batches().front(), "memory_total"), 0);
}

}  // namespace
}  // namespace dunlin::agent
