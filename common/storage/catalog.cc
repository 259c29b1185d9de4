#include "common/storage/catalog.h"

#include <algorithm>
#include <set>

#include "common/codec/entry_codec.h"
#include "common/storage/row_values.h"

namespace dunlin::storage {

namespace {

// Columns that stand in front of the fields; a field of such a name gets another one.
constexpr const char* kFixedColumns[] = {"node", "epoch", "seq", "row", "time"};

// SQL names are equal when they differ in the case of ASCII letters alone.
std::string folded(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// `wanted`, or `wanted_2`, `wanted_3`... when SQL would take it for a name in `taken`.
std::string unique_name(std::string wanted, std::set<std::string>& taken) {
  std::replace(wanted.begin(), wanted.end(), '\0', '_');
  if (wanted.empty()) wanted = "_";
  std::string name = wanted;
  for (int n = 2; !taken.insert(folded(name)).second; ++n) name = wanted + "_" + std::to_string(n);
  return name;
}

const char* sql_type(FieldType type) {
  switch (type) {
    case FieldType::float64:
    case FieldType::decimal:
      return "REAL";
    case FieldType::int64:
    case FieldType::boolean:
      return "INTEGER";
    case FieldType::text:
      return "TEXT";
  }
  return "";
}

Result<NodeId> read_node(const Statement& select, int column) {
  NodeId node;
  const ByteView bytes = select.blob(column);
  if (bytes.size() != node.bytes.size()) return {Errc::corrupt, "a node id of another size"};
  std::copy(bytes.begin(), bytes.end(), node.bytes.begin());
  return node;
}

Epoch read_epoch(const Statement& select, int column) {
  return Epoch{static_cast<std::uint64_t>(select.integer(column))};
}

std::string epoch_text(Epoch epoch) {
  std::array<std::uint8_t, 8> bytes;
  for (std::size_t i = 0; i < 8; ++i) {
    bytes[i] = static_cast<std::uint8_t>(epoch.value >> (56 - 8 * i));
  }
  return to_hex(bytes);
}

}  // namespace

class Catalog::Builder {
 public:
  explicit Builder(Catalog& catalog) : catalog_(catalog) {}

  Result<void> read_streams(Connection& db) {
    DUNLIN_ASSIGN(Statement select, db.prepare("SELECT node, epoch, id, definition FROM streams"
                                               " ORDER BY node, epoch, version, id"));
    while (true) {
      DUNLIN_ASSIGN(const bool more, select.step());
      if (!more) break;
      Origin origin;
      DUNLIN_ASSIGN(origin.node, read_node(select, 0));
      origin.epoch = read_epoch(select, 1);
      const Result<Op> op = decode_op(select.blob(3));
      const auto* define = op.ok() ? std::get_if<Define>(&*op) : nullptr;
      if (define == nullptr) {
        return {Errc::corrupt, "the definition of stream " + std::to_string(select.integer(2)) +
                                   " of node " + origin.node.to_string()};
      }
      catalog_.definitions_[origin][define->id] = shape_of(define->schema);
    }
    std::set<std::string> tables;
    for (auto& [name, stream] : catalog_.streams_)
      stream.table = unique_name("stream_" + name, tables);
    return {};
  }

  Result<void> read_anchors(Connection& db) {
    DUNLIN_ASSIGN(Statement select,
                  db.prepare("SELECT node, epoch, boot, utc - monotonic FROM anchors"
                             " ORDER BY node, epoch, boot, seq"));
    while (true) {
      DUNLIN_ASSIGN(const bool more, select.step());
      if (!more) return {};
      Origin origin;
      DUNLIN_ASSIGN(origin.node, read_node(select, 0));
      origin.epoch = read_epoch(select, 1);
      const auto boot = static_cast<std::uint64_t>(select.integer(2));
      catalog_.boots_[origin].try_emplace(boot, select.integer(3));
    }
  }

