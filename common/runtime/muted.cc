#include "common/runtime/muted.h"

#include <algorithm>

namespace dunlin::runtime {

namespace {

// Together 4096 messages or 64 MiB a second, besides what was taken.
constexpr Duration kCounted = std::chrono::milliseconds(125);
constexpr std::size_t kRefusedMax = 8 << 20;
constexpr std::size_t kMessageAtLeast = 16 << 10;

}  // namespace

bool Muted::refused(const Writer& writer, std::size_t bytes, Instant now) {
  if (now >= counted_since_ + kCounted) {
    refused_.clear();
    counted_since_ = now;
  }
  std::size_t& sum = refused_[writer];
  sum += std::max(bytes, kMessageAtLeast);
  if (sum <= kRefusedMax || !writers_.insert(writer).second) return false;
  if (writers_.size() == 1) until_ = now + time_;
  return true;
}

bool Muted::lift(Instant now) {
  if (writers_.empty() || now < until_) return false;
  writers_.clear();
  return true;
}

std::optional<Instant> Muted::deadline() const {
  return writers_.empty() ? std::nullopt : std::optional(until_);
}

}  // namespace dunlin::runtime
