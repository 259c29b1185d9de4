#include "common/log/digest_trie.h"

#include <malloc.h>

#include <iostream>
#include <map>
#include <memory>
#include <set>

#include "common/base/random.h"
#include "tests/support/generators.h"
#include "tests/vectors/golden.h"

namespace dunlin {
namespace {

using ChildHash = DigestTrie::ChildHash;
using ChildHashes = DigestTrie::ChildHashes;

// What a replica holds of a log, as far as its digest says it.
struct Row {
  Seq head = 0;
  Hash hash{};
  IntervalSet missing;
  bool operator==(const Row&) const = default;
};
using Rows = std::map<LogId, Row>;

// As the golden vectors have them.
LogId numbered_log(std::uint64_t number) {
  LogId log{{}, Epoch{number}, kSamplesTrack};
  log.node.bytes.fill(static_cast<std::uint8_t>(number));
  return log;
}
Row numbered_row(std::uint64_t number) {
  Row row{.head = number + 1};
  row.hash.fill(static_cast<std::uint8_t>(number));
  return row;
}
Rows numbered_rows(std::uint64_t count) {
  Rows rows;
  for (std::uint64_t i = 0; i < count; ++i) rows[numbered_log(i)] = numbered_row(i);
  return rows;
}

IntervalSet set_of(std::initializer_list<Interval> intervals) {
  IntervalSet set;
  for (const Interval& interval : intervals) set.insert(interval);
  return set;
}

void put(DigestTrie& trie, const LogId& log, const Row& row) {
  trie.set(log, log_digest(log, row.head, row.hash, row.missing));
}
DigestTrie trie_of(const Rows& rows) {
  DigestTrie trie;
  for (const auto& [log, row] : rows) put(trie, log, row);
  return trie;
}

// ---- The definition once more, from the document: of a set of logs, without a trie. ----

struct Place {
  // Digests by (key, log).
  std::map<std::pair<TrieKey, LogId>, DigestPair> logs;

  explicit Place(const Rows& rows) {
    for (const auto& [log, row] : rows)
      logs[{trie_key(log), log}] = log_digest(log, row.head, row.hash, row.missing);
  }
  Place(const Place& all, const TriePath& path) {
    for (const auto& [key, digest] : all.logs) {
      if (path.holds(key.first)) logs[key] = digest;
    }
  }

  DigestPair hash(const TriePath& path = {}) const {
    const bool inner = logs.size() > 16;
    std::vector<DigestPair> parts;
    for (unsigned i = 0; inner && i < 16; ++i)
      parts.push_back(Place(*this, path.child(i)).hash(path.child(i)));
    for (const auto& [key, digest] : logs) {
      if (!inner) parts.push_back(digest);
    }
    return {half(inner, parts, &DigestPair::head), half(inner, parts, &DigestPair::missing)};
  }

  static Digest16 half(bool inner, const std::vector<DigestPair>& parts,
                       Digest16 DigestPair::*which) {
    std::string text = inner ? "dunlin/1 digest inner" : "dunlin/1 digest leaf";
    bool zero = true;
    for (const DigestPair& part : parts) {
      text += as_text(part.*which);
      zero = zero && part.*which == Digest16{};
    }
    Digest16 hash{};
    if (!zero) std::copy_n(sha256(as_bytes(text)).begin(), 16, hash.begin());
    return hash;
  }

