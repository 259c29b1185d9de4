#pragma once

#include <map>
#include <vector>

#include "common/replication/io.h"

namespace dunlin::simulation {

// Of values in the order of size.
struct Spread {
  std::size_t count = 0;
  double p50 = 0, p99 = 0, max = 0;
};
Spread spread_of(std::vector<double> values);

// When each segment of readings was cut, and when it was durable at gateways.
class Arrivals {
 public:
  // As often as it is written: the first time counts. So many gateways are to have it.
  void cut(Instant now, const replication::Write& write, std::size_t gateways);
  void arrived(Instant now, const replication::Replicated& replicated);

  std::uint64_t segments() const { return segments_.size(); }
  std::uint64_t readings() const { return readings_; }  // that were cut
  std::uint64_t at_one() const { return at_one_; }      // of them: at a gateway or more
  std::uint64_t at_all() const { return at_all_; }      // at all gateways
  // Watches what was cut so far; how many segments of it are not at all gateways.
  void mark();
  std::size_t marked_missing() const { return marked_missing_; }

  // Seconds from cut to durable at a first gateway, of what was cut from then to then and arrived.
  Spread lag(Instant from, Instant to) const;

 private:
  struct Segment {
    Instant cut;
    Duration lag{-1};
    std::uint32_t readings = 0;
    std::uint16_t gateways = 0;
    std::uint16_t seen = 0;
  };
  struct End {
    Seq last;
    std::size_t segment;
  };

  std::vector<Segment> segments_;  // in the order of their cutting
  std::map<LogId, std::vector<End>> logs_;
  std::uint64_t readings_ = 0, at_one_ = 0, at_all_ = 0;
  std::size_t marked_ = 0, marked_missing_ = 0;
};

}  // namespace dunlin::simulation
