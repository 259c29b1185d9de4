#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "dunlin/interest.h"
#include "dunlin/overflow.h"
#include "dunlin/stream.h"
#include "dunlin/transport.h"

namespace dunlin {

namespace runtime {
class Node;
}

enum class Role { agent, gateway };

// How the readings of a track become entries, and how much of it is kept.
struct TrackOptions {
  std::string name = "samples";
  std::uint32_t flush_readings = 1000;                  // an entry is cut at this many readings,
  std::uint32_t flush_bytes = 40 * 1024;                // at this many bytes,
  std::chrono::microseconds flush_interval{5'000'000};  // or this long after its first reading
  std::uint64_t bytes_max = 0;                          // stored; 0 = only storage.bytes_max counts
  std::chrono::microseconds age_max{0};                 // 0 = for ever
  Overflow overflow = Overflow::drop_oldest;            // at a bound
};

// Of a node by its name, in whatever cell it is, an agent keeps the logs as well.
struct FollowOptions {
  std::string node;
  std::string track;  // empty: all of them
};

struct DatabaseOptions {
  std::string name;  // for people; the identity is the key in data_dir
  std::string fleet = "default";
  std::vector<std::string> cells{"default"};
  InterestScope interest = InterestScope::own;  // of an agent; what it lost it in goes at the start
  std::vector<FollowOptions> follows;
  Role role = Role::agent;
  std::string data_dir;        // holds node.key (0600), log.db and lock; made when absent
  std::string broker_url;      // "" = no replication
  TransportOptions transport;  // url, client_id and seed are filled in from the above
  std::uint64_t bytes_max = 64 * 1024 * 1024;  // of the database; 0 = unbounded
  std::uint64_t disk_free_min = 16 * 1024 * 1024;
  std::size_t shards = 1;  // files that logs of others are spread over, 8 at most: for a gateway
  std::vector<TrackOptions> tracks{TrackOptions{}};
  std::map<std::string, std::string> stream_tracks;  // stream -> track, "samples" by default
  // What so many of these gateways (node ids; none = any) signed as durable may leave an agent.
  std::vector<std::string> archive_gateways;
  std::size_t archive_acks = 1;
  // Called by open(), often, while what may take long gets on.
  std::function<void()> on_progress;
};

// A replicated log of readings in one folder. Opening it starts the node: it keeps the log, and
// replicates it through the broker in the background. Thread-safe.
//
//   auto db = dunlin::Database::open({.name = "greenhouse-7", .data_dir = "/var/lib/greenhouse"});
//   dunlin::StreamSchema air{"air", {{"temperature", dunlin::FieldType::decimal, "Cel", 2}}};
//   dunlin::Rows rows(1);
//   rows.begin_row(time_us), rows.add_integer(2153);
//   (void)(*db)->append(air, std::move(rows));
//   (void)(*db)->flush(std::chrono::seconds(5));
class Database {
 public:
  // Opening a damaged database sets it aside and salvages what verifies (see LogStore). Errors: io,
  // exists (another process has it open), unsupported (written by a newer version),
  // invalid_argument.
  static Result<std::unique_ptr<Database>> open(DatabaseOptions options);
  ~Database();

  // Takes readings: one cell per schema field in each row. An unknown stream defines itself; new
  // fields make a new version of it. They become durable by the track's flush policy, or by
  // flush(). Waits while the disk is behind, until `stop`. Nothing is taken on an error:
  // type_changed, invalid_argument, too_large, storage_full; `closed` after `stop` was requested
  // leaves it open.
  Result<void> append(const StreamSchema& schema, Rows rows, std::stop_token stop = {});
  // The same for readings whose times count from the machine's boot, since its clock is not set.
  Result<void> append_since_boot(const StreamSchema& schema, Rows rows, std::stop_token stop = {});
  // Makes everything appended so far durable on this device. `timeout` when that takes longer.
  Result<void> flush(std::chrono::milliseconds timeout);

  std::string node_id() const;  // 32 hex digits
  std::string path()
      const;     // of the (first) SQLite file; readers may open it read-only at any time
  void close();  // flushes and stops; idempotent

  // For the programs of this project.
  runtime::Node& node();

 private:
  struct Impl;
  explicit Database(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dunlin
