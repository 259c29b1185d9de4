#include "common/replication/time_sync.h"

#include <algorithm>

namespace dunlin::replication {

namespace {

using std::chrono::seconds;

constexpr Duration kLookFirst = seconds(2);
constexpr Duration kLookMax = seconds(60);      // also how late our own clock is noticed to be good
constexpr Duration kExchangeMax = seconds(30);  // an answer that took longer tells nothing
constexpr Duration kJump = seconds(1);          // of a clock, worth telling
constexpr Duration kAnnounceSpacing = seconds(10);
constexpr std::size_t kAnswersPerSecond = 100;  // each costs a signature; of one asker one

}  // namespace

void TimeSync::on_gateway_up(const Moment& now, const NodeId& gateway, bool newcomer) {
  gateways_.insert(gateway);
  ask_after_ = kLookFirst;
  if (look_at_ && !asked_) look_at_ = now.mono;
  if (!newcomer) return;
  const Instant at = now.mono + Duration(c_.random.below(kGreetingSpread));
  announce_at_ = std::min(announce_at_.value_or(at), at);
}

// ---- asking ----

// Each gateway in turn.
void TimeSync::ask(const Moment& now) {
  auto next = asked_ ? gateways_.upper_bound(asked_->gateway) : gateways_.begin();
  if (next == gateways_.end()) next = gateways_.begin();
  asked_ = Asked{*next, std::max<std::uint64_t>(c_.random.next(), 1), now.mono};
  c_.send(TopicClass::inbox, *next, Lane::live, TimeQuery{asked_->request});
}

Result<void> TimeSync::on_query(const Moment& now, const NodeId& asker, const TimeQuery& query) {
  const std::optional<UtcMicros> utc = c_.clock.utc(now);
  if (!utc || asker == c_.self()) return {};
  if (now.mono >= answers_since_ + seconds(1)) answers_since_ = now.mono, answered_.clear();
  if (answered_.contains(asker)) return {};
  if (answered_.size() >= kAnswersPerSecond)
    return {Errc::backpressure, "too many ask for the time"};
  answered_.insert(asker);
  TimeReply reply{asker, query.request, std::clamp<UtcMicros>(*utc, 0, kLatestUtc), {}};
  DUNLIN_ASSIGN(reply.signature, c_.signer.sign(time_statement(c_.self(), reply)));
  c_.send(TopicClass::inbox, asker, Lane::live, std::move(reply));
  return {};
}

Result<void> TimeSync::on_reply(const Moment& now, const NodeId& gateway, const TimeReply& reply,
                                const LaterFields& later, ByteView key) {
  // What was not asked for, or not of us, or long ago, is no mistake: the bus repeats and delays.
  if (!asked_ || reply.asker != c_.self() || gateway != asked_->gateway ||
      reply.request != asked_->request || now.mono > asked_->at + kExchangeMax)
    return {};
  DUNLIN_TRY(c_.verifier.verify(key, time_statement(gateway, reply, later), reply.signature));
  if (reply.utc < kEarliestPlausibleUtc) return {Errc::malformed, "a gateway in another age"};
  const Duration half = (now.mono - asked_->at) / 2;
  c_.clock.learn(now.mono, reply.utc + half.count(), half);
  asked_.reset();
  return {};
}

// ---- looking ----

bool TimeSync::look(const Moment& now) {
  const std::optional<UtcMicros> utc = c_.clock.utc(now);
  if (utc) {
    look_at_.reset();
  } else if (!look_at_ || *look_at_ <= now.mono) {
    if (c_.link_up && !gateways_.empty()) ask(now);
    ask_after_ = std::clamp(ask_after_ * 2, kLookFirst, kLookMax);
    look_at_ = now.mono + ask_after_;
  }
  if (!c_.link_up || !announced_) return false;
  const Duration ahead = Duration(utc.value_or(0)) - now.mono.time_since_epoch();
  const bool same = announced_->synchronised == utc.has_value() &&
                    (!utc || std::chrono::abs(announced_->ahead - ahead) <= kJump);
  if (!same && !announce_at_) announce_at_ = std::max(now.mono, announced_->at + kAnnounceSpacing);
  return announce_at_ && *announce_at_ <= now.mono;
}

void TimeSync::announced(const Moment& now) {
  const std::optional<UtcMicros> utc = c_.clock.utc(now);
  announced_ =
      Announced{utc.has_value(), Duration(utc.value_or(0)) - now.mono.time_since_epoch(), now.mono};
  announce_at_.reset();
}

std::optional<Instant> TimeSync::next_deadline() const {
  const std::optional<Instant> announce = c_.link_up ? announce_at_ : std::nullopt;
  if (!look_at_ || !announce) return look_at_ ? look_at_ : announce;
  return std::min(*look_at_, *announce);
}

}  // namespace dunlin::replication
