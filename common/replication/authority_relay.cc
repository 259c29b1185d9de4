#include "common/replication/authority_relay.h"

#include <algorithm>

#include "common/log/limits.h"

namespace dunlin::replication {

namespace {

using std::chrono::seconds;

constexpr Duration kDelay = seconds(5);   // and so often at most
constexpr Duration kSpread = seconds(5);  // gateways do not publish in chorus

// What a message has of one log.
struct Extent {
  IntervalSet entries;
  std::set<Hash> ends;
};

}  // namespace

Result<void> AuthorityRelay::on_segments(const Moment& now, const NodeId& topic_node,
                                         const Segments& segments) {
  const NodeId* authority = c_.members.authority();
  if (authority == nullptr || topic_node != *authority)
    return {Errc::untrusted, "the log of an authority that is not ours"};
  std::map<LogId, Extent> shown;
  std::size_t decoded_bytes = 0;
  for (const auto& bytes : segments.segments) {
    DUNLIN_ASSIGN(const SegmentHeader header, parse_segment(*bytes));
    if (header.log != LogId{*authority, header.log.epoch, kControlTrack})
      return {Errc::untrusted, header.log.to_string() + " in the authority's place"};
    DUNLIN_ASSIGN(const DecodedSegment decoded, decode_segment(header));
    c_.stats.decoded_bytes += decoded.canonical_bytes;
    decoded_bytes += decoded.canonical_bytes;
    if (decoded_bytes > kSegmentDecodedBytesMax)
      return {Errc::too_large, "an authority's log of more than 1 MiB when it is decoded"};
    Extent& log = shown[header.log];
    log.entries.insert(decoded.info.interval());
    log.ends.insert(decoded.info.after);
  }
  receiver_.on_segments(now, *authority, 0, segments);
  // All that is here has to be in it, from the first entry to the hash of the last.
  const auto [begin, end] = c_.table.of(*authority);
  const bool complete = std::all_of(begin, end, [&](const auto& item) {
    const LogState& state = item.second.state;
    const Extent& log = shown[item.first];
    return state.head() == 0 ||
           (log.entries.contains({1, state.head()}) && log.ends.contains(state.head_hash()));
  });
  if (!complete) publish_soon(now);
  return {};
}

// What was retained comes at once after a connect. Nothing keeps a gateway from publishing then: it
// may serve several cells, and each has a copy of its own.
void AuthorityRelay::on_link_up(const Moment& now) {
  publish_soon(now);
}

void AuthorityRelay::publish_soon(const Moment& now) {
  if (!publishes_ || due_ || c_.members.authority() == nullptr) return;
  const auto spread = static_cast<std::uint64_t>(kSpread.count());
  due_ = now.mono + kDelay + Duration(static_cast<Duration::rep>(c_.random.below(spread)));
}

void AuthorityRelay::on_deadline(const Moment& now) {
  if (!due_ || *due_ > now.mono) return;
  due_.reset();
  reads_.clear();
  read_.clear();
  const auto [begin, end] = c_.table.of(*c_.members.authority());
  for (auto it = begin; it != end; ++it) {
    if (it->first.track != kControlTrack || it->second.state.head() == 0) continue;
    reads_.insert(c_.next_token());
    c_.outputs.push_back(Read{c_.last_token,
                              it->first,
                              {1, it->second.state.head()},
                              kAuthorityMessageBytesMax,
                              Lane::live});
  }
}

bool AuthorityRelay::on_read_finished(const ReadFinished& finished) {
  if (reads_.erase(finished.token) == 0) return false;
  if (!finished.segments.ok())
    c_.notice(Notice::Kind::storage_failed, c_.self(), finished.segments.error().message());
  // A part of it helps nobody.
  if (!finished.segments.ok() || finished.segments->empty() ||
      finished.segments->back().interval.first != 1)
    return reads_.clear(), true;
  for (auto it = finished.segments->rbegin(); it != finished.segments->rend(); ++it)
    read_.push_back(std::make_shared<const Bytes>(it->bytes));
  if (!reads_.empty()) return true;
  std::size_t bytes = 0;
  for (const auto& segment : read_) bytes += segment->size();
  if (bytes > kAuthorityMessageBytesMax) return true;
  c_.send(TopicClass::authority, *c_.members.authority(), Lane::live,
          Segments{Lane::live, 0, true, std::exchange(read_, {})});
  return true;
}

}  // namespace dunlin::replication
