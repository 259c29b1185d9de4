#include "common/codec/columns.h"

#include <algorithm>
#include <bit>
#include <compare>
#include <map>
#include <string>
#include <unordered_map>

#include "common/base/check.h"
#include "common/base/utf8.h"
#include "common/codec/entry_codec.h"
#include "common/codec/int_column.h"
#include "common/codec/wrapping.h"
#include "common/log/limits.h"

namespace dunlin {

namespace {

constexpr std::uint64_t kCanonicalNan = 0x7ff8000000000000ULL;
constexpr std::uint64_t kHlcMillisMax = (1ULL << 48) - 1;

// What a cell is, as its column says. The two bools have a tag each and need no value.
enum class Tag : std::uint8_t { missing = 0, integer = 1, real = 2, no = 3, yes = 4, text = 5 };

enum class HlcMode : std::uint8_t { absolute = 0, relative = 1 };
enum class RealMode : std::uint8_t { xored = 0, dictionary = 1 };

// Samples of one shape share their columns.
struct Shape {
  std::uint64_t stream = 0;
  bool has_boot = false;
  std::uint64_t fields = 0;
  auto operator<=>(const Shape&) const = default;
};

bool is_nan(std::uint64_t bits) {
  return (bits & 0x7fffffffffffffffULL) > 0x7ff0000000000000ULL;
}

// The milliseconds an entry's clock is usually close to: of its last reading that has UTC, or 0.
std::int64_t hlc_anchor(const Entry& entry) {
  for (const Op& op : entry.ops) {
    const auto* samples = std::get_if<Samples>(&op);
    if (samples == nullptr || samples->boot || samples->rows.empty()) continue;
    const std::int64_t time = samples->rows.times().back();
    return time / 1000 - (time % 1000 < 0 ? 1 : 0);
  }
  return 0;
}

// A base is stored as its distance from the op's first row, which is 0 for most writers.
std::int64_t base_anchor(const Samples& op) {
  return op.rows.empty() ? 0 : op.rows.time(0);
}

// Distinct values in order of appearance, and the index of each value among them. Gives up, leaving
// `distinct` empty, when more than half of the values differ.
struct RealIndex {
  std::vector<std::int64_t> distinct;
  std::vector<std::int64_t> indices;

  explicit RealIndex(std::span<const std::int64_t> bits) {
    const std::size_t slots = std::bit_ceil(bits.size() * 2);
    const int shift = 64 - std::countr_zero(slots);
    std::vector<std::uint32_t> table(slots);  // index + 1, linear probing
    indices.reserve(bits.size());
    for (const std::int64_t value : bits) {
      auto slot = static_cast<std::size_t>(to_unsigned(value) * 0x9e3779b97f4a7c15ULL >> shift);
      while (table[slot] != 0 && distinct[table[slot] - 1] != value) slot = (slot + 1) % slots;
      if (table[slot] == 0) {
        distinct.push_back(value);
        table[slot] = static_cast<std::uint32_t>(distinct.size());
        if (distinct.size() * 2 > bits.size()) {
          distinct.clear();
          return;
        }
      }
      indices.push_back(table[slot] - 1);
    }
  }

  // Ascending order makes neighbouring readings neighbouring indices.
  void sort() {
    std::vector<std::size_t> order(distinct.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(),
              [this](std::size_t a, std::size_t b) { return distinct[a] < distinct[b]; });
    std::vector<std::int64_t> sorted(order.size());
    std::vector<std::int64_t> rank(order.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
      sorted[i] = distinct[order[i]];
      rank[order[i]] = to_signed(i);
    }
    distinct = std::move(sorted);
    for (std::int64_t& index : indices) index = rank[static_cast<std::size_t>(index)];
  }
};

class Encoder {
 public:
  explicit Encoder(std::span<const Entry> entries) : entries_(entries) {}

  Bytes encode() {
    write_structure();
    for (const auto& [shape, ops] : groups_) write_shape(*shape, ops);
    write_clocks();
    return std::move(out_);
  }

 private:
  using Ints = std::vector<std::int64_t>;
  struct Group {
    const Shape* shape;  // key of shape_index_
    std::vector<const Samples*> ops;
  };

