#include "common/storage/sightings.h"

namespace dunlin::storage {

Result<void> keep_sightings(Connection& db, const std::vector<Sighting>& sightings) {
  if (sightings.empty()) return {};
  DUNLIN_ASSIGN(Statement upsert, db.prepare("INSERT INTO sightings(node, at) VALUES(?1, ?2)"
                                             " ON CONFLICT(node) DO UPDATE SET at = excluded.at"));
  for (const Sighting& sighting : sightings)
    DUNLIN_TRY(upsert.bind(1, ByteView(sighting.node.bytes)).bind(2, sighting.at).run());
  return {};
}

}  // namespace dunlin::storage
