#include "common/replication/follower.h"

namespace dunlin::replication {

namespace {

constexpr Duration kPeriod = std::chrono::seconds(30);  // doubling: what is lost may be a message
constexpr Duration kPeriodMax = std::chrono::seconds(300);

}  // namespace

bool Follower::follows(const LogId& log) const {
  const std::string& name = c_.name_of(log.node);
  if (!name.empty()) return covers(interest_.follows, name, log.track);
  return nodes_.contains(log.node) && std::ranges::any_of(interest_.follows, [&](const auto& each) {
           return each.covers(log.track);
         });
}

void Follower::met(const NodeId& node, std::string_view name) {
  if (covers(interest_.follows, name, kControlTrack)) learn(node);
}

void Follower::learn(const NodeId& node) {
  if (nodes_.size() < kNodesMax) nodes_.insert(node);
}

void Follower::on_gateway_up(const Moment& now, const NodeId& gateway) {
  if (interest_.follows.empty()) return;
  gateways_.insert(gateway);
  const Instant soon = now.mono + Duration(c_.random.below(kGreetingSpread));
  due_ = std::min(due_.value_or(soon), soon);
  period_ = kPeriod;
}

void Follower::on_link_down() {
  gateways_.clear();
  due_.reset();
}

void Follower::on_answer(const Moment& now, const NodeId& gateway, const Digest& answer) {
  if (interest_.follows.empty()) return;  // it was for somebody else's question
  for (const Digest::Leaf& leaf : answer.leaves) {
    for (const Digest::Log& log : leaf.logs) {
      learn(log.item.log.node);
      if (follows(log.item.log)) receiver_.on_offer(now, gateway, log);
    }
  }
}

void Follower::on_deadline(const Moment& now) {
  if (!due_ || *due_ > now.mono) return;
  due_.reset();
  if (gateways_.empty()) return;
  for (const NodeId& gateway : gateways_)
    c_.send(TopicClass::inbox, gateway, Lane::live, Follow{interest_.follows});
  due_ = now.mono + period_;
  period_ = std::min(2 * period_, kPeriodMax);
}

}  // namespace dunlin::replication
