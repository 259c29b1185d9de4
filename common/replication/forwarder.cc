#include "common/replication/forwarder.h"

#include "common/codec/segment_codec.h"

namespace dunlin::replication {

void Forwarder::stored(const Moment& now, const std::vector<SegmentRecord>& segments,
                       CellIndex cell, Lane lane) {
  const bool ours =
      c_.where.backbone() && cell != *c_.where.backbone() && c_.gateways.any_beyond(cell);
  std::vector<Waiting> due;
  for (const SegmentRecord& segment : segments) {
    const SegmentInfo& info = segment.info;
    const Key key{info.log, info.first, info.last};
    const bool heard = early_.erase(key) > 0;
    if (!ours) continue;
    const std::size_t rank = c_.gateways.rank(info.log.node, cell);
    const Instant until = now.mono + kTakeOver * static_cast<Duration::rep>(rank);
    const bool begins = info.log.track == kControlTrack && info.first == 1;
    Waiting item{until, info.log.node, begins, segment.bytes, cell, lane};
    if (rank == 0) {
      due.push_back(std::move(item));
    } else if (!heard && waiting_bytes_ + segment.bytes->size() <= kWaitingBytesMax &&
               waiting_.try_emplace(key, std::move(item)).second) {
      waiting_bytes_ += segment.bytes->size();
      next_ = std::min(next_.value_or(until), until);
    }
  }
  forward(due);
}

void Forwarder::forward(const std::vector<Waiting>& segments) {
  if (!c_.link_up || !c_.where.backbone()) return;
  Segments message{.lane = Lane::live, .segments = {}};
  std::size_t bytes = 0;
  std::set<NodeId> shown;
  const auto send = [&] {
    if (message.segments.empty()) return;
    const Lane lane = message.lane;
    const TopicClass topic = lane == Lane::live ? TopicClass::live : TopicClass::bulk;
    c_.send_in(*c_.where.backbone(), topic, c_.self(), lane,
               {c_.nonce, ++c_.last_counter, std::exchange(message, {.segments = {}})});
    bytes = 0;
    shown.clear();
  };
  for (const Waiting& item : segments) {
    if (bytes + item.bytes->size() > kMessageBytes || message.lane != item.lane) send();
    message.lane = item.lane;
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

void Forwarder::heard(const NodeId& gateway, Segments& segments) {
  c_.gateways.heard(gateway);
  std::erase_if(segments.segments, [&](const std::shared_ptr<const Bytes>& bytes) {
    const Result<SegmentHeader> header = parse_segment(*bytes);
    if (!header.ok()) return false;
    const Key key{header->log, header->first, header->last};
    const auto same = waiting_.find(key);
    if (same == waiting_.end()) {
      const LogRecord* log = c_.table.find(header->log);
      const bool writing = log != nullptr && log->writing.contains({header->first, header->last});
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
    const auto rank = static_cast<Duration::rep>(c_.gateways.rank(item.origin, item.cell));
    item.until = std::min(item.until, now.mono + kTakeOver * rank);
  }
  next_ = now.mono;
  on_deadline(now);
}

void Forwarder::on_deadline(const Moment& now) {
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
    const NodeId* first = c_.gateways.first(item.origin, item.cell);
    if (first != nullptr) c_.gateways.silent(NodeId(*first));
  }
  forward(due);
}

}  // namespace dunlin::replication
