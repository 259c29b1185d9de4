#pragma once

#include <map>

#include "common/base/token_bucket.h"
#include "common/replication/context.h"

namespace dunlin::replication {

// Whether what a gateway says of an own log is of the branch that this database has. A restored
// backup and a copied database write on behind entries that the original wrote differently; the
// hash of the head tells.
class Lineage {
 public:
  explicit Lineage(Context& context) : c_(context) {}

  enum class Branch {
    ours,
    another,
    beyond,   // goes on behind what was sealed: nobody asks whose entries those are
    unknown,  // storage was asked: to be asked again when on_read_finished() says true
  };
  // Of a log that is in the table. What is not held here any more counts as ours. Storage is asked
  // within a rate, as each answer is a segment to be decoded: beyond it, it stays unknown.
  Branch of(const Moment& now, const LogId& log, Seq head, const Hash& hash);

  // Handed to storage: it may be there, and at gateways, before that is known here.
  void written(const SegmentInfo& segment);
  void rolled_back(const LogId& log) { ends_.erase(log); }
  // Whether it is known now: false when the disk does not say. Nothing: not ours.
  std::optional<bool> on_read_finished(const ReadFinished& finished);

 private:
  static constexpr std::size_t kEndsMax = 64;  // of a log
  static constexpr std::int64_t kReadsPerSecond = 10, kReadsBurst = 256;
  struct Reading {
    LogId log;
    Seq seq = 0;
  };
  using Ends = std::map<Seq, std::optional<Hash>>;  // nothing: not held here any more

  void remember(const LogId& log, Seq seq, std::optional<Hash> hash);

  Context& c_;
  std::map<LogId, Ends> ends_;  // hashes of entries, mostly at the ends of segments
  std::map<Token, Reading> readings_;
  TokenBucket reads_{kReadsPerSecond, kReadsBurst};
};

}  // namespace dunlin::replication
