// Times by any format lie within the years that a log knows. The first line is the format.
#include "agent/inputs/time_format.h"

#include "tests/fuzz/fuzz.h"

void dunlin::fuzz::take(ByteView input) {
  constexpr std::int64_t kYear10000 = 253'402'300'800'000'000;
  const std::string_view text = as_text(input);
  const std::size_t end = std::min(text.find('\n'), text.size());
  const auto format = agent::TimeFormat::from(text.substr(0, end));
  if (!format.ok()) return;
  const auto time = format->parse(text.substr(std::min(end + 1, text.size())));
  DUNLIN_CHECK(!time.ok() || (*time<kYear10000&& * time> - kYear10000));
}