  std::int64_t group_of(const Samples& op) {
    const Shape shape{op.stream, op.boot.has_value(), op.rows.fields()};
    if (last_group_ < groups_.size() && *groups_[last_group_].shape == shape) {
      groups_[last_group_].ops.push_back(&op);
    } else {
      const auto [found, added] = shape_index_.try_emplace(shape, groups_.size());
      if (added) groups_.push_back({&found->first, {}});
      last_group_ = found->second;
      groups_[last_group_].ops.push_back(&op);
    }
    return to_signed(last_group_) + 1;
  }

  void write_structure() {
    Ints ops_per_entry, kinds, raw_sizes;
    Bytes raw;
    CborWriter writer(raw);
    ops_per_entry.reserve(entries_.size());
    kinds.reserve(entries_.size());
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      DUNLIN_CHECK(entries_[i].seq == entries_[0].seq + i);
      ops_per_entry.push_back(to_signed(entries_[i].ops.size()));
      for (const Op& op : entries_[i].ops) {
        if (const auto* samples = std::get_if<Samples>(&op)) {
          kinds.push_back(group_of(*samples));
          continue;
        }
        const std::size_t start = raw.size();
        encode_op(writer, op);
        kinds.push_back(0);
        raw_sizes.push_back(to_signed(raw.size() - start));
      }
    }
    append_varint(out_, groups_.size());
    for (const Group& group : groups_) {
      append_varint(out_, group.shape->stream);
      out_.push_back(group.shape->has_boot ? 1 : 0);
      append_varint(out_, group.shape->fields);
    }
    append_ints(ops_per_entry, out_);
    append_ints(kinds, out_);
    append_ints(raw_sizes, out_);
    out_.insert(out_.end(), raw.begin(), raw.end());
  }

  void write_shape(const Shape& shape, const std::vector<const Samples*>& ops) {
    Ints boots, counts, times, bases;
    for (const Samples* op : ops) {
      if (op->boot) boots.push_back(to_signed(*op->boot));
      counts.push_back(to_signed(op->rows.size()));
      bases.push_back(wrapping_sub(op->base, base_anchor(*op)));
      times.insert(times.end(), op->rows.times().begin(), op->rows.times().end());
    }
    append_ints(boots, out_);
    append_ints(counts, out_);
    append_ints(times, out_);
    append_ints(bases, out_);
    for (std::size_t field = 0; field < shape.fields; ++field) {
      gather(ops, field);
      append_ints(tags_, out_);
      append_ints(integers_, out_);
      write_reals();
      write_texts();
    }
  }

  void gather(const std::vector<const Samples*>& ops, std::size_t field) {
    tags_.clear(), integers_.clear(), reals_.clear(), texts_.clear();
    const auto tag = [this](Tag value) { tags_.push_back(static_cast<std::int64_t>(value)); };
    for (const Samples* op : ops) {
      for (std::size_t row = 0; row < op->rows.size(); ++row) {
        const Cell& cell = op->rows.cell(row, field);
        switch (cell.kind) {
          case Cell::Kind::missing:
            tag(Tag::missing);
            break;
          case Cell::Kind::integer:
            tag(Tag::integer);
            integers_.push_back(cell.integer);
            break;
          case Cell::Kind::real: {
            const auto bits = std::bit_cast<std::uint64_t>(cell.real);
            tag(Tag::real);
            reals_.push_back(to_signed(is_nan(bits) ? kCanonicalNan : bits));
            break;
          }
          case Cell::Kind::boolean:
            tag(cell.boolean ? Tag::yes : Tag::no);
            break;
          case Cell::Kind::text:
            tag(Tag::text);
            texts_.push_back(op->rows.text(cell));
            break;
        }
      }
    }
  }

  void write_reals() {
    if (reals_.empty()) return;
    const std::size_t start = out_.size();
    write_xored();
    RealIndex index(reals_);
    if (index.distinct.empty()) return;
    index.sort();
    const IntPlan values = plan_ints(index.distinct);
    const IntPlan indices = plan_ints(index.indices);
    const std::size_t size = 1 + varint_size(index.distinct.size()) + values.size + indices.size;
    if (size >= out_.size() - start) return;
    out_.resize(start);
    out_.push_back(static_cast<std::uint8_t>(RealMode::dictionary));
    append_varint(out_, index.distinct.size());
    append_ints(index.distinct, values, out_);
    append_ints(index.indices, indices, out_);
  }

