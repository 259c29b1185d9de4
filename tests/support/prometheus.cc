#include "tests/support/prometheus.h"

#include <cctype>
#include <fstream>
#include <sstream>

#include "tests/support/eventually.h"
#include "tests/support/http_client.h"
#include "tests/support/mosquitto.h"

namespace dunlin::test {

namespace {

std::string configuration(const Prometheus::Options& options) {
  std::ostringstream lines;
  lines << "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n"
        << "rule_files:\n";
  for (const std::string& file : options.rules) lines << "  - " << file << "\n";
  lines << "scrape_configs:\n  - job_name: dunlin\n    static_configs:\n      - targets:\n";
  for (const std::uint16_t port : options.targets)
    lines << "          - 127.0.0.1:" << port << "\n";
  return lines.str();
}

std::string percent_encoded(const std::string& text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return out;
}

}  // namespace

Result<std::unique_ptr<Prometheus>> Prometheus::start(const Options& options) {
  if (!find_program("prometheus")) return {Errc::not_found, "prometheus"};
  std::unique_ptr<Prometheus> made(new Prometheus);
  made->port_ = free_port();
  const std::string file = made->folder_.write("prometheus.yml", configuration(options));
  DUNLIN_ASSIGN(
      made->process_,
      ChildProcess::start(
          {.program = "prometheus",
           .args = {"--config.file=" + file, "--storage.tsdb.path=" + made->folder_.file("data"),
                    "--web.listen-address=127.0.0.1:" + std::to_string(made->port_)},
           .env = {},
           .output_file = made->folder_.file("log")}));
  const auto ready = [&] {
    const auto reply = http_get(made->port_, "/-/ready");
    return reply.ok() && reply->status == 200;
  };
  if (!eventually([&] { return !made->process_.running() || ready(); }) || !ready())
    return {Errc::io, "prometheus did not start:\n" + made->log()};
  return made;
}

nlohmann::json Prometheus::get(const std::string& path) const {
  const auto reply = http_get(port_, path);
  if (!reply.ok()) return nullptr;
  const nlohmann::json answer = nlohmann::json::parse(reply->body, nullptr, false);
  return answer.is_object() && answer.contains("data") ? answer["data"] : nlohmann::json();
}

nlohmann::json Prometheus::query(const std::string& promql) const {
  const nlohmann::json data = get("/api/v1/query?query=" + percent_encoded(promql));
  return data.is_object() ? data["result"] : nlohmann::json::array();
}

std::string Prometheus::log() const {
  std::ostringstream text;
  text << std::ifstream(folder_.file("log")).rdbuf();
  return text.str();
}

}  // namespace dunlin::test
