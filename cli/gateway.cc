#include "cli/gateway.h"

#include <httplib.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "common/log/limits.h"
#include "common/transport/mqtt/broker_url.h"

namespace dunlin::cli {

namespace {

using nlohmann::json;

Result<Revoke::End> end_of(const json& log) {
  Revoke::End end;
  const std::string epoch = log.at("epoch").get<std::string>();
  const auto read = std::from_chars(epoch.data(), epoch.data() + epoch.size(), end.epoch.value, 16);
  if (read.ec != std::errc() || read.ptr != epoch.data() + epoch.size())
    return {Errc::malformed, "the epoch " + epoch};
  end.track.value = log.at("track").get<std::uint64_t>();
  end.last = log.at("proven").get<std::uint64_t>();
  if (end.last > kSeqMax) return {Errc::malformed, "a log that ends beyond 2^62"};
  DUNLIN_ASSIGN(const Bytes hash, from_hex(log.at("proven_hash").get<std::string>()));
  if (hash.size() != end.hash.size()) return {Errc::malformed, "a hash of another size"};
  std::copy(hash.begin(), hash.end(), end.hash.begin());
  return end;
}

}  // namespace

Result<std::vector<Revoke::End>> ends_of(const std::string& url, const NodeId& node) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme) ||
      !is_loopback_address(std::string_view(url).substr(kScheme.size())))
    return {Errc::invalid_argument,
            url + ": http://127.0.0.1:PORT, on this machine or through a tunnel"};
  httplib::Client client(url);
  client.set_connection_timeout(5);
  client.set_read_timeout(10);
  const httplib::Result answer = client.Get("/v1/nodes");
  if (!answer || answer->status != 200)
    return {Errc::io, url + "/v1/nodes: " +
                          (answer ? "HTTP " + std::to_string(answer->status)
                                  : httplib::to_string(answer.error()))};
  std::vector<Revoke::End> ends;
  try {
    const json report = json::parse(answer->body);
    for (const json& each : report.at("nodes")) {
      if (each.at("node").get<std::string>() != node.to_string()) continue;
      for (const json& log : each.at("logs")) {
        if (log.at("proven").get<std::uint64_t>() == 0) continue;
        DUNLIN_ASSIGN(const Revoke::End end, end_of(log));
        ends.push_back(end);
      }
    }
  } catch (const json::exception& error) {
    return {Errc::malformed, url + "/v1/nodes: " + error.what()};
  }
  // Who wants to keep a key from being revoked begins a thousand logs with it: the longest count.
  std::ranges::stable_sort(ends, std::ranges::greater(), &Revoke::End::last);
  ends.resize(std::min(ends.size(), kRevokedLogsMax));
  return ends;
}

}  // namespace dunlin::cli
