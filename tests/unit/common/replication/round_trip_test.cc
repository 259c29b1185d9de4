// Properties of every message over random values: encode, decode, encode; every truncation is
// refused; a flipped bit is refused or says something else.
#include "common/replication/envelope.h"
#include "tests/support/generators.h"

namespace dunlin::replication {
namespace {

Hello any_hello() {
  Hello hello;
  hello.node = test::any_log().node;
  hello.public_key = test::any_bytes(40);
  hello.name = test::any_text();
  hello.role = static_cast<Role>(test::below(2));
  hello.state = static_cast<NodeState>(test::below(2));
  for (std::uint64_t n = test::below(4); n > 0; --n) {
    hello.heads.push_back({Epoch{test::any_uint()}, Track{test::any_uint()}, test::any_seq()});
  }
  hello.minor = test::any_uint();
  for (std::uint64_t n = test::below(3); n > 0; --n) hello.capabilities.push_back(test::any_text());
  hello.nonce = Nonce{test::any_uint()};
  hello.counter = test::any_uint();
  hello.signature.fill(static_cast<std::uint8_t>(test::below(256)));
  return hello;
}

Vector any_vector() {
  Vector vector;
  std::set<LogId> logs;
  for (std::uint64_t n = test::below(4); n > 0; --n) logs.insert(test::any_log());
  for (const LogId& log : logs) {
    const Seq head = test::any_seq();
    vector.logs.push_back({log, head, test::any_hash(), test::any_set(head)});
  }
  vector.whole = test::below(2) == 0;
  return vector;
}

Fetch any_fetch() {
  Fetch fetch{test::any_uint() | 1, test::any_uint(), {}};
  for (std::uint64_t n = test::below(4); n > 0; --n) {
    fetch.wants.push_back({test::any_log(), test::any_set(kSeqMax)});
  }
  return fetch;
}

Segments any_segments() {
  Segments segments{static_cast<Lane>(test::below(2)), test::any_uint(), test::one_in(2), {}};
  for (std::uint64_t n = test::below(3); n > 0; --n) {
    segments.segments.push_back(std::make_shared<const Bytes>(test::any_bytes(100)));
  }
  return segments;
}

Message any_message() {
  switch (test::below(4)) {
    case 0:
      return any_hello();
    case 1:
      return any_vector();
    case 2:
      return any_fetch();
    default:
      return any_segments();
  }
}

LaterFields any_later() {
  LaterFields later{test::below(3), {}};
  CborWriter writer(later.cbor);
  for (std::uint64_t n = later.items; n > 0; --n)
    test::one_in(2) ? writer.null() : writer.text(test::any_text());
  return later;
}

RC_GTEST_PROP(RoundTrip, Messages, ()) {
  const Envelope envelope{Nonce{test::any_uint()}, test::any_uint(), any_message(), any_later()};
  test::expect_canonical(encode_envelope(envelope), decode_envelope, encode_envelope);
}

}  // namespace
}  // namespace dunlin::replication
