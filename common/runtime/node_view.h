#pragma once

#include <functional>
#include <map>
#include <string>

#include "common/replication/replica.h"

namespace dunlin::runtime {

// What storage last said of itself.
struct DiskState {
  bool writable = true;  // the last write that stored something succeeded, and there is room
  std::uint64_t quarantined = 0;      // segments that were refused and are kept
  std::uint64_t database_bytes = 0;   // that hold something
  std::uint64_t disk_free = 0;        // on its file system
  std::uint64_t segments_merged = 0;  // into larger ones, since the start
  std::uint64_t bytes_written = 0;    // by this process, to whatever disk: what wears flash
  std::uint64_t waiting = 0;          // requests
  std::uint64_t waiting_bytes = 0;    // of segments in them
};

// The loop describes so many nodes at a time (performance.md).
inline constexpr std::size_t kReportNodes = 1024;

// Of a moment, with many nodes of several ones: `now` and all but `nodes` are of the last.
struct NodeReport {
  Moment now;
  NodeId self;
  Epoch epoch;
  std::vector<replication::NodeStatus> nodes;
  replication::Stats stats;
  bool connected = false;
  bool broker_exposed = false;         // what goes there is neither encrypted nor on this machine
  std::uint64_t messages_dropped = 0;  // the mailbox was full
  std::uint64_t mutes = 0;             // of who sent far too much, for a minute
  std::uint64_t messages_waiting = 0;
  std::uint64_t messages_waiting_bytes = 0;
  DiskState disk;
};

// How others look at a running node. Thread-safe.
class NodeView {
 public:
  virtual ~NodeView() = default;
  virtual NodeReport report() = 0;  // waits for the node's loop, several times with many nodes
  // By the fleet's authority: nodes, and readers, which are none. Waits for the node's loop.
  virtual bool revoked(const NodeId& who) = 0;
  // Whether it keeps logs of nodes of cells that it does not serve. Waits for the node's loop.
  virtual bool keeps_other_cells() = 0;
  virtual bool connected() const = 0;
  virtual DiskState disk_state() const = 0;

  // Called on the loop thread for entries of other nodes that became durable, with the latency from
  // the append at their origin.
  using OnReplicated = std::function<void(const replication::Replicated&, Duration latency)>;
  virtual void on_replicated(OnReplicated callback) = 0;
};

}  // namespace dunlin::runtime
