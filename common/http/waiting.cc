#include "common/http/waiting.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>

namespace dunlin::http {

bool Waiting::push(Caller caller) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return closed_ || callers_.size() < most_; });
  const auto of_one = static_cast<std::size_t>(std::ranges::count(
      callers_, caller.address, [](const Caller& each) -> const auto& { return each.address; }));
  if (closed_ || of_one >= of_one_max_) return false;
  callers_.push_back(std::move(caller));
  size_ = callers_.size();
  changed_.notify_all();
  return true;
}

std::optional<Waiting::Caller> Waiting::pop() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return closed_ || !callers_.empty(); });
  if (callers_.empty()) return std::nullopt;
  const auto served = [&](const Caller& each) {
    const auto found = served_.find(each.address);
    return found == served_.end() ? 0 : found->second;
  };
  const auto next = std::ranges::min_element(callers_, {}, served);  // the first of these
  Caller caller = std::move(*next);
  callers_.erase(next);
  size_ = callers_.size();
  served_[caller.address] += 1;
  changed_.notify_all();
  return caller;
}

void Waiting::done(const Caller& caller) {
  const std::lock_guard lock(mutex_);
  const auto found = served_.find(caller.address);
  if (found != served_.end() && --found->second == 0) served_.erase(found);
}

void Waiting::set_closed(bool closed) {
  const std::lock_guard lock(mutex_);
  closed_ = closed;
  changed_.notify_all();
}

std::string address_of_peer(int fd) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0) return {};
  const auto bytes = [](const auto& address, std::size_t from, std::size_t count) {
    return std::string(reinterpret_cast<const char*>(&address) + from, count);
  };
  if (peer.ss_family == AF_INET)
    return bytes(reinterpret_cast<const sockaddr_in&>(peer).sin_addr, 0, 4);
  if (peer.ss_family != AF_INET6) return {};
  const in6_addr& address = reinterpret_cast<const sockaddr_in6&>(peer).sin6_addr;
  return IN6_IS_ADDR_V4MAPPED(&address) ? bytes(address, 12, 4) : bytes(address, 0, 8);
}

}  // namespace dunlin::http
