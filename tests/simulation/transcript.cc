#include "tests/simulation/transcript.h"

#include <cstdio>
#include <cstring>

namespace dunlin::simulation {

namespace {

using namespace replication;

std::uint64_t mix_number(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
  return hash ^ (hash >> 29);
}

std::uint64_t mix_bytes(std::uint64_t hash, ByteView bytes) {
  hash = mix_number(hash, bytes.size());
  while (bytes.size() >= sizeof hash) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof word);
    hash = mix_number(hash, word);
    bytes = bytes.subspan(sizeof word);
  }
  for (const std::uint8_t byte : bytes) hash = mix_number(hash, byte);
  return hash;
}

std::string text(const Interval& interval) {
  return std::to_string(interval.first) + "-" + std::to_string(interval.last);
}

struct Describe {
  std::string operator()(const Write& write) {
    std::string out = "writes #" + std::to_string(write.token);
    if (write.epoch) out += " opens epoch " + std::to_string(write.epoch->value);
    for (const Rollback& rollback : write.rollbacks)
      out += " takes back " + rollback.log.to_string() + " to " + std::to_string(rollback.last);
    for (const SegmentRecord& segment : write.segments) {
      out += " " + segment.info.log.to_string() + ":" + text(segment.info.interval());
    }
    for (const Release& release : write.releases)
      out += " releases " + release.log.to_string() + ":" + text(release.interval);
    return out;
  }
  std::string operator()(const Read& read) {
    return "reads #" + std::to_string(read.token) + " " + read.log.to_string() + ":" +
           text(read.interval);
  }
  std::string operator()(const ListOldest& list) {
    return "lists the oldest of " + list.log.to_string();
  }
  std::string operator()(const Send& send) {
    return "sends " + std::string(send.message) + " of " + std::to_string(send.payload.size()) +
           " B" +
           (send.topic != TopicClass::inbox ? "" : " to " + send.target.to_string().substr(0, 8));
  }
  std::string operator()(const Durable& durable) {
    return "has stored up to ticket " + std::to_string(durable.ticket);
  }
  std::string operator()(const Replicated& replicated) {
    return "replicated " + replicated.log.to_string() + " to " + std::to_string(replicated.last);
  }
  std::string operator()(const Notice& notice) { return "says: " + notice.detail; }
};

struct Mix {
  std::uint64_t hash;
  std::uint64_t operator()(const Write& write) {
    hash = mix_number(hash, write.token);
    if (write.epoch) hash = mix_number(hash, write.epoch->value);
    for (const Rollback& rollback : write.rollbacks) hash = mix_number(hash, rollback.last);
    for (const SegmentRecord& segment : write.segments) hash = mix_bytes(hash, *segment.bytes);
    return hash;
  }
  std::uint64_t operator()(const Read& read) {
    return mix_number(mix_number(hash, read.interval.first), read.interval.last);
  }
  std::uint64_t operator()(const ListOldest& list) { return mix_number(hash, list.bytes_min); }
  std::uint64_t operator()(const Send& send) { return mix_bytes(hash, send.payload); }
  std::uint64_t operator()(const Durable& durable) { return mix_number(hash, durable.ticket); }
  std::uint64_t operator()(const Replicated& replicated) {
    return mix_number(hash, replicated.last);
  }
  std::uint64_t operator()(const Notice& notice) {
    return mix_bytes(hash, as_bytes(notice.detail));
  }
};

}  // namespace

std::string stamp(Instant at) {
  const auto micros = at.time_since_epoch().count();
  char out[40];
  std::snprintf(out, sizeof out, "%lld.%06lld", static_cast<long long>(micros / 1'000'000),
                static_cast<long long>(micros % 1'000'000));
  return out;
}

std::string describe(const Output& output) {
  return std::visit(Describe{}, output);
}

std::uint64_t mix(std::uint64_t hash, const Output& output) {
  return std::visit(Mix{mix_number(hash, output.index())}, output);
}

}  // namespace dunlin::simulation
