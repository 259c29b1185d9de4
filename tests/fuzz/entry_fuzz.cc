// An entry that decodes is canonical: it encodes to the same bytes.
#include "common/codec/entry_codec.h"
#include "tests/fuzz/fuzz.h"

void dunlin::fuzz::take(ByteView input) {
  const Result<Entry> entry = decode_entry(input);
  if (!entry.ok()) return;
  const Bytes again = encode_entry(*entry);
  DUNLIN_CHECK(std::equal(again.begin(), again.end(), input.begin(), input.end()));
}
