#include "tests/simulation/readings.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace dunlin::simulation {

namespace {

constexpr std::size_t kStreams = 5;
constexpr FieldType kTypes[] = {FieldType::decimal, FieldType::float64, FieldType::int64,
                                FieldType::boolean, FieldType::text,    FieldType::decimal};

Value value_of(const Field& field, const Rows& rows, const Cell& cell) {
  switch (cell.kind) {
    case Cell::Kind::missing:
      return {};
    case Cell::Kind::integer:
      if (field.type == FieldType::decimal) return Decimal{cell.integer, field.decimals};
      return cell.integer;
    case Cell::Kind::real:
      return std::bit_cast<std::uint64_t>(cell.real);
    case Cell::Kind::boolean:
      return cell.boolean;
    case Cell::Kind::text:
      return std::string(rows.text(cell));
  }
  return {};
}

bool equal(const Value& appended, const Value& found) {
  const auto* before = std::get_if<Decimal>(&appended);
  const auto* after = std::get_if<Decimal>(&found);
  if (before == nullptr || after == nullptr) {
    return appended.index() == found.index() && before == nullptr && after == nullptr &&
           appended == found;
  }
  std::int64_t mantissa = before->mantissa;
  for (int d = before->decimals; d < after->decimals; ++d) mantissa *= 10;
  return after->decimals >= before->decimals && mantissa == after->mantissa;
}

void add(Rows& rows, const Value& value) {
  struct Adder {
    Rows& rows;
    void operator()(std::monostate) { rows.add_missing(); }
    void operator()(std::int64_t v) { rows.add_integer(v); }
    void operator()(const Decimal& v) { rows.add_integer(v.mantissa); }
    void operator()(std::uint64_t v) { rows.add_real(std::bit_cast<double>(v)); }
    void operator()(bool v) { rows.add_boolean(v); }
    void operator()(const std::string& v) { rows.add_text(v); }
  };
  std::visit(Adder{rows}, value);
}

}  // namespace

void Sensors::evolve(Stream& stream) {
  if (stream.fields.empty()) {
    stream.fields.push_back({"id", FieldType::int64, "", 0});
  } else if (random_.below(2) == 0) {
    Field& field = stream.fields[random_.below(stream.fields.size())];
    if (field.type == FieldType::decimal && field.decimals < 6) field.decimals += 1;
  }
  if (stream.fields.size() < 12) {
    const std::string name = "f" + std::to_string(stream.fields.size());
    const FieldType type = kTypes[random_.below(std::size(kTypes))];
    const auto decimals =
        static_cast<std::uint8_t>(type == FieldType::decimal ? random_.below(3) : 0);
    stream.fields.push_back({name, type, "", decimals});
  }
}

// Fields in some order, some of them left out, "id" never.
StreamSchema Sensors::arrange(const Stream& stream) {
  StreamSchema schema{stream.name, stream.fields};
  if (random_.below(4) != 0) return schema;
  const std::size_t left_out = random_.below(schema.fields.size());
  if (schema.fields[left_out].name != "id") {
    schema.fields.erase(schema.fields.begin() + static_cast<std::ptrdiff_t>(left_out));
  }
  std::swap(schema.fields.front(), schema.fields[random_.below(schema.fields.size())]);
  return schema;
}

Value Sensors::draw(const Field& field) {
  if (random_.below(12) == 0) return {};
  switch (field.type) {
    case FieldType::float64:
      return random_.below(10) == 0
                 ? std::bit_cast<std::uint64_t>(std::numeric_limits<double>::infinity())
                 : std::bit_cast<std::uint64_t>(random_.unit() * 40 - 20);
    case FieldType::int64:
      return static_cast<std::int64_t>(random_.below(8) == 0 ? random_.next()
                                                             : random_.below(1000));
    case FieldType::decimal:
      return Decimal{static_cast<std::int64_t>(random_.below(100'000)) - 50'000, field.decimals};
    case FieldType::boolean:
      return random_.below(2) == 0;
    case FieldType::text:
      return std::string(random_.below(random_.below(20) == 0 ? 600 : 12), 'x');
  }
  return {};
}

Sensors::Batch Sensors::next(std::size_t rows_max, UtcMicros now, bool since_boot) {
  if (streams_.size() < kStreams && random_.below(4) == 0) streams_.push_back({});
  if (streams_.empty()) streams_.push_back({});
  const std::size_t which = random_.below(streams_.size());
  Stream& stream = streams_[which];
  if (stream.name.empty()) stream.name = "stream." + std::to_string(which);
  if (stream.fields.empty() || random_.below(30) == 0) evolve(stream);

  Batch batch;
  batch.append.schema = arrange(stream);
  batch.append.rows = Rows(batch.append.schema.fields.size());
  batch.append.since_boot = since_boot;
  std::int64_t time = now;
  for (std::size_t n = 1 + random_.below(rows_max); n > 0; --n) {
    const std::uint64_t id = next_id_++;
    if (random_.below(50) == 0) time -= 3'600'000'000;  // late
    if (random_.below(400) == 0) time = static_cast<std::int64_t>(random_.next());
    if (random_.below(10) != 0 && time < (std::int64_t{1} << 60))
      time += 100'000;  // else the same again
    Reading reading{stream.name, time, since_boot, {}};
    batch.append.rows.begin_row(time);
    for (const Field& field : batch.append.schema.fields) {
      const Value value = field.name == "id" ? Value(static_cast<std::int64_t>(id)) : draw(field);
      add(batch.append.rows, value);
      reading.values[field.name] = value;
    }
    batch.readings.emplace_back(id, std::move(reading));
  }
  return batch;
}

void Ledger::appended(replication::Ticket ticket, Sensors::Batch batch) {
  for (auto& [id, reading] : batch.readings) {
    readings_.emplace(id, std::move(reading));
    waiting_.emplace(ticket, id);
  }
}

void Ledger::durable(replication::Ticket ticket) {
  const auto end = waiting_.upper_bound(ticket);
  for (auto it = waiting_.begin(); it != end; ++it) promised_.insert(it->second);
  waiting_.erase(waiting_.begin(), end);
}

void Ledger::crashed() {
  waiting_.clear();
}

void Ledger::reflashed() {
  waiting_.clear();
  promised_.clear();
}

void Ledger::promise(const std::set<std::uint64_t>& ids) {
  for (const std::uint64_t id : ids) {
    if (readings_.contains(id)) promised_.insert(id);
  }
}

std::uint64_t id_of(const StreamSchema& schema, const Samples& samples, std::size_t row) {
  for (std::size_t f = 0; f < schema.fields.size() && f < samples.rows.fields(); ++f) {
    if (schema.fields[f].name != "id") continue;
    return static_cast<std::uint64_t>(samples.rows.cell(row, f).integer);
  }
  return 0;
}

std::string compare(const Reading& appended, const StreamSchema& schema, const Samples& samples,
                    std::size_t row) {
  if (schema.name != appended.stream) return "is in stream " + schema.name;
  if (samples.rows.time(row) != appended.time) return "has another time";
  if (samples.boot.has_value() != appended.since_boot) return "counts time from elsewhere";
  if (samples.rows.fields() != schema.fields.size()) return "has cells without fields";
  for (std::size_t f = 0; f < schema.fields.size(); ++f) {
    const auto value = appended.values.find(schema.fields[f].name);
    const Value expected = value == appended.values.end() ? Value{} : value->second;
    if (!equal(expected, value_of(schema.fields[f], samples.rows, samples.rows.cell(row, f)))) {
      return "has another " + schema.fields[f].name;
    }
  }
  return "";
}

}  // namespace dunlin::simulation
