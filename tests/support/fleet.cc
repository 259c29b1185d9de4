#include "tests/support/fleet.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>

#include "tests/support/eventually.h"

namespace dunlin::test {

namespace {

using nlohmann::json;

constexpr std::chrono::seconds kStartTimeout{30};
constexpr std::chrono::seconds kStopTimeout{30};

std::string read_file(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::string where_node(const std::string& node) {
  return node.empty() ? std::string() : " WHERE node = '" + node + "'";
}

std::string joined(const std::vector<std::string>& texts, const std::string& between) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : between) + text;
  return out;
}
std::string toml(const std::vector<std::string>& texts) {
  return "[\"" + joined(texts, "\", \"") + "\"]";
}

Result<void> dunlin(const TempDir& folder, std::vector<std::string> args) {
  args.insert(args.end(), {"--dir", folder.file("fleet")});
  const std::string output = folder.file("dunlin.log");
  const auto code = run_program({.program = built_program("dunlin"),
                                 .args = std::move(args),
                                 .env = {},
                                 .output_file = output});
  if (code == 0) return {};
  return {Errc::io, "dunlin: " + read_file(output)};
}

}  // namespace

// ---- one member ----

Member::Member(const TempDir& folder, Options options)
    : folder_(folder), options_(std::move(options)) {
  if (options_.data_dir.empty()) options_.data_dir = folder_.file(options_.name);
  config_ = folder_.write(options_.name + ".toml", configuration());
}

std::string Member::program() const {
  return built_program(options_.gateway ? "dunlin-gateway" : "dunlin-agent");
}

std::string Member::configuration() const {
  std::vector<std::string> urls = options_.more_urls;
  urls.insert(urls.begin(), options_.broker_url);
  std::string cells;
  if (!options_.cells.empty()) {
    cells = options_.gateway ? "cells = " + toml(options_.cells) + "\n"
                             : "cell = \"" + options_.cells.front() + "\"\n";
  }
  std::string text =
      "[node]\nname = \"" + options_.name + "\"\ndata_dir = \"" + options_.data_dir + "\"\n" +
      cells + options_.node_keys + "[broker]\nurl = " + toml(urls) + "\n" + options_.broker_keys +
      "[storage]\n" + options_.storage_keys +
      "[http]\nlisten = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\n" +
      "[[track]]\nname = \"samples\"\n" +
      (options_.track_keys.empty() ? "flush_interval = \"20ms\"\n" : options_.track_keys);
  if (!options_.gateway) {
    text += "[[input]]\ntype = \"line_protocol\"\nprecision = \"us\"\nsocket = \"" +
            folder_.file(options_.name + ".sock") + "\"\n";
  }
  return text + options_.more;
}

Result<void> Member::start() {
  const std::size_t started = events("started").size();
  DUNLIN_ASSIGN(process_, ChildProcess::start({.program = program(),
                                               .args = {"run", "--config", config_},
                                               .env = options_.environment,
                                               .output_file = folder_.file(options_.name + ".log"),
                                               .stdin_pipe = options_.stdin_pipe}));
  return await_start(started);
}

void Member::configure(const std::function<void(Options&)>& change) {
  change(options_);
  config_ = folder_.write(options_.name + ".toml", configuration());
}

Result<void> Member::reload() {
  const std::size_t started = events("started").size();
  process_.kill(SIGHUP);
  return await_start(started);
}

Result<void> Member::await_start(std::size_t started) {
  std::vector<json> seen;
  const auto up = [&] { return (seen = events("started")).size() > started; };
  eventually([&] { return up() || !process_.running(); }, kStartTimeout);
  if (!up()) return {Errc::io, options_.name + " did not start:\n" + log()};
  node_ = seen.back().value("node", "");
  http_port_ = seen.back().value("http_port", std::uint16_t{0});
  return {};
}

void Member::kill() {
  process_.kill(SIGKILL);
  process_.wait(kStopTimeout);
}

std::optional<int> Member::stop() {
  process_.kill(SIGTERM);
  return process_.wait(kStopTimeout);
}

bool Member::say(const std::string& lines, std::chrono::milliseconds patience) const {
  const std::string path = folder_.file(options_.name + ".sock");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  // The program says that it started before its inputs have.
  bool said = eventually(
      [&] {
        return ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
      },
      patience);
  for (std::size_t done = 0; said && done < lines.size();) {
    const ssize_t n = ::send(fd, lines.data() + done, lines.size() - done, MSG_NOSIGNAL);
    said = n > 0;
    done += said ? static_cast<std::size_t>(n) : 0;
  }
  // It closes its end once it has read ours to the end.
  ::shutdown(fd, SHUT_WR);
  char end = 0;
  said = said && ::recv(fd, &end, 1, 0) == 0;
  ::close(fd);
  return said;
}

