#include "tests/simulation/cluster.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "common/base/check.h"
#include "common/log/limits.h"

namespace dunlin::simulation {

namespace {

using namespace replication;

constexpr std::size_t kProblemsMax = 20;
constexpr int kEventsAtOnceMax = 200'000;

// Databases live in memory where that is possible: what is simulated is the disk's behaviour.
std::string make_folder() {
  const std::filesystem::path shm = "/dev/shm";
  const bool usable = ::access(shm.c_str(), W_OK) == 0;
  std::string name =
      ((usable ? shm : std::filesystem::temp_directory_path()) / "dunlin-sim-XXXXXX").string();
  DUNLIN_CHECK(::mkdtemp(name.data()) != nullptr);
  return name;
}

class Deaf final : public TransportEvents {
  void on_connected() override {}
  void on_disconnected(const Error&) override {}
  void on_message(std::string_view, ByteView, bool) override {}
};
Deaf deaf;

Bytes trace_of(const Output& output) {
  Bytes out{static_cast<std::uint8_t>(output.index())};
  const auto number = [&](std::uint64_t value) {
    for (int i = 0; i < 8; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  };
  if (const auto* send = std::get_if<Send>(&output)) {
    out.insert(out.end(), send->payload.begin(), send->payload.end());
  } else if (const auto* write = std::get_if<Write>(&output)) {
    number(write->token);
    for (const auto& segment : write->segments) {
      out.insert(out.end(), segment.bytes->begin(), segment.bytes->end());
    }
  } else if (const auto* read = std::get_if<Read>(&output)) {
    number(read->token), number(read->interval.first), number(read->interval.last);
  } else if (const auto* durable = std::get_if<Durable>(&output)) {
    number(durable->ticket);
  } else if (const auto* notice = std::get_if<Notice>(&output)) {
    out.insert(out.end(), notice->detail.begin(), notice->detail.end());
  }
  return out;
}

IntervalSet claims_of(const Vector::Item& item) {
  IntervalSet claimed;
  if (item.head > 0) claimed.insert({1, item.head});
  claimed.erase(item.missing);
  return claimed;
}

bool covers(const IntervalSet& set, const IntervalSet& part) {
  return std::all_of(part.intervals().begin(), part.intervals().end(),
                     [&](const Interval& interval) { return set.contains(interval); });
}

}  // namespace

Cluster::Cluster(ClusterOptions options)
    : options_(std::move(options)),
      random_(options_.seed),
      folder_(make_folder()),
      bus_(std::make_shared<MemoryBus>(random_.next(), options_.link)) {
  SimObserver& observer = *this;
  for (std::size_t i = 0; i <= options_.agents; ++i) {
    SimNodeOptions node;
    node.folder = folder_, node.key = i, node.seed = random_.next();
    node.name = i == kGateway ? "gateway" : "agent-" + std::to_string(i);
    if (i == kGateway) {
      node.replica.role = Role::gateway;
      node.replica.origin.pushes = false;
      node.replica.receiver = options_.receiver;
      node.disk = options_.gateway_disk;
    } else {
      node.replica.origin = options_.origin;
      node.disk = options_.agent_disk;
      node.knows_time = random_.below(4) != 0;
      node.reports_space = options_.space_reports;
    }
    nodes_.push_back(std::make_unique<SimNode>(std::move(node), i, bus_, observer));
  }
  for (std::size_t i = 0; i < nodes_.size(); ++i) start(i);
  TransportOptions link{.client_id = "intruder"};
  intruder_ = std::make_unique<MemoryTransport>(bus_, link);
  DUNLIN_CHECK(intruder_->start(deaf, {}, {}).ok());
}

Cluster::~Cluster() {
  intruder_.reset();
  nodes_.clear();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

// ---- time ----

void Cluster::at(Instant when, std::function<void()> task) {
  tasks_.push({when, ++tasks_made_, std::move(task)});
}

std::optional<Instant> Cluster::next_event() const {
  std::optional<Instant> next = bus_->next_deadline();
  const auto sooner = [&](Instant at) { next = std::min(next.value_or(at), at); };
  if (!tasks_.empty()) sooner(tasks_.top().when);
  for (const auto& node : nodes_) {
    if (const auto due = node->next_deadline()) sooner(*due);
  }
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
  for (const auto& node : nodes_) node->run(at);
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
  node(index).start(now_);
  if (index != kGateway) return;
  refresh_committed();
  check_acknowledged();
}

void Cluster::crash(std::size_t index) {
  node(index).crash();
}

void Cluster::reflash(std::size_t index) {
  node(index).reflash();
  if (index == kGateway) acknowledged_.clear();
}

void Cluster::crash_for(std::size_t index, Duration away) {
  crash(index);
  after(away, [this, index] { start(index); });
}

void Cluster::partition_for(std::size_t index, Duration length) {
  const std::string client = node(index).client_id();
  bus_->partition(client);
  after(length, [this, client] {
    bus_->heal(client);
    bus_->break_link(client);
  });
}

void Cluster::stop_broker_for(Duration length) {
  bus_->stop_broker();
  if (random_.below(2) == 0) bus_->forget_retained();
  after(length, [this] { bus_->start_broker(); });
}

void Cluster::append_randomly(Duration mean, std::size_t rows_max, Duration length) {
  for (std::size_t i = 1; i < nodes_.size(); ++i) next_append(i, mean, rows_max, now_ + length);
}

void Cluster::next_append(std::size_t index, Duration mean, std::size_t rows_max, Instant end) {
  const Duration wait(random_.below(2 * static_cast<std::uint64_t>(mean.count()) + 1));
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
  const Duration wait(random_.below(2 * static_cast<std::uint64_t>(chaos.mean.count()) + 1));
  if (now_ + wait >= end) return;
  after(wait, [=, this] {
    const std::size_t agent = 1 + random_.below(options_.agents);
    const std::size_t any = random_.below(nodes_.size());
    const Duration away(random_.below(10'000'000));
    switch (random_.below(8)) {
      case 0:
      case 1:
        if (chaos.crash_agents) crash_for(agent, away);
        break;
      case 2:
        if (chaos.crash_gateway) crash_for(kGateway, away / 2);
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
      default:
        if (!chaos.reflash) break;
        reflash(agent);
        after(away, [this, agent] { start(agent); });
    }
    next_mishap(chaos, end);
  });
}

void Cluster::heal() {
  bus_->start_broker();
  bus_->set_faults(Faults{.delay_min = std::chrono::milliseconds(1),
                          .delay_max = std::chrono::milliseconds(20)});
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    node(i).options().disk = DiskModel{};
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

void Cluster::on_problem(std::string what) {
  if (problems_.size() >= kProblemsMax) return;
  problems_.push_back("at " + std::to_string(now_.time_since_epoch().count()) +
                      " us: " + std::move(what));
}

std::uint64_t Cluster::sent(std::size_t node, const std::string& name) const {
  const auto it = sent_.find({node, name});
  return it == sent_.end() ? 0 : it->second;
}

void Cluster::on_output(std::size_t index, const Output& output) {
  const std::uint8_t from = static_cast<std::uint8_t>(index);
  transcript_ = sha256({transcript_, ByteView(&from, 1), trace_of(output)});
  if (const auto* send = std::get_if<Send>(&output)) {
    sent_[{index, std::string(send->message)}] += 1;
    if (send->payload.size() > kMessageBytesMax) {
      on_problem(node(index).client_id() + " sends " + std::to_string(send->payload.size()) +
                 " bytes");
    }
    const Result<Envelope> envelope = decode_envelope(send->payload);
    if (!envelope.ok()) {
      on_problem(node(index).client_id() +
                 " sends what nobody reads: " + envelope.error().message());
    } else if (const auto* vector = std::get_if<Vector>(&envelope->message);
               index == kGateway && vector) {
      check_claims(*vector);
    }
  }
  if (watch_) watch_(index, output);
}

void Cluster::on_committed(std::size_t index) {
  if (index == kGateway) refresh_committed();
}

void Cluster::refresh_committed() {
  const Result<storage::LogStore::Contents> contents = gateway().contents();
  if (!contents.ok()) return on_problem("the gateway cannot read: " + contents.error().message());
  committed_.clear();
  for (const LogState& state : contents->logs) {
    IntervalSet& set = committed_[state.id()];
    set = state.held();
    set.insert(state.lost());
    set.insert(state.released());
  }
}

void Cluster::check_claims(const Vector& vector) {
  for (const Vector::Item& item : vector.logs) {
    const IntervalSet claimed = claims_of(item);
    if (!covers(committed_[item.log], claimed)) {
      on_problem("the gateway claims what it has not committed of " + item.log.to_string());
    }
    acknowledged_[item.log].insert(claimed);
  }
  if (options_.crash_after_ack > 0 && random_.unit() < options_.crash_after_ack) {
    after(Duration{}, [this] { crash_for(kGateway, Duration(random_.below(3'000'000))); });
  }
}

void Cluster::check_acknowledged() {
  for (const auto& [log, acknowledged] : acknowledged_) {
    if (!covers(committed_[log], acknowledged)) {
      on_problem("the gateway lost what it had acknowledged of " + log.to_string());
    }
  }
}

}  // namespace dunlin::simulation
