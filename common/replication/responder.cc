#include "common/replication/responder.h"

#include <algorithm>

#include "common/log/limits.h"

namespace dunlin::replication {

namespace {
// Of a message, and the one segment that may overshoot: what is live waits for one at a time.
constexpr std::uint64_t kAnswerBytes = 16 * 1024;
static_assert(kAnswerBytes + kSegmentBytesMax + 1024 <= kMessageBytesMax);
constexpr std::uint64_t kOldestShare = 3;  // so many bytes of the newest to one of the oldest
constexpr std::int64_t kOwedMax = kSegmentBytesMax;
}  // namespace

Result<void> Responder::on_fetch(const Moment& now, const NodeId& requester, const Fetch& fetch) {
  auto it = requests_.find(requester);
  if (it == requests_.end()) {
    if (requests_.size() >= kRequestsMax) {
      std::erase_if(requests_, [&](const auto& r) {
        return r.second.id == 0 || r.second.heard_at + kForgetAfter < now.mono;
      });
    }
    if (requests_.size() >= kRequestsMax) return {Errc::backpressure, "too many requests"};
    it = requests_.emplace(requester, Request{}).first;
  }
  Request& request = it->second;
  request.heard_at = now.mono;
  if (!fetch.wants.empty()) {
    request.id = fetch.request;
    request.credit = 0;
    request.wants = fetch.wants;
    std::stable_sort(request.wants.begin(), request.wants.end(), [](const auto& a, const auto& b) {
      return (a.log.track == kControlTrack) > (b.log.track == kControlTrack);
    });
    request.reading.reset();  // an answer to the former request is not waited for
  } else if (request.id != fetch.request) {
    // Credit for a request that is over or was forgotten: say so, and the requester asks anew.
    c_.send(TopicClass::inbox, requester, Lane::bulk,
            Segments{.lane = Lane::bulk, .request = fetch.request, .done = true, .segments = {}});
    return {};
  }
  request.credit = std::min(kCreditMax, request.credit + fetch.credit);
  serve(requester, request);
  return {};
}

void Responder::serve(const NodeId& requester, Request& request) {
  if (request.reading || request.id == 0) return;
  std::erase_if(request.wants, [](const Fetch::Want& want) { return want.wanted.empty(); });
  if (request.wants.empty()) {
    c_.send(TopicClass::inbox, requester, Lane::bulk,
            Segments{.lane = Lane::bulk, .request = request.id, .done = true, .segments = {}});
    request.id = 0;
    return;
  }
  if (request.credit == 0) return;
  const std::optional<Interval> oldest = share_of_oldest(request);
  request.oldest = oldest.has_value();
  if (oldest) {
    request.asked = *oldest;
  } else {
    request.log = request.wants.front().log;
    request.asked = request.wants.front().wanted.intervals().back();
  }
  request.reading = c_.next_token();
  c_.outputs.push_back(Read{*request.reading, request.log, request.asked,
                            std::min(request.credit, kAnswerBytes), Lane::bulk});
}

// When it is the turn of the oldest that is wanted of a log that runs out of room: its first entry,
// whose segment comes whole.
std::optional<Interval> Responder::share_of_oldest(Request& request) {
  if (request.owed <= 0 || request.wants.front().log.track == kControlTrack) return std::nullopt;
  for (const Fetch::Want& want : request.wants) {
    if (!c_.running_out.contains(want.log)) continue;
    IntervalSet here = want.wanted;
    here.erase(c_.table.log(want.log).state.held().complement({1, kSeqMax}));
    if (here.empty()) continue;
    request.log = want.log;
    return Interval{*here.first(), *here.first()};
  }
  return std::nullopt;
}

IntervalSet& Responder::wanted_of(Request& request) {
  return std::find_if(request.wants.begin(), request.wants.end(),
                      [&](const Fetch::Want& want) { return want.log == request.log; })
      ->wanted;
}

bool Responder::on_read_finished(const Moment&, const ReadFinished& finished) {
  for (auto& [requester, request] : requests_) {
    if (request.reading != finished.token) continue;
    request.reading.reset();
    if (finished.segments.ok()) {
      answer(requester, request, *finished.segments);
    } else {
      c_.notice(Notice::Kind::storage_failed, requester, finished.segments.error().message());
      wanted_of(request).erase(request.asked);
    }
    serve(requester, request);
    return true;
  }
  return false;
}

void Responder::answer(const NodeId& requester, Request& request,
                       const std::vector<StoredSegment>& found) {
  IntervalSet& wanted = wanted_of(request);
  if (found.empty()) return wanted.erase(request.asked);
  Segments message{.lane = Lane::bulk, .request = request.id, .segments = {}};
  Seq lowest = request.asked.last;
  for (const StoredSegment& segment : found) {
    wanted.erase(segment.interval);
    lowest = std::min(lowest, segment.interval.first);
    const std::uint64_t size = segment.bytes.size();
    request.credit -= std::min(request.credit, size);
    if (request.oldest) {
      request.owed -= static_cast<std::int64_t>(size);
    } else if (!c_.running_out.empty()) {
      request.owed =
          std::min(request.owed + static_cast<std::int64_t>(size / kOldestShare), kOwedMax);
    }
    message.segments.push_back(std::make_shared<const Bytes>(segment.bytes));
  }
  // Who never met its node needs its certificate with the beginning of its track 0.
  const Bytes* certificate = c_.members.certificate_of(request.log.node);
  const bool others = request.log.node != c_.self() && request.log.node != requester;
  if (certificate != nullptr && others && request.log.track == kControlTrack && lowest == 1)
    message.certificates.push_back(*certificate);
  // What lies between the segments that were found is not here.
  if (lowest <= request.asked.last) wanted.erase({lowest, request.asked.last});
  c_.send(TopicClass::inbox, requester, Lane::bulk, std::move(message));
}

}  // namespace dunlin::replication
