#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/random.h"
#include "dunlin/bytes.h"

namespace dunlin::simulation {

// One file of a simulated disk. What was written and not yet synced is kept apart from what is on
// the medium, write by write.
//
// Handles hold their file by shared_ptr. When the machine stops, every file is replaced by what is
// left of it, and the old object is `dead`: whoever still has it open gets I/O errors and changes
// nothing.
struct SimFile {
  struct Change {  // a write, or without bytes a truncation to `offset`
    std::uint64_t offset = 0;
    Bytes bytes;
  };

  Bytes content;                // what a program reads: the page cache
  Bytes medium;                 // what survives a power failure for certain
  std::vector<Change> pending;  // turns `medium` into `content`
  bool named = false;           // its directory entry is on the medium
  bool doubtful = false;        // a sync failed, and nothing new was synced since
  bool dead = false;

  // Locks of SQLite, among the handles of one process.
  int shared = 0;
  const void* reserved = nullptr;
  const void* pending_lock = nullptr;
  const void* exclusive = nullptr;
  struct Shm {
    std::vector<std::unique_ptr<std::uint8_t[]>> regions;
    int shared[8] = {};
    const void* exclusive[8] = {};
    int handles = 0;
  } shm;

  void write(std::uint64_t offset, ByteView bytes);
  void truncate(std::uint64_t size);
};

// The disk of one simulated node: files in memory that SQLite reaches through a VFS, which becomes
// the process's default with the first disk. Deterministic for one seed and one order of calls; one
// thread at a time.
//
// Power failures lose or tear what was not synced, in sectors of 512 bytes: all of it, all but a
// beginning, or a random part. A sync that fails leaves what it should have synced in doubt for
// good: a later sync that succeeds does not bring it to the medium, as on Linux. A power failure
// before something new was synced after that is spared, since SQLite cannot survive it: what it
// reads from its WAL may go to the database while an older WAL is on the medium.
class SimDisk {
 public:
  struct Faults {
    double read_fails = 0;   // for once: the reads after it succeed
    double write_fails = 0;  // of truncations, too
    double sync_fails = 0;
    std::uint64_t bytes_max = ~std::uint64_t{0};  // of all files; what would exceed it is refused
  };
  struct Counters {
    std::uint64_t bytes_written = 0;
    std::uint64_t syncs = 0;
    std::uint64_t faults = 0;  // operations that failed on purpose
    bool operator==(const Counters&) const = default;
  };
  using Image = std::map<std::string, Bytes>;

  explicit SimDisk(std::uint64_t seed);
  ~SimDisk();
  SimDisk(const SimDisk&) = delete;
  SimDisk& operator=(const SimDisk&) = delete;

  // What a program opens to reach file `name` here.
  std::string path(const std::string& name) const { return prefix_ + name; }

  void set_faults(Faults faults) { faults_ = faults; }
  const Faults& faults() const { return faults_; }
  const Counters& counters() const { return counters_; }
  std::uint64_t bytes() const;

  // The process dies, the machine goes on: nothing written is lost.
  void kill();
  // The machine dies.
  void cut_power();
  // The machine dies before its n-th operation from now that changes the disk (0: the next one).
  // Nothing succeeds after that, until cut_power().
  void cut_power_before(std::uint64_t operations) { operations_left_ = operations; }

  // What is read now; to be put back later, by the same disk or another. No file may be open.
  Image image() const;
  void restore(const Image& image);

  // ---- for the VFS; false: the operation fails ----

  std::shared_ptr<SimFile> find(const std::string& path) const;
  std::shared_ptr<SimFile> create(const std::string& path);
  bool remove(const std::string& path);
  bool read(const SimFile& file);
  enum class Written { done, failed, full };
  Written write(SimFile& file, std::uint64_t offset, ByteView bytes);
  bool truncate(SimFile& file, std::uint64_t size);
  bool sync(SimFile& file);
  static SimDisk* of_path(const std::string& path);

 private:
  struct Removed {
    std::string path;
    Bytes medium;
  };
  bool in_doubt() const;
  bool changes(double fails);  // counts an operation that changes the disk; false: it fails
  void survive(SimFile& file);
  void replace_all();

  std::string prefix_;
  Random random_;
  Faults faults_;
  Counters counters_;
  std::map<std::string, std::shared_ptr<SimFile>> files_;  // by path
  std::vector<Removed> removed_;                           // gone, but not yet for the medium
  std::optional<std::uint64_t> operations_left_;
  std::uint64_t good_reads_ = 0;
};

}  // namespace dunlin::simulation