  void write_xored() {
    const std::size_t start = out_.size();
    out_.resize(start + 1 + reals_.size() * 9);
    std::uint8_t* to = out_.data() + start;
    *to++ = static_cast<std::uint8_t>(RealMode::xored);
    std::uint64_t previous = 0;
    for (const std::int64_t value : reals_) {
      const std::uint64_t bits = to_unsigned(value) ^ previous;
      previous = to_unsigned(value);
      const unsigned zeros = static_cast<unsigned>(std::countl_zero(bits)) / 8;
      const unsigned tail = bits == 0 ? 0 : static_cast<unsigned>(std::countr_zero(bits)) / 8;
      const unsigned significant = 8 - zeros - tail;
      *to++ = static_cast<std::uint8_t>(zeros << 4 | significant);
      for (unsigned k = 0; k < significant; ++k) {
        *to++ = static_cast<std::uint8_t>(bits >> (56 - 8 * (zeros + k)));
      }
    }
    out_.resize(static_cast<std::size_t>(to - out_.data()));
  }

  void write_texts() {
    if (texts_.empty()) return;
    std::unordered_map<std::string_view, std::int64_t> known;  // looked up, never iterated
    std::vector<std::string_view> entries;
    Ints sizes, indices;
    std::int64_t last = 0;
    for (const std::string_view text : texts_) {
      if (entries.empty() || text != entries[static_cast<std::size_t>(last)]) {
        const auto [found, added] = known.try_emplace(text, to_signed(entries.size()));
        if (added) entries.push_back(text), sizes.push_back(to_signed(text.size()));
        last = found->second;
      }
      indices.push_back(last);
    }
    append_varint(out_, entries.size());
    append_ints(sizes, out_);
    for (const std::string_view text : entries) out_.insert(out_.end(), text.begin(), text.end());
    append_ints(indices, out_);
  }

  void write_clocks() {
    Ints absolute, relative, counters;
    for (const Entry& entry : entries_) {
      const std::int64_t millis = to_signed(entry.hlc.millis());
      absolute.push_back(millis);
      relative.push_back(wrapping_sub(millis, hlc_anchor(entry)));
      counters.push_back(entry.hlc.counter());
    }
    const IntPlan absolute_plan = plan_ints(absolute);
    const IntPlan relative_plan = plan_ints(relative);
    const bool is_relative = relative_plan.size < absolute_plan.size;
    out_.push_back(static_cast<std::uint8_t>(is_relative ? HlcMode::relative : HlcMode::absolute));
    append_ints(is_relative ? relative : absolute, is_relative ? relative_plan : absolute_plan,
                out_);
    append_ints(counters, out_);
  }

  std::span<const Entry> entries_;
  Bytes out_;
  std::map<Shape, std::size_t> shape_index_;
  std::vector<Group> groups_;
  std::size_t last_group_ = 0;
  // One value column at a time.
  Ints tags_, integers_, reals_;
  std::vector<std::string_view> texts_;
};

class Decoder {
 public:
  Decoder(ByteView payload, Seq first, std::size_t entries) : in_(payload), entries_(entries) {
    for (std::size_t i = 0; i < entries; ++i) entries_[i].seq = first + i;
  }

  Result<std::vector<Entry>> decode() {
    DUNLIN_TRY(spend(entries_.size(), kEntryMin));
    DUNLIN_TRY(read_shapes());
    DUNLIN_TRY(read_ops());
    for (Group& group : groups_) DUNLIN_TRY(read_group(group));
    DUNLIN_TRY(read_clocks());
    if (!in_.at_end()) return in_.error(Errc::malformed, "bytes after the payload");
    return std::move(entries_);
  }

 private:
  using Ints = std::vector<std::int64_t>;
  struct Group {
    Shape shape;
    std::vector<Samples*> ops;
    std::size_t rows = 0;
  };

  // The fewest bytes that canonical CBOR needs. Constant columns cost nothing in a payload, so what
  // bounds memory is that every entry, operation, row and cell is paid for before it is made.
  static constexpr std::uint64_t kEntryMin = 4;    // [seq, hlc, []]
  static constexpr std::uint64_t kSamplesMin = 5;  // [3, stream, base, []]
  static constexpr std::uint64_t kRowMin = 2;      // [offset]
  static constexpr std::uint64_t kRealMore = 8;    // beyond the one byte of any cell

