#include "common/telemetry/metrics.h"

#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <utility>
#include <vector>

namespace dunlin::telemetry {

namespace {

using prometheus::MetricType;
using Labels = std::vector<prometheus::ClientMetric::Label>;

constexpr auto kGauge = MetricType::Gauge;
constexpr auto kCounter = MetricType::Counter;

struct Threshold {
  const char* label;
  Duration lag;
};
constexpr std::array<Threshold, 3> kThresholds{{{"10s", std::chrono::seconds(10)},
                                                {"60s", std::chrono::seconds(60)},
                                                {"600s", std::chrono::seconds(600)}}};

const prometheus::Histogram::BucketBoundaries kLatencySeconds{
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600};

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

// The family at the end of a page; samples appear in the order they are added. Only until the next
// family begins.
class Family {
 public:
  explicit Family(prometheus::MetricFamily& family) : family_(family) {}

  template <typename T>
  Family& add(T value, Labels labels = {}) {
    prometheus::ClientMetric metric;
    metric.label = std::move(labels);
    (family_.type == kCounter ? metric.counter.value : metric.gauge.value) =
        static_cast<double>(value);
    family_.metric.push_back(std::move(metric));
    return *this;
  }
  Family& add_all(const char* label, const std::vector<Snapshot::Total>& totals) {
    for (const auto& [value, total] : totals) add(total, {{label, value}});
    return *this;
  }

 private:
  prometheus::MetricFamily& family_;
};

class Page {
 public:
  Family family(MetricType type, const char* name, const char* help) {
    families_.push_back({name, help, type, {}});
    return Family(families_.back());
  }
  void append(std::vector<prometheus::MetricFamily> families) {
    std::move(families.begin(), families.end(), std::back_inserter(families_));
  }
  std::string text() const {
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, families_);
    return std::move(out).str();
  }

