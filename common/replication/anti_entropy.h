#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "common/base/token_bucket.h"
#include "common/replication/answer_timer.h"
#include "common/replication/receiver.h"

namespace dunlin::replication {

// Keeps those that hold the same logs the same, at a cost that does not grow with what they hold.
//
// A scope is a cell with the logs of its agents, or the backbone with all logs. Those who keep all
// of it (its replicas) say so in a Digest, one of them in a period: whoever hears what it would
// have said itself is silent this time. Who hears another Digest answers after a time that differs
// from node to node (AnswerTimer), unless somebody else has answered so; from there on the two walk
// down the trie, one level with each message, to the logs in which they differ. What one of them
// has and the other wants is fetched like everything else (Receiver). A node that misses something
// is silenced by nobody.
class AntiEntropy {
 public:
  // `only_cell`: of an agent that keeps its cell and nothing else; all that is here belongs to it.
  AntiEntropy(Context& context, Receiver& receiver, Role role, bool only_cell);

  // From now on this node keeps all of that cell.
  void keep(CellIndex cell);
  bool keeps(CellIndex cell) const { return scopes_.contains(cell); }
  // Others that keep it and are up; of a cell that this node keeps.
  std::size_t replicas(CellIndex cell) const { return scopes_.at(cell).replicas.size(); }

  void on_replica_up(const Moment& now, const NodeId& node, CellIndex cell);
  void on_replica_down(const NodeId& node);
  void on_link_down();
  Result<void> on_digest(const Moment& now, const Received& received, const Digest& digest,
                         std::uint64_t counter);
  // After each step: what a walk led to may be only the first part of what a node has.
  void look(const Moment& now);
  void on_deadline(const Moment& now);
  std::optional<Instant> next_deadline() const;
  // What is here of a log that is known, as it is told to others.
  Digest::Log log_of(const LogId& log) const;

 private:
  struct Scope {
    DigestTrie trie;
    std::set<NodeId> replicas;  // others, that are up
    std::set<NodeId> walked;    // with whom a walk went on, and not yet again
    Instant due{};              // of our Digest
    Duration period{};
    DigestPair said;  // by us, or by another one in our place
    struct Difference {
      DigestPair ours, theirs;
      int looks = 0;  // that changed neither
    };
    std::map<NodeId, Difference> differing;  // of replicas, as it was last
    std::optional<Instant> asked_at;         // we said it, or were silent for one who did
    std::optional<Instant> answer_at;
  };
  struct Echo {
    std::uint64_t counter = 0;
    Instant sent;
  };

  bool belongs(CellIndex cell, const LogId& log) const;
  void refresh();  // the tries
  void rest(const Moment& now, Scope& scope, bool same);
  void leave_answer(Scope& scope);  // to another one, who gave it
  void say(const Moment& now, CellIndex cell, Scope& scope);
  void send(const Moment& now, CellIndex cell, const NodeId* to, Digest digest);
  // Adds what is here at a place: its logs when they are few, else what its children hash to.
  void show(const Scope& scope, const TriePath& path, Digest& out) const;
  void walk(const Moment& now, Scope& scope, const NodeId& peer, const Digest& theirs, Digest& out);
  void settle(CellIndex cell, const Digest& theirs);
  void compare(const Moment& now, const Scope& scope, const NodeId& peer, const Digest::Leaf& leaf,
               Digest& out);
  // What is here of a log, as far as it counts; a head of 0 when nothing does.
  Vector::Item counted(const LogId& log) const;
  TokenBucket& budget(const NodeId& peer);

  Context& c_;
  Receiver& receiver_;
  const Role role_;
  const bool only_cell_;
  std::map<CellIndex, Scope> scopes_;
  std::map<NodeId, TokenBucket> budgets_;  // of replicas
  AnswerTimer timer_;
  std::optional<Echo> echo_;  // of our latest Digest to all
};

}  // namespace dunlin::replication
