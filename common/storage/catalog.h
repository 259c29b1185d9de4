#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/log/entry.h"
#include "common/log/limits.h"
#include "common/storage/sqlite.h"

namespace dunlin::storage {

// What streams and data logs a database holds, as SQL sees them. Immutable once loaded: everything
// points into it, so it stays where it is for as long as anything reads by it.
class Catalog {
 public:
  struct Column {
    std::string name;  // as SQL knows it
    std::string type;  // SQL type; "" when nodes declare the field differently
  };

  // A stream of one name on all nodes: the table `stream_<name>`.
  struct Stream {
    std::string name;
    std::string table;
    // The union of the fields of all versions on all nodes, in the order of (node, epoch, version).
    std::vector<Column> columns;
  };

  // The fields of one version of a stream. Nodes that declare the same fields share it.
  struct Shape {
    const Stream* stream = nullptr;
    std::vector<Field> fields;
    std::vector<int>
        field_of_column;  // of Stream::columns; -1 or beyond the end: not in this version

    int field_at(std::size_t column) const {
      return column < field_of_column.size() ? field_of_column[column] : -1;
    }
  };
  using Definitions = std::map<std::uint64_t, const Shape*>;  // by Define::id
  // By boot number: the UTC at which its clock was 0, after the boot's first TimeAnchor.
  using Boots = std::map<std::uint64_t, UtcMicros>;

  struct Log {
    std::int64_t id = 0;  // logs.id
    LogId log;
    std::string node;   // 32 hex digits
    std::string epoch;  // 16 hex digits
    const Definitions* definitions = nullptr;
    const Boots* boots = nullptr;
    Seq last = kSeqMax;  // entries beyond it do not count: its node was revoked
  };

  // A stream has at most this many columns of fields; those beyond it stand in `samples` alone.
  static constexpr std::size_t kColumnsMax = 1000;

  // Reads the tables `streams`, `anchors` and `logs`. `corrupt` when a definition does not read
  // back.
  static Result<std::unique_ptr<const Catalog>> load(Connection& db);
  Catalog(const Catalog&) = delete;
  Catalog& operator=(const Catalog&) = delete;

  // By name, in byte order.
  const std::map<std::string, Stream>& streams() const { return streams_; }
  // Logs that carry data and whose epoch defines a stream, by (node, epoch, track).
  const std::vector<Log>& logs() const { return logs_; }
  // The stream of a table `stream_<name>`; null when there is none.
  const Stream* stream_of_table(std::string_view table) const;

 private:
  struct Origin {
    NodeId node;
    Epoch epoch;
    auto operator<=>(const Origin&) const = default;
  };
  class Builder;
  Catalog() = default;

  std::map<std::string, Stream> streams_;
  std::deque<Shape> shapes_;
  std::map<Origin, Definitions> definitions_;
  std::map<Origin, Boots> boots_;
  std::vector<Log> logs_;
};

}  // namespace dunlin::storage
