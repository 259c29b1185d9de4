#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/config/table.h"
#include "dunlin/stream.h"

namespace dunlin::agent {

enum class ModbusTable { coil, discrete, input, holding };  // the first two are of bits

// One value of a slave, as an [[input.register]] says it; see modbus.h.
struct ModbusRegister {
  enum class Type { bit, u16, s16, u32, s32, u64, s64, float32, float64 };

  Field field;
  int slave = 1;
  ModbusTable table = ModbusTable::holding;
  std::uint16_t address = 0;
  Type type = Type::u16;
  bool low_word_first = false;

  // Mistakes go to the table.
  static ModbusRegister from(config::Table& table, int slave_default, bool tcp);
  static int slave_key(config::Table& table, int fallback, bool tcp);  // 1 to 247; 255 of TCP

  std::size_t words() const;  // registers that it takes, or 1 bit
};

// The value of `words`, as many as it has, into the only row of `rows`; what is no number is
// missing. `too_large` for what the field's type cannot hold.
Result<void> set_value(const ModbusRegister& reg, std::span<const std::uint16_t> words, Rows& rows,
                       std::size_t field);

// One request: neighbours in one table of one slave.
struct ModbusRequest {
  int slave;
  ModbusTable table;
  int address;
  int count;
  std::vector<std::size_t> registers;  // by their places in the list
};
// Requests for all of them, as few as neighbours without a gap allow.
std::vector<ModbusRequest> plan_requests(const std::vector<ModbusRegister>& registers);

}  // namespace dunlin::agent