  Result<void> spend(std::uint64_t count, std::uint64_t each) {
    if (count > budget_ / each) return in_.error(Errc::too_large, "decoded segment");
    budget_ -= count * each;
    return {};
  }

  // Fills `out` with `count` integers of [0, limit).
  Result<void> read_below(Ints& out, std::size_t count, std::uint64_t limit, const char* what) {
    out.resize(count);
    DUNLIN_TRY(read_ints(in_, out));
    for (const std::int64_t value : out) {
      if (to_unsigned(value) >= limit) return in_.error(Errc::malformed, what);
    }
    return {};
  }

  Result<void> read_shapes() {
    DUNLIN_ASSIGN(const std::uint64_t count, in_.varint());
    if (count > in_.left() / 3) return in_.truncated();
    groups_.resize(static_cast<std::size_t>(count));
    for (auto& [shape, ops, rows] : groups_) {
      DUNLIN_ASSIGN(shape.stream, in_.varint());
      DUNLIN_ASSIGN(const std::uint8_t has_boot, in_.byte());
      DUNLIN_ASSIGN(shape.fields, in_.varint());
      if (has_boot > 1) return in_.error(Errc::malformed, "boot flag");
      if (shape.fields > kFieldsMax) return in_.error(Errc::malformed, "more than 256 fields");
      shape.has_boot = has_boot == 1;
    }
    return {};
  }

  Result<void> read_ops() {
    Ints ops_per_entry, kinds, raw_sizes;
    DUNLIN_TRY(read_below(ops_per_entry, entries_.size(), kSegmentDecodedBytesMax, "operations"));
    std::uint64_t ops = 0;
    for (const std::int64_t count : ops_per_entry) ops += to_unsigned(count);
    if (ops > budget_) return in_.error(Errc::too_large, "decoded segment");
    DUNLIN_TRY(read_below(kinds, static_cast<std::size_t>(ops), groups_.size() + 1, "shape"));
    const auto raw_count = static_cast<std::size_t>(std::count(kinds.begin(), kinds.end(), 0));
    DUNLIN_TRY(spend(ops - raw_count, kSamplesMin));
    if (raw_count > in_.left()) return in_.truncated();
    DUNLIN_TRY(read_below(raw_sizes, raw_count, kSegmentDecodedBytesMax, "operation size"));

    std::size_t op = 0, raw = 0, used = 0;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      const auto count = static_cast<std::size_t>(ops_per_entry[i]);
      entries_[i].ops.reserve(count);  // groups_ keeps pointers into it
      for (std::size_t k = 0; k < count; ++k, ++op) {
        if (kinds[op] == 0) {
          DUNLIN_TRY(read_raw(entries_[i], to_unsigned(raw_sizes[raw++])));
          continue;
        }
        const auto group = static_cast<std::size_t>(kinds[op] - 1);
        if (group > used) return in_.error(Errc::malformed, "shapes out of order");
        if (group == used) ++used;
        groups_[group].ops.push_back(&std::get<Samples>(entries_[i].ops.emplace_back(Samples{})));
      }
    }
    if (used != groups_.size()) return in_.error(Errc::malformed, "a shape that is not used");
    return {};
  }

  Result<void> read_raw(Entry& entry, std::uint64_t size) {
    DUNLIN_ASSIGN(const ByteView cbor, in_.bytes(size));
    DUNLIN_TRY(spend(size, 1));
    DUNLIN_ASSIGN(Op op, decode_op(cbor));
    if (std::holds_alternative<Samples>(op)) {
      return in_.error(Errc::malformed, "samples outside of their columns");
    }
    entry.ops.push_back(std::move(op));
    return {};
  }

