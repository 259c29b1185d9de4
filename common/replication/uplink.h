#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>

#include "common/replication/ack_ledger.h"
#include "common/replication/context.h"
#include "common/replication/lineage.h"

namespace dunlin::replication {

struct UplinkOptions {
  bool pushes = true;  // to gateways; a gateway's own log has nobody to push to yet
  std::size_t window_bytes = 256 * 1024;  // pushed and not yet arrived
  ArchivePolicy archive;
};

// This node's own logs on their way to the gateways: what is durable is pushed once, as long as the
// send window has room for it; what gateways say tells what arrived, and what they sign, what may
// go from here. Live is never queued: the rest is left to the gateways' Fetch.
//
// A database that is opened with entries in it may be an old copy. So nothing of it goes out before
// a gateway has said, after this start, that what it has of the present epoch is ours too.
class Uplink {
 public:
  Uplink(Context& context, UplinkOptions options);

  void start(const Moment& now);

  void push(const Moment& now, const std::vector<SegmentRecord>& segments);
  // Somebody came who may have been told something else, or have lost what it acknowledged once:
  // our heads tell it what to ask for, and it answers.
  void say_soon(const Moment& now);
  // A gateway came within reach: push what it should see first.
  void push_newest(const Moment& now);
  bool on_read_finished(const Moment& now, const ReadFinished& finished);  // false: not ours

  // So much of the own logs arrived at a gateway: it opens the send window.
  void on_vector(const Moment& now, const NodeId& gateway, const Vector& vector);
  // So much is durable there, by its signature, which was checked: it may go from here, when enough
  // gateways say so.
  void on_ack(const Moment& now, const NodeId& gateway, const Ack& ack);
  // It was revoked: what it said and signed since this start does not count any more.
  void forget(const NodeId& gateway);

  // What came of their words, to be looked at after every step.
  struct Stray {
    NodeId gateway;
    Vector::Item item;               // of another branch than ours
    std::vector<Vector::Item> data;  // when it is of a track 0: what there is of its data logs
  };
  struct News {
    bool confirmed = false;  // from now on the own logs may be known
    bool acks = false;       // other entries than before are acked
    std::vector<Stray> strays;
    // Logs of former epochs that gateways signed for and that do not go on here.
    std::vector<Vector::Item> ended;
  };
  News take_news() { return std::exchange(news_, {}); }

  bool confirmed() const { return confirmed_; }
  // The present epoch is another one, or nobody can say more of it.
  void confirm(const Moment& now);
  void doubt() { confirmed_ = false; }
  // Whether others may have this of our own logs now. A stray log may not go out until it is
  // settled.
  bool may_serve(const LogId& log) const { return confirmed_ && !held_back_.contains(log); }
  void settle(const LogId& log) { held_back_.erase(log); }
  void settle_all() { held_back_.clear(); }
  // Asks all gateways what they have of the own logs.
  void inquire();
  // Handed to storage; whether it is durable is not known yet.
  void written(const SegmentInfo& segment) { lineage_.written(segment); }
  void rolled_back(const LogId& log, Seq last);
  // Whether entries of an own log beyond `last` may be anywhere else: a gateway said so, or they
  // could have been sent since this start.
  bool public_beyond(const LogId& log, Seq last) const;
  // Pushes the newest segment of `interval` once more.
  void show(const LogId& log, Interval interval, std::uint64_t bytes_max);

  void on_deadline(const Moment& now);
  std::optional<Instant> next_deadline() const;

  std::vector<Hello::Head> own_heads() const;
  const AckLedger& ledger() const { return ledger_; }

 private:
  struct Pushed {
    LogId log;
    Interval interval;
    std::size_t bytes = 0;
    Instant at;
  };

  void push_bytes(const Moment& now, const LogId& log, const std::vector<StoredSegment>& segments);
  Lineage::Branch branch_of(const Moment& now, const Vector::Item& item);
  void on_arrived(const Moment& now, const NodeId& gateway, const Vector::Item& item);
  void ask_again(const Moment& now, bool known);
  std::vector<Vector::Item> data_of(Epoch epoch, const Vector& vector);
  Vector own_vector();
  void expect_arrival(const Moment& now);
  bool behind() const;
  void ask_for_acks();
  void publish_vector(const Moment& now);

  Context& c_;
  UplinkOptions options_;
  Lineage lineage_;
  bool confirmed_ = true;
  bool opened_ = false;  // a gateway said so, some time since this start
  News news_;
  std::set<LogId> held_back_;
  std::map<NodeId, Vector> doubtful_;  // by gateway, while storage is asked which branch it is
  std::map<NodeId, Ack> doubtful_acks_;
  std::map<LogId, IntervalSet> arrived_;  // at some gateway, by its latest word
  std::set<NodeId> gateways_;             // that said so
  AckLedger ledger_;
  std::deque<Pushed> pushed_;
  std::uint64_t pushed_bytes_ = 0;
  std::map<Token, LogId> reads_;
  bool skipped_ = false;             // live pushes were held back since the last Vector
  std::optional<Instant> probe_at_;  // Vector, if something has still not arrived by then
  Duration probe_after_{};
  Instant idle_at_{};  // Vector, even if nothing happens,
  Instant say_by_{};   // and at the latest, however much does: it tells of the disk as well
  Duration idle_after_{};
};

}  // namespace dunlin::replication
