#include "tests/simulation/scale/disk_cost.h"

#include <utility>

#include "common/base/check.h"
#include "common/codec/segment_codec.h"
#include "common/log/limits.h"
#include "tests/simulation/keys.h"

namespace dunlin::simulation {

namespace {

constexpr std::size_t kSegments = 64;  // of a commit
constexpr int kLooks = 16;             // in vain, before nothing more merges

void merge_all(SimStore& store) {
  for (int in_vain = 0; in_vain < kLooks;)
    in_vain = store.compact_step().value() == 0 ? in_vain + 1 : 0;
}

}  // namespace

double disk_bytes_per_reading(SimStore& from) {
  const std::unique_ptr<Verifier> verifier = make_light_verifier();
  const std::unique_ptr<Medium> medium = make_disk_medium(1);
  const auto store = medium->open(light_key(0)->node(), Epoch{1}, *verifier).value();
  const std::uint64_t empty = store->used_bytes().value();
  std::uint64_t readings = 0;
  for (const LogId& log : from.logs()) {
    if (log.track == kControlTrack) continue;
    for (const LogId& id : {log.control(), log}) {
      Changes changes;
      const auto segments = from.read(id, {1, kSeqMax}, ~std::uint64_t{0}).value();
      for (auto it = segments.rbegin(); it != segments.rend(); ++it) {
        auto decoded = decode_segment(parse_segment(it->bytes).value()).value();
        SegmentRecord record{decoded.info, std::make_shared<const Bytes>(it->bytes), {}};
        if (id.track == kControlTrack) record.control = std::move(decoded.entries);
        readings += record.info.readings;
        changes.segments.push_back(std::move(record));
        if (changes.segments.size() < kSegments && std::next(it) != segments.rend()) continue;
        DUNLIN_CHECK(store->commit(std::exchange(changes, {})).ok());
        merge_all(*store);
      }
    }
  }
  if (readings == 0) return 0;
  return static_cast<double>(store->used_bytes().value() - empty) / static_cast<double>(readings);
}

}  // namespace dunlin::simulation
