#pragma once

#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "common/base/random.h"
#include "common/base/time.h"
#include "common/log/entry.h"
#include "common/replication/io.h"

namespace dunlin::simulation {

// A decimal keeps the decimals that it was appended with.
struct Decimal {
  std::int64_t mantissa = 0;
  std::uint8_t decimals = 0;
  bool operator==(const Decimal&) const = default;
};
using Value = std::variant<std::monostate, std::int64_t, Decimal,
                           std::uint64_t /* bits of a double */, bool, std::string>;

// One reading as its sensor gave it. Field "id" is unique in the whole run.
struct Reading {
  std::string stream;
  std::int64_t time = 0;
  bool since_boot = false;
  std::map<std::string, Value> values;
};

// Makes random readings of a few streams whose schemas grow: fields are added, left out, put into
// another order; decimals become more. Times are late, repeated and extreme at times.
class Sensors {
 public:
  Sensors(std::uint64_t seed, std::uint64_t first_id) : random_(seed), next_id_(first_id) {}

  struct Batch {
    replication::Append append;
    std::vector<std::pair<std::uint64_t, Reading>> readings;  // id -> reading
  };
  Batch next(std::size_t rows_max, UtcMicros now, bool since_boot);

 private:
  struct Stream {
    std::string name;
    std::vector<Field> fields;
  };
  void evolve(Stream& stream);
  StreamSchema arrange(const Stream& stream);
  Value draw(const Field& field);

  Random random_;
  std::uint64_t next_id_;
  std::vector<Stream> streams_;
};

// What became of every reading of one node.
class Ledger {
 public:
  void appended(replication::Ticket ticket, Sensors::Batch batch);
  void durable(replication::Ticket ticket);  // and all before
  void crashed();                            // what was not durable is anybody's guess now
  void reflashed();                          // and so is all the rest
  // Of readings that were taken, here or in the machine that this one is a copy of.
  void promise(const std::set<std::uint64_t>& ids);

  const std::map<std::uint64_t, Reading>& readings() const { return readings_; }
  const std::set<std::uint64_t>& promised() const { return promised_; }  // durable, ids

 private:
  std::map<std::uint64_t, Reading> readings_;
  std::multimap<replication::Ticket, std::uint64_t> waiting_;
  std::set<std::uint64_t> promised_;
};

// What is wrong with a decoded row, given what was appended; "" when nothing is.
std::string compare(const Reading& appended, const StreamSchema& schema, const Samples& samples,
                    std::size_t row);
// The id of a decoded row; 0 for none.
std::uint64_t id_of(const StreamSchema& schema, const Samples& samples, std::size_t row);

}  // namespace dunlin::simulation