  ChildHash child_hash(const TriePath& child) const {
    const Place place(*this, child);
    ChildHash hash{};
    if (place.logs.empty()) return hash;
    const DigestPair pair = place.hash(child);
    const Hash full = sha256({as_bytes("dunlin/1 digest child"), pair.head, pair.missing});
    std::copy_n(full.begin(), 8, hash.begin());
    return hash;
  }
  std::vector<LogId> list() const {
    std::vector<LogId> list;
    for (const auto& [key, digest] : logs) list.push_back(key.second);
    return list;
  }
};

void assert_right(const DigestTrie& trie, const Place& all, const TriePath& path) {
  const Place place(all, path);
  RC_ASSERT(trie.count(path) == place.logs.size());
  RC_ASSERT(trie.logs(path) == place.list());
  const auto children = trie.children(path);
  RC_ASSERT(children.has_value() == (path.depth() < TriePath::kDepthMax));
  for (unsigned i = 0; children && i < 16; ++i)
    RC_ASSERT((*children)[i] == place.child_hash(path.child(i)));
}

// ---- Random sets of logs ----

// Logs with keys of the same three nibbles, enough for nodes deeper than that.
const std::vector<LogId>& crowd() {
  static const std::vector<LogId> logs = [] {
    std::vector<LogId> found;
    const TriePath path = TriePath().child(0xd).child(0).child(7);
    for (std::uint64_t i = 1'000'000; found.size() < 40; ++i) {
      if (path.holds(trie_key(numbered_log(i)))) found.push_back(numbered_log(i));
    }
    return found;
  }();
  return logs;
}

LogId any_known_log() {
  return test::one_in(2) ? crowd()[test::below(crowd().size())] : numbered_log(test::below(300));
}
Row any_row() {
  Row row{.head = 1 + test::below(3)};
  row.hash.fill(static_cast<std::uint8_t>(test::below(2)));
  if (test::one_in(4)) row.missing = test::any_set(row.head);
  return row;
}
Rows any_rows() {
  Rows rows;
  for (std::uint64_t n = test::below(1 + test::below(120)); n > 0; --n)
    rows[any_known_log()] = any_row();
  return rows;
}
// Few changes, or none.
Rows changed(Rows rows) {
  for (std::uint64_t n = test::below(4); n > 0; --n) {
    if (test::one_in(3)) {
      rows[any_known_log()] = any_row();
    } else if (!rows.empty()) {
      auto at = std::next(rows.begin(), static_cast<std::ptrdiff_t>(test::below(rows.size())));
      if (test::one_in(2)) {
        at->second = any_row();
      } else {
        rows.erase(at);
      }
    }
  }
  return rows;
}
TriePath any_path() {
  const TrieKey key = trie_key(any_known_log());
  TriePath path;
  for (std::uint64_t depth = test::below(17); depth > 0; --depth)
    path = path.child(TriePath::step(key, path.depth()));
  return path;
}

// ---- Digests and roots ----

TEST(DigestTrie, NothingIsZero) {
  const DigestTrie trie;
  EXPECT_EQ(trie.size(), 0U);
  EXPECT_EQ(trie.roots(), DigestPair{});
  EXPECT_EQ(trie.children({}), ChildHashes{});
  EXPECT_TRUE(trie.logs({}).empty());
}

TEST(DigestTrie, EveryPartOfALogIsInItsDigest) {
  const Row row{.head = 9, .hash = {1}, .missing = set_of({{2, 3}, {5, 5}})};
  const auto digest = [](const LogId& log, const Row& of) {
    return log_digest(log, of.head, of.hash, of.missing);
  };
  const DigestPair same = digest(numbered_log(1), row);
  const DigestPair other_log = digest(numbered_log(2), row);
  EXPECT_NE(other_log.head, same.head);
  EXPECT_NE(other_log.missing, same.missing);
  Row other = row;
  other.head = 10;
  EXPECT_NE(digest(numbered_log(1), other).head, same.head);
  EXPECT_EQ(digest(numbered_log(1), other).missing, same.missing);
  other = row, other.hash[31] = 1;
  EXPECT_NE(digest(numbered_log(1), other).head, same.head);
  other = row, other.missing.insert({4, 4});
  EXPECT_EQ(digest(numbered_log(1), other).head, same.head);
  EXPECT_NE(digest(numbered_log(1), other).missing, same.missing);
  other = row, other.missing = {};
  EXPECT_EQ(digest(numbered_log(1), other).missing, Digest16{});
}

TEST(DigestTrie, NothingMissingIsZeroWhateverTheLogs) {
  DigestTrie trie = trie_of(numbered_rows(1000));
  EXPECT_NE(trie.roots().head, Digest16{});
  EXPECT_EQ(trie.roots().missing, Digest16{});
  const DigestPair before = trie.roots();
  Row row = numbered_row(500);
  row.missing.insert({7, 8});
  put(trie, numbered_log(500), row);
  EXPECT_EQ(trie.roots().head, before.head);
  EXPECT_NE(trie.roots().missing, Digest16{});
  put(trie, numbered_log(500), numbered_row(500));
  EXPECT_EQ(trie.roots(), before);
}

RC_GTEST_PROP(DigestTrie, RootsAreEqualIfAndOnlyIfTheLogsAre, ()) {
  const Rows ours = any_rows();
  const Rows theirs = changed(ours);
  RC_ASSERT((trie_of(ours).roots() == trie_of(theirs).roots()) == (ours == theirs));
}

RC_GTEST_PROP(DigestTrie, IsAFunctionOfItsLogsAlone, ()) {
  DigestTrie trie;
  Rows rows;
  const auto step = [&] {
    if (test::one_in(3) && !rows.empty()) {  // several in a row, so that nodes go as well
      for (std::uint64_t n = test::below(40); n > 0 && !rows.empty(); --n) {
        const LogId log = test::one_in(8) ? any_known_log() : rows.begin()->first;
        trie.erase(log), rows.erase(log);
      }
    } else {
      for (std::uint64_t n = test::below(40); n > 0; --n) {
        const LogId log = any_known_log();
        put(trie, log, rows[log] = any_row());
      }
    }
  };
  for (std::uint64_t n = 1 + test::below(8); n > 0; --n) {
    step();
    RC_ASSERT(trie.size() == rows.size());
    if (test::one_in(2)) RC_ASSERT(trie.roots() == Place(rows).hash());  // or stay unhashed
    if (test::one_in(4)) assert_right(trie, Place(rows), any_path());
  }
  DigestTrie rebuilt;
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) put(rebuilt, row->first, row->second);
  RC_ASSERT(rebuilt.roots() == trie.roots());
  RC_ASSERT(trie.roots() == Place(rows).hash());
  for (const auto& [log, row] : rows) trie.erase(log);
  RC_ASSERT(trie.size() == 0U);
  RC_ASSERT(trie.roots() == DigestPair{});
}

RC_GTEST_PROP(DigestTrie, EveryPathHasAnAnswer, ()) {
  const Rows ours = any_rows();
  const Rows theirs = changed(ours);
  const DigestTrie trie = trie_of(ours);
  const TriePath path = any_path();
  assert_right(trie, Place(ours), path);
  const auto told = trie_of(theirs).children(path);
  std::vector<TriePath> differing;
  for (unsigned i = 0; told && i < 16; ++i) {
    const TriePath child = path.child(i);
    if (Place(Place(ours), child).logs != Place(Place(theirs), child).logs)
      differing.push_back(child);
  }
  RC_ASSERT(trie.differing(path, told.value_or(ChildHashes{})) == differing);
}

TEST(DigestTrie, InnerNodesBecomeLeavesAgain) {
  // Sixteen logs are a leaf, whose hash is another one than that of a node with children.
  const std::vector<LogId> logs(crowd().begin(), crowd().begin() + 17);
  DigestTrie trie;
  for (std::size_t i = 0; i < 16; ++i) put(trie, logs[i], numbered_row(i));
  const DigestPair leaf = trie.roots();
  for (int round = 0; round < 3; ++round) {
    put(trie, logs[16], numbered_row(16));
    EXPECT_NE(trie.roots(), leaf);
    EXPECT_EQ(trie.count(TriePath().child(0xd).child(0).child(7)), 17U);
    trie.erase(logs[16]);
    EXPECT_EQ(trie.roots(), leaf);
    trie.erase(logs[16]);
    EXPECT_EQ(trie.size(), 16U);
  }
}

TEST(DigestTrie, IsAValue) {
  DigestTrie one = trie_of(numbered_rows(100));
  const DigestPair before = one.roots();
  DigestTrie other = one;
  put(other, numbered_log(3), numbered_row(4));
  other.erase(numbered_log(5));
  EXPECT_EQ(one.roots(), before);
  EXPECT_NE(other.roots(), before);
  one = std::move(other);
  EXPECT_EQ(one.size(), 99U);
}

// ---- The walk: two replicas in turn tell what their children hash to, or list a few logs. ----

constexpr std::size_t kListedMax = 8;
constexpr std::size_t kEnvelopeBytes = 60, kRowBytes = 60, kPathBytes = 10;

struct Replica {
  Rows rows;
  DigestTrie trie;
  std::set<LogId> differing;  // what it learned
};

struct Part {
  TriePath path;
  std::optional<ChildHashes> children;  // or else the place's rows
  Rows rows;
};
struct Message {
  std::vector<Part> places;
  Rows told;  // rows that answer a list: the reader learns that they differ
  bool empty() const { return places.empty() && told.empty(); }
  std::size_t bytes() const {
    std::size_t sum = kEnvelopeBytes + told.size() * kRowBytes;
    for (const Part& place : places)
      sum += kPathBytes + (place.children ? sizeof(ChildHashes) : place.rows.size() * kRowBytes);
    return sum;
  }
};

Rows rows_at(const Replica& replica, const TriePath& path) {
  Rows rows;
  for (const LogId& log : replica.trie.logs(path)) rows[log] = replica.rows.at(log);
  return rows;
}

Part describe(const Replica& replica, const TriePath& path) {
  if (replica.trie.count(path) <= kListedMax) return {path, {}, rows_at(replica, path)};
  return {path, replica.trie.children(path), {}};
}

Message answer(Replica& replica, const Message& message) {
  Message out;
  for (const auto& [log, row] : message.told) replica.differing.insert(log);
  for (const Part& place : message.places) {
    if (place.children) {
      for (const TriePath& child : replica.trie.differing(place.path, *place.children))
        out.places.push_back(describe(replica, child));
      continue;
    }
    const Rows ours = rows_at(replica, place.path);
    const auto compare = [&](const Rows& from, const Rows& with) {
      for (const auto& [log, row] : from) {
        const auto other = with.find(log);
        if (other == with.end() || other->second != row) out.told[log] = row;
      }
    };
    compare(place.rows, ours), compare(ours, place.rows);
  }
  for (const auto& [log, row] : out.told) replica.differing.insert(log);
  return out;
}

struct Walk {
  std::size_t exchanges = 0;
  std::size_t bytes = 0;
};
Walk walk(Replica& one, Replica& other) {
  Walk walk;
  Message message;
  message.places.push_back(describe(one, {}));
  for (Replica* reader = &other; !message.empty(); reader = reader == &one ? &other : &one) {
    ++walk.exchanges;
    walk.bytes += message.bytes();
    message = answer(*reader, message);
  }
  return walk;
}

// Levels of places down to those that are listed.
std::size_t levels(const DigestTrie& trie, const TriePath& path = {}) {
  std::size_t deepest = 0;
  for (unsigned i = 0; trie.count(path) > kListedMax && i < 16; ++i)
    deepest = std::max(deepest, levels(trie, path.child(i)));
  return deepest + 1;
}

std::set<LogId> differences(const Rows& ours, const Rows& theirs) {
  std::set<LogId> logs;
  for (const auto& [log, row] : ours) {
    const auto other = theirs.find(log);
    if (other == theirs.end() || other->second != row) logs.insert(log);
  }
  for (const auto& [log, row] : theirs) {
    if (!ours.contains(log)) logs.insert(log);
  }
  return logs;
}

RC_GTEST_PROP(DigestTrie, AWalkFindsEveryDifference, ()) {
  Replica one{any_rows(), {}, {}};
  Replica other{test::one_in(3) ? any_rows() : changed(one.rows), {}, {}};
  one.trie = trie_of(one.rows), other.trie = trie_of(other.rows);
  const std::size_t depth = std::max(levels(one.trie), levels(other.trie));
  const Walk walked = walk(one, other);
  // One exchange for each level, and one that tells the other side what the last list showed.
  RC_ASSERT(walked.exchanges <= depth + 1);
  RC_ASSERT(one.differing == differences(one.rows, other.rows));
  RC_ASSERT(other.differing == one.differing);
}

TEST(DigestTrie, AWalkToOneChangedLogOfManyIsShort) {
  constexpr std::uint64_t kLogs = 100'000;
  Replica one{numbered_rows(kLogs), {}, {}};
  one.trie = trie_of(one.rows);
  Replica other = one;
  Walk worst;
  std::size_t bytes = 0, walks = 0;
  Random random(1);
  for (; walks < 2000; ++walks) {
    const LogId log = numbered_log(random.below(kLogs));
    const Row before = other.rows[log];
    put(other.trie, log, other.rows[log] = {before.head + 1, {}, {}});
    one.differing.clear(), other.differing.clear();
    const Walk walked = walks % 2 == 0 ? walk(one, other) : walk(other, one);
    ASSERT_EQ(one.differing, std::set<LogId>{log});
    ASSERT_EQ(other.differing, one.differing);
    worst.exchanges = std::max(worst.exchanges, walked.exchanges);
    worst.bytes = std::max(worst.bytes, walked.bytes);
    bytes += walked.bytes;
    put(other.trie, log, other.rows[log] = before);
  }
  std::cout << "one of " << kLogs << " logs: " << bytes / walks << " bytes, at most " << worst.bytes
            << " in " << worst.exchanges << " exchanges; levels " << levels(one.trie) << "\n";
  EXPECT_LE(worst.exchanges, levels(one.trie) + 1);
  EXPECT_LE(worst.bytes, 1536U);
  EXPECT_EQ(one.trie.roots(), other.trie.roots());
}

TEST(DigestTrie, ALogTakesLittleMemory) {
  constexpr std::uint64_t kLogs = 100'000;
  const auto held = [] { return ::mallinfo2().uordblks + ::mallinfo2().hblkhd; };
  const std::size_t before = held();
  auto trie = std::make_unique<DigestTrie>();
  for (std::uint64_t i = 0; i < kLogs; ++i) put(*trie, numbered_log(i), numbered_row(i));
  EXPECT_NE(trie->roots(), DigestPair{});
  const std::size_t after = held();
  if (after == before) GTEST_SKIP() << "another allocator";
  std::cout << (after - before) / kLogs << " bytes for each of " << kLogs << " logs\n";
  EXPECT_LE(after - before, 150 * kLogs);
}

// ---- Golden vectors ----

Bytes bytes_of(std::initializer_list<ByteView> parts) {
  Bytes bytes;
  for (ByteView part : parts) bytes.insert(bytes.end(), part.begin(), part.end());
  return bytes;
}

Bytes log_bytes(const LogId& log, const Row& row) {
  const Hash key = sha256(log_id_bytes(log));
  const DigestPair digest = log_digest(log, row.head, row.hash, row.missing);
  return bytes_of({ByteView(key).first(8), digest.head, digest.missing});
}
Bytes roots_bytes(const Rows& rows) {
  const DigestPair roots = trie_of(rows).roots();
  return bytes_of({roots.head, roots.missing});
}
Bytes children_bytes(const Rows& rows, const TriePath& path) {
  Bytes bytes;
  const auto children = trie_of(rows).children(path);
  for (const ChildHash& child : children.value_or(ChildHashes{}))
    bytes.insert(bytes.end(), child.begin(), child.end());
  return bytes;
}

TEST(DigestTrie, MatchesTheGoldenBytes) {
  Row gaps = numbered_row(9);
  gaps.missing = set_of({{1, 3}, {5, 5}});
  Rows some_missing = numbered_rows(1000);
  some_missing[numbered_log(9)] = gaps;
  const std::vector<test::Golden> all = {
      {"log", "log 9: key, head digest, missing digest",
       log_bytes(numbered_log(9), numbered_row(9))},
      {"log_gaps", "the same with 1-3 and 5 missing", log_bytes(numbered_log(9), gaps)},
      {"roots_0", "no log", roots_bytes({})},
      {"roots_1", "log 0", roots_bytes(numbered_rows(1))},
      {"roots_16", "logs 0 to 15, a leaf", roots_bytes(numbered_rows(16))},
      {"roots_17", "logs 0 to 16", roots_bytes(numbered_rows(17))},
      {"roots_1000", "logs 0 to 999", roots_bytes(numbered_rows(1000))},
      {"roots_1000_gaps", "the same, of log 9 1-3 and 5 missing", roots_bytes(some_missing)},
      {"children_1", "log 0: the root's children, below a leaf",
       children_bytes(numbered_rows(1), {})},
      {"children_1000_gaps", "the root's children of roots_1000_gaps",
       children_bytes(some_missing, {})},
      {"children_1000_3a", "of roots_1000 the children at depth 2, nibbles 3a",
       children_bytes(numbered_rows(1000), *TriePath::of(2, 0x3a))}};
  test::expect_golden(
      "digest.txt",
      "Digests of logs and of sets of logs (wire_format.md, \"Digest\"). Log i has a node of 16\n"
      "bytes i mod 256, epoch i and track 1, head i + 1 and as its hash 32 bytes i mod 256; "
      "nothing\n"
      "is missing of it unless that is said. Roots are the head root and the missing root.",
      all);
}

}  // namespace
}  // namespace dunlin
