#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/replication/replica.h"
#include "common/runtime/disk_queue.h"
#include "common/transport/memory/memory_transport.h"
#include "tests/simulation/keys.h"
#include "tests/simulation/readings.h"
#include "tests/simulation/store/sim_store.h"

namespace dunlin::simulation {

// How a simulated disk behaves. Requests are done in the rounds of runtime::DiskQueue; a round
// takes a delay, and some time for what it writes.
struct DiskModel {
  Duration delay_min{200};
  Duration delay_max{3000};
  Duration per_mebibyte{0};  // of segments
  double write_fails = 0;    // nothing is stored
  double write_unsure = 0;   // stored, but reported as an I/O error
  double read_fails = 0;
  SimDisk::Faults faults = {};  // below SQLite; a light store has none
};

// A device's clock against true time, which starts in June 2025.
struct ClockModel {
  bool battery = true;                              // false: 1970 at each boot ...
  std::optional<Duration> synchronises_after = {};  // ... until somebody tells it the time
  Duration offset{0};                               // when it believes to be synchronised
  std::int64_t drift_ppm = 0;                       // since boot
};

struct SimNodeOptions {
  std::string name;
  std::uint64_t key = 0;
  replication::ReplicaOptions replica;
  DiskModel disk;
  ClockModel clock;
  std::uint64_t seed = 0;
  bool light = false;             // a light store and light keys
  Duration space_every{0};        // StorageUsed this often; 0 = never
  std::size_t outputs_max = 400;  // of one step
};

// What a node tells its cluster.
class SimObserver {
 public:
  virtual ~SimObserver() = default;
  virtual void on_output(std::size_t node, const replication::Output& output) = 0;
  virtual void on_committed(std::size_t node, const replication::Write& write,
                            std::span<const WriteOutcome> outcomes) = 0;
  virtual void on_opened(std::size_t node, const SimStore::Contents& contents) = 0;
  virtual void on_touched(std::size_t node) = 0;  // its next deadline may be another
  virtual void on_problem(std::string what) = 0;
};

// One replica with its store and a link to the bus, driven in virtual time by one thread.
class SimNode final : private TransportEvents {
 public:
  SimNode(SimNodeOptions options, std::size_t index, std::shared_ptr<MemoryBus> bus,
          SimObserver& observer);
  ~SimNode() override;

  // False when the disk refuses: the service manager tries again.
  bool start(Instant now);
  // The process dies, or the machine: what is under way is lost, or was stored without anybody
  // hearing of it, or in part where a power failure finds it.
  enum class Death { process, power };
  void crash(Death death = Death::process);
  // The same with its database gone: the next start opens a new epoch.
  void reflash();
  // What a backup of its database says now, of a node that is down; and going back to it.
  std::any backup();
  void restore(const std::any& backup);
  bool up() const { return replica_ != nullptr; }

  Result<void> append(std::size_t rows_max);
  Result<void> append(Sensors::Batch batch);
  // One reading now, which no ledger keeps: of decimals or integers.
  void sample(const StreamSchema& schema, std::span<const std::int64_t> values);
  // A reading that does not fit its schema: refused, and nothing changes.
  void append_mistake();
  void step(replication::Input input);
  void jump_clock(Duration by) { options_.clock.offset += by; }

  // Does what is due; the next thing that will be.
  void run(Instant now);
  std::optional<Instant> next_deadline() const;

  // Reads what the database holds, whether the node runs or not.
  Result<SimStore::Contents> contents();
  SimStore* store() { return store_.get(); }
  replication::Replica& replica() { return *replica_; }
  SimNodeOptions& options() { return options_; }
  void set_disk(DiskModel disk);
  Ledger& ledger() { return ledger_; }
  Signer& key() { return *key_; }
  Nonce instance() const { return instance_; }  // of the present start
  Moment moment() const;                        // by its clocks
  const NodeId& id() const { return key_->node(); }
  std::string client_id() const { return options_.name; }
  bool disk_idle() const { return requests_.empty() && job_.empty(); }
  std::uint64_t segments_merged() const { return merged_; }
  // What the replica has allocated is counted for this owner (scale/heap.h).
  std::size_t heap_owner() const { return index_ + 1; }
  // PUBLISH packets of MQTT 5 that crossed the link, lost ones that it sent included.
  struct Wire {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
  };
  const Wire& sent() const { return sent_; }
  const Wire& received() const { return received_; }
  // What the replica took of this machine's time.
  std::chrono::nanoseconds busy() const { return busy_; }
  // Bytes of other nodes' segments that wait for the disk, at most so far.
  std::size_t writing_bytes_peak() const { return writing_bytes_peak_; }

 private:
  using Request = runtime::DiskQueue::Request;

  void on_connected() override { step(replication::LinkUp{}); }
  void on_disconnected(const Error&) override { step(replication::LinkDown{}); }
  void on_message(std::string_view topic, ByteView payload, bool retained) override;

  Result<void> take(replication::Input input);
  Result<void> open_store();
  void carry_out();
  void send(const replication::Send& send);
  void begin_job();
  void finish_job();
  void answer(const replication::Read& read);
  void answer(const replication::ListOldest& list);
  void commit(std::vector<replication::Write> batch);
  Result<std::vector<WriteOutcome>> store_batch(const std::vector<replication::Write>& batch);
  void reopen();
  void compact();
  void report_space();
  std::size_t foreign_bytes(const replication::Write& write) const;

  SimNodeOptions options_;
  std::size_t index_;
  std::shared_ptr<MemoryBus> bus_;
  SimObserver& observer_;
  std::unique_ptr<Signer> key_;
  Nonce instance_;
  std::unique_ptr<Verifier> verifier_;
  Random random_;
  Sensors sensors_;
  Ledger ledger_;
  std::unique_ptr<Medium> medium_;

  Instant now_{};
  Instant booted_{};
  replication::Ticket last_ticket_ = 0;
  std::unique_ptr<SimStore> store_;
  std::unique_ptr<replication::Replica> replica_;
  std::unique_ptr<MemoryTransport> transport_;
  runtime::DiskQueue requests_;
  std::deque<Request> job_;  // the round under way
  Instant job_done_{};
  Instant space_at_{};
  std::size_t committed_readings_ = 0;    // own ones; those of unknown fate count after a start
  std::map<LogId, IntervalSet> counted_;  // whose readings these are
  std::uint64_t merged_ = 0;
  Wire sent_, received_;
  std::chrono::nanoseconds busy_{0};
  std::size_t writing_bytes_ = 0;
  std::size_t writing_bytes_peak_ = 0;
};

}  // namespace dunlin::simulation
