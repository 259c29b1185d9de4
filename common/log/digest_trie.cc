#include "common/log/digest_trie.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <tuple>

#include "common/base/big_endian.h"

namespace dunlin {

namespace {
template <std::size_t Size>
std::array<std::uint8_t, Size> start_of(const Hash& hash) {
  std::array<std::uint8_t, Size> start;
  std::copy_n(hash.begin(), Size, start.begin());
  return start;
}

// Of one half of each digest in a row.
Digest16 hash_row(std::string_view label, ByteView row) {
  if (std::all_of(row.begin(), row.end(), [](std::uint8_t byte) { return byte == 0; })) return {};
  return start_of<16>(sha256({as_bytes(label), row}));
}

// `digest_at(part)` is the digest of each part.
template <typename Parts, typename DigestAt>
DigestPair hash_parts(std::string_view label, const Parts& parts, DigestAt digest_at) {
  Bytes heads, missing;
  heads.reserve(parts.size() * sizeof(Digest16));
  missing.reserve(parts.size() * sizeof(Digest16));
  for (const auto& part : parts) {
    const DigestPair& digest = digest_at(part);
    heads.insert(heads.end(), digest.head.begin(), digest.head.end());
    missing.insert(missing.end(), digest.missing.begin(), digest.missing.end());
  }
  return {hash_row(label, heads), hash_row(label, missing)};
}
}  // namespace

TrieKey trie_key(const LogId& log) {
  const Hash hash = sha256(log_id_bytes(log));
  TrieKey key = 0;
  for (std::size_t i = 0; i < 8; ++i) key = key << 8 | hash[i];
  return key;
}

DigestPair log_digest(const LogId& log, Seq head, const Hash& head_hash,
                      const IntervalSet& missing) {
  const auto id = log_id_bytes(log);
  std::array<std::uint8_t, 8> last;
  put_be64(last.data(), head);
  DigestPair digest;
  digest.head = start_of<16>(sha256({as_bytes("dunlin/1 digest head"), id, last, head_hash}));
  if (missing.empty()) return digest;

  Bytes numbers(8 + missing.intervals().size() * 16);
  std::uint8_t* out = numbers.data();
  put_be64(out, missing.intervals().size());
  for (const Interval& interval : missing.intervals()) {
    put_be64(out += 8, interval.first);
    put_be64(out += 8, interval.last);
  }
  digest.missing = start_of<16>(sha256({as_bytes("dunlin/1 digest missing"), id, numbers}));
  return digest;
}

bool DigestTrie::Item::before(const Item& other) const {
  return std::tie(key, log) < std::tie(other.key, other.log);
}

void DigestTrie::set(const LogId& log, const DigestPair& digest) {
  put(root_, 0, {trie_key(log), log, digest});
}

void DigestTrie::erase(const LogId& log) {
  take(root_, 0, {trie_key(log), log, {}});
}

// Whether anything changed.
bool DigestTrie::put(Node& node, unsigned depth, const Item& item) {
  if (auto* children = std::get_if<std::vector<Node>>(&node.below)) {
    Node& child = (*children)[TriePath::step(item.key, depth)];
    const std::uint32_t before = child.count;
    if (!put(child, depth + 1, item)) return false;
    node.count += child.count - before;
  } else {
    Items& items = std::get<Items>(node.below);
    auto at = std::lower_bound(items.begin(), items.end(), item,
                               [](const Item& a, const Item& b) { return a.before(b); });
    if (at != items.end() && at->log == item.log) {
      if (at->digest == item.digest) return false;
      at->digest = item.digest;
    } else {
      const auto index = at - items.begin();
      items.reserve(items.size() + 1);  // not the double: most leaves stay small
      items.insert(items.begin() + index, item);
      ++node.count;
      if (node.count > kLeafLogsMax && depth < TriePath::kDepthMax) split(node, depth);
    }
  }
  node.hashed = false;
  return true;
}

// Whether the log was there.
bool DigestTrie::take(Node& node, unsigned depth, const Item& item) {
  if (auto* children = std::get_if<std::vector<Node>>(&node.below)) {
    if (!take((*children)[TriePath::step(item.key, depth)], depth + 1, item)) return false;
    if (--node.count <= kLeafLogsMax) join(node);
  } else {
    Items& items = std::get<Items>(node.below);
    const auto at = std::find_if(items.begin(), items.end(),
                                 [&](const Item& each) { return each.log == item.log; });
    if (at == items.end()) return false;
    items.erase(at);
    items.shrink_to_fit();
    --node.count;
  }
  node.hashed = false;
  return true;
}

// A leaf with more logs than it may have gets children.
void DigestTrie::split(Node& node, unsigned depth) {
  std::vector<Node> children(16);
  for (const Item& item : std::get<Items>(node.below)) {
    put(children[TriePath::step(item.key, depth)], depth + 1, item);
  }
  node.below = std::move(children);
}

// The logs of its children come back into the node.
void DigestTrie::join(Node& node) {
  Items items;
  items.reserve(node.count);
  collect(node, items);
  node.below = std::move(items);
}

void DigestTrie::collect(const Node& node, Items& items) {
  if (const auto* children = std::get_if<std::vector<Node>>(&node.below)) {
    for (const Node& child : *children) collect(child, items);
  } else {
    const Items& leaf = std::get<Items>(node.below);
    items.insert(items.end(), leaf.begin(), leaf.end());
  }
}

const DigestPair& DigestTrie::hash_of(const Node& node) {
  if (node.hashed) return node.digest;
  if (const auto* children = std::get_if<std::vector<Node>>(&node.below)) {
    node.digest = hash_parts("dunlin/1 digest inner", *children,
                             [](const Node& child) -> const DigestPair& { return hash_of(child); });
  } else {
    node.digest = hash_of(std::get<Items>(node.below));
  }
  node.hashed = true;
  return node.digest;
}

DigestPair DigestTrie::hash_of(const Items& leaf) {
  return hash_parts("dunlin/1 digest leaf", leaf,
                    [](const Item& item) -> const DigestPair& { return item.digest; });
}

DigestTrie::ChildHash DigestTrie::child_hash(const DigestPair& digest) {
  if (digest == DigestPair{}) return {};
  return start_of<8>(sha256({as_bytes("dunlin/1 digest child"), digest.head, digest.missing}));
}

const DigestTrie::Node& DigestTrie::nearest(const TriePath& path) const {
  const Node* node = &root_;
  for (unsigned depth = 0; depth < path.depth(); ++depth) {
    const auto* children = std::get_if<std::vector<Node>>(&node->below);
    if (children == nullptr) break;
    node = &(*children)[path.step(depth)];
  }
  return *node;
}

DigestTrie::Items DigestTrie::under(const Items& leaf, const TriePath& path) {
  Items items;
  std::copy_if(leaf.begin(), leaf.end(), std::back_inserter(items),
               [&](const Item& item) { return path.holds(item.key); });
  return items;
}

std::size_t DigestTrie::count(const TriePath& path) const {
  const Node& node = nearest(path);
  const auto* leaf = std::get_if<Items>(&node.below);
  return leaf == nullptr ? node.count : under(*leaf, path).size();
}

std::vector<LogId> DigestTrie::logs(const TriePath& path) const {
  const Node& node = nearest(path);
  Items items;
  if (const auto* leaf = std::get_if<Items>(&node.below)) {
    items = under(*leaf, path);
  } else {
    items.reserve(node.count);
    collect(node, items);
  }
  std::vector<LogId> logs;
  logs.reserve(items.size());
  for (const Item& item : items) logs.push_back(item.log);
  return logs;
}

std::optional<DigestTrie::ChildHashes> DigestTrie::children(const TriePath& path) const {
  if (path.depth() == TriePath::kDepthMax) return std::nullopt;
  const Node& node = nearest(path);
  ChildHashes hashes;
  for (unsigned i = 0; i < 16; ++i) {
    const auto* leaf = std::get_if<Items>(&node.below);
    // Below a leaf every place would be one.
    const DigestPair digest = leaf != nullptr ? hash_of(under(*leaf, path.child(i)))
                                              : hash_of(std::get<std::vector<Node>>(node.below)[i]);
    hashes[i] = child_hash(digest);
  }
  return hashes;
}

std::vector<TriePath> DigestTrie::differing(const TriePath& path, const ChildHashes& theirs) const {
  std::vector<TriePath> paths;
  const std::optional<ChildHashes> ours = children(path);
  for (unsigned i = 0; ours && i < 16; ++i) {
    if ((*ours)[i] != theirs[i]) paths.push_back(path.child(i));
  }
  return paths;
}

}  // namespace dunlin
