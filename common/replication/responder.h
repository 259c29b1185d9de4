#pragma once

#include <map>
#include <optional>

#include "common/replication/context.h"

namespace dunlin::replication {

// Answers Fetch from what is stored here: whole segments, newest first, within the requester's
// credit. One request per requester; a new one replaces it. Control logs come first, since nothing
// else is understood without them. Of logs that are about to let go of their oldest entries, a
// quarter of what is sent is the oldest: newest first alone would lose them on the way.
class Responder {
 public:
  explicit Responder(Context& context) : c_(context) {}

  Result<void> on_fetch(const Moment& now, const NodeId& requester, const Fetch& fetch);
  bool on_read_finished(const Moment& now, const ReadFinished& finished);  // false: not ours
  void on_link_down() { requests_.clear(); }

 private:
  static constexpr std::size_t kRequestsMax = 64;
  static constexpr std::uint64_t kCreditMax = 4 * 1024 * 1024;
  static constexpr Duration kForgetAfter = std::chrono::seconds(60);

  struct Request {
    std::uint64_t id = 0;
    std::uint64_t credit = 0;
    std::vector<Fetch::Want> wants;  // what is still to be sent, in order of service
    std::optional<Token> reading;
    LogId log;  // of the read under way
    Interval asked;
    bool oldest = false;    // it is for the share of the oldest
    std::int64_t owed = 0;  // bytes, to that share
    Instant heard_at;
  };

  void serve(const NodeId& requester, Request& request);
  static IntervalSet& wanted_of(Request& request);  // of the log that is read
  std::optional<Interval> share_of_oldest(Request& request);
  void answer(const NodeId& requester, Request& request, const std::vector<StoredSegment>& found);

  Context& c_;
  std::map<NodeId, Request> requests_;
};

}  // namespace dunlin::replication
