#include "common/runtime/mailbox.h"

#include <algorithm>

namespace dunlin::runtime {

namespace {

constexpr std::int64_t kBytesPerSecond = 16 << 20, kBurst = 32 << 20;
constexpr std::int64_t kBytesBesides = 1024;
constexpr std::size_t kSendersMax = 1024;
// A sender may bring some 60 messages a second that are refused.
constexpr std::size_t kRefusedCost = 256 * 1024;

}  // namespace

Mailbox::Mailbox(std::size_t bytes_max) : bytes_max_(bytes_max) {}

Mailbox::Sender::Sender() : rate(kBytesPerSecond, kBurst) {}

// Who is silent makes room for who speaks: its rate is as good as new after so long.
Mailbox::Sender& Mailbox::sender_of(const NodeId& node, Instant now) {
  const auto known = senders_.find(node);
  if (known != senders_.end()) return known->second;
  if (senders_.size() >= kSendersMax) {
    std::erase_if(senders_, [&](const auto& item) {
      return item.second.messages.empty() && item.second.heard_at + std::chrono::seconds(10) < now;
    });
  }
  return senders_.size() < kSendersMax ? senders_[node] : others_;
}

bool Mailbox::push(const NodeId& node, std::size_t bytes, Instant now, const Make& task) {
  Sender& sender = sender_of(node, now);
  const std::size_t room = &sender == &others_ ? bytes_max_ : bytes_max_ / 4;
  if (bytes_ + bytes > bytes_max_ || sender.bytes + bytes > room) return false;
  if (&sender != &others_ &&
      !sender.rate.take(now, kBytesBesides + static_cast<std::int64_t>(bytes)))
    return false;
  sender.heard_at = now;
  if (sender.messages.empty()) turns_.push_back(&sender);
  sender.messages.push_back({bytes, task()});
  sender.bytes += bytes;
  bytes_ += bytes;
  messages_ += 1;
  return true;
}

void Mailbox::charge(const NodeId& node, std::size_t bytes) {
  const auto known = senders_.find(node);
  if (known != senders_.end()) known->second.rate.charge(static_cast<std::int64_t>(bytes));
}

Mailbox::Task Mailbox::take() {
  Sender* sender = turns_.front();
  turns_.pop_front();
  Message message = std::move(sender->messages.front());
  sender->messages.pop_front();
  bytes_ -= message.bytes;
  messages_ -= 1;
  sender->bytes -= message.bytes;
  if (!sender->messages.empty()) turns_.push_back(sender);
  return std::move(message.task);
}

void Mailbox::take_round(std::deque<Task>& out) {
  for (std::size_t left = turns_.size(); left > 0; --left) out.push_back(take());
}

std::size_t cost_besides(std::size_t bytes, std::uint64_t decoded, bool refused) {
  return (refused ? kRefusedCost : 0) +
         static_cast<std::size_t>(std::max<std::uint64_t>(decoded, bytes) - bytes);
}

}  // namespace dunlin::runtime
