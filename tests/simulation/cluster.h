#pragma once

#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <set>
#include <string>
#include <vector>

#include "tests/simulation/audit.h"
#include "tests/simulation/sim_node.h"

namespace dunlin::simulation {

struct ClusterOptions {
  std::uint64_t seed = 1;
  std::size_t agents = 4;
  std::size_t gateways = 1;
  std::size_t cell_size = 0;          // agents of "cell-1", "cell-2" ...; 0 = all are in "cell"
  std::size_t gateways_per_cell = 0;  // taken in turn; 0 = every gateway serves every cell
  std::function<replication::Interest(std::size_t agent)> interest = {};  // of agents 0, 1 ...
  Faults link{.loss = 0,
              .duplicate = 0,
              .delay_min = std::chrono::milliseconds(1),
              .delay_max = std::chrono::milliseconds(20)};
  DiskModel agent_disk;
  DiskModel gateway_disk;
  replication::OriginOptions origin;       // of agents
  replication::UplinkOptions uplink = {};  // of agents
  replication::ReceiverOptions receiver;   // of gateways
  bool light = false;                      // light stores and keys, for large fleets and long runs
  bool clocks = false;                     // clocks that drift and jump, or start in 1970
  Duration space_every{0};                 // agents look after their space this often; 0 = never
  double crash_after_ack = 0;              // chance that a gateway dies with a Vector just sent
  std::function<void(const std::string& line)> trace = {};
};

// Some agents and gateways around a memory bus, in virtual time, from one seed. An Audit watches
// while it runs, and that queues keep their bounds and nobody spins; what is wrong is gathered in
// problems().
class Cluster final : private SimObserver {
 public:
  explicit Cluster(ClusterOptions options);
  ~Cluster() override;

  static constexpr std::size_t kGateway = 0;  // the first; other gateways follow, then agents
  std::size_t size() const { return nodes_.size(); }
  std::size_t gateways() const { return options_.gateways; }
  std::size_t first_agent() const { return options_.gateways; }
  SimNode& node(std::size_t index) { return *nodes_[index]; }
  SimNode& gateway() { return node(kGateway); }
  // Whether an agent's logs reach that gateway without others passing them on.
  bool serves(std::size_t gateway, std::size_t agent);
  // Those that keep the logs of an agent, besides itself: gateways, and who has an interest.
  std::vector<std::size_t> keepers_of(std::size_t agent);
  const ClusterOptions& options() const { return options_; }
  MemoryBus& bus() { return *bus_; }
  Random& random() { return random_; }
  Audit& audit() { return audit_; }
  Instant now() const { return now_; }
  // Hours that nodes were simulated for, up or not.
  double node_hours() const;

  void at(Instant when, std::function<void()> task);
  void after(Duration delay, std::function<void()> task) { at(now_ + delay, std::move(task)); }
  void run_for(Duration length);
  // Runs until it holds, looking once a virtual second; false when `limit` passes first.
  bool run_until(const std::function<bool()>& holds, Duration limit);

  // A node whose disk refuses tries again every second.
  void start(std::size_t index);
  void crash(std::size_t index, SimNode::Death death = SimNode::Death::process);
  void reflash(std::size_t index);
  void restore(std::size_t index, const std::any& backup);
  // One more agent, with the key and the database of another, which is down. Starts at once.
  std::size_t clone(std::size_t index);
  // Dies and never comes back: nobody waits for it.
  void abandon(std::size_t index);
  // After all.
  void bring_back(std::size_t index);
  bool gone(std::size_t index) const { return gone_.contains(index); }
  void crash_for(std::size_t index, Duration away, SimNode::Death = SimNode::Death::process);
  // The link loses everything for a while, then breaks as a keep-alive that ran out.
  void partition_for(std::size_t index, Duration length);
  void stop_broker_for(Duration length);

  // Random appends of every agent, about every `mean`, for `length` from now.
  void append_randomly(Duration mean, std::size_t rows_max, Duration length);
  // Random crashes, power failures, partitions, broken links and broker restarts for `length` from
  // now.
  struct Chaos {
    Duration mean{std::chrono::seconds(4)};
    Duration away_max{std::chrono::seconds(10)};
    bool crash_agents = true;
    bool crash_gateways = true;
    bool reflash = false;
  };
  void cause_chaos(Chaos chaos, Duration length);
  // No more faults, and everybody is up and reconnects.
  void heal();

  void inject(const std::string& topic, ByteView payload);
  using Watch = std::function<void(std::size_t node, const replication::Output&)>;
  void watch(Watch watch) { watch_ = std::move(watch); }
  void trace(const std::string& line);

  // Messages sent by node and name.
  std::uint64_t sent(std::size_t node, const std::string& name) const {
    return audit_.sent_messages(node, name);
  }
  std::uint64_t transcript() const { return transcript_; }  // a hash
  std::uint64_t mishaps() const { return mishaps_; }        // caused by chaos
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

  void make_node(std::size_t index, std::uint64_t key);
  std::vector<std::string> cells_of(std::size_t index, std::uint64_t key) const;
  Audit::Party party(std::size_t index);
  void on_output(std::size_t node, const replication::Output& output) override;
  void on_committed(std::size_t node, const replication::Write& write,
                    std::span<const WriteOutcome> outcomes) override;
  void on_opened(std::size_t node, const SimStore::Contents& contents) override;
  void on_touched(std::size_t node) override { touched_.push_back(node); }
  void next_append(std::size_t index, Duration mean, std::size_t rows_max, Instant end);
  void next_mishap(Chaos chaos, Instant end);
  void cause_mishap(const Chaos& chaos);
  void refresh_wakes();
  std::optional<Instant> next_event();
  void run_events(Instant at);

  ClusterOptions options_;
  Random random_;
  std::shared_ptr<MemoryBus> bus_;
  Audit audit_;
  std::vector<std::unique_ptr<SimNode>> nodes_;
  std::unique_ptr<MemoryTransport> intruder_;
  Instant now_{};
  std::uint64_t tasks_made_ = 0;
  std::priority_queue<Task, std::vector<Task>, std::greater<>> tasks_;
  std::set<std::pair<Instant, std::size_t>> wakes_;  // of nodes
  std::vector<std::optional<Instant>> wake_of_;
  std::vector<std::size_t> touched_;
  std::set<std::size_t> gone_;
  Watch watch_;
  std::uint64_t transcript_ = 0;
  std::uint64_t mishaps_ = 0;
  std::vector<std::string> problems_;
};

}  // namespace dunlin::simulation
