#include "tests/simulation/cluster.h"

#include <algorithm>

#include "common/base/check.h"
#include "tests/simulation/transcript.h"

namespace dunlin::simulation {

namespace {

using namespace replication;

constexpr std::size_t kProblemsMax = 20;
constexpr int kEventsAtOnceMax = 200'000;

class Deaf final : public TransportEvents {
  void on_connected() override {}
  void on_disconnected(const Error&) override {}
  void on_message(std::string_view, ByteView, bool) override {}
};
Deaf deaf;

Duration up_to(Random& random, Duration max) {
  return Duration(
      static_cast<Duration::rep>(random.below(static_cast<std::uint64_t>(max.count()) + 1)));
}

}  // namespace

Cluster::Cluster(ClusterOptions options)
    : options_(std::move(options)),
      random_(options_.seed),
      bus_(std::make_shared<MemoryBus>(random_.next(), options_.link)),
      audit_([this](std::string what) { on_problem(std::move(what)); },
             options_.uplink.archive.acks) {
  for (std::size_t i = 0; i < options_.gateways + options_.agents; ++i) make_node(i, i);
  for (std::size_t i = 0; i < nodes_.size(); ++i) start(i);
  TransportOptions link{.client_id = "intruder"};
  intruder_ = std::make_unique<MemoryTransport>(bus_, link);
  DUNLIN_CHECK(intruder_->start(deaf, {}, {}).ok());
}

void Cluster::make_node(std::size_t index, std::uint64_t key) {
  SimObserver& observer = *this;
  SimNodeOptions node;
  node.key = key, node.seed = random_.next(), node.light = options_.light;
  node.replica.cells = cells_of(index, key);
  if (index < options_.gateways) {
    node.name = index == 0 ? "gateway" : "gateway-" + std::to_string(index);
    node.replica.role = Role::gateway;
    node.replica.uplink.pushes = false;
    node.replica.origin.name = node.name;
    node.replica.receiver = options_.receiver;
    // All agents may have to be answered at once.
    node.outputs_max = std::max(node.outputs_max, options_.agents);
    node.disk = options_.gateway_disk;
  } else {
    node.name = "agent-" + std::to_string(index);
    node.replica.origin = options_.origin;
    node.replica.origin.name = "agent-" + std::to_string(key);  // a copy keeps it
    node.replica.uplink = options_.uplink;
    if (options_.interest) node.replica.interest = options_.interest(index - options_.gateways);
    if (node.replica.interest.scope == replication::Interest::Scope::fleet)
      node.replica.cells.emplace_back(kBackboneName);
    node.replica.receiver = options_.receiver;
    node.replica.receiver.archives = false;
    node.disk = options_.agent_disk;
    node.clock.battery = random_.below(4) != 0;
    node.space_every = options_.space_every;
  }
  if (options_.clocks) {
    node.clock.drift_ppm = static_cast<std::int64_t>(random_.below(401)) - 200;
    node.clock.offset = up_to(random_, std::chrono::seconds(4)) - std::chrono::seconds(2);
    if (random_.below(2) == 0)
      node.clock.synchronises_after = up_to(random_, std::chrono::minutes(2));
  }
  nodes_.push_back(std::make_unique<SimNode>(std::move(node), index, bus_, observer));
  wake_of_.emplace_back();
}

std::vector<std::string> Cluster::cells_of(std::size_t index, std::uint64_t key) const {
  const auto name = [&](std::size_t cell) {
    return options_.cell_size == 0 ? std::string("cell") : "cell-" + std::to_string(cell + 1);
  };
  if (index >= options_.gateways)
    return {name((key - options_.gateways) / std::max<std::size_t>(1, options_.cell_size))};
  const std::size_t cells =
      options_.cell_size == 0 ? 1 : (options_.agents + options_.cell_size - 1) / options_.cell_size;
  std::vector<std::string> served;
  for (std::size_t cell = 0; cell < cells; ++cell) {
    const std::size_t first = cell * options_.gateways_per_cell;
    const std::size_t turn = (index + options_.gateways - first % options_.gateways);
    if (options_.gateways_per_cell == 0 || turn % options_.gateways < options_.gateways_per_cell)
      served.push_back(name(cell));
  }
  served.emplace_back(kBackboneName);
  return served;
}

std::vector<std::size_t> Cluster::keepers_of(std::size_t agent) {
  std::vector<std::size_t> keepers;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const replication::Interest& interest = node(i).options().replica.interest;
    const std::string& name = node(agent).options().replica.origin.name;
    const bool keeps = i < options_.gateways ||
                       interest.scope == replication::Interest::Scope::fleet ||
                       (interest.keeps_cell() && serves(i, agent)) ||
                       covers(interest.follows, name, kSamplesTrack);
    if (i != agent && keeps && !gone(i) && node(i).id() != node(agent).id()) keepers.push_back(i);
  }
  return keepers;
}

