#pragma once

#include <any>
#include <memory>

#include "common/storage/log_store.h"
#include "tests/simulation/disk/sim_disk.h"

namespace dunlin::simulation {

// What a simulated node asks of its store; storage::LogStore says what each means. Two do it: the
// real one on a simulated disk, and a light one in memory for large fleets.
class SimStore {
 public:
  using Contents = storage::LogStore::Contents;
  virtual ~SimStore() = default;

  virtual Result<Contents> load() = 0;
  virtual Result<std::vector<WriteOutcome>> commit(const Changes& changes) = 0;
  virtual Result<std::vector<StoredSegment>> read(const LogId& log, Interval wanted,
                                                  std::uint64_t bytes_max) = 0;
  virtual Result<std::vector<OldSegment>> oldest(const LogId& log, std::uint64_t bytes_min,
                                                 Seq from = 1) = 0;
  virtual Result<std::vector<OldSegment>> older_than(const LogId& log, UtcMicros before) = 0;
  virtual Result<std::vector<OldSegment>> first_arrived(std::uint64_t bytes_min) = 0;
  virtual Result<std::uint64_t> compact_step() = 0;  // a light store has nothing to merge
  virtual std::vector<LogId> logs() const = 0;
  virtual std::uint64_t log_bytes(const LogId& log) const = 0;
  virtual Result<std::uint64_t> used_bytes() = 0;  // a light store counts its segments alone
  virtual Result<std::uint64_t> fork_count() = 0;
};

// Where a node's store lies while the node itself comes and goes. A store that was open when the
// machine stopped is void: every call fails or changes nothing.
class Medium {
 public:
  virtual ~Medium() = default;
  virtual Result<std::unique_ptr<SimStore>> open(const NodeId& node, Epoch fresh_epoch,
                                                 Verifier& verifier) = 0;
  // The process dies; the machine does; the machine dies soon (SimDisk has the details).
  virtual void kill() = 0;
  virtual void cut_power() = 0;
  virtual void cut_power_before(std::uint64_t operations) = 0;
  virtual void set_faults(const SimDisk::Faults& faults) = 0;
  // A backup of what is there, to be put back later. No store may be open.
  virtual std::any backup() const = 0;
  virtual void restore(const std::any& backup) = 0;
  virtual void wipe() = 0;
  virtual std::uint64_t bytes_written() const = 0;
};

std::unique_ptr<Medium> make_disk_medium(std::uint64_t seed,
                                         std::optional<NodeId> authority = {});  // the real store
std::unique_ptr<Medium> make_memory_medium(std::uint64_t seed,
                                           std::optional<NodeId> authority = {});  // the light one

}  // namespace dunlin::simulation
