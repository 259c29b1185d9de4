// Columns that decode say the same after another encoding. Two bytes in front say how many entries.
#include "common/codec/columns.h"
#include "tests/fuzz/fuzz.h"

void dunlin::fuzz::take(ByteView input) {
  if (input.size() < 2) return;
  const Seq last = 1 + (input[0] | (input[1] & 0x0fU) << 8);
  const Result<std::vector<Entry>> entries = decode_columns(input.subspan(2), 1, last);
  if (!entries.ok()) return;
  DUNLIN_CHECK(entries->size() == last);
  const Result<std::vector<Entry>> again = decode_columns(encode_columns(*entries), 1, last);
  DUNLIN_CHECK(again.ok() && *again == *entries);
}
