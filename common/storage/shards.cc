#include "common/storage/shards.h"

#include <algorithm>
#include <iterator>
#include <map>

namespace dunlin::storage {

namespace {

using Contents = LogStore::Contents;

void note(const Contents& contents, std::size_t shard, std::vector<Placement::Found>& found) {
  const auto number = static_cast<std::uint8_t>(shard);
  for (const KnownNode& node : contents.nodes) found.emplace_back(node.node, number);
  for (const LogState& log : contents.logs) {
    if (found.empty() || found.back().first != log.id().node)
      found.emplace_back(log.id().node, number);
  }
}

// By node, the newest of each.
using Revocations = std::map<NodeId, std::pair<Hlc, Revoke>>;

void merge(Revocations& all, const LogStore::Contents& contents) {
  for (const auto& [hlc, revoke] : contents.revocations) {
    auto& known = all[revoke.node];
    if (known.first <= hlc) known = {hlc, revoke};
  }
}

// A crash may have come between the commits that tell every shard of one.
Result<void> tell_all(std::vector<LogStore>& stores, std::vector<Contents>& contents) {
  Revocations all;
  for (const Contents& each : contents) merge(all, each);
  Changes changes;
  for (const auto& [node, newest] : all) changes.revocations.push_back(newest);
  for (std::size_t shard = 0; shard < stores.size(); ++shard) {
    Revocations known;
    merge(known, contents[shard]);
    if (known != all) DUNLIN_TRY(stores[shard].commit(changes));
  }
  contents.front().revocations = std::move(changes.revocations);
  return {};
}

// All of them as one: what further shards have of their own besides is no more than they need.
Contents join(std::vector<Contents> contents) {
  Contents all = std::move(contents.front());
  const auto append = [](auto& to, auto& from) {
    std::move(from.begin(), from.end(), std::back_inserter(to));
  };
  for (std::size_t shard = 1; shard < contents.size(); ++shard) {
    append(all.logs, contents[shard].logs);
    append(all.nodes, contents[shard].nodes);
    append(all.forked, contents[shard].forked);
  }
  return all;
}

}  // namespace

Result<Shards> Shards::open(const LogStore::Options& options, const NodeId& node,
                            std::size_t spread, Verifier& verifier,
                            std::vector<LogStore::Salvage>& salvages) {
  const std::vector<std::size_t> further = further_shards(options.path);
  const std::size_t count = std::max(spread, further.empty() ? 1 : further.back() + 1);
  std::vector<LogStore> stores;
  std::vector<Contents> contents;
  std::vector<Placement::Found> found;
  for (std::size_t shard = 0; shard < count; ++shard) {
    LogStore::Options each = options;
    each.path = shard_file(options.path, shard);
    each.shard = shard;
    each.cache_bytes = options.cache_bytes / count;
    std::optional<LogStore::Salvage> salvage;
    DUNLIN_ASSIGN(LogStore store, LogStore::open(each, node, verifier, &salvage));
    if (salvage) salvages.push_back(*std::move(salvage));
    DUNLIN_ASSIGN(Contents loaded, store.load());
    if (count > 1) note(loaded, shard, found);
    contents.push_back(std::move(loaded));
    stores.push_back(std::move(store));
  }
  DUNLIN_ASSIGN(Placement placement, Placement::make({node, options.authority, spread}, found));
  if (count > 1) DUNLIN_TRY(tell_all(stores, contents));
  return Shards{std::move(stores), std::move(placement), join(std::move(contents))};
}

}  // namespace dunlin::storage
