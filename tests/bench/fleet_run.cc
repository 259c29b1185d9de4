#include "tests/bench/fleet_run.h"

#include <signal.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "tests/bench/fleet.h"
#include "tests/bench/live.h"
#include "tests/bench/replicate.h"
#include "tests/support/broker_nodes.h"
#include "tests/support/eventually.h"

namespace dunlin::bench {

namespace {

using std::chrono::milliseconds;
using test::Member;

constexpr std::uint64_t kReadingsPerSecond = 10;
constexpr std::uint64_t kStartSeconds = 10;  // that the start may take, at most
constexpr auto kTimeLimit = std::chrono::minutes(5);
constexpr std::size_t kNodes = 3;
constexpr double kForwarderBound = 5;  // seconds
constexpr double kLateMs = 250;        // that a busy machine alone takes seldom
constexpr const char* kStream = "greenhouse_model";

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string mode_name(const FleetOptions& options) {
  switch (options.broker) {
    case BrokerKind::bridge:
      return "bridge";
    case BrokerKind::nats:
      return "nats";
    case BrokerKind::mosquitto:
      break;
  }
  return options.tls ? "mosquitto_tls" : "mosquitto";
}

class FleetRun {
 public:
  explicit FleetRun(const FleetOptions& options) : options_(options) {}

  Result<std::vector<Figure>> run() {
    DUNLIN_TRY(start_broker());
    add_members();
    DUNLIN_TRY(fleet_->start());
    // The start is over once the first reading of everybody is everywhere.
    const auto agents = static_cast<std::int64_t>(options_.agents);
    const bool begun = everywhere(
        [&](const Member& gateway) { return count(gateway, "count(DISTINCT node)") == agents; });
    if (!begun) return {Errc::timeout, "the fleet does not come together"};
    std::this_thread::sleep_for(std::chrono::seconds(1));
    const Outage calm{now_seconds(), now_seconds() + static_cast<double>(options_.seconds)};
    sleep_until(calm.ended);
    for (Loss& loss : losses_) DUNLIN_TRY(suffer(loss));
    DUNLIN_TRY(come_to_rest());
    return report(calm);
  }

 private:
  struct Loss {
    std::string name;
    std::function<void()> lose;
    std::function<Result<void>()> heal;
    double heal_after = 0;                    // seconds
    std::optional<std::size_t> gateway = {};  // which is lost
    Outage outage = {};
  };

  Result<void> start_broker() {
    if (options_.broker == BrokerKind::mosquitto) {
      DUNLIN_ASSIGN(fleet_, start_fleet(options_.tls));
      return {};
    }
    DUNLIN_ASSIGN(nodes_, options_.broker == BrokerKind::nats ? test::cluster_nats(kNodes)
                                                              : test::bridge_mosquittos(kNodes));
    fleet_ = std::make_unique<test::Fleet>(nodes_->urls());
    return {};
  }

  void add_members() {
    const std::string protocol =
        options_.broker == BrokerKind::nats ? "protocol = 4\nqos = 0\n" : "";
    std::vector<std::string> cells;
    for (std::size_t i = 0; i < options_.cells; ++i) cells.push_back("cell-" + std::to_string(i));
    const std::size_t middle = options_.gateways / 2;
    for (std::size_t i = 0; i < options_.gateways; ++i) {
      const std::size_t one = (i < middle ? i : i - 1) % cells.size();
      fleet_->add_gateway({.name = "gateway-" + std::to_string(i),
                           .cells = i == middle ? cells : std::vector<std::string>{cells[one]},
                           .broker_keys = protocol,
                           .environment = {"DUNLIN_LOG__LEVEL=debug"}});
    }
    const double seconds = static_cast<double>(options_.seconds);
    losses_.push_back(gateway_loss("forwarder_killed", middle, SIGKILL));
    if (options_.kill_broker && !nodes_) {
      losses_.push_back({"broker_killed", [this] { fleet_->broker().kill(); },
                         [this] { return fleet_->broker().restart(); }});
    } else if (options_.kill_broker) {
      losses_.push_back(node_loss("node_killed", kNodes - 1, seconds / 2));
      if (options_.broker == BrokerKind::bridge) losses_.push_back(node_loss("hub_killed", 0, 0));
    }
    // Last, since it comes back with all that it missed.
    losses_.push_back(gateway_loss("forwarder_hung", middle, SIGSTOP));
    const std::uint64_t readings =
        (kStartSeconds + options_.seconds * (1 + 2 * losses_.size())) * kReadingsPerSecond;
    for (std::size_t i = 0; i < options_.agents; ++i) {
      fleet_->add_agent("agent-" + std::to_string(i),
                        {.cells = {cells[i % cells.size()]},
                         .broker_keys = protocol,
                         .track_keys = "flush_readings = 1\n",
                         .more = "[[input]]\ntype = \"model\"\nstream = \"" + std::string(kStream) +
                                 "\"\nseed = " + std::to_string(i) + "\nspeed = 1\nperiod = \"" +
                                 std::to_string(1000 / kReadingsPerSecond) +
                                 "ms\"\nreadings = " + std::to_string(readings) + "\n"});
    }
  }
  Loss gateway_loss(const std::string& name, std::size_t which, int signal) {
    Member& gateway = *fleet_->gateways()[which];
    const auto heal = [&gateway, signal]() -> Result<void> {
      if (signal == SIGKILL) return gateway.start();
      gateway.process().kill(SIGCONT);
      return {};
    };
    return {name, [&gateway, signal] { gateway.process().kill(signal); }, heal,
            static_cast<double>(options_.seconds), which};
  }
  Loss node_loss(const std::string& name, std::size_t node, double heal_after) {
    return {name, [this, node] { nodes_->kill(node); },
            [this, node] { return nodes_->restart(node); }, heal_after};
  }

