#include "tests/simulation/scale/arrivals.h"

#include <algorithm>

namespace dunlin::simulation {

Spread spread_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const std::size_t last = values.size() - 1;
  return {values.size(), values[last / 2], values[last * 99 / 100], values[last]};
}

void Arrivals::cut(Instant now, const replication::Write& write, std::size_t gateways) {
  for (const SegmentRecord& record : write.segments) {
    const SegmentInfo& info = record.info;
    if (info.log.track == kControlTrack) continue;
    std::vector<End>& ends = logs_[info.log];
    if (!ends.empty() && ends.back().last >= info.last) continue;
    ends.push_back({info.last, segments_.size()});
    Segment& segment = segments_.emplace_back();
    segment.cut = now;
    segment.readings = static_cast<std::uint32_t>(info.readings);
    segment.gateways = static_cast<std::uint16_t>(gateways);
    readings_ += info.readings;
  }
}

void Arrivals::arrived(Instant now, const replication::Replicated& replicated) {
  const auto log = logs_.find(replicated.log);
  if (log == logs_.end()) return;
  const std::vector<End>& ends = log->second;
  const Seq before = replicated.last - replicated.entries;
  auto end = std::upper_bound(ends.begin(), ends.end(), before,
                              [](Seq seq, const End& e) { return seq < e.last; });
  for (; end != ends.end() && end->last <= replicated.last; ++end) {
    Segment& segment = segments_[end->segment];
    segment.seen += 1;
    if (segment.seen == 1) {
      segment.lag = now - segment.cut;
      at_one_ += segment.readings;
    }
    if (segment.seen != segment.gateways) continue;
    at_all_ += segment.readings;
    if (end->segment < marked_) marked_missing_ -= 1;
  }
}

void Arrivals::mark() {
  marked_ = segments_.size();
  marked_missing_ = static_cast<std::size_t>(
      std::count_if(segments_.begin(), segments_.end(),
                    [](const Segment& segment) { return segment.seen < segment.gateways; }));
}

Spread Arrivals::lag(Instant from, Instant to) const {
  const auto earlier = [](const Segment& segment, Instant at) { return segment.cut < at; };
  auto it = std::lower_bound(segments_.begin(), segments_.end(), from, earlier);
  std::vector<double> lags;
  for (; it != segments_.end() && it->cut < to; ++it) {
    if (it->seen > 0) lags.push_back(static_cast<double>(it->lag.count()) / 1e6);
  }
  return spread_of(std::move(lags));
}

}  // namespace dunlin::simulation
