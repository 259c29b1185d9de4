#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "common/runtime/disk.h"
#include "common/runtime/split_write.h"
#include "common/storage/shards.h"

namespace dunlin::runtime {

// The disk threads of a database, one for each of its files, so that commits, reads and compaction
// of different nodes' logs run at the same time. A request goes to the shard that has its log. A
// Write whose parts lie in several is answered when all of them have finished. Of what concerns one
// node, answers come in the order of the commits; nothing else is ordered.
class Disks {
 public:
  // `reply` is called on the disk threads.
  Disks(const DiskOptions& options, std::vector<storage::LogStore> stores,
        storage::Placement placement, Verifier& verifier, Disk::Reply reply);

  void submit(replication::Output request);  // Write, Read or ListOldest
  void stop();                               // after what was submitted is done

  DiskState state() const;  // of all together

 private:
  void write(replication::Write write);
  void on_reply(std::size_t shard, replication::Input input);
  Held together(std::size_t shard, const Held& held);

  storage::Placement placement_;
  Disk::Reply reply_;
  std::mutex mutex_;
  std::map<replication::Token, SplitWrite> splits_;  // that have not finished
  std::vector<Held> held_;                           // by shard, as it said last
  std::vector<std::unique_ptr<Disk>> disks_;         // go first
};

}  // namespace dunlin::runtime
