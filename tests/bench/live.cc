#include "tests/bench/live.h"

#include <algorithm>
#include <map>

#include "common/storage/query.h"

namespace dunlin::bench {

namespace {

using nlohmann::json;

constexpr double kStretch = 0.25;  // seconds

// By log and the last entry of what became it.
using Durable = std::map<std::string, std::map<std::int64_t, double>>;

Durable durable_at(const test::Member& gateway) {
  Durable out;
  for (const json& event : gateway.events("replicated"))
    out[event["log"]][event["last"]] = event["durable_us"].get<double>() * 1e-6;
  return out;
}

}  // namespace

Result<std::vector<Arrival>> arrivals(test::Fleet& fleet, const std::string& stream) {
  std::vector<Durable> durable;
  for (const auto& gateway : fleet.gateways()) durable.push_back(durable_at(*gateway));
  std::vector<Arrival> out;
  for (const auto& agent : fleet.agents()) {
    DUNLIN_ASSIGN(storage::Reader reader, storage::Reader::open(agent->database()));
    DUNLIN_ASSIGN(
        const storage::Table table,
        reader.query("SELECT node || '/' || epoch || '/1', seq, time FROM stream_" + stream, {},
                     {.rows_max = 1'000'000}));
    for (const auto& row : table.rows) {
      const auto& log = std::get<std::string>(row[0]);
      for (std::size_t i = 0; i < durable.size(); ++i) {
        const auto& cells = fleet.gateways()[i]->cells();
        const auto at = durable[i][log].lower_bound(std::get<std::int64_t>(row[1]));
        if (at == durable[i][log].end()) continue;
        out.push_back({static_cast<double>(std::get<std::int64_t>(row[2])) * 1e-6, at->second,
                       std::find(cells.begin(), cells.end(), agent->cells().front()) == cells.end(),
                       i});
      }
    }
  }
  std::sort(out.begin(), out.end(),
            [](const Arrival& a, const Arrival& b) { return a.appended < b.appended; });
  return out;
}

Recovery recovery(const std::vector<Arrival>& arrivals, Outage outage, double limit) {
  struct Stretch {
    std::size_t all = 0, late = 0;
  };
  std::map<std::size_t, Stretch> stretches;
  for (const Arrival& arrival : arrivals) {
    if (arrival.appended < outage.begun || arrival.appended >= outage.ended) continue;
    Stretch& of = stretches[static_cast<std::size_t>((arrival.appended - outage.begun) / kStretch)];
    of.all += 1;
    of.late += arrival.milliseconds() > limit ? 1U : 0U;
  }
  Recovery out;
  for (const auto& [number, stretch] : stretches) {
    if (stretch.late * 20 > stretch.all) out.live = static_cast<double>(number + 1) * kStretch;
  }
  for (const Arrival& arrival : arrivals) {
    if (arrival.appended >= outage.begun && arrival.appended <= outage.begun + out.live)
      out.complete = std::max(out.complete, arrival.durable - outage.begun);
  }
  return out;
}

}  // namespace dunlin::bench
