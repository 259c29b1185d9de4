#pragma once

#include <map>
#include <optional>

#include "common/replication/context.h"

namespace dunlin::replication {

// Answers Fetch from what is stored here: whole segments, newest first, within the requester's
// credit. One request per requester; a new one replaces it. Control logs come first, since nothing
// else is understood without them.
class Responder {
 public:
  explicit Responder(Context& context) : c_(context) {}

  Result<void> on_fetch(const Moment& now, const Fetch& fetch);
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
    Interval asked;  // of the read under way
    Instant heard_at;
  };

  void serve(const NodeId& requester, Request& request);
  void answer(const NodeId& requester, Request& request, const std::vector<StoredSegment>& found);

  Context& c_;
  std::map<NodeId, Request> requests_;
};

}  // namespace dunlin::replication
