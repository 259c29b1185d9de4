// A message that decodes is canonical: its envelope encodes to the same bytes.
#include "common/replication/envelope.h"
#include "tests/fuzz/fuzz.h"

void dunlin::fuzz::take(ByteView input) {
  const Result<replication::Envelope> envelope = replication::decode_envelope(input);
  if (!envelope.ok()) return;
  const Bytes again = replication::encode_envelope(*envelope);
  DUNLIN_CHECK(std::equal(again.begin(), again.end(), input.begin(), input.end()));
}
