// Properties of every format of the log, over random values: encode, decode, encode; every
// truncation is refused; a flipped bit is refused or says something else.
#include "common/codec/columns.h"
#include "common/codec/entry_codec.h"
#include "common/codec/log_state_codec.h"
#include "common/codec/segment_codec.h"
#include "common/log/chain.h"
#include "tests/simulation/keys.h"
#include "tests/support/generators.h"

namespace dunlin {
namespace {

// An array of items of every kind, nested at most `depth` deep.
void write_any_item(CborWriter& writer, int depth) {
  switch (test::below(depth > 0 ? 8 : 7)) {
    case 0:
      return writer.uint(test::any_uint());
    case 1:
      return writer.integer(test::any_int());
    case 2:
      return writer.bytes(test::any_bytes(20));
    case 3:
      return writer.text(test::any_text());
    case 4:
      return writer.boolean(test::one_in(2));
    case 5:
      return writer.null();
    case 6:
      return writer.real(test::any_real());
    default:
      break;
  }
  const std::uint64_t items = test::below(4);
  writer.array(items);
  for (std::uint64_t i = 0; i < items; ++i) write_any_item(writer, depth - 1);
}

RC_GTEST_PROP(RoundTrip, Cbor, ()) {
  Bytes bytes;
  CborWriter writer(bytes);
  write_any_item(writer, 4);
  const auto whole = [](ByteView input) -> Result<Bytes> {
    CborReader reader(input);
    DUNLIN_ASSIGN(const ByteView item, reader.skip());
    DUNLIN_TRY(reader.finish());
    return Bytes(item.begin(), item.end());
  };
  test::expect_canonical(bytes, whole, [](const Bytes& item) { return item; });
}

RC_GTEST_PROP(RoundTrip, Entries, ()) {
  const Entry entry = test::any_entry(test::any_seq());
  const Bytes bytes = encode_entry(entry);
  RC_ASSERT(*decode_entry(bytes) == entry);
  test::expect_canonical(bytes, decode_entry, encode_entry);
}

RC_GTEST_PROP(RoundTrip, LogStates, ()) {
  const LogId log = test::any_log();
  const LogState state = test::any_log_state(log);
  const auto decode = [&log](ByteView bytes) { return decode_log_state(log, bytes); };
  const Bytes bytes = encode_log_state(state);
  RC_ASSERT(*decode(bytes) == state);
  test::expect_canonical(bytes, decode, encode_log_state);
}

// Columns have more than one encoding; a writer takes the smallest, a reader any.
RC_GTEST_PROP(RoundTrip, Columns, ()) {
  const Seq first = 1 + test::below(1000);
  const std::vector<Entry> entries = test::any_entries(first);
  const Seq last = entries.back().seq;
  Bytes bytes = encode_columns(entries);
  RC_ASSERT(*decode_columns(bytes, first, last) == entries);
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    RC_ASSERT(!decode_columns(ByteView(bytes).first(n), first, last).ok());
  }
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    const auto mask = static_cast<std::uint8_t>(1U << bit % 8);
    bytes[bit / 8] ^= mask;
    const auto other = decode_columns(bytes, first, last);
    RC_ASSERT((!other.ok() || *decode_columns(encode_columns(*other), first, last) == *other));
    bytes[bit / 8] ^= mask;
  }
}

Result<std::vector<Entry>> verified(const Signer& signer, ByteView bytes) {
  static const std::unique_ptr<Verifier> kVerifier = simulation::make_light_verifier();
  DUNLIN_ASSIGN(const SegmentHeader header, parse_segment(bytes));
  DUNLIN_ASSIGN(DecodedSegment decoded, decode_segment(header));
  const Bytes statement = head_statement(header.log, header.last, decoded.info.after);
  DUNLIN_TRY(kVerifier->verify(signer.public_key(), statement, header.signature));
  return std::move(decoded.entries);
}

// Of a segment hash and signature cover the entries: no other ones can be read from it.
RC_GTEST_PROP(RoundTrip, Segments, ()) {
  static const std::unique_ptr<Signer> kSigner = simulation::light_key(1);
  const LogId log{kSigner->node(), Epoch{test::any_uint()}, Track{test::below(3)}};
  const std::vector<Entry> entries = test::any_entries(1 + test::below(1000));
  const Hash before = entries.front().seq == 1 ? chain_start(log) : test::any_hash();
  const Seq needs = log.track == kControlTrack ? 0 : test::any_seq();
  Chain chain;
  Hash hash = before;
  for (const Entry& entry : entries) hash = chain.add(entry, hash)->after;
  const auto built = build_segments(log, before, needs, chain, *kSigner);
  RC_ASSERT((built.ok() && built->size() == 1U));
  Bytes bytes = *built->front().bytes;
  RC_ASSERT(*verified(*kSigner, bytes) == entries);
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    RC_ASSERT(parse_segment(ByteView(bytes).first(n)).error().code == Errc::truncated);
  }
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    const auto mask = static_cast<std::uint8_t>(1U << bit % 8);
    bytes[bit / 8] ^= mask;
    const auto other = verified(*kSigner, bytes);
    RC_ASSERT((!other.ok() || *other == entries));
    bytes[bit / 8] ^= mask;
  }
}

}  // namespace
}  // namespace dunlin
