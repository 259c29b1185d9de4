#include "common/replication/envelope.h"

#include <gtest/gtest.h>

#include <functional>

#include "common/codec/cbor.h"
#include "common/log/limits.h"
#include "tests/vectors/golden.h"
#include "tests/vectors/samples.h"

namespace dunlin::replication {

// For the comparisons of this test.
static bool operator==(const Segments& a, const Segments& b) {
  const auto same = [](const auto& x, const auto& y) { return *x == *y; };
  return a.lane == b.lane && a.request == b.request && a.done == b.done &&
         a.certificates == b.certificates &&
         std::equal(a.segments.begin(), a.segments.end(), b.segments.begin(), b.segments.end(),
                    same);
}

namespace {

using test::Golden;

IntervalSet set_of(std::initializer_list<Interval> intervals) {
  IntervalSet set;
  for (const Interval& interval : intervals) set.insert(interval);
  return set;
}

// 42, ["x", null]: of a newer minor version.
const LaterFields kLater{2, {0x18, 0x2a, 0x82, 0x61, 0x78, 0xf6}};

Hello sample_hello(NodeState state, const LaterFields& later = {}) {
  const auto key = test::test_key();
  Hello hello;
  hello.node = key->node();
  hello.public_key = key->public_key();
  hello.name = "greenhouse-7";
  hello.state = state;
  if (state == NodeState::up)
    hello.heads = {{test::kTestEpoch, kControlTrack, 2}, {test::kTestEpoch, kSamplesTrack, 300}};
  hello.capabilities = {"columns", "zstd"};
  hello.nonce = Nonce{0xfedcba9876543210};
  hello.counter = 17;
  hello.hlc = Hlc::of(1'767'225'600'123, 4);
  if (state == NodeState::up) hello.utc = 1'767'225'600'120'000;
  hello.minor = later.items > 0 ? 3 : 0;
  if (state == NodeState::up) hello.certificate = *from_hex("3003020101");  // any bytes
  hello.signature = *key->sign(hello_statement(hello, later));
  return hello;
}

Ack sample_ack() {
  const auto key = test::test_key();
  NodeId origin;
  origin.bytes.fill(0xaa);
  Ack ack{origin, Nonce{0xfedcba9876543210}, {}, {}};
  IntervalSet missing;
  missing.insert({41, 50});
  ack.logs.push_back({{origin, Epoch{7}, kSamplesTrack},
                      300,
                      sha256(as_bytes("three hundred")),
                      std::move(missing)});
  ack.signature = *key->sign(ack_statement(key->node(), ack, {Nonce{0xfedcba9876543210}, 24, {}}));
  return ack;
}

TimeReply sample_reply(const LaterFields& later = {}) {
  const auto key = test::test_key();
  TimeReply reply{{}, 77, 1'767'225'600'123'456, {}};
  reply.asker.bytes.fill(0xaa);
  reply.signature = *key->sign(time_statement(key->node(), reply, later));
  return reply;
}

DigestPair sample_roots() {
  DigestPair roots;
  roots.head.fill(0xaa), roots.missing.fill(0xbb);
  return roots;
}

Digest sample_walk(const Vector::Item& item) {
  Digest::Place place{*TriePath::of(2, 0x1a), {}};
  place.children[3].fill(0xcc);
  return {sample_roots(), {place}, {{*TriePath::of(2, 0x0b), true, {{item, 21}}}}};
}

std::shared_ptr<const Bytes> blob(std::string_view hex) {
  return std::make_shared<const Bytes>(*from_hex(hex));
}

struct Case {
  std::string name;
  std::string about;
  Envelope envelope;
};

std::vector<Case> cases() {
  const Nonce nonce{0xfedcba9876543210};
  const LogId log = test::test_log(kSamplesTrack);
  const Vector vector{{{test::test_log(kControlTrack), 2, sha256(as_bytes("two")), {}},
                       {log, 300, sha256(as_bytes("three hundred")), set_of({{41, 50}, {60, 60}})}},
                      false};
  return {
      {"hello_up",
       "Hello of an agent with two logs; five bytes stand for its certificate; the signature is "
       "that of the test key",
       {nonce, 17, sample_hello(NodeState::up)}},
      {"hello_down",
       "the same as a will: state down, no heads, no UTC; of an open fleet",
       {nonce, 17, sample_hello(NodeState::down)}},
      {"digest",
       "Digest of a node that misses something",
       {nonce, 27, Digest{sample_roots(), {}, {}}}},
      {"digest_walk",
       "Digest with the children of place 1a, and of leaf 0b one log: head 300, missing 41-50 and "
       "60, nothing below 21",
       {nonce, 28, sample_walk(vector.logs.back())}},
      {"vector",
       "Vector of two logs, not all; of track 1: head 300, missing 41-50 and 60",
       {nonce, 18, vector}},
      {"vector_empty", "Vector without logs", {Nonce{}, 0, Vector{}}},
      {"vector_storage",
       "Vector of an origin without logs, whose database takes 4 MiB, with 1 GiB free, and 7000000 "
       "bytes written",
       {nonce, 30, Vector{{}, true, Vector::Storage{4 << 20, 1 << 30, 7'000'000}}}},
      {"fetch",
       "Fetch 99 of 51-300 and 41 of track 1, credit 65536",
       {nonce, 19, Fetch{99, 65536, {{log, set_of({{41, 41}, {51, 300}})}}}}},
      {"fetch_credit", "more credit for request 99", {nonce, 20, Fetch{99, 32768, {}}}},
      {"segments_live",
       "Segments pushed; two byte strings stand for encoded segments",
       {nonce, 21, Segments{Lane::live, 0, false, {blob("0102"), blob("03")}}}},
      {"segments_certified",
       "Segments with a certificate, for which two bytes stand",
       {nonce, 29, Segments{Lane::bulk, 0, false, {blob("0102")}, {*from_hex("c0de")}}}},
      {"segments_done",
       "the last answer to request 99",
       {nonce, ~0ULL, Segments{Lane::bulk, 99, true, {}}}},
      {"ack", "Ack of one log, signed", {nonce, 24, sample_ack()}},
      {"time_query", "asks for the time, request 77", {nonce, 22, TimeQuery{77}}},
      {"time_reply", "tells it, signed", {nonce, 23, sample_reply()}},
      {"follow",
       "Follow of all logs of the node \"pump\", and of track 1 of \"pond\"",
       {nonce, 29, Follow{{{"pump"}, {"pond", kSamplesTrack}}}}},
      {"hello_later",
       "Hello of minor version 3 with two more fields, 42 and [\"x\", null]; signed with them",
       {nonce, 17, sample_hello(NodeState::up, kLater), kLater}},
      {"fetch_later",
       "Fetch of a newer minor version: with the same fields behind its own",
       {nonce, 24, Fetch{99, 65536, {{log, set_of({{41, 41}})}}}, kLater}},
      {"time_reply_later",
       "TimeReply with them, and signed with them",
       {nonce, 25, sample_reply(kLater), kLater}},
      {"unknown",
       "a message of code 100 that this version ignores",
       {nonce, 26,
        UnknownMessage{100, *from_hex("84186418"
                                      "2af66131")}}},
  };
}

constexpr std::string_view kHeader =
    "Messages in their envelopes, of the node with the key of keys.txt.\n"
    "Segments carry opaque byte strings here: an envelope does not look into them.";

TEST(Envelope, MatchTheGoldenBytes) {
  std::vector<Golden> all;
  for (const Case& c : cases()) all.push_back({c.name, c.about, encode_envelope(c.envelope)});
  const auto stored = test::expect_golden("messages.txt", kHeader, all);
  for (const Case& c : cases()) {
    const Result<Envelope> decoded = decode_envelope(stored.at(c.name));
    ASSERT_TRUE(decoded.ok()) << c.name << ": " << decoded.error().message();
    EXPECT_EQ(decoded->nonce, c.envelope.nonce) << c.name;
    EXPECT_EQ(decoded->counter, c.envelope.counter) << c.name;
    EXPECT_TRUE(decoded->message == c.envelope.message) << c.name;
    EXPECT_EQ(decoded->later, c.envelope.later) << c.name;
  }
}

TEST(Envelope, ItsFirstItemsTellTheLane) {
  for (const Case& c : cases()) {
    const auto* segments = std::get_if<Segments>(&c.envelope.message);
    const Lane lane = segments == nullptr ? Lane::live : segments->lane;
    const Bytes bytes = encode_envelope(c.envelope);
    EXPECT_EQ(peek_lane(bytes), lane) << c.name;
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      const Lane cut = peek_lane(ByteView(bytes).first(n));
      EXPECT_TRUE(cut == Lane::live || cut == lane) << c.name << " cut at " << n;
    }
  }
  EXPECT_EQ(peek_lane(encode_envelope({Nonce{1}, 1, Segments{.lane = Lane::bulk, .segments = {}}})),
            Lane::bulk);
}

TEST(Envelope, NamesAreThoseOfTheMetrics) {
  EXPECT_EQ(message_name(Hello{}), "hello");
  EXPECT_EQ(message_name(Digest{}), "digest");
  EXPECT_EQ(message_name(Vector{}), "vector");
  EXPECT_EQ(message_name(Fetch{}), "fetch");
  EXPECT_EQ(message_name(Segments{}), "segments");
  EXPECT_EQ(message_name(Ack{}), "ack");
  EXPECT_EQ(message_name(TimeQuery{}), "time_query");
  EXPECT_EQ(message_name(TimeReply{}), "time_reply");
  EXPECT_EQ(message_name(Follow{}), "follow");
  EXPECT_EQ(message_name(UnknownMessage{}), "unknown");
}

TEST(Envelope, RefuseEveryTruncationAndEveryMore) {
  for (const Case& c : cases()) {
    Bytes bytes = encode_envelope(c.envelope);
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      const auto cut = decode_envelope(ByteView(bytes).first(n));
      ASSERT_FALSE(cut.ok()) << c.name << " cut at " << n;
      EXPECT_EQ(cut.error().code, Errc::truncated) << c.name << " cut at " << n;
    }
    bytes.push_back(0);
    EXPECT_EQ(decode_envelope(bytes).error().code, Errc::malformed) << c.name;
  }
}

TEST(Envelope, EveryFlippedBitIsRefusedOrAnotherCanonicalMessage) {
  for (const Case& c : cases()) {
    test::for_each_flip(encode_envelope(c.envelope), [&](const Bytes& flipped, std::size_t bit) {
      const Result<Envelope> decoded = decode_envelope(flipped);
      if (!decoded.ok()) return;
      EXPECT_EQ(to_hex(encode_envelope(*decoded)), to_hex(flipped)) << c.name << " bit " << bit;
    });
  }
}

TEST(Envelope, TheSignatureCoversAllOfAHello) {
  const auto verifier = security::make_openssl_verifier();
  for (const Case& c : cases()) {
    const auto* sent = std::get_if<Hello>(&c.envelope.message);
    if (sent == nullptr || sent->state == NodeState::down) continue;
    test::for_each_flip(encode_envelope(c.envelope), [&](const Bytes& flipped, std::size_t bit) {
      const Result<Envelope> decoded = decode_envelope(flipped);
      if (!decoded.ok() || !std::holds_alternative<Hello>(decoded->message)) return;
      const auto& hello = std::get<Hello>(decoded->message);
      // Its nonce and counter may be others.
      const bool of_envelope = hello == *sent && decoded->later == c.envelope.later;
      const auto genuine = verifier->verify(
          hello.public_key, hello_statement(hello, decoded->later), hello.signature);
      EXPECT_EQ(genuine.ok(), of_envelope) << c.name << " bit " << bit;
    });
  }
}

TEST(Envelope, HelloStatementIsALabelAndTheUnsignedHello) {
  const Bytes statement = hello_statement(sample_hello(NodeState::down));
  const std::string_view label = "dunlin/1 hello";
  ASSERT_GT(statement.size(), label.size());
  EXPECT_EQ(as_text(ByteView(statement).first(label.size())), label);
  EXPECT_EQ(statement[label.size()], 0x8e);  // 14 items: all but the signature
  const Bytes longer = hello_statement(sample_hello(NodeState::down), kLater);
  EXPECT_EQ(longer[label.size()], 0x90);
  EXPECT_EQ(to_hex(ByteView(longer).last(kLater.cbor.size())), to_hex(kLater.cbor));
}

// The topic says who sent it, and what is signed names him.
TEST(Envelope, SignedTextsNameTheSenderInPlaceOfTheSignature) {
  const NodeId sender = test::test_key()->node();
  const auto named = [&](const Bytes& statement, std::size_t before) {
    const ByteView array = ByteView(statement).subspan(before);
    return to_hex(array.first(1)) == "85" &&
           to_hex(array.subspan(2, 17)) == "50" + to_hex(sender.bytes);
  };
  EXPECT_TRUE(named(time_statement(sender, sample_reply()), 13));
  EXPECT_TRUE(named(ack_statement(sender, sample_ack(), {Nonce{1}, 2, {}}), 12 + 2));
}

// An envelope around a message written by `body`.
Bytes enveloped(const std::function<void(CborWriter&)>& body, std::uint64_t version = 1,
                std::uint64_t key = 0, std::uint64_t items = 5) {
  Bytes out;
  CborWriter w(out);
  w.array(items), w.uint(version), w.uint(key), w.uint(7), w.uint(8);
  body(w);
  return out;
}

Errc refusal(const Bytes& bytes) {
  const Result<Envelope> envelope = decode_envelope(bytes);
  EXPECT_FALSE(envelope.ok());
  return envelope.ok() ? Errc::closed : envelope.error().code;
}

TEST(Envelope, OtherMajorVersionsAndKeysAreUnsupported) {
  const auto credit = [](CborWriter& w) {
    w.array(4), w.uint(4), w.uint(1), w.uint(1), w.array(0);
  };
  ASSERT_TRUE(decode_envelope(enveloped(credit)).ok());
  EXPECT_EQ(refusal(enveloped(credit, 2)), Errc::unsupported);
  EXPECT_EQ(refusal(enveloped(credit, 2, 0, 6)), Errc::unsupported);
  EXPECT_EQ(refusal(enveloped(credit, 1, 1)), Errc::unsupported);
  EXPECT_EQ(refusal(enveloped(credit, 1, 0, 6)), Errc::malformed);
  EXPECT_NE(decode_envelope(enveloped(credit, 2))
                .error()
                .message()
                .find("speaks protocol 2, this program speaks 1"),
            std::string::npos);
  EXPECT_EQ(refusal(enveloped([](CborWriter& w) { w.array(3), w.uint(4), w.uint(1), w.uint(1); })),
            Errc::malformed);
}

TEST(Envelope, AFollowNamesSoMany) {
  std::vector<Followed> follows(kFollowsMax, {"pump", Track{3}});
  EXPECT_TRUE(decode_envelope(encode_envelope({{}, 1, Follow{follows}})).ok());
  follows.push_back({"pond"});
  EXPECT_EQ(refusal(encode_envelope({{}, 1, Follow{follows}})), Errc::too_large);
  EXPECT_EQ(refusal(encode_envelope({{}, 1, Follow{{{std::string(300, 'a')}}}})), Errc::malformed);
}

TEST(Envelope, UnknownOnesAreKeptWhole) {
  for (const std::uint64_t code : {0U, 10U, 11U, 1000U}) {
    const Bytes bytes = enveloped([&](CborWriter& w) { w.array(2), w.uint(code), w.uint(0); });
    const Result<Envelope> envelope = decode_envelope(bytes);
    ASSERT_TRUE(envelope.ok()) << code;
    const auto* unknown = std::get_if<UnknownMessage>(&envelope->message);
    ASSERT_NE(unknown, nullptr) << code;
    EXPECT_EQ(unknown->code, code);
    EXPECT_EQ(to_hex(encode_envelope(*envelope)), to_hex(bytes)) << code;
  }
  const auto unknown = [](std::string_view hex) {
    return enveloped([&](CborWriter& w) { w.raw(*from_hex(hex)); });
  };
  EXPECT_EQ(refusal(unknown("80")), Errc::malformed);  // without a code
  EXPECT_EQ(refusal(unknown("8161"
                            "78")),
            Errc::malformed);                                  // with a text for a code
  EXPECT_EQ(refusal(unknown("821864a0")), Errc::malformed);    // a map
  EXPECT_EQ(refusal(unknown("8218641800")), Errc::malformed);  // not in its shortest form
  EXPECT_EQ(refusal(unknown("8218640000")), Errc::malformed);  // one byte too many
  EXPECT_EQ(refusal(unknown("821864")), Errc::truncated);
  EXPECT_EQ(refusal(unknown("82186481818181818181818100")), Errc::malformed);  // nested too deep
}

TEST(Envelope, LaterFieldsAreWellFormedAndBehindTheKnownOnes) {
  // [7, 1, ...], a TimeQuery and what came later.
  const auto query = [](std::uint64_t items, std::string_view request, std::string_view later) {
    return enveloped([&](CborWriter& w) {
      w.array(items), w.uint(7);
      w.raw(*from_hex(request)), w.raw(*from_hex(later));
    });
  };
  const Result<Envelope> envelope = decode_envelope(query(4, "01", "f60a"));
  ASSERT_TRUE(envelope.ok());
  EXPECT_TRUE(envelope->message == Message(TimeQuery{1}));
  EXPECT_EQ(envelope->later, (LaterFields{2, {0xf6, 0x0a}}));
  EXPECT_EQ(refusal(query(1, "", "")), Errc::malformed);        // too few
  EXPECT_EQ(refusal(query(3, "f6", "01")), Errc::malformed);    // a known one of another type
  EXPECT_EQ(refusal(query(3, "01", "a0")), Errc::malformed);    // a map
  EXPECT_EQ(refusal(query(3, "01", "1800")), Errc::malformed);  // not in its shortest form
  EXPECT_EQ(refusal(query(3, "01", "f6f6")), Errc::malformed);  // more than were told
  EXPECT_EQ(refusal(query(4, "01", "f6")), Errc::truncated);    // fewer
  EXPECT_EQ(refusal(query(3, "01", "81818181818181818100")), Errc::malformed);  // too deep
}

TEST(Envelope, AFloodOfLaterFieldsStaysWithinTheLimits) {
  const auto flood = [](std::uint64_t items) {
    Envelope envelope{{}, 1, TimeQuery{1}, {items, Bytes(items, 0xf6)}};
    return encode_envelope(envelope);
  };
  const std::size_t more = flood(100'000).size() - 100'000;
  EXPECT_EQ(decode_envelope(flood(kMessageBytesMax - more))->later.items, kMessageBytesMax - more);
  EXPECT_EQ(refusal(flood(kMessageBytesMax - more + 1)), Errc::too_large);
  // A count that nothing stands behind makes no room.
  EXPECT_EQ(refusal(encode_envelope({{}, 1, TimeQuery{1}, {~0ULL - 2, {0xf6}}})), Errc::truncated);
}

TEST(Envelope, RefuseClaimsOutOfBounds) {
  const auto vector = [](std::size_t logs, Seq head, const IntervalSet& missing) {
    Vector message{std::vector<Vector::Item>(logs, {{}, head, {}, missing})};
    for (std::size_t n = 0; n < logs; ++n) message.logs[n].log.track = Track{n};
    return encode_envelope({{}, 1, std::move(message)});
  };
  EXPECT_TRUE(decode_envelope(vector(kVectorLogsMax, 5, set_of({{1, 5}}))).ok());
  EXPECT_EQ(refusal(vector(kVectorLogsMax + 1, 5, {})), Errc::too_large);
  EXPECT_EQ(refusal(vector(1, 5, set_of({{6, 6}}))), Errc::malformed);
  EXPECT_EQ(refusal(vector(1, kSeqMax + 1, {})), Errc::malformed);

  const auto fetch = [](std::size_t wants, std::uint64_t request) {
    return encode_envelope({{}, 1, Fetch{request, 1, std::vector<Fetch::Want>(wants)}});
  };
  EXPECT_TRUE(decode_envelope(fetch(kFetchLogsMax, 1)).ok());
  EXPECT_EQ(refusal(fetch(kFetchLogsMax + 1, 1)), Errc::too_large);
  EXPECT_EQ(refusal(fetch(1, 0)), Errc::malformed);

  Hello hello = sample_hello(NodeState::up);
  hello.heads.assign(kHelloLogsMax + 1, {});
  EXPECT_EQ(refusal(encode_envelope({{}, 1, hello})), Errc::too_large);
  hello = sample_hello(NodeState::up);
  hello.heads[0].head = kSeqMax + 1;
  EXPECT_EQ(refusal(encode_envelope({{}, 1, hello})), Errc::malformed);
  hello = sample_hello(NodeState::up);
  hello.name.assign(kNameBytesMax + 1, 'x');
  EXPECT_EQ(refusal(encode_envelope({{}, 1, hello})), Errc::malformed);
  hello = sample_hello(NodeState::up);
  hello.capabilities.assign(17, "x");
  EXPECT_EQ(refusal(encode_envelope({{}, 1, hello})), Errc::too_large);
  hello = sample_hello(NodeState::up);
  hello.utc = kLatestUtc + 1;
  EXPECT_EQ(refusal(encode_envelope({{}, 1, hello})), Errc::malformed);
  EXPECT_EQ(refusal(encode_envelope({{}, 1, TimeReply{{}, 1, kLatestUtc + 1, {}}})),
            Errc::malformed);
  hello = sample_hello(NodeState::up);
  hello.role = static_cast<Role>(2);
  EXPECT_EQ(refusal(encode_envelope({{}, 1, hello})), Errc::malformed);
}

TEST(Envelope, RefuseWhatIsTooLarge) {
  const auto big = std::make_shared<const Bytes>(kSegmentBytesMax + 1);
  EXPECT_EQ(refusal(encode_envelope({{}, 1, Segments{Lane::live, 0, false, {big}}})),
            Errc::too_large);
  const auto whole = std::make_shared<const Bytes>(kSegmentBytesMax);
  EXPECT_TRUE(
      decode_envelope(encode_envelope({{}, 1, Segments{Lane::live, 0, false, {whole}}})).ok());
  EXPECT_EQ(refusal(encode_envelope({{}, 1, Segments{Lane::live, 0, false, {whole, whole}}})),
            Errc::too_large);
}

// Each log once: what is said of one is looked up once.
TEST(Messages, NameTheirLogsInOrder) {
  const Vector::Item control{test::test_log(kControlTrack), 2, {}, {}};
  const Vector::Item samples{test::test_log(kSamplesTrack), 2, {}, {}};
  const auto code = [&](std::vector<Vector::Item> logs) {
    const auto read = decode_envelope(encode_envelope({Nonce{1}, 1, Vector{std::move(logs)}}));
    return read.ok() ? Errc::closed : read.error().code;
  };
  EXPECT_EQ(code({control, samples}), Errc::closed);
  EXPECT_EQ(code({samples, control}), Errc::malformed);
  EXPECT_EQ(code({control, control}), Errc::malformed);
}

}  // namespace
}  // namespace dunlin::replication