  Result<void> read_revocations(Connection& db) {
    DUNLIN_ASSIGN(Statement select, db.prepare("SELECT operation FROM revocations"));
    while (true) {
      DUNLIN_ASSIGN(const bool more, select.step());
      if (!more) return {};
      DUNLIN_ASSIGN(Revoke revoke, revocation_of(select.blob(0)));
      revoked_[revoke.node] = std::move(revoke);
    }
  }

  Result<void> read_logs(Connection& db) {
    DUNLIN_ASSIGN(Statement select, db.prepare("SELECT id, node, epoch, track FROM logs"
                                               " WHERE track <> 0 ORDER BY node, epoch, track"));
    while (true) {
      DUNLIN_ASSIGN(const bool more, select.step());
      if (!more) return {};
      Log log{.id = select.integer(0), .log = {}, .node = {}, .epoch = {}};
      DUNLIN_ASSIGN(log.log.node, read_node(select, 1));
      log.log.epoch = read_epoch(select, 2);
      log.log.track.value = static_cast<std::uint64_t>(select.integer(3));
      const auto found = catalog_.definitions_.find({log.log.node, log.log.epoch});
      if (found == catalog_.definitions_.end()) continue;
      log.definitions = &found->second;
      log.boots = &catalog_.boots_[found->first];
      log.node = log.log.node.to_string();
      log.epoch = epoch_text(log.log.epoch);
      log.last = last_that_counts(log.log);
      catalog_.logs_.push_back(std::move(log));
    }
  }

 private:
  struct Names {
    std::map<std::string, std::size_t> column_of_field;
    std::set<std::string> taken{std::begin(kFixedColumns), std::end(kFixedColumns)};
  };

  Seq last_that_counts(const LogId& log) const {
    const auto revoked = revoked_.find(log.node);
    if (revoked == revoked_.end()) return kSeqMax;
    const Revoke::End* end = revoked->second.end_of(log);
    return end != nullptr ? end->last : 0;
  }

  const Shape* shape_of(const StreamSchema& schema) {
    Bytes key;
    CborWriter writer(key);
    encode_op(writer, Define{.id = 0, .version = 0, .schema = schema});
    const auto [known, added] = shapes_.try_emplace(std::move(key), nullptr);
    if (!added) return known->second;

    Stream& stream = catalog_.streams_[schema.name];
    stream.name = schema.name;
    Names& names = names_[schema.name];
    Shape& shape = catalog_.shapes_.emplace_back();
    known->second = &shape;
    shape.stream = &stream;
    shape.fields = schema.fields;
    for (std::size_t i = 0; i < schema.fields.size(); ++i) {
      const Field& field = schema.fields[i];
      auto found = names.column_of_field.find(field.name);
      if (found == names.column_of_field.end()) {
        if (stream.columns.size() == kColumnsMax) continue;
        found = names.column_of_field.emplace(field.name, stream.columns.size()).first;
        stream.columns.push_back({unique_name(field.name, names.taken), sql_type(field.type)});
      }
      Column& column = stream.columns[found->second];
      if (column.type != sql_type(field.type)) column.type.clear();
      if (shape.field_of_column.size() <= found->second) {
        shape.field_of_column.resize(found->second + 1, -1);
      }
      shape.field_of_column[found->second] = static_cast<int>(i);
    }
    return &shape;
  }

  Catalog& catalog_;
  std::map<Bytes, const Shape*> shapes_;  // by the canonical definition without its id and version
  std::map<std::string, Names> names_;
  std::map<NodeId, Revoke> revoked_;
};

Result<std::unique_ptr<const Catalog>> Catalog::load(Connection& db) {
  std::unique_ptr<Catalog> catalog(new Catalog);
  Builder builder(*catalog);
  DUNLIN_TRY(builder.read_streams(db));
  DUNLIN_TRY(builder.read_anchors(db));
  DUNLIN_TRY(builder.read_revocations(db));
  DUNLIN_TRY(builder.read_logs(db));
  return std::unique_ptr<const Catalog>(std::move(catalog));
}

const Catalog::Stream* Catalog::stream_of_table(std::string_view table) const {
  for (const auto& [name, stream] : streams_) {
    if (stream.table == table) return &stream;
  }
  return nullptr;
}

}  // namespace dunlin::storage
