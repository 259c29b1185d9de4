#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "common/base/time.h"
#include "common/telemetry/snapshot.h"

namespace dunlin::telemetry {

struct MetricsOptions {
  std::string version;
  std::string revision;
  // Nodes with series of their own, in the order of their ids, so that the same ones stay listed.
  // The others still count in the figures per cell and in dunlin_nodes_unlisted.
  std::size_t nodes_max = 1000;
};

// The /metrics page. Totals live where they are counted and arrive in a Snapshot; only the
// histogram of replication latency is kept here. Thread-safe.
class Metrics {
 public:
  explicit Metrics(MetricsOptions options);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // From the append at the origin to durable here. Origin and receiver read different clocks: what
  // comes out negative counts as zero.
  void observe_replication_latency(Duration latency);

  // The Prometheus text format 0.0.4. O(nodes log nodes).
  std::string render(const Snapshot& snapshot) const;
  static constexpr const char* kContentType = "text/plain; version=0.0.4; charset=utf-8";

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dunlin::telemetry
