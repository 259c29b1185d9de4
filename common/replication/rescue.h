#pragma once

#include <map>
#include <optional>

#include "common/codec/segment_codec.h"
#include "common/replication/context.h"
#include "common/replication/origin.h"
#include "common/replication/uplink.h"

namespace dunlin::replication {

// When a gateway has another branch of an own log than this database: somebody restored a backup,
// or copied the database, and both wrote on. The gateway has to prove it with segments that our key
// signed. Then
//
//  - a new epoch begins, if the log is of the present one;
//  - the last entry that both branches share is found, from the newest backwards;
//  - what is ours alone is appended once more, in the present epoch, and goes from the old log; so
//    each entry stays in exactly one log, and a crash in between leaves it in one of both. Data
//    that the gateway does not have goes before a track 0 that it needs;
//  - the old log is sealed as the gateway has it.
//
// If others have entries of our branch as well, both may stand in the log: the branch whose entry
// at the first difference has the smaller hash stays, everywhere, and the other one moves. When
// ours stays, the gateway is shown that entry.
class Rescue {
 public:
  Rescue(Context& context, Origin& origin, Uplink& uplink)
      : c_(context), origin_(origin), uplink_(uplink) {}

  // One log at a time: the others are said again.
  void begin(const Moment& now, const Uplink::Stray& stray);
  void on_segments(const Moment& now, const Segments& segments);           // in answer to a Fetch
  bool on_read_finished(const Moment& now, const ReadFinished& finished);  // false: not ours
  // After every step: goes on when what was to be written is durable.
  void look(const Moment& now);
  void on_link_down();
  void on_deadline(const Moment& now);
  std::optional<Instant> next_deadline() const;

 private:
  struct Job {
    NodeId gateway;
    Vector::Item said;  // by it
    Seq at = 0;         // where the branches are compared; they differ beyond
    EntryHashes own;    // around there
    EntryHashes theirs;
    struct Difference {
      Seq seq = 0;
      Hash own{};
      Hash theirs{};
    };
    std::optional<Difference> first;  // the lowest that was seen
    bool proven = false;
    bool found = false;  // the shared part ends at `at`, with hash `shared`
    Hash shared{};
    std::uint64_t request = 0;  // the Fetch under way; 0 = none
    Instant asked_at{};
    int asked = 0;
    bool denied = false;  // the Fetch has ended without an answer
    std::optional<Token> reading;
    std::vector<Vector::Item> data;   // of a track 0: its data logs, as they are there
    std::optional<Seq> needs_beyond;  // only when the newest segment needs more of track 0
  };

  Result<void> on_own(const Moment& now, const std::vector<StoredSegment>& segments);
  void ask(const Moment& now, Seq seq);
  void read(const LogId& log, Seq seq);
  bool take_theirs(const SegmentHeader& header);
  void denied(const Moment& now);
  void compare(const Moment& now);
  bool meet();
  void skip_absent(const Moment& now);
  void found(const Moment& now, Seq last, const Hash& hash);
  bool ours_stays(const Job::Difference& first, Seq shared) const;
  void begin_data();
  void ignore(const Moment& now);
  void drop();
  void give_up(const Moment& now, std::string why);
  void finish(const Moment& now);
  void next(const Moment& now);
  void settle(const Vector::Item& item, const std::vector<Vector::Item>& data);

  Context& c_;
  Origin& origin_;
  Uplink& uplink_;
  std::optional<Job> job_;
  std::optional<Job> control_;                           // waits until its data has moved
  std::map<std::pair<NodeId, LogId>, Instant> ignored_;  // until then
};

}  // namespace dunlin::replication