bool Cluster::serves(std::size_t gateway, std::size_t agent) {
  const std::vector<std::string>& served = node(gateway).options().replica.cells;
  const std::string& cell = node(agent).options().replica.cells.front();
  return std::find(served.begin(), served.end(), cell) != served.end();
}

Cluster::~Cluster() {
  intruder_.reset();
  nodes_.clear();
}

double Cluster::node_hours() const {
  return static_cast<double>(nodes_.size()) *
         std::chrono::duration<double, std::ratio<3600>>(now_.time_since_epoch()).count();
}

// ---- time ----

void Cluster::at(Instant when, std::function<void()> task) {
  tasks_.push({when, ++tasks_made_, std::move(task)});
}

void Cluster::refresh_wakes() {
  for (const std::size_t index : touched_) {
    std::optional<Instant>& known = wake_of_[index];
    const std::optional<Instant> wake = nodes_[index]->next_deadline();
    if (wake == known) continue;
    if (known) wakes_.erase({*known, index});
    if (wake) wakes_.insert({*wake, index});
    known = wake;
  }
  touched_.clear();
}

std::optional<Instant> Cluster::next_event() {
  refresh_wakes();
  std::optional<Instant> next = bus_->next_deadline();
  const auto sooner = [&](Instant at) { next = std::min(next.value_or(at), at); };
  if (!tasks_.empty()) sooner(tasks_.top().when);
  if (!wakes_.empty()) sooner(wakes_.begin()->first);
  return next;
}

void Cluster::run_events(Instant at) {
  bus_->advance_to(at);
  for (int n = 0; bus_->run_one(); ++n) {
    if (n == kEventsAtOnceMax) return on_problem("messages go round without end");
  }
  while (!tasks_.empty() && tasks_.top().when <= at) {
    const auto task = tasks_.top().run;
    tasks_.pop();
    task();
  }
  refresh_wakes();
  std::vector<std::size_t> due;
  for (auto it = wakes_.begin(); it != wakes_.end() && it->first <= at; ++it)
    due.push_back(it->second);
  for (const std::size_t index : due) nodes_[index]->run(at);
}

void Cluster::run_for(Duration length) {
  const Instant end = now_ + length;
  int at_once = 0;
  while (problems_.size() < kProblemsMax) {
    const std::optional<Instant> next = next_event();
    if (!next || *next > end) break;
    at_once = *next > now_ ? 0 : at_once + 1;
    if (at_once == kEventsAtOnceMax) return on_problem("time stands still");
    now_ = std::max(now_, *next);
    run_events(now_);
  }
  now_ = end;
  bus_->advance_to(end);
}

bool Cluster::run_until(const std::function<bool()>& holds, Duration limit) {
  const Instant end = now_ + limit;
  while (!holds()) {
    if (now_ >= end || problems_.size() >= kProblemsMax) return false;
    run_for(std::chrono::seconds(1));
  }
  return true;
}

// ---- what happens to nodes ----

void Cluster::start(std::size_t index) {
  if (node(index).up()) return;
  trace(node(index).client_id() + " starts");
  if (!node(index).start(now_)) after(std::chrono::seconds(1), [this, index] { start(index); });
}

void Cluster::crash(std::size_t index, SimNode::Death death) {
  trace(node(index).client_id() +
        (death == SimNode::Death::power ? " loses its power" : " is killed"));
  node(index).crash(death);
}

void Cluster::reflash(std::size_t index) {
  trace(node(index).client_id() + " loses its database");
  node(index).reflash();
  audit_.forgot(party(index));
}

void Cluster::restore(std::size_t index, const std::any& backup) {
  trace(node(index).client_id() + " gets an old database back");
  node(index).restore(backup);
  audit_.forgot(party(index));
}

std::size_t Cluster::clone(std::size_t index) {
  const std::size_t copy = nodes_.size();
  trace(node(index).client_id() + " is copied");
  options_.agents += 1;
  make_node(copy, node(index).options().key);
  node(copy).restore(node(index).backup());
  start(copy);
  return copy;
}

void Cluster::abandon(std::size_t index) {
  crash(index, SimNode::Death::power);
  gone_.insert(index);
}

void Cluster::bring_back(std::size_t index) {
  gone_.erase(index);
  start(index);
}

void Cluster::crash_for(std::size_t index, Duration away, SimNode::Death death) {
  crash(index, death);
  after(away, [this, index] { start(index); });
}

void Cluster::partition_for(std::size_t index, Duration length) {
  const std::string client = node(index).client_id();
  trace(client + " is cut off");
  bus_->partition(client);
  after(length, [this, client] {
    trace(client + " is back");
    bus_->heal(client);
    bus_->break_link(client);
  });
}

