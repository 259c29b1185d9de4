// What sensors say in a few bytes: a thermometer on 1-wire, numbers of Industrial I/O, registers of
// Modbus, lines that are numbers. The first byte says which.
#include <cmath>

#include "agent/inputs/iio.h"
#include "agent/inputs/line_intake.h"
#include "agent/inputs/lines.h"
#include "agent/inputs/modbus_register.h"
#include "agent/inputs/w1.h"
#include "tests/fuzz/reading_sink.h"

namespace dunlin::fuzz {

namespace {

std::string_view next_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

long double real(const agent::DecimalNumber& number) {
  return static_cast<long double>(number.mantissa) * std::pow(10.0L, -number.decimals);
}

// Half of the last digit off at most, and what a long double cannot say.
void scale(std::string_view text) {
  if (text.size() < 2) return;
  const int shift = static_cast<unsigned char>(text[0]) % 7 - 3;
  const auto decimals = static_cast<std::uint8_t>(static_cast<unsigned char>(text[1]) % 10);
  text.remove_prefix(2);
  const auto raw = agent::parse_decimal(next_line(text));
  const auto offset = agent::parse_decimal(next_line(text));
  const auto factor = agent::parse_decimal(next_line(text));
  if (!raw || !offset || !factor) return;
  const auto mantissa =
      agent::to_mantissa(agent::IioValue{*raw, *offset, *factor, shift}, decimals);
  if (!mantissa) return;
  const long double size =
      (std::fabs(real(*raw)) + std::fabs(real(*offset))) * std::fabs(real(*factor));
  const long double last = std::pow(10.0L, decimals - shift);
  const long double exact = (real(*raw) + real(*offset)) * real(*factor) * last;
  DUNLIN_CHECK(std::fabs(static_cast<long double>(*mantissa) - exact) <=
               0.5L + 4e-15L * size * last);
}

void decode(ByteView bytes) {
  using Register = agent::ModbusRegister;
  if (bytes.size() < 2) return;
  Register reg;
  reg.type = static_cast<Register::Type>(bytes[0] % 9);
  const bool real = reg.type >= Register::Type::float32;
  reg.field = {"x", real ? FieldType::decimal : FieldType::int64, "", 0};
  reg.field.decimals = real ? static_cast<std::uint8_t>(bytes[0] % 10) : std::uint8_t{0};
  reg.low_word_first = (bytes[0] & 0x80) != 0;
  std::vector<std::uint16_t> words(reg.words());
  for (std::size_t i = 0; i < words.size() && 2 * i + 2 < bytes.size(); ++i) {
    words[i] = static_cast<std::uint16_t>(bytes[2 * i + 1] << 8 | bytes[2 * i + 2]);
  }
  Rows rows(1);
  rows.resize(1);
  (void)agent::set_value(reg, words, rows, 0);
}

void take_numbers(std::string_view text) {
  ReadingSink sink;
  agent::LineIntake intake(agent::NumberLinesFormat{{"x", FieldType::decimal, "V", 3}, "numbers"},
                           sink);
  agent::LineSplitter lines(4096);
  const auto on_line = [&](std::uint64_t number, Result<std::string_view> line) {
    DUNLIN_CHECK(intake.take("fuzz", number, std::move(line)).ok());
  };
  lines.feed(text, on_line);
  lines.finish(on_line);
  DUNLIN_CHECK(intake.flush().ok());
}

}  // namespace

void take(ByteView input) {
  if (input.empty()) return;
  const std::string_view text = as_text(input.subspan(1));
  switch (input[0] % 4) {
    case 0:
      (void)agent::parse_w1_slave(text);
      break;
    case 1:
      scale(text);
      break;
    case 2:
      decode(input.subspan(1));
      break;
    default:
      take_numbers(text);
  }
}

}  // namespace dunlin::fuzz
