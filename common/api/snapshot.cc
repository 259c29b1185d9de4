#include "common/api/snapshot.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "common/security/certificate.h"
#include "common/security/private_file.h"

namespace dunlin::api {

using replication::LogStatus;
using replication::NodeStatus;
using replication::PeerState;
using replication::Role;
using runtime::NodeReport;
using telemetry::Snapshot;

std::string_view name_of(Role role) {
  return role == Role::gateway ? "gateway" : "agent";
}
std::string_view name_of(PeerState state) {
  switch (state) {
    case PeerState::up:
      return "up";
    case PeerState::stale:
      return "stale";
    case PeerState::remote:
      return "remote";
    case PeerState::down:
      break;
  }
  return "down";
}

Duration lag_of(const LogStatus& log, const Moment& now) {
  return log.behind_since ? std::max(Duration{}, now.mono - *log.behind_since) : Duration{};
}

bool is_awaited(const NodeStatus& node, const NodeReport& report) {
  return node.node != report.self && !node.authority && !node.revoked;
}

Lag lag_of(const NodeStatus& node, const Moment& now) {
  Lag lag;
  for (const LogStatus& log : node.logs) {
    lag.entries += log.missing_entries;
    lag.age = std::max(lag.age, lag_of(log, now));
  }
  return lag;
}

namespace {

// Until when the certificate in a file is good; 0 where there is none.
UtcMicros certified_until(const std::string& path) {
  const Result<std::string> pem = security::read_private_file(path);
  if (!pem.ok()) return 0;
  const auto certificate = security::Certificate::from_pem(*pem);
  return certificate.ok() ? certificate->validity().until : 0;
}

// proc_pid_stat(5): the fields behind the program's name, which may contain anything.
Snapshot::Process look_at_process() {
  Snapshot::Process process;
  std::ifstream file("/proc/self/stat");
  std::string stat;
  std::getline(file, stat);
  std::istringstream fields(stat.substr(std::min(stat.rfind(')') + 1, stat.size())));
  const std::vector<std::string> of{std::istream_iterator<std::string>(fields), {}};
  const auto number = [&](std::size_t field) {  // as counted there
    return of.size() > field - 3 ? std::strtoull(of[field - 3].c_str(), nullptr, 10) : 0ULL;
  };
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  process.cpu_seconds = static_cast<double>(number(14) + number(15)) / ticks;
  process.resident_bytes = number(24) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  std::ifstream boot("/proc/stat");
  for (std::string line; std::getline(boot, line);) {
    if (line.starts_with("btime "))
      process.started = std::stod(line.substr(6)) + static_cast<double>(number(22)) / ticks;
  }
  std::error_code none;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", none), end; entry != end;
       entry.increment(none)) {
    process.open_files += 1;
  }
  return process;
}

void add_nodes(const NodeReport& report, Snapshot& s) {
  for (const NodeStatus& node : report.nodes) {
    for (const LogStatus& log : node.logs) s.log_entries += log.held_entries;
    if (!is_awaited(node, report)) continue;
    const Lag lag = lag_of(node, report.now);
    s.oldest_gap_age = std::max(s.oldest_gap_age, lag.age);
    Snapshot::Node& out = s.nodes.emplace_back();
    out.node = node.node.to_string();
    out.cell = node.cell;
    out.role = name_of(node.role);
    out.state = name_of(node.state);
    out.lag_entries = lag.entries;
    out.lag = lag.age;
    out.last_seen = node.last_seen;
    out.skew = node.skew;
    out.name = node.name;
    for (const LogStatus& log : node.logs) out.lost_entries += log.lost_entries;
    out.certified_until = node.certified_until;
    if (node.storage) {
      out.storage = {node.storage->log_bytes, node.storage->free_bytes,
                     node.storage->written_bytes};
    }
  }
}

template <typename Counts>
std::vector<Snapshot::Total> totals(const Counts& counts) {
  std::vector<Snapshot::Total> out;
  for (const auto& [label, count] : counts) out.push_back({std::string(label), count});
  return out;
}

void add_stats(const replication::Stats& stats, Snapshot& s) {
  s.entries = {{"appended", stats.entries_appended}, {"received", stats.entries_received}};
  s.readings = {{"appended", stats.readings_appended}, {"received", stats.readings_received}};
  for (const auto& [key, traffic] : stats.traffic) {
    s.bytes.push_back({key.received ? "received" : "sent",
                       key.lane == replication::Lane::live ? "live" : "bulk",
                       std::string(key.message), traffic.bytes});
  }
  s.gossip_rounds = {{"equal", stats.vectors_equal}, {"different", stats.vectors_different}};
  s.suppressed = stats.suppressed;
  s.messages_refused = totals(stats.refused);
  s.unknown = {{"message", stats.unknown.messages},
               {"field", stats.unknown.fields},
               {"operation", stats.unknown.operations}};
  s.lost_entries = totals(stats.lost_entries);
  s.quarantined = totals(stats.quarantined);
  s.signatures_verified = stats.signatures_verified;
  s.forks = stats.forks;
  s.clones = stats.clones;
  s.branches = stats.branches;
  s.epochs_begun = stats.epochs_begun;
  s.entries_moved = stats.entries_moved;
}

void add_disk(const runtime::DiskState& disk, Snapshot& s) {
  s.quarantine_items = disk.quarantined;
  s.log_bytes = disk.database_bytes;
  s.disk_free_bytes = disk.disk_free;
  s.bytes_written = disk.bytes_written;
  s.segments_merged = disk.segments_merged;
  s.store_writable = disk.writable;
}

}  // namespace

Snapshot make_snapshot(const NodeReport& report, const Guard& guard,
                       const HttpApiOptions& options) {
  Snapshot s;
  add_nodes(report, s);
  add_stats(report.stats, s);
  add_disk(report.disk, s);
  if (report.messages_dropped > 0)
    s.messages_refused.push_back({"mailbox_full", report.messages_dropped});
  s.mutes = report.mutes;
  s.queues = {{"mailbox", report.messages_waiting, report.messages_waiting_bytes},
              {"disk", report.disk.waiting, report.disk.waiting_bytes}};
  s.http_refused = totals(guard.refused());
  const InputCounts inputs = options.input_counts ? options.input_counts() : InputCounts{};
  s.input_errors = totals(inputs.errors);
  s.inputs_down = totals(inputs.down);
  s.readings_refused = totals(inputs.readings_refused);
  s.broker_connected = report.connected;
  s.broker_exposed = report.broker_exposed;
  s.http_exposed = options.http_exposed;
  if (!options.tls.certificate.empty())
    s.certified_until = certified_until(options.tls.certificate);
  s.process = look_at_process();
  return s;
}

}  // namespace dunlin::api
