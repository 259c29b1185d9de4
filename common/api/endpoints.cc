#include "common/api/endpoints.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>

#include "common/api/snapshot.h"
#include "common/storage/format_table.h"
#include "common/storage/query.h"

namespace dunlin::api {

namespace {

using nlohmann::json;
using replication::LogStatus;
using replication::NodeStatus;
using runtime::NodeReport;
using runtime::NodeView;

std::string epoch_text(Epoch epoch) {
  std::array<std::uint8_t, 8> bytes;
  for (std::size_t i = 0; i < 8; ++i)
    bytes[i] = static_cast<std::uint8_t>(epoch.value >> (56 - 8 * i));
  return to_hex(bytes);
}

std::string protocol_text(const NodeStatus::Protocol& speaks) {
  return std::to_string(replication::kProtocolVersion) + "." + std::to_string(speaks.minor);
}

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

http::Response answer(const json& body) {
  return {.body = body.dump() + "\n"};
}

http::Response nodes(const NodeReport& report) {
  json out = json::array();
  for (const NodeStatus& node : report.nodes) {
    const Lag lag = lag_of(node, report.now);
    json logs = json::array();
    for (const LogStatus& log : node.logs) {
      logs.push_back({{"epoch", epoch_text(log.log.epoch)},
                      {"track", log.log.track.value},
                      {"head", log.head},
                      {"proven", log.proven},
                      {"proven_hash", to_hex(log.proven_hash)},
                      {"complete", log.complete},
                      {"missing_entries", log.missing_entries},
                      {"released_entries", log.released_entries},
                      {"lost_entries", log.lost_entries},
                      {"lost_readings", log.lost_readings},
                      {"forked", log.forked},
                      {"sealed", log.sealed}});
    }
    out.push_back({{"node", node.node.to_string()},
                   {"name", node.name},
                   {"cell", node.cell},
                   {"role", node.authority ? "authority" : name_of(node.role)},
                   {"state", node.authority ? json() : json(name_of(node.state))},
                   {"protocol", node.speaks ? json(protocol_text(*node.speaks)) : json()},
                   {"capabilities", node.speaks ? json(node.speaks->capabilities) : json()},
                   {"last_seen_us", node.last_seen},
                   {"clock_synchronised", node.synchronised ? json(*node.synchronised) : json()},
                   {"clock_skew_seconds", node.skew ? json(seconds(*node.skew)) : json()},
                   {"cloned", node.cloned},
                   {"revoked", node.revoked},
                   {"logs", std::move(logs)},
                   {"lag_entries", lag.entries},
                   {"lag_seconds", seconds(lag.age)}});
  }
  return answer({{"nodes", std::move(out)}});
}

http::Response lag(const NodeReport& report) {
  struct Cell {
    std::uint64_t nodes = 0;
    Lag worst;
  };
  std::map<std::string, Cell> cells;
  for (const NodeStatus& node : report.nodes) {
    if (!is_awaited(node, report)) continue;
    Cell& cell = cells[node.cell];
    const Lag of_node = lag_of(node, report.now);
    cell.nodes += 1;
    cell.worst.entries = std::max(cell.worst.entries, of_node.entries);
    cell.worst.age = std::max(cell.worst.age, of_node.age);
  }
  json out = json::array();
  for (const auto& [name, cell] : cells) {
    out.push_back({{"cell", name},
                   {"nodes", cell.nodes},
                   {"lag_entries_max", cell.worst.entries},
                   {"lag_seconds_max", seconds(cell.worst.age)}});
  }
  return answer({{"cells", std::move(out)}});
}

http::Response gaps(const NodeReport& report) {
  json out = json::array();
  for (const NodeStatus& node : report.nodes) {
    for (const LogStatus& log : node.logs) {
      for (const Interval& gap : log.missing.intervals()) {
        out.push_back({{"node", node.node.to_string()},
                       {"epoch", epoch_text(log.log.epoch)},
                       {"track", log.log.track.value},
                       {"first", gap.first},
                       {"last", gap.last},
                       {"age_seconds", seconds(lag_of(log, report.now))}});
      }
    }
  }
  return answer({{"gaps", std::move(out)}});
}

http::Response ready(NodeView& node) {
  const bool connected = node.connected();
  const bool writable = node.disk_state().writable;
  if (connected && writable) return answer({{"ready", true}});
  return http::problem(
      503, connected ? "store_not_writable" : "broker_not_connected", "Not ready",
      connected ? "the last write to the store failed" : "the broker is not connected");
}

Result<storage::Value> parameter_of(const json& value) {
  if (value.is_null()) return storage::Value{};
  if (value.is_boolean()) return storage::Value{std::int64_t{value.get<bool>()}};
  if (value.is_number_unsigned() && value.get<std::uint64_t>() >= std::uint64_t{1} << 63)
    return {Errc::invalid_argument, "an integer beyond 64 bits with a sign"};
  if (value.is_number_integer()) return storage::Value{value.get<std::int64_t>()};
  if (value.is_number()) return storage::Value{value.get<double>()};
  if (value.is_string()) return storage::Value{value.get<std::string>()};
  return {Errc::invalid_argument, "a parameter is null, a bool, a number or a text"};
}

// Readers are opened when the first query comes, and serve one query at a time.
class SqlEndpoint {
 public:
  explicit SqlEndpoint(std::string path) : path_(std::move(path)) {}

