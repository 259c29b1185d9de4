#include "common/replication/authority_log.h"

#include <algorithm>

#include "common/log/limits.h"

namespace dunlin::replication {

namespace {

using std::chrono::seconds;

constexpr Duration kRetainedComes = seconds(5);  // after a connect
constexpr Duration kSpread = seconds(5);         // gateways do not publish in chorus
constexpr std::size_t kBytesMax = 120 * 1024;    // what a message has room for

}  // namespace

Result<void> AuthorityLog::on_segments(const Moment& now, const NodeId& topic_node,
                                       const Segments& segments) {
  const NodeId* authority = c_.members.authority();
  if (authority == nullptr || topic_node != *authority)
    return {Errc::untrusted, "the log of an authority that is not ours"};
  std::map<LogId, Seq> heads;
  for (const auto& bytes : segments.segments) {
    DUNLIN_ASSIGN(const SegmentHeader header, parse_segment(*bytes));
    if (header.log != LogId{*authority, header.log.epoch, kControlTrack})
      return {Errc::untrusted, header.log.to_string() + " in the authority's place"};
    heads[header.log] = std::max(heads[header.log], header.last);
  }
  receiver_.on_segments(now, *authority, segments);
  due_.reset();
  const auto [begin, end] = c_.table.of(*authority);
  const bool behind = std::any_of(
      begin, end, [&](const auto& item) { return item.second.state.head() > heads[item.first]; });
  if (behind) publish_after(now, {});
  return {};
}

void AuthorityLog::on_link_up(const Moment& now) {
  publish_after(now, kRetainedComes);
}

void AuthorityLog::publish_after(const Moment& now, Duration at_least) {
  const auto spread = static_cast<std::uint64_t>(kSpread.count());
  if (publishes_ && c_.members.authority() != nullptr)
    due_ = now.mono + at_least + Duration(static_cast<Duration::rep>(c_.random.below(spread)));
}

void AuthorityLog::on_deadline(const Moment& now) {
  if (!due_ || *due_ > now.mono) return;
  due_.reset();
  reads_.clear();
  read_.clear();
  const auto [begin, end] = c_.table.of(*c_.members.authority());
  for (auto it = begin; it != end; ++it) {
    if (it->first.track != kControlTrack || it->second.state.head() == 0) continue;
    reads_.insert(c_.next_token());
    c_.outputs.push_back(
        Read{c_.last_token, it->first, {1, it->second.state.head()}, kBytesMax, Lane::live});
  }
}

bool AuthorityLog::on_read_finished(const ReadFinished& finished) {
  if (reads_.erase(finished.token) == 0) return false;
  if (!finished.segments.ok()) {
    c_.notice(Notice::Kind::storage_failed, c_.self(), finished.segments.error().message());
  } else {
    for (auto it = finished.segments->rbegin(); it != finished.segments->rend(); ++it)
      read_.push_back(std::make_shared<const Bytes>(it->bytes));
  }
  if (!reads_.empty() || read_.empty()) return true;
  c_.send(TopicClass::authority, *c_.members.authority(), Lane::live,
          Segments{Lane::live, 0, true, std::exchange(read_, {})});
  return true;
}

}  // namespace dunlin::replication
