#include "common/runtime/disk_queue.h"

#include <utility>

namespace dunlin::runtime {

namespace {

using replication::Lane;
using replication::Read;
using replication::Write;

constexpr std::size_t kBulkBytes = 256 * 1024;  // of segments in a round; one Write may exceed it

std::size_t bytes_of(const DiskQueue::Request& request) {
  std::size_t bytes = 0;
  if (const auto* write = std::get_if<Write>(&request)) {
    for (const SegmentRecord& segment : write->segments) bytes += segment.bytes->size();
  }
  return bytes;
}

}  // namespace

void DiskQueue::push(Request request) {
  const auto* write = std::get_if<Write>(&request);
  const auto* read = std::get_if<Read>(&request);
  std::deque<Request>& lane = write != nullptr && write->lane == Lane::bulk ? bulk_writes_
                              : read != nullptr && read->lane == Lane::bulk ? bulk_reads_
                                                                            : live_;
  bytes_ += bytes_of(request);
  lane.push_back(std::move(request));
}

std::deque<DiskQueue::Request> DiskQueue::next_round() {
  std::deque<Request> round;
  while (!live_.empty()) {
    const auto* write = std::get_if<Write>(&live_.front());
    const bool alone = write != nullptr && write->stands_alone();
    if (alone && !round.empty()) return round;
    bytes_ -= bytes_of(live_.front());
    round.push_back(std::move(live_.front()));
    live_.pop_front();
    if (alone) return round;
  }
  std::size_t bytes = 0;
  while (!bulk_writes_.empty()) {
    const std::size_t size = bytes_of(bulk_writes_.front());
    if (bytes > 0 && bytes + size > kBulkBytes) break;
    bytes += size;
    bytes_ -= size;
    round.push_back(std::move(bulk_writes_.front()));
    bulk_writes_.pop_front();
  }
  if (!bulk_reads_.empty()) {
    round.push_back(std::move(bulk_reads_.front()));
    bulk_reads_.pop_front();
  }
  return round;
}

}  // namespace dunlin::runtime
