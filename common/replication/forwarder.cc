#include "common/replication/forwarder.h"

#include "common/codec/segment_codec.h"

namespace dunlin::replication {

std::vector<std::pair<CellIndex, CellIndex>> Forwarder::goals(const LogId& log,
                                                              CellIndex cell) const {
  std::vector<std::pair<CellIndex, CellIndex>> goals;
  const std::optional<CellIndex> backbone = c_.where.backbone();
  if (backbone && cell != *backbone && c_.gateways.any_beyond(cell))
    goals.emplace_back(*backbone, cell);
  if (followers_.empty()) return goals;
  for (const CellIndex to : followers_.cells(c_.name_of(log.node), log.track)) {
    if (to != cell) goals.emplace_back(to, to);
  }
  return goals;
}

void Forwarder::stored(const Moment& now, const std::vector<SegmentRecord>& segments,
                       CellIndex cell, Lane lane) {
  look_at_time(now);
  std::vector<Waiting> due;
  for (const SegmentRecord& segment : segments) {
    const SegmentInfo& info = segment.info;
    for (const auto& [to, served] : goals(info.log, cell)) {
      const Key key{to, info.log, info.first, info.last};
      const bool heard = early_.erase(key) > 0;
      std::size_t rank = c_.gateways.rank(info.log.node, served);
      if (now.mono < late_until_ && c_.gateways.any_serves(served))
        rank = std::max<std::size_t>(rank, 1);
      const Instant until = now.mono + kTakeOver * static_cast<Duration::rep>(rank);
      const bool begins = info.log.track == kControlTrack && info.first == 1;
      Waiting item{until, info.log.node, begins, segment.bytes, to, served, lane};
      if (rank == 0) {
        due.push_back(std::move(item));
      } else if (!heard && waiting_bytes_ + segment.bytes->size() <= kWaitingBytesMax &&
                 waiting_.try_emplace(key, std::move(item)).second) {
        waiting_bytes_ += segment.bytes->size();
        next_ = std::min(next_.value_or(until), until);
      }
    }
  }
  if (!due.empty()) forwarded_ = now.mono, looked_ = looked_.value_or(now.mono);
  forward(due);
}

// While it forwards it looks every second: where much more has passed, it was held up.
void Forwarder::look_at_time(const Moment& now) {
  if (!looked_) return;
  const Duration passed = now.mono - *looked_;
  if (passed > 2 * kLook) late_until_ = now.mono + passed;
  looked_ = now.mono;
  if (forwarded_ + kLookWhile < now.mono) looked_.reset();
}

std::optional<Instant> Forwarder::next_deadline() const {
  std::optional<Instant> next = next_;
  if (looked_) next = std::min(next.value_or(*looked_ + kLook), *looked_ + kLook);
  return next;
}

void Forwarder::forward(const std::vector<Waiting>& segments) {
  if (!c_.link_up) return;
  Segments message{.lane = Lane::live, .segments = {}};
  std::size_t bytes = 0;
  std::set<NodeId> shown;
  CellIndex to = 0;
  const auto send = [&] {
    if (message.segments.empty()) return;
    const Lane lane = message.lane;
    const TopicClass topic = lane == Lane::live ? TopicClass::live : TopicClass::bulk;
    c_.send_in(to, topic, c_.self(), lane,
               {c_.nonce, ++c_.last_counter, std::exchange(message, {.segments = {}})});
    bytes = 0;
    shown.clear();
  };
  for (const Waiting& item : segments) {
    if (bytes + item.bytes->size() > kMessageBytes || message.lane != item.lane || to != item.to)
      send();
    message.lane = item.lane;
    to = item.to;
    message.segments.push_back(item.bytes);
    bytes += item.bytes->size();
    // Who has not met the node yet needs its certificate before the beginning of its log.
    if (!item.begins || message.certificates.size() == kSegmentCertificatesMax) continue;
    const Bytes* certificate = c_.members.certificate_of(item.origin);
    if (certificate == nullptr || !shown.insert(item.origin).second) continue;
    message.certificates.push_back(*certificate);
    bytes += certificate->size();
  }
  send();
}

void Forwarder::heard(const NodeId& gateway, CellIndex cell, Segments& segments) {
  c_.gateways.heard(gateway);
  std::erase_if(segments.segments, [&](const std::shared_ptr<const Bytes>& bytes) {
    const Result<SegmentHeader> header = parse_segment(*bytes);
    if (!header.ok()) return false;
    const Key key{cell, header->log, header->first, header->last};
    const auto same = waiting_.find(key);
    if (same == waiting_.end()) {
      const LogRecord* log = c_.table.find(header->log);
      const bool writing = log != nullptr && log->writing().contains({header->first, header->last});
      if (early_.size() == kEarlyMax) early_.clear();  // of writes that failed
      if (writing) early_.insert(key);
      return false;
    }
    if (*same->second.bytes != *bytes) return false;
    waiting_bytes_ -= bytes->size();
    waiting_.erase(same);
    return true;
  });
}

void Forwarder::on_link_down() {
  waiting_.clear();
  waiting_bytes_ = 0;
  early_.clear();
  next_.reset();
}

// What it may not have done any more is done at once.
void Forwarder::on_gateway_down(const Moment& now, const NodeId& gateway) {
  c_.gateways.down(gateway);
  for (auto& [key, item] : waiting_) {
    const auto rank = static_cast<Duration::rep>(c_.gateways.rank(item.origin, item.served));
    item.until = std::min(item.until, now.mono + kTakeOver * rank);
  }
  next_ = now.mono;
  on_deadline(now);
}

void Forwarder::on_deadline(const Moment& now) {
  look_at_time(now);
  if (!next_ || *next_ > now.mono) return;
  next_.reset();
  std::vector<Waiting> due;
  std::erase_if(waiting_, [&](const auto& each) {
    const Waiting& item = each.second;
    if (item.until > now.mono) {
      next_ = std::min(next_.value_or(item.until), item.until);
      return false;
    }
    waiting_bytes_ -= item.bytes->size();
    due.push_back(item);
    return true;
  });
  for (const Waiting& item : due) {
    const NodeId* first = c_.gateways.first(item.origin, item.served);
    if (first != nullptr) c_.gateways.silent(NodeId(*first));
  }
  forward(due);
}

}  // namespace dunlin::replication
