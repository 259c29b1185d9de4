#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "common/codec/segment_codec.h"
#include "common/replication/ack_ledger.h"
#include "common/replication/context.h"
#include "common/replication/stream_mapping.h"

namespace dunlin::replication {

enum class Overflow : std::uint8_t { drop_oldest, refuse_new };
std::string_view to_string(Overflow overflow);

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
  std::string name;    // of the node, for Open
  bool pushes = true;  // to gateways; a gateway's own log has nobody to push to yet
  std::vector<TrackPolicy> tracks{TrackPolicy{}};
  std::map<std::string, std::string> stream_tracks;  // stream name -> track name
  std::uint64_t boot = 0;                            // counts boots, for readings without UTC
  std::string boot_id = {};                          // the kernel's
  std::uint64_t storage_bytes_max = 0;               // 0 = unbounded
  std::uint64_t disk_free_min = 0;
  std::size_t unwritten_bytes_max = 64 * 1024;  // canonical bytes not yet on the disk
  std::size_t window_bytes = 256 * 1024;        // pushed and not yet arrived
  ArchivePolicy archive;
};

// What the log says of the present boot.
struct BootTime {
  bool timeless = false;  // there are readings of it without UTC
  bool anchored = false;  // and a TimeAnchor
};

// This node's own logs: readings become entries, entries become signed segments, segments become
// durable and are pushed. Sequence numbers and hashes are given when an entry is cut; nobody else
// sees it before it is durable, so a crash in between may use them again.
class Origin {
 public:
  Origin(Context& context, OriginOptions options);

  // Starts from what storage holds; writes Open in a new epoch.
  Result<void> start(const Moment& now, const std::vector<Define>& streams,
                     const std::vector<Lost>& lost, BootTime boot);

  Result<void> append(const Moment& now, const Append& append);
  void flush(const Moment& now);

  bool on_write_finished(const Moment& now, const WriteFinished& finished);  // false: not ours
  bool on_read_finished(const Moment& now, const ReadFinished& finished);
  bool on_oldest_listed(const Moment& now, const OldestListed& listed);
  void on_storage_used(StorageUsed used);
  void on_retire(const Moment& now, const std::vector<OldSegment>& segments);

  // So much of an own log arrived at a gateway: it opens the send window.
  void on_arrived(const Moment& now, const NodeId& gateway, const Vector::Item& item);
  // So much is durable there, by its signature, which was checked: it may go from here, when enough
  // gateways say so.
  void on_ack(const Moment& now, const Ack& ack);
  // A gateway came within reach: push what it should see first.
  void push_newest(const Moment& now);

  // After every step: writes the boot's TimeAnchor once it is wanted and the time is known.
  void look_at_clock(const Moment& now);
  void on_deadline(const Moment& now);
  std::optional<Instant> next_deadline() const;

  std::vector<Hello::Head> own_heads() const;
  const AckLedger& ledger() const { return ledger_; }

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
  };
  // A write under way. One at a time: what is cut meanwhile makes up the next, so commits grow with
  // the load, and a failed write never leaves a hole behind a later one.
  struct OwnWrite {
    Token token = 0;
    std::vector<SegmentRecord> segments;
    std::vector<Release> releases;
    std::size_t canonical_bytes = 0;
    Ticket first_ticket = 0;  // 0 = no appends in it
  };
  struct Pushed {
    LogId log;
    Interval interval;
    std::size_t bytes = 0;
    Instant at;
  };

  Result<void> take(const Moment& now, const Append& append);
  OwnTrack& track_for(const std::string& stream);
  Samples& pending_samples(OwnTrack& track, std::uint64_t stream, std::size_t fields,
                           std::optional<std::uint64_t> boot);
  void cut_pending(const Moment& now, OwnTrack& track);
  void cut_entry(const Moment& now, OwnTrack& track, std::vector<Op> ops);
  bool has_work() const;
  void start_write(const Moment& now);
  Result<OwnWrite> build_write();
  void take_cut(OwnTrack& track, OwnWrite& write);
  void start_relief();
  void emit(const OwnWrite& write);
  void on_write_failed(const Moment& now, const Error& error);
  void became_durable(const OwnWrite& write, const std::vector<WriteOutcome>& outcomes);
  void report_durable();
  void push(const Moment& now, const std::vector<SegmentRecord>& segments);
  void push_bytes(const Moment& now, const LogId& log, const std::vector<StoredSegment>& segments);
  void look_after_room();
  void make_room(OwnTrack& track, std::uint64_t bytes);
  OwnTrack& owner_of(const LogId& log);
  bool let_go(const Release& release);
  void declare_lost(const Moment& now, const LogId& log, const std::vector<OldSegment>& dropped);
  bool is_of_another_branch(const Vector::Item& item) const;
  void expect_arrival(const Moment& now);
  bool behind() const;
  void ask_for_acks();
  void publish_vector(const Moment& now);

  Context& c_;
  OriginOptions options_;
  OwnTrack control_;
  std::vector<OwnTrack> tracks_;
  std::map<std::string, StreamMapping> streams_;
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
  std::vector<Release> releases_;         // for the next write
  std::map<LogId, IntervalSet> leaving_;  // in releases_ or in the write under way
  std::map<LogId, IntervalSet> arrived_;  // at some gateway, by its latest word
  std::set<NodeId> gateways_;             // that said so
  AckLedger ledger_;
  std::optional<Instant> acks_due_;  // news of them goes with the next write, by then alone
  Ticket last_ticket_ = 0;
  Ticket durable_ticket_ = 0;
  std::deque<Pushed> pushed_;
  std::uint64_t pushed_bytes_ = 0;
  std::map<Token, LogId> reads_;
  StorageUsed used_;
  std::map<Token, LogId> listings_;
  std::map<LogId, std::vector<LostRange>> lost_;  // what was declared of each own log
  std::set<LogId> stuck_;                         // at a bound, but nothing of them may go
  bool skipped_ = false;             // live pushes were held back since the last Vector
  std::optional<Instant> probe_at_;  // Vector, if something has still not arrived by then
  Duration probe_after_{};
  Instant idle_at_{};  // Vector, even if nothing happens
  Duration idle_after_{};
};

}  // namespace dunlin::replication