std::int64_t Member::status(const std::string& node, const std::string& column) const {
  const json table = json::parse(command({"status", "--json"}).text, nullptr, false);
  if (!table.is_object()) return -1;
  for (const json& row : table["rows"]) {
    std::map<std::string, json> named;
    for (std::size_t i = 0; i < row.size(); ++i) named[table["columns"][i]] = row[i];
    if (named["node"] == node && named["track"] == 1) return named[column];
  }
  return -1;
}

HttpReply Member::get(const std::string& path) const {
  Result<HttpReply> reply = http_get(http_port_, path);
  return reply.ok() ? *std::move(reply) : HttpReply{};
}

json Member::get_json(const std::string& path) const {
  json parsed = json::parse(get(path).body, nullptr, false);
  return parsed.is_discarded() ? json() : parsed;
}

double Member::metric(const std::string& series) const {
  std::istringstream lines(get("/metrics").body);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(series + " ")) return std::atof(line.c_str() + series.size());
  }
  return 0;
}

storage::Table Member::sql(const std::string& query) const {
  Result<storage::Reader> reader = storage::Reader::open(database());
  if (!reader.ok()) return {};
  Result<storage::Table> table = reader->query(query, {},
                                               {.rows_max = 20'000'000,
                                                .bytes_max = std::size_t{4} << 30,
                                                .time_max = std::chrono::minutes(2)});
  return table.ok() ? *std::move(table) : storage::Table{};
}

std::int64_t Member::sql_integer(const std::string& query) const {
  const storage::Table table = sql(query);
  if (table.rows.empty()) return 0;
  const auto* value = std::get_if<std::int64_t>(&table.rows[0][0]);
  return value == nullptr ? 0 : *value;
}

std::vector<std::vector<storage::Value>> Member::samples(const std::string& node) const {
  return sql("SELECT stream, node, epoch, seq, row, time, field, value FROM samples" +
             where_node(node))
      .rows;
}

std::int64_t Member::readings(const std::string& node) const {
  std::string all;
  for (const auto& row : sql("SELECT DISTINCT name FROM streams").rows) {
    all += (all.empty() ? "SELECT (" : " + (") +
           ("SELECT count(*) FROM \"stream_" + std::get<std::string>(row[0]) + "\"" +
            where_node(node) + ")");
  }
  return all.empty() ? 0 : sql_integer(all);
}

std::string Member::log() const {
  return read_file(folder_.file(options_.name + ".log"));
}

std::vector<json> Member::events(const std::string& event) const {
  std::vector<json> found;
  std::istringstream lines(log());
  for (std::string line; std::getline(lines, line);) {
    json parsed = json::parse(line, nullptr, false);
    if (parsed.is_object() && parsed.value("event", "") == event)
      found.push_back(std::move(parsed));
  }
  return found;
}