  Result<void> read_group(Group& group) {
    const std::size_t ops = group.ops.size();
    Ints counts, times, bases(ops), boots(group.shape.has_boot ? ops : 0);
    DUNLIN_TRY(read_ints(in_, boots));
    DUNLIN_TRY(read_below(counts, ops, kSegmentDecodedBytesMax, "number of rows"));
    for (const std::int64_t count : counts) {
      DUNLIN_TRY(spend(to_unsigned(count), kRowMin + group.shape.fields));
      group.rows += static_cast<std::size_t>(count);
    }
    if (group.shape.fields == 0 && group.rows > 0) {
      return in_.error(Errc::malformed, "rows without fields");
    }
    times.resize(group.rows);
    DUNLIN_TRY(read_ints(in_, times));
    DUNLIN_TRY(read_ints(in_, bases));

    std::size_t at = 0;
    for (std::size_t i = 0; i < ops; ++i) {
      Samples& op = *group.ops[i];
      op.stream = group.shape.stream;
      if (group.shape.has_boot) op.boot = to_unsigned(boots[i]);
      op.rows = Rows(static_cast<std::size_t>(group.shape.fields));
      op.rows.resize(static_cast<std::size_t>(counts[i]));
      for (std::size_t row = 0; row < op.rows.size(); ++row) op.rows.set_time(row, times[at++]);
      op.base = wrapping_add(bases[i], base_anchor(op));
    }
    if (group.rows == 0) return {};
    for (std::size_t field = 0; field < group.shape.fields; ++field) {
      DUNLIN_TRY(read_field(group, field));
    }
    return {};
  }

  Result<void> read_field(Group& group, std::size_t field) {
    DUNLIN_TRY(read_below(tags_, group.rows, static_cast<std::uint64_t>(Tag::text) + 1, "tag"));
    std::size_t integers = 0, reals = 0, texts = 0;
    for (const std::int64_t tag : tags_) {
      integers += tag == static_cast<std::int64_t>(Tag::integer);
      reals += tag == static_cast<std::int64_t>(Tag::real);
      texts += tag == static_cast<std::int64_t>(Tag::text);
    }
    integers_.resize(integers);
    DUNLIN_TRY(read_ints(in_, integers_));
    DUNLIN_TRY(read_reals(reals));
    DUNLIN_TRY(read_texts(texts));
    scatter(group, field);
    return {};
  }

  void scatter(Group& group, std::size_t field) {
    const std::int64_t* tag = tags_.data();
    const std::int64_t* integer = integers_.data();
    const std::int64_t* real = reals_.data();
    const std::int64_t* text = text_indices_.data();
    for (Samples* op : group.ops) {
      Rows& rows = op->rows;
      for (std::size_t row = 0; row < rows.size(); ++row) {
        switch (static_cast<Tag>(*tag++)) {
          case Tag::missing:
            break;
          case Tag::integer:
            rows.set_integer(row, field, *integer++);
            break;
          case Tag::real:
            rows.set_real(row, field, std::bit_cast<double>(*real++));
            break;
          case Tag::no:
            rows.set_boolean(row, field, false);
            break;
          case Tag::yes:
            rows.set_boolean(row, field, true);
            break;
          case Tag::text:
            rows.set_text(row, field, texts_[static_cast<std::size_t>(*text++)]);
            break;
        }
      }
    }
  }

  Result<void> read_reals(std::size_t count) {
    reals_.resize(count);
    if (count == 0) return {};
    DUNLIN_TRY(spend(count, kRealMore));
    DUNLIN_ASSIGN(const std::uint8_t mode, in_.byte());
    switch (static_cast<RealMode>(mode)) {
      case RealMode::xored:
        DUNLIN_TRY(read_xored());
        break;
      case RealMode::dictionary:
        DUNLIN_TRY(read_dictionary());
        break;
      default:
        return in_.error(Errc::malformed, "unknown mode of reals");
    }
    for (const std::int64_t value : reals_) {
      const std::uint64_t bits = to_unsigned(value);
      if (is_nan(bits) && bits != kCanonicalNan) {
        return in_.error(Errc::malformed, "NaN in another form than 7ff8000000000000");
      }
    }
    return {};
  }

  Result<void> read_xored() {
    std::uint64_t previous = 0;
    for (std::int64_t& value : reals_) {
      DUNLIN_ASSIGN(const std::uint8_t control, in_.byte());
      const unsigned zeros = control >> 4;
      const unsigned significant = control & 15;
      const bool possible = significant == 0 ? zeros == 8 : zeros + significant <= 8;
      if (!possible) return in_.error(Errc::malformed, "control byte of a real");
      DUNLIN_ASSIGN(const ByteView bytes, in_.bytes(significant));
      if (significant > 0 && (bytes.front() == 0 || bytes.back() == 0)) {
        return in_.error(Errc::malformed, "needless byte of a real");
      }
      for (unsigned k = 0; k < significant; ++k) {
        previous ^= static_cast<std::uint64_t>(bytes[k]) << (56 - 8 * (zeros + k));
      }
      value = to_signed(previous);
    }
    return {};
  }

