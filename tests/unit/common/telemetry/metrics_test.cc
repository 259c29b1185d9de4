#include "common/telemetry/metrics.h"

#include <gtest/gtest.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <limits>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace dunlin::telemetry {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Snapshot::Node node(std::string id, std::string cell, std::string role, std::string state,
                    Duration lag) {
  return {.node = std::move(id),
          .cell = std::move(cell),
          .role = std::move(role),
          .state = std::move(state),
          .lag_entries = static_cast<std::uint64_t>(seconds(1) > lag ? 0 : lag / seconds(1)),
          .lag = lag,
          .last_seen = 1'740'830'400'500'000};
}

Snapshot full_snapshot() {
  Snapshot s;
  s.nodes = {node("b", "north", "agent", "up", seconds(5)),
             node("a", "north", "agent", "up", milliseconds(61'500)),
             node("c", "south", "gateway", "down", seconds(601))};
  s.nodes[1].name = "pond";
  s.nodes[1].skew = milliseconds(-250);
  s.nodes[1].lost_entries = 9;
  s.nodes[1].certified_until = 1'800'000'000'000'000;
  s.nodes[1].storage = {4'096, 1 << 20, 77};
  s.oldest_gap_age = seconds(601);
  s.entries = {{"received", 12}, {"sent", 3}};
  s.readings = {{"received", 1'200}};
  s.bytes = {{"received", "bulk", "segments", 9'000'000'000'000}};
  s.gossip_rounds = {{"in_step", 7}};
  s.suppressed = 21;
  s.queues = {{"mailbox", 3, 900}, {"disk", 2, 0}};
  s.certified_until = 1'900'000'000'000'000;
  s.process = {6 << 20, 1.5, 17, 1'740'830'000.25};
  s.log_bytes = 4'096;
  s.log_entries = 15;
  s.disk_free_bytes = 1 << 20;
  s.bytes_written = 8'192;
  s.segments_merged = 640;
  s.signatures_verified = 12;
  s.lost_entries = {{"drop_oldest", 2}};
  s.quarantined = {{"bad_hash", 3}};
  s.quarantine_items = 2;
  s.http_refused = {{"revoked", 4}};
  s.forks = 1;
  s.clones = 5;
  s.branches = 6;
  s.epochs_begun = 7;
  s.entries_moved = 8;
  s.messages_refused = {{"malformed", 4}};
  s.mutes = 9;
  s.unknown = {{"field", 8}};
  s.readings_refused = {{"type_changed", 5}};
  s.input_errors = {{"csv \"x\"\n", 6}};
  s.inputs_down = {{"w1", 1}};
  s.broker_connected = true;
  s.broker_exposed = true;
  s.http_exposed = true;
  return s;
}

// The lines of a page that are samples.
std::set<std::string> samples(const std::string& page) {
  std::set<std::string> lines;
  std::istringstream in(page);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with('#')) lines.insert(line);
  }
  return lines;
}

void expect_samples(const std::string& page, const std::vector<std::string>& wanted) {
  const auto lines = samples(page);
  for (const auto& line : wanted) EXPECT_TRUE(lines.contains(line)) << line << "\nin\n" << page;
}

TEST(Metrics, RendersTotalsAsTheyAre) {
  const Metrics metrics({.version = "0.1.0", .revision = "abc"});
  expect_samples(metrics.render(full_snapshot()),
                 {R"(dunlin_build_info{version="0.1.0",revision="abc"} 1)",
                  R"(dunlin_entries_total{direction="received"} 12)",
                  R"(dunlin_readings_total{direction="received"} 1200)",
                  R"(dunlin_bytes_total{direction="received",lane="bulk",message="segments"} )"
                  "9000000000000",
                  R"(dunlin_gossip_rounds_total{result="in_step"} 7)",
                  "dunlin_suppressed_total 21",
                  R"(dunlin_queue_items{queue="mailbox"} 3)",
                  R"(dunlin_queue_bytes{queue="mailbox"} 900)",
                  R"(dunlin_queue_items{queue="disk"} 2)",
                  "dunlin_certificate_expiry_timestamp_seconds 1900000000",
                  "process_resident_memory_bytes 6291456",
                  "process_cpu_seconds_total 1.5",
                  "process_open_fds 17",
                  "process_start_time_seconds 1740830000.25",
                  "dunlin_log_bytes 4096",
                  "dunlin_log_entries 15",
                  "dunlin_disk_free_bytes 1048576",
                  "dunlin_bytes_written_total 8192",
                  "dunlin_segments_merged_total 640",
                  "dunlin_signatures_verified_total 12",
                  R"(dunlin_lost_entries_total{policy="drop_oldest"} 2)",
                  R"(dunlin_quarantined_total{reason="bad_hash"} 3)",
                  "dunlin_quarantine_items 2",
                  R"(dunlin_http_refused_total{reason="revoked"} 4)",
                  "dunlin_forks_total 1",
                  "dunlin_clones_total 5",
                  "dunlin_mutes_total 9",
                  "dunlin_branches_total 6",
                  "dunlin_epochs_begun_total 7",
                  "dunlin_entries_moved_total 8",
                  R"(dunlin_messages_refused_total{reason="malformed"} 4)",
                  R"(dunlin_unknown_total{kind="field"} 8)",
                  R"(dunlin_readings_refused_total{reason="type_changed"} 5)",
                  R"(dunlin_input_errors_total{input="csv \"x\"\n"} 6)",
                  R"(dunlin_inputs_down{input="w1"} 1)",
                  "dunlin_broker_connected 1",
                  "dunlin_broker_exposed 1",
                  "dunlin_http_exposed 1",
                  "dunlin_store_writable 0",
                  "dunlin_oldest_gap_age_seconds 601"});
}

TEST(Metrics, DerivesPeersAndCellsFromTheNodes) {
  const Metrics metrics({});
  expect_samples(metrics.render(full_snapshot()),
                 {R"(dunlin_peers{role="agent",state="up"} 2)",
                  R"(dunlin_peers{role="agent",state="stale"} 0)",
                  R"(dunlin_peers{role="gateway",state="down"} 1)",
                  R"(dunlin_lag_entries_max{cell="north"} 61)",
                  R"(dunlin_lag_seconds_max{cell="north"} 61.5)",
                  R"(dunlin_lag_seconds_max{cell="south"} 601)",
                  R"(dunlin_nodes_lagging{cell="north",threshold="10s"} 1)",
                  R"(dunlin_nodes_lagging{cell="north",threshold="60s"} 1)",
                  R"(dunlin_nodes_lagging{cell="north",threshold="600s"} 0)",
                  R"(dunlin_nodes_lagging{cell="south",threshold="600s"} 1)",
                  R"(dunlin_node_lag_seconds{node="a"} 61.5)",
                  R"(dunlin_node_last_seen_timestamp_seconds{node="a"} 1740830400.5)",
                  R"(dunlin_node_info{node="a",name="pond",cell="north",role="agent"} 1)",
                  R"(dunlin_clock_skew_seconds{node="a"} -0.25)",
                  R"(dunlin_node_lost_entries{node="a"} 9)",
                  R"(dunlin_node_certificate_expiry_timestamp_seconds{node="a"} 1800000000)",
                  R"(dunlin_node_log_bytes{node="a"} 4096)",
                  R"(dunlin_node_disk_free_bytes{node="a"} 1048576)",
                  R"(dunlin_node_bytes_written_total{node="a"} 77)",
                  "dunlin_nodes_unlisted 0"});
}

TEST(Metrics, ListsAtMostNodesMaxAndCountsTheOthers) {
  const Metrics metrics({.version = "", .revision = "", .nodes_max = 2});
  Snapshot s = full_snapshot();
  s.nodes[1].last_seen = 0;
  const std::string page = metrics.render(s);
  expect_samples(
      page, {R"(dunlin_node_lag_seconds{node="a"} 61.5)", R"(dunlin_node_lag_seconds{node="b"} 5)",
             "dunlin_nodes_unlisted 1", R"(dunlin_lag_seconds_max{cell="south"} 601)"});
  EXPECT_EQ(page.find(R"({node="c"})"), std::string::npos);
  EXPECT_EQ(page.find(R"(last_seen_timestamp_seconds{node="a"})"), std::string::npos)
      << "never seen: no time to show";
}

// An alert that names a node can fire whatever the size of the fleet.
TEST(Metrics, NodesInTroubleAreListedFirst) {
  Snapshot s;
  for (int n = 100; n < 200; ++n) {
    s.nodes.push_back(node(std::to_string(n), "north", "agent", "up", seconds(0)));
    s.nodes.back().last_seen = 1'000'000 * n;
    s.nodes.back().certified_until = 1'000'000'000;
  }
  s.nodes[90].lag = seconds(5);
  s.nodes[91].lag = seconds(7);
  s.nodes[92].lag = seconds(6);
  s.nodes[93].state = "down";
  s.nodes[94].state = "stale";
  s.nodes[95].lost_entries = 1;
  s.nodes[96].certified_until = 999'000'000;
  const std::string page = Metrics({.version = "", .revision = "", .nodes_max = 8}).render(s);
  std::vector<std::string> listed;
  for (int n = 100; n < 200; ++n) {
    const std::string id = std::to_string(n);
    if (page.find("dunlin_node_lag_seconds{node=\"" + id + "\"}") != std::string::npos)
      listed.push_back(id);
  }
  EXPECT_EQ(listed,
            (std::vector<std::string>{"100", "101", "191", "192", "193", "194", "195", "196"}));
}

TEST(Metrics, SeriesOfNodesEndAtABound) {
  const auto lines_of = [](std::size_t nodes) {
    Snapshot s;
    for (std::size_t n = 0; n < nodes; ++n) {
      s.nodes.push_back(node(std::to_string(n), "north", "agent", "up", seconds(1)));
      s.nodes.back().skew = milliseconds(1);
      s.nodes.back().certified_until = 1;
      s.nodes.back().storage = {1, 1, 1};
    }
    return samples(Metrics({}).render(s)).size();
  };
  EXPECT_EQ(lines_of(5000), lines_of(1000));
  EXPECT_LE(lines_of(1000) - lines_of(0), 9'010U) << "as metrics.md says";
}

TEST(Metrics, LeavesOutWhatIsNotKnown) {
  Snapshot s;
  s.nodes = {node("a", "north", "agent", "up", seconds(0))};
  const std::string page = Metrics({}).render(s);
  for (const char* unknown :
       {"dunlin_disk_free_bytes ", "dunlin_certificate_expiry_timestamp_seconds ",
        "dunlin_clock_skew_seconds{", "dunlin_node_certificate_expiry_timestamp_seconds{",
        "dunlin_node_log_bytes{", "dunlin_node_bytes_written_total{"}) {
    EXPECT_EQ(page.find(unknown), std::string::npos) << unknown;
  }
  expect_samples(page, {"dunlin_log_bytes 0", "dunlin_oldest_gap_age_seconds 0"});
}

TEST(Metrics, ObservesLatencyFromAnyThread) {
  Metrics metrics({});
  metrics.observe_replication_latency(milliseconds(-20));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 250; ++i) metrics.observe_replication_latency(milliseconds(500));
    });
  }
  for (auto& thread : threads) thread.join();
  expect_samples(metrics.render({}),
                 {R"(dunlin_replication_latency_seconds_bucket{le="0.001"} 1)",
                  R"(dunlin_replication_latency_seconds_bucket{le="0.25"} 1)",
                  R"(dunlin_replication_latency_seconds_bucket{le="0.5"} 1001)",
                  R"(dunlin_replication_latency_seconds_bucket{le="3600"} 1001)",
                  "dunlin_replication_latency_seconds_sum 500",
                  "dunlin_replication_latency_seconds_count 1001"});
}

TEST(Metrics, PassesPromtool) {
  if (::system("command -v promtool >/dev/null 2>&1") != 0) {
    ASSERT_EQ(::getenv("CI"), nullptr) << "promtool (Debian package prometheus) is missing";
    GTEST_SKIP() << "promtool (Debian package prometheus) is missing";
  }
  Metrics metrics({.version = "0.1.0", .revision = "abc"});
  metrics.observe_replication_latency(milliseconds(3));
  const std::string page_file =
      testing::TempDir() + "dunlin-metrics-" + std::to_string(::getpid()) + ".txt";
  std::ofstream(page_file) << metrics.render(full_snapshot());
  FILE* promtool = ::popen(("promtool check metrics <" + page_file + " 2>&1").c_str(), "r");
  ASSERT_NE(promtool, nullptr);
  std::string output;
  for (int c = ::fgetc(promtool); c != EOF; c = ::fgetc(promtool)) output += static_cast<char>(c);
  EXPECT_EQ(::pclose(promtool), 0);
  EXPECT_EQ(output, "");
  ::unlink(page_file.c_str());
}

}  // namespace
}  // namespace dunlin::telemetry
