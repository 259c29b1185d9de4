#include "common/codec/segment_codec.h"

#include <gtest/gtest.h>

#include <functional>

#include "common/base/random.h"
#include "common/codec/columns.h"
#include "common/codec/entry_codec.h"
#include "common/log/limits.h"
#include "tests/vectors/golden.h"
#include "tests/vectors/samples.h"

namespace dunlin {
namespace {

using test::Golden;

Chain chained(const LogId& log, const std::vector<Entry>& entries) {
  Chain out;
  Hash hash = chain_start(log);
  for (const Entry& entry : entries) hash = out.add(entry, hash).value().after;
  return out;
}

std::vector<SegmentRecord> built(const LogId& log, Seq needs, const std::vector<Entry>& entries) {
  const auto key = test::test_key();
  auto segments = build_segments(log, chain_start(log), needs, chained(log, entries), *key);
  EXPECT_TRUE(segments.ok());
  return *std::move(segments);
}

struct Case {
  std::string name;
  std::string about;
  LogId log;
  Seq needs = 0;
  std::vector<Entry> entries;
};

std::vector<Case> cases() {
  return {{"control", "track 0, entries 1 and 2: Open, and Define with TimeAnchor",
           test::test_log(kControlTrack), 0, test::control_entries()},
          {"samples", "track 1, entries 1 and 2, needs track 0 up to 2; payload as it is",
           test::test_log(kSamplesTrack), 2, test::sample_entries()},
          {"samples_zstd", "track 1, entries 1 to 120; the payload is a zstd frame",
           test::test_log(kSamplesTrack), 2, test::many_entries()}};
}

constexpr std::string_view kHeader =
    "Encoded segments of the node with the key of keys.txt, epoch 0x0123456789abcdef.\n"
    "Other zstd versions may compress samples_zstd to other bytes; all of them decode these.";

// What a receiver does with foreign bytes.
Result<DecodedSegment> verified(ByteView bytes, Verifier& verifier) {
  DUNLIN_ASSIGN(const SegmentHeader header, parse_segment(bytes));
  DUNLIN_ASSIGN(DecodedSegment decoded, decode_segment(header));
  const Bytes statement = head_statement(header.log, header.last, decoded.info.after);
  DUNLIN_TRY(verifier.verify(test::test_key()->public_key(), statement, header.signature));
  return decoded;
}

TEST(SegmentCodec, MatchesTheGoldenBytes) {
  std::vector<Golden> all;
  for (const Case& c : cases())
    all.push_back({c.name, c.about, *built(c.log, c.needs, c.entries).front().bytes});
  const auto stored = test::expect_golden("segments.txt", kHeader, all);
  const auto verifier = security::make_openssl_verifier();
  for (const Case& c : cases()) {
    const Result<DecodedSegment> decoded = verified(stored.at(c.name), *verifier);
    ASSERT_TRUE(decoded.ok()) << c.name << ": " << decoded.error().message();
    EXPECT_EQ(decoded->entries, c.entries) << c.name;
    EXPECT_EQ(decoded->info.after, chained(c.log, c.entries).links.back().after) << c.name;
    EXPECT_EQ(decoded->info.needs, c.needs) << c.name;
    const SegmentHeader header = *parse_segment(stored.at(c.name));
    EXPECT_EQ(header.codec,
              c.name == "samples_zstd" ? PayloadCodec::columns_zstd : PayloadCodec::columns);
    EXPECT_EQ(*decode_entries(header), c.entries) << c.name;
    const EntryHashes hashes = *entry_hashes(header);
    EXPECT_EQ(hashes.hashes.size(), c.entries.size() + 1) << c.name;
    EXPECT_EQ(hashes.at(header.first - 1), header.before) << c.name;
    EXPECT_EQ(hashes.at(header.last), decoded->info.after) << c.name;
    EXPECT_FALSE(hashes.covers(header.last + 1)) << c.name;
  }
}

TEST(SegmentCodec, SummarizesWhatIsInside) {
  const SegmentInfo info =
      built(test::test_log(kSamplesTrack), 2, test::sample_entries()).front().info;
  EXPECT_EQ(info.first, 1U);
  EXPECT_EQ(info.last, 2U);
  EXPECT_EQ(info.readings, 3U);
  EXPECT_EQ(info.streams, std::vector<std::uint64_t>{1});
  EXPECT_EQ(info.time_min, test::kTestTime);
  EXPECT_EQ(info.time_max, test::kTestTime + 2'000'000);
  EXPECT_EQ(info.hlc_last, test::sample_entries().back().hlc);
  const SegmentInfo timeless =
      built(test::test_log(kSamplesTrack), 2, {{1, {}, {test::corner_samples()}}}).front().info;
  EXPECT_GT(timeless.time_min, timeless.time_max);
  EXPECT_EQ(timeless.readings, 4U);
}

TEST(SegmentCodec, RefusesEveryTruncationAndEveryMore) {
  for (const Case& c : cases()) {
    Bytes bytes = *built(c.log, c.needs, c.entries).front().bytes;
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      const auto cut = parse_segment(ByteView(bytes).first(n));
      ASSERT_FALSE(cut.ok()) << c.name << " cut at " << n;
      EXPECT_EQ(cut.error().code, Errc::truncated) << c.name << " cut at " << n;
    }
    bytes.push_back(0);
    EXPECT_EQ(parse_segment(bytes).error().code, Errc::malformed) << c.name;
  }
}

// The bits that neither hash nor signature cover: `needs`, which is advice to the receiver, and
// other ways to encode the same entries in the payload. Everything else is refused; nothing ever
// yields other entries.
TEST(SegmentCodec, NoFlippedBitChangesWhatWasSigned) {
  const auto verifier = security::make_openssl_verifier();
  for (const Case& c : cases()) {
    const Bytes bytes = *built(c.log, c.needs, c.entries).front().bytes;
    const ByteView payload = parse_segment(bytes)->payload;
    const std::size_t payload_at = static_cast<std::size_t>(payload.data() - bytes.data());
    std::size_t refused = 0, same = 0;
    test::for_each_flip(bytes, [&](const Bytes& flipped, std::size_t bit) {
      const Result<DecodedSegment> decoded = verified(flipped, *verifier);
      if (!decoded.ok()) return void(++refused);
      EXPECT_EQ(decoded->entries, c.entries) << c.name << " bit " << bit;
      const bool in_payload = bit / 8 >= payload_at && bit / 8 < payload_at + payload.size();
      if (in_payload) return void(++same);
      EXPECT_NE(decoded->info.needs, c.needs) << c.name << " byte " << bit / 8;
    });
    EXPECT_LT(same, 16U) << c.name;
    EXPECT_GT(refused, bytes.size() * 8 - 64) << c.name;
  }
}

TEST(SegmentCodec, HalvesVerifyAloneAndJoin) {
  const LogId log = test::test_log(kSamplesTrack);
  const auto key = test::test_key();
  const Chain all = chained(log, test::many_entries());
  const ChainView entries = all;
  const auto left = build_segments(log, chain_start(log), 2, entries.first(50), *key);
  const auto right = build_segments(log, all.links[49].after, 2, entries.from(50), *key);
  const auto verifier = security::make_mbedtls_verifier();
  const auto first = verified(*left->front().bytes, *verifier),
             second = verified(*right->front().bytes, *verifier);
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(first->info.after, second->info.before);
  EXPECT_EQ(second->info.after, all.links.back().after);
}

TEST(SegmentCodec, SplitsWhatDoesNotFit) {
  Random random(3);
  std::vector<Entry> entries;
  for (Seq seq = 1; seq <= 12; ++seq) {  // 30 KB each that nothing compresses
    Bytes noise(30'000);
    for (std::uint8_t& byte : noise) byte = static_cast<std::uint8_t>(random.next());
    entries.push_back({seq, Hlc{seq}, {Open{noise, ""}}});
  }
  const std::vector<SegmentRecord> segments = built(test::test_log(kControlTrack), 0, entries);
  Seq next = 1;
  Hash hash = chain_start(test::test_log(kControlTrack));
  const auto verifier = security::make_openssl_verifier();
  for (const SegmentRecord& segment : segments) {
    EXPECT_LE(segment.bytes->size(), kSegmentBytesMax);
    EXPECT_EQ(segment.info.first, next);
    EXPECT_EQ(segment.info.before, hash);
    EXPECT_TRUE(verified(*segment.bytes, *verifier).ok());
    EXPECT_EQ(segment.control.size(), segment.info.interval().size());
    next = segment.info.last + 1;
    hash = segment.info.after;
  }
  EXPECT_EQ(next, 13U);
  EXPECT_GE(segments.size(), 6U);
}

TEST(SegmentCodec, MergesUnderTheSignatureOfTheLastEntry) {
  const LogId log = test::test_log(kSamplesTrack);
  const auto key = test::test_key();
  const Chain entries = chained(log, test::many_entries());
  const std::size_t n = entries.entries.size();
  const SegmentRecord last =
      built(log, 2, test::many_entries()).front();  // its last entry is the last of all
  const Signature signature = parse_segment(*last.bytes)->signature;
  const Result<SegmentRecord> merged =
      build_signed_segment(log, chain_start(log), 2, entries, signature);
  ASSERT_TRUE(merged.ok());
  EXPECT_EQ(*merged->bytes, *last.bytes);
  const Result<SegmentRecord> cut =
      build_signed_segment(log, chain_start(log), 2, ChainView(entries).first(n - 1), signature);
  ASSERT_TRUE(cut.ok());
  EXPECT_FALSE(verified(*cut->bytes, *security::make_openssl_verifier()).ok());
}

TEST(SegmentCodec, MergesNothingAboveTheLimits) {
  const LogId log = test::test_log(kControlTrack);
  const auto merged = [&](const Chain& chain) {
    return build_signed_segment(log, chain_start(log), 0, chain, {});
  };
  const auto code_of = [&](std::size_t entries, std::size_t bytes) {
    Random random(3);
    Chain chain;
    Hash hash = chain_start(log);
    for (Seq seq = 1; seq <= entries; ++seq) {
      Bytes noise(bytes);
      for (std::uint8_t& byte : noise) byte = static_cast<std::uint8_t>(random.next());
      hash =
          chain.add({seq, Hlc{seq}, {Open{bytes > 1000 ? noise : Bytes(bytes), ""}}}, hash)->after;
    }
    const Result<SegmentRecord> segment = merged(chain);
    return segment.ok() ? std::nullopt : std::optional(segment.error().code);
  };
  EXPECT_EQ(code_of(kSegmentEntriesMax, 1), std::nullopt);
  EXPECT_EQ(code_of(kSegmentEntriesMax + 1, 1), Errc::too_large);
  EXPECT_EQ(code_of(2, 30'000), std::nullopt);
  EXPECT_EQ(code_of(3, 30'000), Errc::too_large);  // encoded
  EXPECT_EQ(code_of(1000, 900), std::nullopt);
  EXPECT_EQ(code_of(1200, 900), Errc::too_large);  // decoded
}

TEST(SegmentCodec, RefusesEntriesAboveTheLimit) {
  const Entry entry{1, {}, {Open{Bytes(kEntryBytesMax, 0), ""}}};
  EXPECT_EQ(Chain().add(entry, {}).error().code, Errc::too_large);
}

// A samples segment whose header or payload was made by hand.
struct Parts {
  std::uint64_t items = 12, format = 1, track = 1, first = 2, last = 3, needs = 0, codec = 1;
  Bytes payload;
  std::uint64_t payload_size = 0;
};

Bytes assembled(const Parts& p) {
  const LogId log = test::test_log(kSamplesTrack);
  Bytes out;
  CborWriter w(out);
  w.array(p.items), w.uint(p.format), w.bytes(log.node.bytes), w.uint(log.epoch.value),
      w.uint(p.track);
  w.uint(p.first), w.uint(p.last), w.bytes(Hash{}), w.uint(p.needs), w.uint(p.codec),
      w.uint(p.payload_size);
  w.bytes(p.payload), w.bytes(Signature{});
  for (std::uint64_t i = 12; i < p.items; ++i) w.null();
  return out;
}

Parts two_empty_entries() {
  Parts parts;
  parts.payload = encode_columns(std::vector<Entry>{{2, {}, {}}, {3, {}, {}}});
  parts.payload_size = parts.payload.size();
  return parts;
}

TEST(SegmentCodec, RefusesHeadersOutOfBounds) {
  const auto expect_refused = [](Errc code, const std::function<void(Parts&)>& change) {
    Parts parts = two_empty_entries();
    change(parts);
    const auto header = parse_segment(assembled(parts));
    ASSERT_FALSE(header.ok());
    EXPECT_EQ(header.error().code, code) << header.error().message();
  };
  ASSERT_TRUE(parse_segment(assembled(two_empty_entries())).ok());
  expect_refused(Errc::unsupported, [](Parts& p) { p.format = 2; });
  expect_refused(Errc::unsupported, [](Parts& p) { p.format = 2, p.items = 13; });
  expect_refused(Errc::malformed, [](Parts& p) { p.items = 13; });
  expect_refused(Errc::unsupported, [](Parts& p) { p.codec = 0; });
  expect_refused(Errc::unsupported, [](Parts& p) { p.codec = 3; });
  expect_refused(Errc::malformed, [](Parts& p) { p.first = 0; });
  expect_refused(Errc::malformed, [](Parts& p) { p.first = 4; });
  expect_refused(Errc::malformed, [](Parts& p) { p.last = kSeqMax + 1, p.first = kSeqMax; });
  expect_refused(Errc::malformed, [](Parts& p) { p.needs = kSeqMax + 1; });
  expect_refused(Errc::too_large, [](Parts& p) { p.last = p.first + kSegmentEntriesMax; });
  expect_refused(Errc::malformed, [](Parts& p) { p.track = 0, p.needs = 1; });
  expect_refused(Errc::bad_hash, [](Parts& p) { p.first = 1; });
  expect_refused(Errc::too_large, [](Parts& p) { p.payload.resize(kSegmentBytesMax); });
}

TEST(SegmentCodec, RefusesPayloadsOfAnotherSize) {
  Parts parts = two_empty_entries();
  parts.payload_size += 1;
  Bytes bytes = assembled(parts);
  EXPECT_EQ(decode_segment(*parse_segment(bytes)).error().code, Errc::malformed);
  parts = two_empty_entries();
  parts.payload.clear(), parts.payload_size = 0;
  bytes = assembled(parts);
  EXPECT_FALSE(decode_segment(*parse_segment(bytes)).ok());
}

TEST(SegmentCodec, AcceptsExactlyOneZstdFrame) {
  const Bytes bytes = *built(test::test_log(kSamplesTrack), 2, test::many_entries()).front().bytes;
  const SegmentHeader header = *parse_segment(bytes);
  ASSERT_EQ(header.codec, PayloadCodec::columns_zstd);
  const Bytes frame(header.payload.begin(), header.payload.end());
  const auto outcome = [&](Bytes payload, std::uint64_t size) {
    SegmentHeader other = header;
    other.payload = payload;
    other.payload_size = size;
    return decode_entries(other);
  };
  EXPECT_TRUE(outcome(frame, header.payload_size).ok());
  EXPECT_EQ(outcome(frame, header.payload_size + 1).error().code, Errc::malformed);
  EXPECT_EQ(outcome(frame, header.payload_size - 1).error().code, Errc::malformed);
  EXPECT_EQ(outcome({}, header.payload_size).error().code, Errc::malformed);
  Bytes skippable = frame;  // a frame that decoders skip, with four bytes of freight
  const Bytes extra = *from_hex("502a4d180400000064617461");
  skippable.insert(skippable.end(), extra.begin(), extra.end());
  EXPECT_EQ(outcome(skippable, header.payload_size).error().code, Errc::malformed);
  SegmentHeader huge = header;
  huge.payload_size = kSegmentDecodedBytesMax + 1;
  EXPECT_EQ(decode_entries(huge).error().code, Errc::too_large);
}

}  // namespace
}  // namespace dunlin
