#include "tests/simulation/store/sim_store.h"

namespace dunlin::simulation {

namespace {

constexpr const char* kFile = "log.db";
constexpr std::size_t kFanIn = 4;  // in short runs, too, there is something to merge

class DiskStore final : public SimStore {
 public:
  explicit DiskStore(storage::LogStore store) : store_(std::move(store)) {}

  Result<Contents> load() override { return store_.load(); }
  Result<std::vector<WriteOutcome>> commit(const Changes& changes) override {
    return store_.commit(changes);
  }
  Result<std::vector<StoredSegment>> read(const LogId& log, Interval wanted,
                                          std::uint64_t bytes_max) override {
    return store_.read(log, wanted, bytes_max);
  }
  Result<std::vector<OldSegment>> oldest(const LogId& log, std::uint64_t bytes_min,
                                         Seq from) override {
    return store_.oldest(log, bytes_min, from);
  }
  Result<std::vector<OldSegment>> older_than(const LogId& log, UtcMicros before) override {
    return store_.older_than(log, before);
  }
  Result<std::vector<OldSegment>> first_arrived(std::uint64_t bytes_min) override {
    return store_.first_arrived(bytes_min);
  }
  Result<std::uint64_t> compact_step() override { return store_.compact_step(); }
  std::vector<LogId> logs() const override { return store_.logs(); }
  std::uint64_t log_bytes(const LogId& log) const override { return store_.log_bytes(log); }
  Result<std::uint64_t> used_bytes() override { return store_.used_bytes(); }
  Result<std::uint64_t> fork_count() override { return store_.fork_count(); }

 private:
  storage::LogStore store_;
};

class DiskMedium final : public Medium {
 public:
  DiskMedium(std::uint64_t seed, std::optional<NodeId> authority)
      : disk_(seed), authority_(authority) {}

  Result<std::unique_ptr<SimStore>> open(const NodeId& node, Epoch fresh_epoch,
                                         Verifier& verifier) override {
    const storage::LogStore::Options options{.path = disk_.path(kFile),
                                             .fresh_epoch = fresh_epoch,
                                             .compaction = {.fan_in = kFanIn},
                                             .authority = authority_};
    DUNLIN_ASSIGN(storage::LogStore store,
                  storage::LogStore::open(options, node, verifier, nullptr));
    return std::unique_ptr<SimStore>(std::make_unique<DiskStore>(std::move(store)));
  }
  void kill() override { disk_.kill(); }
  void cut_power() override { disk_.cut_power(); }
  void cut_power_before(std::uint64_t operations) override { disk_.cut_power_before(operations); }
  void set_faults(const SimDisk::Faults& faults) override { disk_.set_faults(faults); }
  std::any backup() const override { return disk_.image(); }
  void restore(const std::any& backup) override {
    disk_.restore(std::any_cast<const SimDisk::Image&>(backup));
  }
  void wipe() override { disk_.restore({}); }
  std::uint64_t bytes_written() const override { return disk_.counters().bytes_written; }

 private:
  SimDisk disk_;
  std::optional<NodeId> authority_;
};

}  // namespace

std::unique_ptr<Medium> make_disk_medium(std::uint64_t seed, std::optional<NodeId> authority) {
  return std::make_unique<DiskMedium>(seed, authority);
}

}  // namespace dunlin::simulation
