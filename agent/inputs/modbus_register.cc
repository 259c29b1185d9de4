#include "agent/inputs/modbus_register.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <string>
#include <tuple>

#include "agent/inputs/field_spec.h"
#include "agent/inputs/number.h"

namespace dunlin::agent {

namespace {

using Type = ModbusRegister::Type;

// Limits of a request, Modbus application protocol 1.1b3, 6.1 and 6.3.
constexpr int kBitsMax = 2000;
constexpr int kRegistersMax = 125;

bool is_bits(ModbusTable table) {
  return table == ModbusTable::coil || table == ModbusTable::discrete;
}

ModbusTable table_of(const std::string& name) {
  if (name == "coil") return ModbusTable::coil;
  if (name == "discrete") return ModbusTable::discrete;
  return name == "input" ? ModbusTable::input : ModbusTable::holding;
}

constexpr const char* kTypes[] = {"bit", "u16", "s16",     "u32",    "s32",
                                  "u64", "s64", "float32", "float64"};

Type type_of(const std::string& name) {
  const auto* found = std::find(std::begin(kTypes), std::end(kTypes), name);
  return static_cast<Type>(found - std::begin(kTypes));
}

bool is_real(Type type) {
  return type == Type::float32 || type == Type::float64;
}

bool can_be(FieldType natural, FieldType wanted) {
  if (natural == wanted) return true;
  if (natural == FieldType::float64) return wanted == FieldType::decimal;
  return natural == FieldType::int64 && wanted != FieldType::text;
}

}  // namespace

int ModbusRegister::slave_key(config::Table& table, int fallback, bool tcp) {
  const int slave = static_cast<int>(table.integer("slave", fallback, 1, 255));
  if (slave <= 247 || (slave == 255 && tcp)) return slave;
  table.mistake("slave", "should be within 1 to 247, or 255 of a device by TCP");
  return fallback;
}

ModbusRegister ModbusRegister::from(config::Table& table, int slave_default, bool tcp) {
  ModbusRegister out;
  out.slave = slave_key(table, slave_default, tcp);
  out.table = table_of(table.choice("table", "holding", {"coil", "discrete", "input", "holding"}));
  out.type = Type::bit;
  if (!is_bits(out.table)) {
    out.type = type_of(
        table.choice("type", "u16", std::vector<std::string>(kTypes + 1, std::end(kTypes))));
    out.low_word_first = table.choice("word_order", "big", {"big", "little"}) == "little";
  }
  const std::int64_t address = table.integer("address", 0, 0, 65535);
  out.address = static_cast<std::uint16_t>(address);
  if (!table.has("address")) table.mistake("address", "missing");
  if (address + static_cast<std::int64_t>(out.words()) > 65536) {
    table.mistake("address", "the value would end beyond the last register");
  }
  const std::string field = table.required_text("field");
  if (field.empty()) return out;
  const Result<FieldSpec> spec = parse_field_spec(field);
  if (!spec.ok()) {
    table.mistake("field", spec.error().context);
    return out;
  }
  out.field = spec->field;
  const FieldType natural = is_real(out.type)       ? FieldType::float64
                            : out.type == Type::bit ? FieldType::boolean
                                                    : FieldType::int64;
  if (spec->inferred) out.field.type = natural;
  if (!can_be(natural, out.field.type)) {
    table.mistake("field", "is " + std::string(to_string(natural)) + " by nature and cannot be " +
                               std::string(to_string(out.field.type)));
  }
  return out;
}

std::size_t ModbusRegister::words() const {
  switch (type) {
    case Type::bit:
    case Type::u16:
    case Type::s16:
      return 1;
    case Type::u32:
    case Type::s32:
    case Type::float32:
      return 2;
    default:
      return 4;
  }
}

Result<void> set_value(const ModbusRegister& reg, std::span<const std::uint16_t> words, Rows& rows,
                       std::size_t field) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    bits = bits << 16 | words[reg.low_word_first ? words.size() - 1 - i : i];
  }
  const Error too_large{Errc::too_large, reg.field.name + " does not fit"};
  if (is_real(reg.type)) {
    const double value = reg.type == Type::float64
                             ? std::bit_cast<double>(bits)
                             : std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    if (!std::isfinite(value)) return {};
    if (reg.field.type == FieldType::float64) return rows.set_real(0, field, value), Result<void>();
    const auto mantissa = to_mantissa(value, reg.field.decimals);
    if (!mantissa) return too_large;
    rows.set_integer(0, field, *mantissa);
    return {};
  }
  auto value = static_cast<std::int64_t>(bits);
  if (reg.type == Type::s16) value = static_cast<std::int16_t>(bits);
  if (reg.type == Type::s32) value = static_cast<std::int32_t>(bits);
  if (reg.type == Type::u64 && value < 0) return too_large;
  if (reg.field.type == FieldType::boolean) {
    rows.set_boolean(0, field, value != 0);
  } else if (reg.field.type == FieldType::float64) {
    rows.set_real(0, field, static_cast<double>(value));
  } else {
    rows.set_integer(0, field, value);
  }
  return {};
}

std::vector<ModbusRequest> plan_requests(const std::vector<ModbusRegister>& registers) {
  std::vector<std::size_t> order(registers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const auto key = [](const ModbusRegister& reg) {
      return std::tuple(reg.slave, reg.table, reg.address);
    };
    return key(registers[a]) < key(registers[b]);
  });
  std::vector<ModbusRequest> out;
  for (const std::size_t i : order) {
    const ModbusRegister& reg = registers[i];
    const int end = reg.address + static_cast<int>(reg.words());
    const int most = is_bits(reg.table) ? kBitsMax : kRegistersMax;
    const bool joins =
        !out.empty() && out.back().slave == reg.slave && out.back().table == reg.table &&
        reg.address <= out.back().address + out.back().count && end - out.back().address <= most;
    if (!joins) out.push_back({reg.slave, reg.table, reg.address, 0, {}});
    ModbusRequest& request = out.back();
    request.count = std::max(request.count, end - request.address);
    request.registers.push_back(i);
  }
  return out;
}

}  // namespace dunlin::agent
