#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>

#include "common/replication/ack_ledger.h"
#include "common/replication/context.h"

namespace dunlin::replication {

struct UplinkOptions {
  bool pushes = true;  // to gateways; a gateway's own log has nobody to push to yet
  std::size_t window_bytes = 256 * 1024;  // pushed and not yet arrived
  ArchivePolicy archive;
};

// This node's own logs on their way to the gateways: what is durable is pushed once, as long as the
// send window has room for it; what gateways say tells what arrived, and what they sign, what may
// go from here. Live is never queued: the rest is left to the gateways' Fetch.
class Uplink {
 public:
  Uplink(Context& context, UplinkOptions options);

  void start(const Moment& now);

  void push(const Moment& now, const std::vector<SegmentRecord>& segments);
  // A gateway came within reach: push what it should see first.
  void push_newest(const Moment& now);
  bool on_read_finished(const Moment& now, const ReadFinished& finished);  // false: not ours

  // So much of an own log arrived at a gateway: it opens the send window.
  void on_arrived(const Moment& now, const NodeId& gateway, const Vector::Item& item);
  // So much is durable there, by its signature, which was checked: it may go from here, when enough
  // gateways say so. True when that let something go.
  bool on_ack(const Ack& ack);

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
  bool is_of_another_branch(const Vector::Item& item) const;
  void expect_arrival(const Moment& now);
  bool behind() const;
  void ask_for_acks();
  void publish_vector(const Moment& now);

  Context& c_;
  UplinkOptions options_;
  std::map<LogId, IntervalSet> arrived_;  // at some gateway, by its latest word
  std::set<NodeId> gateways_;             // that said so
  AckLedger ledger_;
  std::deque<Pushed> pushed_;
  std::uint64_t pushed_bytes_ = 0;
  std::map<Token, LogId> reads_;
  bool skipped_ = false;             // live pushes were held back since the last Vector
  std::optional<Instant> probe_at_;  // Vector, if something has still not arrived by then
  Duration probe_after_{};
  Instant idle_at_{};  // Vector, even if nothing happens
  Duration idle_after_{};
};

}  // namespace dunlin::replication