  http::Response answer(const http::Request& request) {
    const json body = json::parse(request.body, nullptr, false);
    if (!body.is_object() || !body.contains("sql") || !body["sql"].is_string()) {
      return http::problem(400, "invalid_argument", "Bad Request",
                           "the body is {\"sql\": text, \"params\": [...]}");
    }
    // Looked at where they stand: a copy of JSON recurses, and so may be nested too deep for a
    // stack.
    std::vector<storage::Value> parameters;
    if (const auto given = body.find("params"); given != body.end()) {
      if (!given->is_array())
        return http::problem(400, "invalid_argument", "Bad Request", "params is an array");
      for (const json& value : *given) {
        Result<storage::Value> parameter = parameter_of(value);
        if (!parameter.ok()) return http::problem(parameter.error());
        parameters.push_back(*std::move(parameter));
      }
    }
    // One query at a time, and one that waits: the other threads are for the probes.
    {
      std::unique_lock lock(mutex_);
      if (!free_.wait_for(lock, kWaitForQuery, [this] { return !busy_; }))
        return http::problem(503, "busy", "Busy", "another query is running; try again");
      busy_ = true;
    }
    const Turn turn(*this);
    if (!reader_) {
      Result<storage::Reader> opened = storage::Reader::open(path_);
      if (!opened.ok()) return http::problem(opened.error());
      reader_ = *std::move(opened);
    }
    const Result<storage::Table> table = reader_->query(body["sql"].get<std::string>(), parameters);
    if (!table.ok()) return http::problem(table.error());
    return {.body = storage::format_json(*table) + "\n"};
  }

 private:
  static constexpr auto kWaitForQuery = std::chrono::seconds(1);

  // Ends with the query; ThreadSanitizer does not know std::timed_mutex.
  class Turn {
   public:
    explicit Turn(SqlEndpoint& endpoint) : endpoint_(endpoint) {}
    ~Turn() {
      const std::lock_guard lock(endpoint_.mutex_);
      endpoint_.busy_ = false;
      endpoint_.free_.notify_one();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    SqlEndpoint& endpoint_;
  };

  std::string path_;
  std::mutex mutex_;
  std::condition_variable free_;
  bool busy_ = false;
  std::optional<storage::Reader> reader_;
};

}  // namespace

void add_endpoints(http::Server& server, NodeView& node, telemetry::Metrics& metrics,
                   const Guard& guard, const HttpApiOptions& options) {
  const auto with_report = [&node](http::Response (*make)(const NodeReport&)) {
    return [&node, make](const http::Request&) { return make(node.report()); };
  };
  server.route("GET", "/v1/nodes", with_report(nodes));
  server.route("GET", "/v1/lag", with_report(lag));
  server.route("GET", "/v1/gaps", with_report(gaps));
  server.route("GET", "/metrics", [&node, &metrics, &guard, options](const http::Request&) {
    return http::Response{.content_type = telemetry::Metrics::kContentType,
                          .body = metrics.render(make_snapshot(node.report(), guard, options))};
  });
  server.route("POST", "/v1/sql",
               [sql = std::make_shared<SqlEndpoint>(options.database)](
                   const http::Request& request) { return sql->answer(request); });
  server.route("GET", "/healthz", [](const http::Request&) { return answer({{"alive", true}}); });
  server.route("GET", "/readyz", [&node](const http::Request&) { return ready(node); });
}

}  // namespace dunlin::api
