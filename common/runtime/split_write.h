#pragma once

#include <map>
#include <optional>
#include <vector>

#include "common/replication/io.h"
#include "common/storage/placement.h"

namespace dunlin::runtime {

// A Write of a database of several files: what each of them has to do, and what is made of their
// answers. What the fleet's authority revokes every shard has to know, since it decides there which
// branch of a log wins; its log and what was refused are in the first. A plain value.
class SplitWrite {
 public:
  SplitWrite(replication::Write write, const storage::Placement& placement, std::size_t shards);

  // By shard, at least one; to be taken once.
  std::map<std::size_t, replication::Write> take_parts() { return std::move(parts_); }

  // A part is durable, or is not.
  void finished(std::size_t shard, Result<std::vector<WriteOutcome>> outcomes);
  // Of the whole, once all parts have finished: the outcomes in their order, or an error of a part,
  // when others may be durable all the same.
  std::optional<replication::WriteFinished> answer() const;

 private:
  replication::Token token_;
  std::map<std::size_t, replication::Write> parts_;
  std::vector<std::size_t> shard_of_;  // by segment
  std::size_t unfinished_;
  std::map<std::size_t, std::vector<WriteOutcome>> outcomes_;
  std::optional<Error> error_;
};

}  // namespace dunlin::runtime