void Cluster::stop_broker_for(Duration length) {
  trace("the broker stops");
  bus_->stop_broker();
  if (random_.below(2) == 0) bus_->forget_retained();
  after(length, [this] {
    trace("the broker starts");
    bus_->start_broker();
  });
}

void Cluster::append_randomly(Duration mean, std::size_t rows_max, Duration length) {
  for (std::size_t i = first_agent(); i < nodes_.size(); ++i)
    next_append(i, mean, rows_max, now_ + length);
}

void Cluster::next_append(std::size_t index, Duration mean, std::size_t rows_max, Instant end) {
  const Duration wait = up_to(random_, 2 * mean);
  if (now_ + wait >= end) return;
  after(wait, [=, this] {
    // Refused readings never existed; what else may go wrong is the checkers' business.
    if (node(index).up()) (void)node(index).append(rows_max);
    if (node(index).up() && random_.below(10) == 0) node(index).append_mistake();
    next_append(index, mean, rows_max, end);
  });
}

void Cluster::cause_chaos(Chaos chaos, Duration length) {
  next_mishap(chaos, now_ + length);
}

void Cluster::next_mishap(Chaos chaos, Instant end) {
  const Duration wait = up_to(random_, 2 * chaos.mean);
  if (now_ + wait >= end) return;
  after(wait, [=, this] {
    cause_mishap(chaos);
    next_mishap(chaos, end);
  });
}

void Cluster::cause_mishap(const Chaos& chaos) {
  mishaps_ += 1;
  const std::size_t agent = first_agent() + random_.below(options_.agents);
  const std::size_t gateway = random_.below(options_.gateways);
  const std::size_t any = random_.below(nodes_.size());
  const Duration away = up_to(random_, chaos.away_max);
  const auto death = random_.below(2) == 0 ? SimNode::Death::process : SimNode::Death::power;
  switch (random_.below(options_.clocks ? 9 : 8)) {
    case 0:
    case 1:
      if (chaos.crash_agents) crash_for(agent, away, death);
      break;
    case 2:
      if (chaos.crash_gateways) crash_for(gateway, away / 2, death);
      break;
    case 3:
    case 4:
      partition_for(any, away);
      break;
    case 5:
      bus_->break_link(node(any).client_id());
      break;
    case 6:
      stop_broker_for(away);
      break;
    case 7:
      if (!chaos.reflash) break;
      reflash(agent);
      after(away, [this, agent] { start(agent); });
      break;
    default:
      trace(node(any).client_id() + "'s clock jumps");
      node(any).jump_clock(up_to(random_, 60 * chaos.away_max) - 30 * chaos.away_max);
  }
}

void Cluster::heal() {
  trace("everything heals");
  bus_->start_broker();
  bus_->set_faults(Faults{.delay_min = std::chrono::milliseconds(1),
                          .delay_max = std::chrono::milliseconds(20)});
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (gone(i)) continue;
    node(i).set_disk({});
    start(i);
    bus_->heal(node(i).client_id());
    // The bus loses QoS 1 messages too, which a broker repeats; a new session makes up for it.
    if (options_.link.loss > 0) bus_->break_link(node(i).client_id());
  }
}

void Cluster::inject(const std::string& topic, ByteView payload) {
  (void)intruder_->publish(topic, payload, {});  // lost before it is connected
}

// ---- what is watched ----

void Cluster::trace(const std::string& line) {
  if (options_.trace) options_.trace(stamp(now_) + " " + line);
}

void Cluster::on_problem(std::string what) {
  trace("PROBLEM: " + what);
  if (problems_.size() >= kProblemsMax) return;
  problems_.push_back("at " + stamp(now_) + " s: " + std::move(what));
}

Audit::Party Cluster::party(std::size_t index) {
  return {index, node(index).client_id(), node(index).id(), index < options_.gateways};
}

void Cluster::on_output(std::size_t index, const Output& output) {
  transcript_ = mix(transcript_ + index, output);
  if (options_.trace) trace(node(index).client_id() + " " + describe(output));
  if (const auto* send = std::get_if<Send>(&output)) {
    const bool promise = audit_.sent(party(index), *send);
    if (promise && options_.crash_after_ack > 0 && random_.unit() < options_.crash_after_ack) {
      const auto death = random_.below(2) == 0 ? SimNode::Death::process : SimNode::Death::power;
      const Duration away = up_to(random_, std::chrono::seconds(3));
      after(Duration{}, [=, this] { crash_for(index, away, death); });
    }
  }
  if (watch_) watch_(index, output);
}

void Cluster::on_committed(std::size_t index, const Write& write,
                           std::span<const WriteOutcome> outcomes) {
  audit_.committed(party(index), write, outcomes);
}

void Cluster::on_opened(std::size_t index, const SimStore::Contents& contents) {
  audit_.opened(party(index), contents);
}

}  // namespace dunlin::simulation
