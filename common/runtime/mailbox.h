#pragma once

#include <deque>
#include <functional>
#include <map>

#include "common/base/ids.h"
#include "common/base/token_bucket.h"

namespace dunlin::runtime {

// Messages that wait for the loop, bounded by bytes and fair: whoever sends as much as it can is in
// nobody's way. The topic that a message came on says who sent it, and a broker with rights sees to
// it that this is true. Senders take turns; one of them holds at most a quarter of the room, and
// brings at most 16 MiB a second, each message counted with 1 KiB besides its bytes. Above 1024
// senders the others share a turn and have all the room. Not thread-safe.
class Mailbox {
 public:
  using Task = std::function<void(const Moment&)>;

  explicit Mailbox(std::size_t bytes_max);

  using Make = std::function<Task()>;

  // False: there is no room for it, or it is too much of that sender; nothing is made then.
  bool push(const NodeId& sender, std::size_t bytes, Instant now, const Make& task);
  // What it brought cost as much as so many bytes more.
  void charge(const NodeId& sender, std::size_t bytes);
  // The message that waits longest, of the sender whose turn it is. Not when empty.
  Task take();
  // One of each sender that has one, in turn.
  void take_round(std::deque<Task>& out);
  bool empty() const { return turns_.empty(); }
  std::size_t bytes() const { return bytes_; }
  std::size_t messages() const { return messages_; }

 private:
  struct Message {
    std::size_t bytes = 0;
    Task task;
  };
  struct Sender {
    Sender();
    std::deque<Message> messages;
    std::size_t bytes = 0;
    TokenBucket rate;
    Instant heard_at{};
  };
  Sender& sender_of(const NodeId& node, Instant now);

  const std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::size_t messages_ = 0;
  std::map<NodeId, Sender> senders_;
  Sender others_;
  std::deque<Sender*> turns_;  // those with messages
};

// What a message of so many bytes cost besides them, as bytes: when something of it was refused,
// and when it decoded to more, `decoded` canonical bytes. What a sender may bring keeps the loop
// busy for half of its time at most.
std::size_t cost_besides(std::size_t bytes, std::uint64_t decoded, bool refused);

}  // namespace dunlin::runtime
