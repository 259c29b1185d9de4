#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/replication/replica.h"
#include "common/storage/log_store.h"
#include "common/transport/memory/memory_transport.h"
#include "tests/simulation/keys.h"
#include "tests/simulation/readings.h"

namespace dunlin::simulation {

// How a simulated disk behaves. Requests are done in order; writes that wait together share one
// commit, as runtime::Disk has it.
struct DiskModel {
  Duration delay_min{200};
  Duration delay_max{3000};
  double write_fails = 0;   // nothing is stored
  double write_unsure = 0;  // stored, but reported as an I/O error
  double read_fails = 0;
};

struct SimNodeOptions {
  std::string name;
  std::string folder;
  std::uint64_t key = 0;
  replication::ReplicaOptions replica;
  DiskModel disk;
  std::uint64_t seed = 0;
  bool knows_time = true;      // false: its clock starts in 1970 at every boot
  bool reports_space = false;  // StorageUsed every second
};

// What a node tells its cluster.
class SimObserver {
 public:
  virtual ~SimObserver() = default;
  virtual void on_output(std::size_t node, const replication::Output& output) = 0;
  virtual void on_committed(std::size_t node) = 0;
  virtual void on_problem(std::string what) = 0;
};

// One replica with its real store and a link to the bus, driven in virtual time by one thread.
class SimNode final : private TransportEvents {
 public:
  SimNode(SimNodeOptions options, std::size_t index, std::shared_ptr<MemoryBus> bus,
          SimObserver& observer);
  ~SimNode() override;

  void start(Instant now);
  // The process dies: what is under way is lost, or was stored without anybody hearing of it.
  void crash();
  // The same with its database gone: the next start opens a new epoch.
  void reflash();
  bool up() const { return replica_ != nullptr; }

  Result<void> append(std::size_t rows_max);
  Result<void> append(Sensors::Batch batch);
  // A reading that does not fit its schema: refused, and nothing changes.
  void append_mistake();
  void step(replication::Input input);

  // Does what is due; the next thing that will be.
  void run(Instant now);
  std::optional<Instant> next_deadline() const;

  // Reads what the database holds, whether the node runs or not.
  Result<storage::LogStore::Contents> contents();
  storage::LogStore* store() { return store_ ? &*store_ : nullptr; }
  replication::Replica& replica() { return *replica_; }
  SimNodeOptions& options() { return options_; }
  Ledger& ledger() { return ledger_; }
  security::NodeKey& key() { return *key_; }
  const NodeId& id() const { return key_->node(); }
  std::string client_id() const { return options_.name; }
  bool disk_idle() const { return requests_.empty() && job_.empty(); }
  // Bytes of other nodes' segments that wait for the disk, at most so far.
  std::size_t writing_bytes_peak() const { return writing_bytes_peak_; }

 private:
  using Request = std::variant<replication::Write, replication::Read, replication::ListOldest>;

  void on_connected() override { step(replication::LinkUp{}); }
  void on_disconnected(const Error&) override { step(replication::LinkDown{}); }
  void on_message(std::string_view topic, ByteView payload, bool retained) override;

  Moment moment() const;
  void open_store();
  void carry_out();
  void send(const replication::Send& send);
  void begin_job();
  void finish_job();
  void commit(std::vector<replication::Write> batch);
  void report_space();
  std::size_t foreign_bytes(const replication::Write& write) const;

  SimNodeOptions options_;
  std::size_t index_;
  std::shared_ptr<MemoryBus> bus_;
  SimObserver& observer_;
  std::unique_ptr<security::NodeKey> key_;
  std::unique_ptr<Verifier> verifier_;
  Random random_;
  Sensors sensors_;
  Ledger ledger_;

  Instant now_{};
  Instant booted_{};
  replication::Ticket last_ticket_ = 0;
  std::optional<storage::LogStore> store_;
  std::unique_ptr<replication::Replica> replica_;
  std::unique_ptr<MemoryTransport> transport_;
  std::deque<Request> requests_;
  std::deque<Request> job_;
  Instant job_done_{};
  Instant space_at_{};
  std::size_t committed_readings_ = 0;  // own ones; those of unknown fate count after a start
  std::size_t writing_bytes_ = 0;
  std::size_t writing_bytes_peak_ = 0;
};

}  // namespace dunlin::simulation
