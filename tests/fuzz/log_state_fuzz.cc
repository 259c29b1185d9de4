// A row of the version vector that decodes is canonical, and its sets make sense.
#include "common/codec/log_state_codec.h"
#include "tests/fuzz/fuzz.h"

void dunlin::fuzz::take(ByteView input) {
  const Result<LogState> state = decode_log_state(LogId{}, input);
  if (!state.ok()) return;
  const Bytes again = encode_log_state(*state);
  DUNLIN_CHECK(std::equal(again.begin(), again.end(), input.begin(), input.end()));
  const IntervalSet missing = state->missing(), held = state->held();
  for (const Interval& run : held.intervals()) DUNLIN_CHECK(!missing.intersects(run));
  DUNLIN_CHECK(missing.last().value_or(0) <= state->head());
  DUNLIN_CHECK(missing.empty() || state->complete() + 1 == missing.first());
}
