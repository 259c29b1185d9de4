#pragma once

#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <set>
#include <string>
#include <vector>

#include "tests/simulation/sim_node.h"

namespace dunlin::simulation {

struct ClusterOptions {
  std::uint64_t seed = 1;
  std::size_t agents = 4;
  Faults link{.loss = 0,
              .duplicate = 0,
              .delay_min = std::chrono::milliseconds(1),
              .delay_max = std::chrono::milliseconds(20)};
  DiskModel agent_disk;
  DiskModel gateway_disk;
  replication::OriginOptions origin;      // of agents
  replication::ReceiverOptions receiver;  // of the gateway
  bool space_reports = false;
  double crash_after_ack = 0;  // chance that the gateway dies with a Vector just sent
};

// Some agents and one gateway around a memory bus, in virtual time, from one seed. Checks while it
// runs that nothing is acknowledged before it is committed, that messages and queues keep their
// bounds and that nobody spins; what is wrong is gathered in problems().
class Cluster final : private SimObserver {
 public:
  explicit Cluster(ClusterOptions options);
  ~Cluster() override;

  static constexpr std::size_t kGateway = 0;  // agents are 1 and up
  std::size_t size() const { return nodes_.size(); }
  SimNode& node(std::size_t index) { return *nodes_[index]; }
  SimNode& gateway() { return node(kGateway); }
  MemoryBus& bus() { return *bus_; }
  Random& random() { return random_; }
  Instant now() const { return now_; }

  void at(Instant when, std::function<void()> task);
  void after(Duration delay, std::function<void()> task) { at(now_ + delay, std::move(task)); }
  void run_for(Duration length);
  // Runs until it holds, looking once a virtual second; false when `limit` passes first.
  bool run_until(const std::function<bool()>& holds, Duration limit);

  void start(std::size_t index);
  void crash(std::size_t index);
  void reflash(std::size_t index);
  void crash_for(std::size_t index, Duration away);
  // The link loses everything for a while, then breaks as a keep-alive that ran out.
  void partition_for(std::size_t index, Duration length);
  void stop_broker_for(Duration length);

  // Random appends of every agent, about every `mean`, for `length` from now.
  void append_randomly(Duration mean, std::size_t rows_max, Duration length);
  // Random crashes, partitions, broken links and broker restarts for `length` from now.
  struct Chaos {
    Duration mean{std::chrono::seconds(4)};
    bool crash_agents = true;
    bool crash_gateway = true;
    bool reflash = false;
  };
  void cause_chaos(Chaos chaos, Duration length);
  // No more faults, and everybody is up and reconnects.
  void heal();

  void inject(const std::string& topic, ByteView payload);
  using Watch = std::function<void(std::size_t node, const replication::Output&)>;
  void watch(Watch watch) { watch_ = std::move(watch); }

  // Every entry that the gateway ever acknowledged.
  const std::map<LogId, IntervalSet>& acknowledged() const { return acknowledged_; }
  void forget_acknowledged() { acknowledged_.clear(); }
  // Messages sent by node and name.
  std::uint64_t sent(std::size_t node, const std::string& name) const;
  Hash transcript() const { return transcript_; }
  const std::vector<std::string>& problems() const { return problems_; }
  void on_problem(std::string what) override;

 private:
  struct Task {
    Instant when;
    std::uint64_t order;
    std::function<void()> run;
    bool operator>(const Task& other) const {
      return when != other.when ? when > other.when : order > other.order;
    }
  };

  void on_output(std::size_t node, const replication::Output& output) override;
  void on_committed(std::size_t node) override;
  void check_claims(const replication::Vector& vector);
  void check_acknowledged();
  void refresh_committed();
  void next_append(std::size_t index, Duration mean, std::size_t rows_max, Instant end);
  void next_mishap(Chaos chaos, Instant end);
  std::optional<Instant> next_event() const;
  void run_events(Instant at);

  ClusterOptions options_;
  Random random_;
  std::string folder_;
  std::shared_ptr<MemoryBus> bus_;
  std::vector<std::unique_ptr<SimNode>> nodes_;
  std::unique_ptr<MemoryTransport> intruder_;
  Instant now_{};
  std::uint64_t tasks_made_ = 0;
  std::priority_queue<Task, std::vector<Task>, std::greater<>> tasks_;
  Watch watch_;

  std::map<LogId, IntervalSet> committed_;  // at the gateway: held, lost or released
  std::map<LogId, IntervalSet> acknowledged_;
  std::map<std::pair<std::size_t, std::string>, std::uint64_t> sent_;
  Hash transcript_{};
  std::vector<std::string> problems_;
};

}  // namespace dunlin::simulation