 private:
  std::vector<prometheus::MetricFamily> families_;
};

struct CellLag {
  std::uint64_t entries_max = 0;
  Duration max{0};
  std::array<std::uint64_t, kThresholds.size()> lagging{};
};

void add_cells(Page& page, const std::vector<Snapshot::Node>& nodes) {
  std::map<std::string, CellLag> cells;
  for (const auto& node : nodes) {
    CellLag& cell = cells[node.cell];
    cell.entries_max = std::max(cell.entries_max, node.lag_entries);
    cell.max = std::max(cell.max, node.lag);
    for (std::size_t i = 0; i < kThresholds.size(); ++i) {
      if (node.lag > kThresholds[i].lag) ++cell.lagging[i];
    }
  }
  auto entries_max = page.family(kGauge, "dunlin_lag_entries_max",
                                 "Entries missing here of the node furthest behind, by cell.");
  for (const auto& [name, cell] : cells) entries_max.add(cell.entries_max, {{"cell", name}});
  auto seconds_max = page.family(kGauge, "dunlin_lag_seconds_max",
                                 "Age of the oldest entry known of and missing here, by cell.");
  for (const auto& [name, cell] : cells) seconds_max.add(seconds(cell.max), {{"cell", name}});
  auto lagging = page.family(kGauge, "dunlin_nodes_lagging",
                             "Nodes whose log is behind by more than the threshold, by cell.");
  for (const auto& [name, cell] : cells) {
    for (std::size_t i = 0; i < kThresholds.size(); ++i) {
      lagging.add(cell.lagging[i], {{"cell", name}, {"threshold", kThresholds[i].label}});
    }
  }
}

void add_peers(Page& page, const std::vector<Snapshot::Node>& nodes) {
  std::map<std::pair<std::string, std::string>, std::uint64_t> peers;
  for (const auto& node : nodes) {
    for (const char* state : {"up", "stale", "down"}) peers[{node.role, state}];
    ++peers[{node.role, node.state}];
  }
  auto family = page.family(kGauge, "dunlin_peers", "Other nodes known, by role and state.");
  for (const auto& [key, count] : peers) {
    family.add(count, {{"role", key.first}, {"state", key.second}});
  }
}

// Which nodes have series of their own, in the order of their ids. Where not all can: of each
// trouble that a node may be in those that are worst off, up to a quarter of the room; then
// whoever comes first. Nodes without trouble do not change places from scrape to scrape.
std::vector<const Snapshot::Node*> choose_listed(const std::vector<Snapshot::Node>& nodes,
                                                 std::size_t nodes_max) {
  using Node = Snapshot::Node;
  std::vector<const Node*> all;
  all.reserve(nodes.size());
  for (const auto& node : nodes) all.push_back(&node);
  const auto by_id = [](const Node* a, const Node* b) { return a->node < b->node; };
  std::sort(all.begin(), all.end(), by_id);
  if (all.size() <= nodes_max) return all;

  std::set<const Node*, decltype(by_id)> listed(by_id);
  const auto add_worst = [&](auto in_trouble, auto badness) {
    std::vector<const Node*> found;
    std::copy_if(all.begin(), all.end(), std::back_inserter(found),
                 [&](const Node* node) { return in_trouble(*node); });
    std::stable_sort(found.begin(), found.end(),
                     [&](const Node* a, const Node* b) { return badness(*a) > badness(*b); });
    found.resize(std::min(found.size(), nodes_max / 4));
    listed.insert(found.begin(), found.end());
  };
  add_worst([](const Node& node) { return node.lag.count() > 0; },
            [](const Node& node) { return node.lag; });
  add_worst([](const Node& node) { return node.state == "stale" || node.state == "down"; },
            [](const Node& node) { return -node.last_seen; });
  add_worst([](const Node& node) { return node.lost_entries > 0; },
            [](const Node& node) { return node.lost_entries; });
  add_worst([](const Node& node) { return node.certified_until > 0; },
            [](const Node& node) { return -node.certified_until; });
  for (auto node = all.begin(); listed.size() < nodes_max; ++node) listed.insert(*node);
  return {listed.begin(), listed.end()};
}

void add_nodes(Page& page, const std::vector<Snapshot::Node>& nodes, std::size_t nodes_max) {
  const std::vector<const Snapshot::Node*> listed = choose_listed(nodes, nodes_max);
  using Node = Snapshot::Node;
  // What is not known of a node has no series.
  const auto add = [&](MetricType type, const char* name, const char* help, auto value_of) {
    auto family = page.family(type, name, help);
    for (const Node* node : listed) {
      if (const std::optional<double> value = value_of(*node))
        family.add(*value, {{"node", node->node}});
    }
  };
  const auto of_storage = [](std::uint64_t Node::Storage::*what) {
    return [what](const Node& node) {
      return node.storage ? std::optional(static_cast<double>((*node.storage).*what))
                          : std::nullopt;
    };
  };
  const auto time = [](UtcMicros Node::*what) {
    return [what](const Node& node) {
      return node.*what > 0 ? std::optional(seconds(Duration(node.*what))) : std::nullopt;
    };
  };
  auto info = page.family(kGauge, "dunlin_node_info", "Always 1; the labels say who the node is.");
  for (const Node* node : listed) {
    info.add(
        1,
        {{"node", node->node}, {"name", node->name}, {"cell", node->cell}, {"role", node->role}});
  }
  add(kGauge, "dunlin_node_lag_seconds",
      "Age of the oldest entry of the node known of and missing here.",
      [](const Node& node) { return std::optional(seconds(node.lag)); });
  add(kGauge, "dunlin_node_last_seen_timestamp_seconds",
      "When the node was last heard of, as Unix time.", time(&Node::last_seen));
  add(kGauge, "dunlin_clock_skew_seconds",
      "How far the clock of the node is ahead of the one here.", [](const Node& node) {
        return node.skew ? std::optional(seconds(*node.skew)) : std::nullopt;
      });
  add(kGauge, "dunlin_node_lost_entries", "Entries that the node declared lost.",
      [](const Node& node) { return std::optional(static_cast<double>(node.lost_entries)); });
  add(kGauge, "dunlin_node_certificate_expiry_timestamp_seconds",
      "Until when the certificate of the node is good, as Unix time.",
      time(&Node::certified_until));
  add(kGauge, "dunlin_node_log_bytes", "Size of the log on the disk of the node, as it last said.",
      of_storage(&Node::Storage::log_bytes));
  add(kGauge, "dunlin_node_disk_free_bytes", "Free space on the disk of the node, as it last said.",
      of_storage(&Node::Storage::free_bytes));
  add(kCounter, "dunlin_node_bytes_written_total",
      "Bytes that the program of the node handed to its disk, as it last said: flash wear.",
      of_storage(&Node::Storage::written_bytes));
  page.family(kGauge, "dunlin_nodes_unlisted", "Nodes without series of their own.")
      .add(nodes.size() - listed.size());
}

void add_traffic(Page& page, const Snapshot& s) {
  page.family(kCounter, "dunlin_entries_total", "Log entries, by direction.")
      .add_all("direction", s.entries);
  page.family(kCounter, "dunlin_readings_total", "Readings in those entries, by direction.")
      .add_all("direction", s.readings);
  auto bytes = page.family(kCounter, "dunlin_bytes_total",
                           "Message payload bytes, by direction, lane and kind of message.");
  for (const auto& b : s.bytes) {
    bytes.add(b.total, {{"direction", b.direction}, {"lane", b.lane}, {"message", b.message}});
  }
  page.family(kCounter, "dunlin_gossip_rounds_total", "Gossip rounds, by how they ended.")
      .add_all("result", s.gossip_rounds);
  page.family(kCounter, "dunlin_suppressed_total",
              "Digests left out since another replica said the same.")
      .add(s.suppressed);
  page.family(kCounter, "dunlin_signatures_verified_total", "Signatures of segments verified.")
      .add(s.signatures_verified);
  page.family(kGauge, "dunlin_broker_connected", "1 while connected to the broker.")
      .add(s.broker_connected);
  page.family(kGauge, "dunlin_broker_exposed",
              "1 where what goes to the broker is neither encrypted nor on this machine alone.")
      .add(s.broker_exposed);
  page.family(kGauge, "dunlin_http_exposed",
              "1 where plain HTTP, which asks nobody who he is, is open to other machines.")
      .add(s.http_exposed);
}

void add_storage(Page& page, const Snapshot& s) {
  page.family(kGauge, "dunlin_log_bytes", "Size of the log on disk.").add(s.log_bytes);
  page.family(kGauge, "dunlin_log_entries", "Entries held, of all logs.").add(s.log_entries);
  if (s.disk_free_bytes) {
    page.family(kGauge, "dunlin_disk_free_bytes", "Free space where the log is stored.")
        .add(*s.disk_free_bytes);
  }
  page.family(kCounter, "dunlin_bytes_written_total", "Bytes handed to the disk: flash wear.")
      .add(s.bytes_written);
  page.family(kCounter, "dunlin_segments_merged_total", "Segments that went into larger ones.")
      .add(s.segments_merged);
  page.family(kGauge, "dunlin_store_writable", "1 while the store takes writes.")
      .add(s.store_writable);
}

void add_process(Page& page, const Snapshot& s) {
  auto items = page.family(kGauge, "dunlin_queue_items", "What waits inside, by queue.");
  for (const auto& queue : s.queues) items.add(queue.items, {{"queue", queue.name}});
  auto bytes = page.family(kGauge, "dunlin_queue_bytes", "The bytes of that, by queue.");
  for (const auto& queue : s.queues) bytes.add(queue.bytes, {{"queue", queue.name}});
  if (s.certified_until > 0) {
    page.family(kGauge, "dunlin_certificate_expiry_timestamp_seconds",
                "Until when the certificate of this node is good, as Unix time.")
        .add(seconds(Duration(s.certified_until)));
  }
  page.family(kGauge, "process_resident_memory_bytes", "Resident memory size in bytes.")
      .add(s.process.resident_bytes);
  page.family(kCounter, "process_cpu_seconds_total", "User and system CPU time in seconds.")
      .add(s.process.cpu_seconds);
  page.family(kGauge, "process_open_fds", "Number of open file descriptors.")
      .add(s.process.open_files);
  page.family(kGauge, "process_start_time_seconds", "Start of the process, as Unix time.")
      .add(s.process.started);
}

void add_trouble(Page& page, const Snapshot& s) {
  page.family(kGauge, "dunlin_oldest_gap_age_seconds",
              "Time since the oldest gap in any log was first seen; 0 without gaps.")
      .add(seconds(s.oldest_gap_age));
  page.family(kCounter, "dunlin_lost_entries_total",
              "Entries given up before anyone else had them, by overflow policy.")
      .add_all("policy", s.lost_entries);
  page.family(kCounter, "dunlin_quarantined_total",
              "Segments that were refused and kept, by reason.")
      .add_all("reason", s.quarantined);
  page.family(kGauge, "dunlin_quarantine_items", "Refused segments that are kept.")
      .add(s.quarantine_items);
  page.family(kCounter, "dunlin_forks_total", "Logs seen with two different histories.")
      .add(s.forks);
  page.family(kCounter, "dunlin_clones_total",
              "Times that another machine with the key of a known node spoke up.")
      .add(s.clones);
  page.family(kCounter, "dunlin_branches_total",
              "Own logs that a gateway has otherwise: a restored backup or a copied database.")
      .add(s.branches);
  page.family(kCounter, "dunlin_epochs_begun_total", "New epochs begun because of that.")
      .add(s.epochs_begun);
  page.family(kCounter, "dunlin_entries_moved_total", "Own entries moved into the present epoch.")
      .add(s.entries_moved);
  page.family(kCounter, "dunlin_messages_refused_total", "Messages refused, by reason.")
      .add_all("reason", s.messages_refused);
  page.family(kCounter, "dunlin_mutes_total",
              "Times that who flooded was not listened to for a while.")
      .add(s.mutes);
  page.family(kCounter, "dunlin_http_refused_total", "Requests over HTTPS refused, by reason.")
      .add_all("reason", s.http_refused);
  page.family(kCounter, "dunlin_unknown_total",
              "What nodes of newer versions said that is ignored here, by kind.")
      .add_all("kind", s.unknown);
  page.family(kCounter, "dunlin_readings_refused_total", "Readings refused, by reason.")
      .add_all("reason", s.readings_refused);
  page.family(kCounter, "dunlin_input_errors_total", "Errors while reading inputs, by input.")
      .add_all("input", s.input_errors);
  page.family(kGauge, "dunlin_inputs_down",
              "Inputs that hang, or wait to be started again after a failure, by input.")
      .add_all("input", s.inputs_down);
}

}  // namespace

