#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"

namespace dunlin::telemetry {

// What a program knows of itself at one instant, as plain values: the scrape fills one in,
// `Metrics` turns it into text. Totals count since the start of the process. Every label value must
// come from a set that the program bounds (reasons, message kinds, configured inputs), never from
// foreign text.
struct Snapshot {
  struct Node {
    std::string node;  // 32 hex digits
    std::string cell;
    std::string role;   // "agent", "gateway"
    std::string state;  // "up", "stale", "down"
    std::uint64_t lag_entries = 0;
    Duration lag{0};
    UtcMicros last_seen = 0;            // 0 = never
    std::optional<Duration> skew = {};  // how far its clock is ahead of ours, while that is known
    std::string name = {};
    std::uint64_t lost_entries = 0;  // as its origin declared them
    UtcMicros certified_until = 0;   // 0 = no certificate is known
    struct Storage {
      std::uint64_t log_bytes = 0;
      std::uint64_t free_bytes = 0;
      std::uint64_t written_bytes = 0;
    };
    std::optional<Storage> storage = {};  // as it last said
  };
  // What the kernel says of this process.
  struct Process {
    std::uint64_t resident_bytes = 0;
    double cpu_seconds = 0;
    std::uint64_t open_files = 0;
    double started = 0;  // Unix time
  };
  struct Queue {
    std::string name;
    std::uint64_t items = 0;
    std::uint64_t bytes = 0;
  };
  struct Total {
    std::string label;
    std::uint64_t total = 0;
  };
  struct MessageBytes {
    std::string direction;
    std::string lane;
    std::string message;
    std::uint64_t total = 0;
  };

  std::vector<Node> nodes;  // every node known, itself left out
  Duration oldest_gap_age{0};

  std::vector<Total> entries;   // by direction: "appended", "received", "sent"
  std::vector<Total> readings;  // by direction
  std::vector<MessageBytes> bytes;
  std::vector<Total> gossip_rounds;  // by result
  std::uint64_t suppressed = 0;
  std::vector<Queue> queues;

  std::uint64_t log_bytes = 0;
  std::uint64_t log_entries = 0;
  std::optional<std::uint64_t> disk_free_bytes;
  std::uint64_t bytes_written = 0;
  std::uint64_t segments_merged = 0;

  std::vector<Total> lost_entries;  // by policy
  std::uint64_t signatures_verified = 0;
  std::vector<Total> quarantined;  // segments, by reason
  std::uint64_t quarantine_items = 0;
  std::uint64_t forks = 0;
  std::uint64_t clones = 0;
  std::uint64_t branches = 0;
  std::uint64_t epochs_begun = 0;
  std::uint64_t entries_moved = 0;
  std::vector<Total> messages_refused;  // by reason
  std::uint64_t mutes = 0;
  std::vector<Total> http_refused;      // over HTTPS, by reason
  std::vector<Total> unknown;           // by kind: "message", "field", "operation"
  std::vector<Total> readings_refused;  // by reason
  std::vector<Total> input_errors;      // by input
  std::vector<Total> inputs_down;       // by input

  UtcMicros certified_until = 0;  // 0 = without a certificate
  Process process;
  bool broker_connected = false;
  bool broker_exposed = false;
  bool http_exposed = false;
  bool store_writable = false;
};

}  // namespace dunlin::telemetry
