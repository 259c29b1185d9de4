#pragma once

#include <optional>
#include <vector>

#include "common/log/interval_set.h"
#include "common/log/segment.h"

namespace dunlin {

// What a node holds of one log: the row of its version vector.
//
//   runs      held entries, with the chain hashes at both ends of each run
//   lost      declared lost by the origin (a copy that turns up all the same is held as well)
//   released  held once and pruned by rule
//   acked     of an own log: what a gateway said is durable there
//   head      the highest sequence proven by a signed segment
//   sealed    where its node ended the log for good, by the Seal that says most
//   missing() = [1..head] minus held, lost and released
//
// Invariants: runs are sorted, disjoint and not adjacent; head >= every run's last.
class LogState {
 public:
  struct Run {
    Seq first = 0;
    Seq last = 0;
    Hash before{};  // hash(first - 1)
    Hash after{};   // hash(last)
    bool operator==(const Run&) const = default;
  };

  struct Sealed {
    Seq last;
    Hash hash;  // hash(last)
    bool operator==(const Sealed&) const = default;
  };

  // What admitting a segment to the log would mean.
  enum class Fit {
    fresh,     // no entry of it is held, and its ends join their neighbours
    covered,   // every entry is held or released already (its hashes may differ: compare)
    overlaps,  // some entries are held: compare hashes before storing it
    fork,      // an end does not join its neighbour: two entries with one sequence number
  };

  LogState() = default;
  explicit LogState(LogId id) : id_(id) {}

  const LogId& id() const { return id_; }
  Seq head() const { return head_; }
  const Hash& head_hash() const { return head_hash_; }
  const std::vector<Run>& runs() const { return runs_; }
  const IntervalSet& lost() const { return lost_; }
  const IntervalSet& released() const { return released_; }
  const IntervalSet& acked() const { return acked_; }
  std::uint64_t lost_readings() const { return lost_readings_; }
  const std::optional<Sealed>& sealed() const { return sealed_; }

  IntervalSet held() const;
  IntervalSet missing() const;
  std::uint64_t missing_count() const { return missing().count(); }
  // The largest n such that none of [1..n] is missing.
  Seq complete() const;

  // Runs and released intervals: what the row costs in memory, and in each commit of the log.
  std::size_t pieces() const;
  // Whether entries touch one of them, so that there is no more of them with these.
  bool joins(Interval interval) const;

  Fit fit(const SegmentInfo& segment) const;
  // Where an end does not join a run beside it: the sequence number that has two hashes.
  std::optional<Seq> misfit(const SegmentInfo& segment) const;
  // The hash(first - 1) that a held run [first..] was verified against: a segment that ends at
  // first - 1 with this hash needs no signature check.
  const Hash* hash_before(Seq first) const;
  // The newest run that ends before `seq`; null for none.
  const Run* last_run_before(Seq seq) const;
  // The hash of a held run's last entry.
  const Hash* hash_after(Seq last) const;

  // Requires fit() to be fresh or overlaps (hashes compared by the caller).
  void admit(const SegmentInfo& segment);
  // Entries [first, last] leave the disk by rule; `before` is hash(first - 1), `after` hash(last).
  void release(Interval interval, const Hash& before, const Hash& after);
  // What gateways hold by their latest word.
  void acknowledge(IntervalSet durable) { acked_ = std::move(durable); }
  // The origin's cumulative declaration. Declarations may come in any order, and twice.
  void declare_lost(const std::vector<LostRange>& ranges);
  // What is held, lost, released and acked beyond `last` goes, and the head with it; `hash` is
  // hash(last). lost_readings() stays, too high perhaps, until nothing lost is left; so does a
  // seal.
  void roll_back(Seq last, const Hash& hash);
  // Seals may come in any order: of two the one with the greater `last` counts.
  void seal(Seq last, const Hash& hash);

  // For storage and for tests.
  struct Parts {
    std::vector<Run> runs;
    IntervalSet lost;
    IntervalSet released;
    IntervalSet acked;
    std::uint64_t lost_readings = 0;
    Seq head = 0;
    Hash head_hash{};
    std::optional<Sealed> sealed;
  };
  static LogState from_parts(LogId id, Parts parts);

  bool operator==(const LogState&) const = default;

 private:
  LogId id_;
  std::vector<Run> runs_;
  IntervalSet lost_;
  IntervalSet released_;
  IntervalSet acked_;
  std::uint64_t lost_readings_ = 0;
  Seq head_ = 0;
  Hash head_hash_{};
  std::optional<Sealed> sealed_;
};

}  // namespace dunlin
