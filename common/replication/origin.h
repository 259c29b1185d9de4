#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "common/codec/segment_codec.h"
#include "common/replication/context.h"
#include "common/replication/stream_mapping.h"
#include "common/replication/uplink.h"
#include "dunlin/overflow.h"

namespace dunlin::replication {

// How readings of a track become entries, and what happens when there are too many.
struct TrackPolicy {
  std::string name = "samples";
  Track track = kSamplesTrack;
  std::uint32_t flush_readings = 1000;
  std::uint32_t flush_bytes = 40 * 1024;  // canonical
  Duration flush_interval = std::chrono::seconds(5);
  std::uint64_t bytes_max = 0;  // of stored segments; 0 = only the database's bound counts
  Overflow overflow = Overflow::drop_oldest;
};
// The number of a named track: samples is 1, others hash their name, so that order in a file never
// matters.
Track track_of(std::string_view name);

struct OriginOptions {
  std::string name;  // of the node, for Open
  std::vector<TrackPolicy> tracks{TrackPolicy{}};
  std::map<std::string, std::string> stream_tracks;  // stream name -> track name
  std::uint64_t boot = 0;                            // counts boots, for readings without UTC
  std::string boot_id = {};                          // the kernel's
  std::uint64_t storage_bytes_max = 0;               // 0 = unbounded
  std::uint64_t disk_free_min = 0;
  std::size_t unwritten_bytes_max = 64 * 1024;  // canonical bytes not yet on the disk
};

// What the log says of the present boot.
struct BootTime {
  bool timeless = false;  // there are readings of it without UTC
  bool anchored = false;  // and a TimeAnchor
};

// This node's own logs: readings become entries, entries become signed segments, segments become
// durable and go to the Uplink. Sequence numbers and hashes are given when an entry is cut; nobody
// else sees it before it is durable, so a crash in between may use them again.
class Origin {
 public:
  Origin(Context& context, Uplink& uplink, OriginOptions options);

  // Starts from what storage holds; writes Open in a new epoch.
  Result<void> start(const Moment& now, const std::vector<Define>& streams,
                     const std::vector<Lost>& lost, BootTime boot);

  Result<void> append(const Moment& now, const Append& append);
  void flush(const Moment& now);

  bool on_write_finished(const Moment& now, const WriteFinished& finished);  // false: not ours
  bool on_oldest_listed(const Moment& now, const OldestListed& listed);
  void on_storage_used(StorageUsed used);
  void on_retire(const Moment& now, const std::vector<OldSegment>& segments);

  // Other entries than before may go, since enough gateways signed for them.
  void on_acks_changed(const Moment& now);

  // From the next write on everything goes into a new epoch, with what was cut and not written.
  void begin_epoch(const Moment& now);
  // Whether the newest segment of an own log of a former epoch may move now. Nothing of the log
  // goes for want of room until end_move(). Not while the beginning of an epoch, a former move or a
  // release is not durable yet.
  bool begin_move(const LogId& log);
  // Appends its entries beyond `last` once more, in the present epoch, and takes them back where
  // they were. An error changes nothing.
  Result<void> move(const Moment& now, const StoredSegment& segment, Seq last);
  // Takes back entries beyond `last` that are not here any more.
  void roll_back(const Moment& now, const LogId& log, Seq last, const Hash& hash);
  void end_move() { moving_log_.reset(); }
  // Seals logs of former epochs as gateways have them.
  void end_logs(const Moment& now, const std::vector<Vector::Item>& logs);

  // After every step: writes the boot's TimeAnchor once it is wanted and the time is known.
  void look_at_clock(const Moment& now);
  void on_deadline(const Moment& now);
  std::optional<Instant> next_deadline() const;