  static void sleep_until(double at) {
    std::this_thread::sleep_for(std::chrono::duration<double>(at - now_seconds()));
  }
  Result<void> suffer(Loss& loss) const {
    const auto seconds = static_cast<double>(options_.seconds);
    loss.outage.begun = now_seconds();
    loss.outage.ended = loss.outage.begun + seconds;
    loss.lose();
    sleep_until(loss.outage.begun + loss.heal_after);
    DUNLIN_TRY(loss.heal());
    sleep_until(loss.outage.ended + seconds);
    return {};
  }

  // Whether it holds for every gateway at last.
  template <typename Predicate>
  bool everywhere(Predicate predicate) const {
    for (const auto& gateway : fleet_->gateways()) {
      if (!test::eventually([&] { return predicate(*gateway); }, kTimeLimit)) return false;
    }
    return true;
  }
  static std::int64_t count(const Member& member, const std::string& what) {
    return member.sql_integer("SELECT " + what + " FROM stream_" + kStream);
  }
  // Until all readings were made, and had their time to be everywhere.
  Result<void> come_to_rest() {
    for (const auto& agent : fleet_->agents()) {
      if (!test::eventually([&] { return !agent->events("input_ended").empty(); }, kTimeLimit))
        return {Errc::timeout, agent->name() + " does not come to its end"};
    }
    readings_ = 0;
    for (const auto& agent : fleet_->agents()) readings_ += count(*agent, "count(*)");
    (void)everywhere([&](const Member& gateway) { return distinct(gateway) >= readings_; });
    return {};
  }
  // No agent measures twice in a microsecond.
  static std::int64_t distinct(const Member& gateway) {
    return count(gateway, "count(DISTINCT node || time)");
  }

  void add(const std::string& name, double value, const std::string& unit,
           std::optional<double> bound = {}) {
    figures_.push_back({.figure = name,
                        .value = value,
                        .unit = unit,
                        .system = "dunlin",
                        .mode = mode_name(options_),
                        .batch = 1,
                        .dataset = "greenhouse",
                        .bound = bound});
  }
  // p50 and p99 of what was appended between these.
  void add_latency(const std::string& name, const std::vector<Arrival>& all, Outage between) {
    for (const bool beyond : {false, true}) {
      std::vector<double> values;
      for (const Arrival& each : all) {
        if (each.beyond == beyond && each.appended >= between.begun &&
            each.appended < between.ended)
          values.push_back(each.milliseconds());
      }
      if (values.empty()) continue;
      const std::string where = beyond ? "beyond" : "home";
      add(name + "_latency_p50_" + where, percentile(values, 50), "ms");
      add(name + "_latency_p99_" + where, percentile(values, 99), "ms");
    }
  }

  Result<std::vector<Figure>> report(Outage calm) {
    DUNLIN_ASSIGN(const std::vector<Arrival> all, arrivals(*fleet_, kStream));
    add_latency("calm", all, calm);
    std::vector<double> before;
    for (const Arrival& each : all) {
      if (each.appended >= calm.begun && each.appended < calm.ended)
        before.push_back(each.milliseconds());
    }
    if (before.empty()) return {Errc::not_found, "too few readings"};
    const double limit = std::max(kLateMs, 3 * percentile(before, 99));
    for (const Loss& loss : losses_) {
      std::vector<Arrival> others = all;
      std::erase_if(others, [&](const Arrival& each) { return each.gateway == loss.gateway; });
      // What does not leave its cell waits for no forwarder.
      std::vector<Arrival> concerned = others;
      if (loss.gateway) std::erase_if(concerned, [](const Arrival& each) { return !each.beyond; });
      const Recovery took = recovery(concerned, loss.outage, limit);
      const auto bound = loss.gateway ? std::optional(kForwarderBound) : std::nullopt;
      add(loss.name + "_seconds_until_live", took.live, "s", bound);
      add(loss.name + "_seconds_until_complete", took.complete, "s");
      const Outage after{loss.outage.ended,
                         loss.outage.ended + static_cast<double>(options_.seconds)};
      if (loss.gateway)
        add(loss.name + "_seconds_until_live_after_its_return",
            recovery(concerned, after, limit).live, "s");
      add_latency("after_" + loss.name, others, after);
    }
    std::int64_t lost = 0, doubled = 0;
    for (const auto& gateway : fleet_->gateways()) {
      const std::int64_t here = distinct(*gateway);
      lost += std::max<std::int64_t>(0, readings_ - here);
      doubled += count(*gateway, "count(*)") - here;
    }
    add("readings", static_cast<double>(readings_), "1");
    add("lost_readings", static_cast<double>(lost), "1", 0.0);
    add("doubled_readings", static_cast<double>(doubled), "1", 0.0);
    return figures_;
  }

  const FleetOptions options_;
  std::unique_ptr<test::BrokerNodes> nodes_;  // null: the fleet's own mosquitto
  std::unique_ptr<test::Fleet> fleet_;
  std::vector<Loss> losses_;
  std::int64_t readings_ = 0;  // made by all agents
  std::vector<Figure> figures_;
};

}  // namespace

Result<std::vector<Figure>> run_fleet(const FleetOptions& options) {
  return FleetRun(options).run();
}

}  // namespace dunlin::bench