std::uint64_t Member::peak_rss() const {
  std::ifstream file("/proc/" + std::to_string(process_.pid()) + "/status");
  for (std::string word; file >> word;) {
    std::uint64_t kilobytes = 0;
    if (word == "VmHWM:" && file >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

Member::Printed Member::command(std::vector<std::string> args) const {
  const std::string output = folder_.file(options_.name + ".out");
  std::filesystem::remove(output);
  args.insert(args.end(), {"--config", config_});
  const auto code = run_program({.program = program(),
                                 .args = std::move(args),
                                 .env = options_.environment,
                                 .output_file = output});
  return {code.value_or(-1), read_file(output)};
}

// ---- the fleet ----

Result<Fleet::Secured> Fleet::secure(const std::vector<std::string>& hosts) {
  if (!find_program("mosquitto")) return {Errc::not_found, "mosquitto"};
  Secured made;
  made.folder = std::make_unique<TempDir>();
  const std::uint16_t port = free_port();
  const std::string fleet = made.folder->file("fleet");
  std::vector<std::string> init{"fleet", "init", "default", "--port", std::to_string(port)};
  if (!hosts.empty()) init.push_back("--broker");
  init.insert(init.end(), hosts.begin(), hosts.end());
  DUNLIN_TRY(dunlin(*made.folder, std::move(init)));
  DUNLIN_ASSIGN(made.broker,
                Mosquitto::start({.file = fleet + "/broker/mosquitto.conf", .port = port}));
  return made;
}

Result<std::string> Fleet::admit(const Member::Options& member) {
  if (authority_ == nullptr) return std::string();
  const auto reloads = [this] {
    const std::string log = broker_->log();
    std::size_t count = 0;
    for (std::size_t at = 0; (at = log.find("Reloading config", at)) != std::string::npos; ++at)
      ++count;
    return count;
  };
  const std::size_t before = reloads();
  std::string bundle = folder_.file(member.name + ".bundle");
  std::vector<std::string> args{"device", "add", member.name, "--out", bundle};
  if (member.gateway) args.push_back("--gateway");
  if (member.keeper) args.push_back("--keeper");
  if (!member.cells.empty()) args.insert(args.end(), {"--cell", joined(member.cells, ",")});
  DUNLIN_TRY(dunlin(*authority_, std::move(args)));
  eventually([&] { return !accepts_connections(broker_->port()) || reloads() > before; });
  return bundle;
}

Member Fleet::make(Member::Options options) {
  const Result<std::string> bundle = admit(options);
  if (!bundle.ok()) detail::fail_check(__FILE__, __LINE__, bundle.error().message().c_str());
  if (!bundle->empty()) options.node_keys += "bundle = \"" + *bundle + "\"\n";
  if (options.broker_url.empty() && urls_.empty()) {
    options.broker_url = broker_->url();
  } else if (options.broker_url.empty()) {
    std::vector<std::string> urls = urls_;
    const std::size_t turn = (gateways_.size() + agents_.size()) % urls.size();
    std::rotate(urls.begin(), urls.begin() + static_cast<std::ptrdiff_t>(turn), urls.end());
    options.broker_url = urls.front();
    options.more_urls.assign(urls.begin() + 1, urls.end());
  }
  return Member(folder_, std::move(options));
}

Member& Fleet::add_gateway(Member::Options options) {
  if (options.name.empty()) options.name = "gateway";
  options.gateway = true;
  return *gateways_.emplace_back(std::make_unique<Member>(make(std::move(options))));
}

Member& Fleet::add_agent(const std::string& name, Member::Options options) {
  options.name = name;
  return *agents_.emplace_back(std::make_unique<Member>(make(std::move(options))));
}

Result<void> Fleet::start() {
  for (const auto* members : {&gateways_, &agents_}) {
    for (const auto& member : *members) {
      if (!member->process().running()) DUNLIN_TRY(member->start());
    }
  }
  return {};
}

std::vector<Member*> Fleet::running() const {
  std::vector<Member*> out;
  for (const auto& gateway : gateways_) {
    if (gateway->process().running()) out.push_back(gateway.get());
  }
  return out;
}

std::string Fleet::behind() const {
  std::string lacking;
  for (const Member* gateway : running()) {
    if (lacking.empty()) lacking = behind(*gateway, agents_);
  }
  return lacking;
}

std::string Fleet::behind(const Member& gateway,
                          const std::vector<std::unique_ptr<Member>>& agents) {
  std::map<std::string, json> known;
  const json answer = gateway.get_json("/v1/nodes");
  if (!answer.is_object()) return gateway.name() + " does not answer";
  for (const json& node : answer["nodes"]) {
    for (const json& log : node["logs"]) {
      const std::string epoch = log["epoch"];
      known[node["node"].get<std::string>() + epoch + std::to_string(log["track"].get<int>())] =
          log;
    }
  }
  for (const auto& agent : agents) {
    const storage::Table logs = agent->sql(
        "SELECT printf('%016x', epoch), track, max(last) FROM segments s JOIN logs l ON l.id = "
        "s.log"
        " GROUP BY 1, 2");
    if (logs.rows.empty()) return agent->name() + " has nothing yet";
    for (const auto& row : logs.rows) {
      const auto track = std::get<std::int64_t>(row[1]);
      const auto head = std::get<std::int64_t>(row[2]);
      const auto log =
          known.find(agent->node() + std::get<std::string>(row[0]) + std::to_string(track));
      const json state = log == known.end() ? json() : log->second;
      if (log == known.end() || state["head"] < head || state["complete"] < state["head"]) {
        return agent->name() + " has entry " + std::to_string(head) + " of track " +
               std::to_string(track) + ", " + gateway.name() + " " + state.dump();
      }
    }
  }
  return {};
}

std::string Fleet::converge(std::chrono::seconds deadline) const {
  std::string lacking;
  const auto equal = [&] {
    lacking = behind();
    // What an agent still had to write when we looked at it makes a difference that passes.
    for (const Member* gateway : running()) {
      for (auto agent = agents_.begin(); lacking.empty() && agent != agents_.end(); ++agent) {
        lacking = difference(**agent, *gateway);
      }
    }
    return lacking.empty();
  };
  if (eventually(equal, deadline)) return {};
  for (const Member* gateway : running())
    lacking += "\n" + gateway->name() + ":\n" + gateway->log();
  return lacking;
}

std::string Fleet::difference(const Member& agent, const Member& gateway) {
  const auto here = agent.samples(agent.node());
  const auto there = gateway.samples(agent.node());
  if (here == there) return {};
  std::size_t row = 0;
  while (row < here.size() && row < there.size() && here[row] == there[row]) ++row;
  return agent.name() + " has " + std::to_string(here.size()) + " values, " + gateway.name() + " " +
         std::to_string(there.size()) + " of them; the first that differs is number " +
         std::to_string(row);
}

}  // namespace dunlin::test