struct Metrics::Impl {
  MetricsOptions options;
  prometheus::Registry registry;
  prometheus::Histogram& latency = prometheus::BuildHistogram()
                                       .Name("dunlin_replication_latency_seconds")
                                       .Help("Time from the append at the origin to durable here.")
                                       .Register(registry)
                                       .Add({}, kLatencySeconds);
};

Metrics::Metrics(MetricsOptions options) : impl_(std::make_unique<Impl>()) {
  impl_->options = std::move(options);
}
Metrics::~Metrics() = default;

void Metrics::observe_replication_latency(Duration latency) {
  impl_->latency.Observe(std::max(seconds(latency), 0.0));
}

std::string Metrics::render(const Snapshot& snapshot) const {
  const MetricsOptions& options = impl_->options;
  Page page;
  page.family(kGauge, "dunlin_build_info", "Always 1; the labels say what runs.")
      .add(1, {{"version", options.version}, {"revision", options.revision}});
  add_peers(page, snapshot.nodes);
  add_cells(page, snapshot.nodes);
  add_nodes(page, snapshot.nodes, options.nodes_max);
  page.append(impl_->registry.Collect());
  add_traffic(page, snapshot);
  add_storage(page, snapshot);
  add_trouble(page, snapshot);
  add_process(page, snapshot);
  return page.text();
}

}  // namespace dunlin::telemetry