 private:
  struct OwnTrack {
    TrackPolicy policy;
    LogId log;
    Seq next_seq = 1;
    Hash hash{};                   // of the last cut entry
    std::vector<Samples> pending;  // not yet cut
    std::size_t pending_readings = 0;
    std::size_t pending_bytes = 0;  // upper bound of their canonical size
    std::optional<Instant> flush_at;
    Chain cut;                  // not yet handed to storage
    Ticket pending_ticket = 0;  // the first in `pending`; 0 = none
    Ticket cut_ticket = 0;      // the first in `cut`; 0 = none
    bool trimming = false;      // storage was asked for what could go
    bool refusing = false;      // at a bound, with nothing that may go
    std::uint64_t thinned = 0;  // stretches that drop_alternate passed by and left, in this round
  };
  // A write under way. One at a time: what is cut meanwhile makes up the next, so commits grow with
  // the load, and a failed write never leaves a hole behind a later one.
  struct OwnWrite {
    Token token = 0;
    std::vector<SegmentRecord> segments;
    std::vector<Release> releases;
    std::vector<Rollback> rollbacks;
    std::optional<Epoch> epoch;
    std::size_t canonical_bytes = 0;
    Ticket first_ticket = 0;  // 0 = no appends in it
  };
  Result<void> take(const Moment& now, const Append& append);
  OwnTrack& track_for(const std::string& stream);
  Samples& pending_samples(OwnTrack& track, std::uint64_t stream, std::size_t fields,
                           std::optional<std::uint64_t> boot);
  void cut_pending(const Moment& now, OwnTrack& track);
  void cut_entry(const Moment& now, OwnTrack& track, std::vector<Op> ops);
  bool has_work() const;
  void switch_epoch(const Moment& now);
  void cut_again(const Moment& now, OwnTrack& track, std::vector<Op> ops);
  void start_write(const Moment& now);
  Result<OwnWrite> build_write();
  void take_cut(OwnTrack& track, OwnWrite& write);
  void start_relief();
  void emit(const OwnWrite& write);
  void on_write_failed(const Moment& now, const Error& error);
  void became_durable(const OwnWrite& write, const std::vector<WriteOutcome>& outcomes);
  void report_durable();
  void look_after_room();
  void make_room(OwnTrack& track, std::uint64_t bytes);
  void thin(OwnTrack& track, const LogId& log, std::uint64_t bytes);
  OwnTrack& owner_of(const LogId& log);
  bool let_go(const OldSegment& old);
  void declare_lost(const Moment& now, const LogId& log, const std::vector<OldSegment>& dropped);

  Context& c_;
  Uplink& uplink_;
  OriginOptions options_;
  OwnTrack control_;
  std::vector<OwnTrack> tracks_;
  std::map<std::string, StreamMapping> streams_;
  std::vector<Define> defines_;  // of this epoch
  std::uint64_t last_stream_id_ = 0;
  BootTime boot_;
  std::size_t unwritten_bytes_ = 0;  // canonical, pending and cut and under way
  std::optional<OwnWrite> write_;
  // Makes room for a `write_` that found the disk full: Lost and what goes with it, ahead of it.
  std::optional<OwnWrite> relief_;
  Instant wrote_at_{};         // when the last write was handed to storage
  std::size_t cut_bytes_ = 0;  // canonical, not yet handed to storage
  bool write_failed_ = false;  // what is under way waits for retry_at_
  bool disk_full_ = false;     // and that is why
  Instant retry_at_{};
  Duration retry_after_{};
  bool epoch_wanted_ = false;
  std::optional<Epoch> fresh_epoch_;  // for the next write, with what follows
  std::vector<Rollback> rollbacks_;
  std::vector<SegmentRecord> kept_;  // of a rolled back log, signed anew up to its end
  bool move_pending_ = false;        // what they or the epoch ask for is not durable yet
  std::optional<LogId> moving_log_;  // from here, segment by segment
  std::vector<Release> releases_;
  std::map<LogId, IntervalSet> leaving_;  // in releases_ or in the write under way
  std::optional<Instant> acks_due_;       // news of them goes with the next write, by then alone
  Ticket last_ticket_ = 0;
  Ticket durable_ticket_ = 0;
  StorageUsed used_;
  struct Listing {
    LogId log;
    std::uint64_t bytes = 0;  // so much has to go
    bool stretch = false;     // all of it goes, wherever it lies
  };
  std::map<Token, Listing> listings_;
  std::map<LogId, std::vector<LostRange>> lost_;  // what was declared of each own log
  std::set<LogId> stuck_;                         // at a bound, but nothing of them may go
};

}  // namespace dunlin::replication
