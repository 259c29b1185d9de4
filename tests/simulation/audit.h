#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/simulation/sim_node.h"

namespace dunlin::simulation {

// Watches every output and every commit of a run for promises that are not kept:
//  - what was committed is there after each start, whatever happened to the machine;
//  - a gateway claims nothing that it has not committed;
//  - an origin takes nothing for acked that too few gateways ever signed for, and lets nothing go
//    of what they hold now, unless it declares it lost;
//  - messages keep their size, and can be read.
// What is wrong goes to the function given. Logs in which one sequence number got two hashes are
// gathered in forked().
class Audit {
 public:
  using Problem = std::function<void(std::string)>;
  Audit(Problem problem, std::size_t acks_needed)
      : problem_(std::move(problem)), acks_needed_(acks_needed) {}

  struct Party {  // who did it
    std::size_t index = 0;
    std::string name;
    NodeId id;
    bool gateway = false;
  };
  // True when it was a gateway's word on what it holds.
  bool sent(const Party& by, const replication::Send& send);
  void committed(const Party& by, const replication::Write& write,
                 std::span<const WriteOutcome> outcomes);
  void opened(const Party& by, const SimStore::Contents& contents);
  // Its database is gone, or an old one came back: what it held is not asked for any more.
  void forgot(const Party& by);
  // A gateway's signed word that no replica sent: a test's own.
  void claimed(std::size_t gateway, const replication::Vector::Item& item);

  // Logs of which two branches were committed somewhere.
  const std::set<LogId>& forked() const { return forked_; }
  // Of these a gateway had one of the branches, so that somebody can know.
  const std::set<LogId>& public_forks() const { return public_forks_; }
  std::uint64_t sent_messages(std::size_t node, const std::string& name) const;
  std::uint64_t sent_messages(std::size_t node) const;
  std::uint64_t committed_entries(std::size_t node) const;

 private:
  struct Node {
    std::map<LogId, IntervalSet> committed;  // held, lost or released
    std::map<std::string, std::uint64_t, std::less<>> sent;
    std::uint64_t entries = 0;
  };
  struct Word {       // of a gateway to an origin, signed
    IntervalSet now;  // as far as it still has that database
    IntervalSet ever;
  };
  void check_acked(const Party& by, const Acked& acked);
  void check_release(const Party& by, const Release& release);
  void note_hash(const SegmentInfo& info, bool gateway);

  Problem problem_;
  std::size_t acks_needed_;
  std::map<std::size_t, Node> nodes_;
  std::map<LogId, std::map<std::size_t, Word>> words_;           // of each log, by gateway
  std::map<LogId, std::map<Seq, Hash>> hashes_, public_hashes_;  // at the ends of segments
  std::map<LogId, IntervalSet> lost_;                            // as declared
  std::set<LogId> forked_, public_forks_;
};

}  // namespace dunlin::simulation