  Result<void> read_dictionary() {
    DUNLIN_ASSIGN(const std::uint64_t size, in_.varint());
    if (size > reals_.size())
      return in_.error(Errc::malformed, "dictionary larger than its column");
    Ints entries(static_cast<std::size_t>(size));
    DUNLIN_TRY(read_ints(in_, entries));
    DUNLIN_TRY(read_below(reals_, reals_.size(), size, "dictionary index"));
    for (std::size_t i = 1; i < entries.size(); ++i) {
      if (entries[i] <= entries[i - 1])
        return in_.error(Errc::malformed, "dictionary out of order");
    }
    std::vector<bool> used(entries.size());
    for (std::int64_t& value : reals_) {
      const auto index = static_cast<std::size_t>(value);
      used[index] = true;
      value = entries[index];
    }
    if (std::find(used.begin(), used.end(), false) != used.end()) {
      return in_.error(Errc::malformed, "a dictionary entry that is not used");
    }
    return {};
  }

  Result<void> read_texts(std::size_t count) {
    text_indices_.clear();
    if (count == 0) return {};
    DUNLIN_ASSIGN(const std::uint64_t size, in_.varint());
    if (size > count) return in_.error(Errc::malformed, "dictionary larger than its column");
    Ints sizes;
    DUNLIN_TRY(
        read_below(sizes, static_cast<std::size_t>(size), kSegmentDecodedBytesMax, "text size"));
    texts_.clear();
    for (const std::int64_t bytes : sizes) {
      DUNLIN_ASSIGN(const ByteView text, in_.bytes(to_unsigned(bytes)));
      if (!is_utf8(as_text(text))) return in_.error(Errc::malformed, "text is not UTF-8");
      texts_.push_back(as_text(text));
    }
    DUNLIN_TRY(read_below(text_indices_, count, size, "dictionary index"));
    std::size_t used = 0;
    for (const std::int64_t index : text_indices_) {
      const auto entry = static_cast<std::size_t>(index);
      if (entry > used) return in_.error(Errc::malformed, "dictionary out of order");
      if (entry == used) ++used;
      DUNLIN_TRY(spend(texts_[entry].size(), 1));
    }
    if (used != size) return in_.error(Errc::malformed, "a dictionary entry that is not used");
    return {};
  }

  Result<void> read_clocks() {
    DUNLIN_ASSIGN(const std::uint8_t mode, in_.byte());
    if (mode > static_cast<std::uint8_t>(HlcMode::relative)) {
      return in_.error(Errc::malformed, "unknown mode of clocks");
    }
    Ints millis(entries_.size()), counters;
    DUNLIN_TRY(read_ints(in_, millis));
    DUNLIN_TRY(read_below(counters, entries_.size(), 0x10000, "clock counter"));
    const bool relative = mode == static_cast<std::uint8_t>(HlcMode::relative);
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      const std::int64_t anchor = relative ? hlc_anchor(entries_[i]) : 0;
      const std::uint64_t value = to_unsigned(wrapping_add(millis[i], anchor));
      if (value > kHlcMillisMax) return in_.error(Errc::malformed, "clock beyond 48 bits");
      entries_[i].hlc = Hlc::of(value, static_cast<std::uint16_t>(counters[i]));
    }
    return {};
  }

  PayloadReader in_;
  std::uint64_t budget_ = kSegmentDecodedBytesMax;
  std::vector<Entry> entries_;
  std::vector<Group> groups_;
  // One value column at a time.
  Ints tags_, integers_, reals_, text_indices_;
  std::vector<std::string_view> texts_;  // into the payload
};

}  // namespace

Bytes encode_columns(std::span<const Entry> entries) {
  return Encoder(entries).encode();
}

Result<std::vector<Entry>> decode_columns(ByteView payload, Seq first, Seq last) {
  if (last < first || last - first >= kSegmentEntriesMax) {
    return {Errc::malformed, "a segment of " + std::to_string(last - first + 1) + " entries"};
  }
  return Decoder(payload, first, static_cast<std::size_t>(last - first + 1)).decode();
}

}  // namespace dunlin
