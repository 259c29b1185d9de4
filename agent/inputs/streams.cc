#include "agent/inputs/streams.h"

#include <algorithm>

#include "agent/inputs/field_spec.h"
#include "agent/inputs/text.h"
#include "common/log/limits.h"

namespace dunlin::agent {

Result<void> hand_over(InputSink& sink, const StreamSchema& schema, Rows rows, bool since_boot,
                       const std::string& where) {
  if (rows.empty()) return {};
  Result<void> result = sink.append(schema, std::move(rows), since_boot);
  if (result.ok() || result.error().code == Errc::closed) return result;
  sink.report(where, result.error());
  return {};
}

// Finds where each value goes and which fields are new; changes nothing of the stream.
Result<void> SelfDefiningStreams::place(Stream& stream, const Reading& reading,
                                        std::vector<Field>& added) {
  if (reading.values.empty()) return {Errc::malformed, "a reading without a field"};
  positions_.clear();
  for (std::size_t i = 0; i < reading.values.size(); ++i) {
    const NamedValue& value = reading.values[i];
    if (value.text.size() > kTextBytesMax) {
      return {Errc::too_large, value.field.name + ": a text longer than 16 KiB"};
    }
    // Most readings repeat the fields of the one before in the same order.
    std::size_t at = i;
    const auto& fields = stream.schema.fields;
    if (i >= fields.size() || fields[i].name != value.field.name) {
      const auto found = stream.index.find(value.field.name);
      at = found != stream.index.end() ? found->second : fields.size();
    }
    const Field* known = at < fields.size() ? &fields[at] : nullptr;
    if (known == nullptr) {
      const auto twin = std::find_if(added.begin(), added.end(), [&](const Field& field) {
        return field.name == value.field.name;
      });
      at += static_cast<std::size_t>(twin - added.begin());
      if (twin != added.end()) known = &*twin;
    }
    if (known == nullptr) {
      DUNLIN_TRY(check_field_name(value.field.name));
      if (at >= kFieldsMax) return {Errc::too_large, "a stream with more than 256 fields"};
      added.push_back(value.field);
    } else if (known->type != value.field.type || known->decimals != value.field.decimals) {
      return {Errc::type_changed, "the field " + excerpt(value.field.name) + " was " +
                                      std::string(to_string(known->type)) + ", not " +
                                      std::string(to_string(value.field.type))};
    }
    positions_.push_back(at);
  }
  return {};
}

Result<void> SelfDefiningStreams::add(const Reading& reading, const Stamp& stamp, InputSink& sink) {
  auto found = streams_.find(reading.stream);
  const bool unknown = found == streams_.end();
  if (unknown) {
    if (reading.stream.empty() || stream_name_from(reading.stream) != reading.stream) {
      return {Errc::malformed, excerpt(reading.stream) + " cannot be the name of a stream"};
    }
    if (streams_.size() >= kStreamsMax) {
      return {Errc::too_large, "more than 4096 streams; " + excerpt(reading.stream) + " is lost"};
    }
    found = streams_.try_emplace(reading.stream).first;
    found->second.schema.name = reading.stream;
  }
  Stream& stream = found->second;
  std::vector<Field> added;
  if (Result<void> placed = place(stream, reading, added); !placed.ok()) {
    if (unknown) streams_.erase(found);
    return placed;
  }

  const bool since_boot = !reading.time_us && stamp.since_boot;
  const bool full = stream.rows.size() >= kBatchRowsMax || stream.text_bytes >= kBatchTextBytesMax;
  if (!added.empty() || full || since_boot != stream.since_boot) {
    const std::size_t fields = stream.schema.fields.size();
    DUNLIN_TRY(flush(stream, sink));
    stream.since_boot = since_boot;
    if (stream.schema.fields.size() != fields) {  // the stream was forgotten
      added.clear();
      DUNLIN_TRY(place(stream, reading, added));
    }
  }
  for (Field& field : added) {
    stream.index.emplace(field.name, stream.schema.fields.size());
    stream.schema.fields.push_back(std::move(field));
  }
  if (!added.empty() || stream.rows.fields() != stream.schema.fields.size()) {
    stream.rows = Rows(stream.schema.fields.size());
  }

  slots_.assign(stream.schema.fields.size(), nullptr);
  for (std::size_t i = 0; i < positions_.size(); ++i) slots_[positions_[i]] = &reading.values[i];
  stream.rows.begin_row(reading.time_us.value_or(stamp.time_us));
  for (const NamedValue* value : slots_) {
    if (value == nullptr) {
      stream.rows.add_missing();
      continue;
    }
    switch (value->cell.kind) {
      case Cell::Kind::missing:
        stream.rows.add_missing();
        break;
      case Cell::Kind::integer:
        stream.rows.add_integer(value->cell.integer);
        break;
      case Cell::Kind::real:
        stream.rows.add_real(value->cell.real);
        break;
      case Cell::Kind::boolean:
        stream.rows.add_boolean(value->cell.boolean);
        break;
      case Cell::Kind::text:
        stream.rows.add_text(value->text);
        stream.text_bytes += value->text.size();
        break;
    }
  }
  if (!stream.queued) pending_.push_back(&stream);
  stream.queued = true;
  return {};
}

Result<void> SelfDefiningStreams::flush(Stream& stream, InputSink& sink) {
  if (stream.rows.empty()) return {};
  Rows rows = std::exchange(stream.rows, Rows(stream.schema.fields.size()));
  stream.text_bytes = 0;
  Result<void> result = sink.append(stream.schema, std::move(rows), stream.since_boot);
  if (result.ok() || result.error().code == Errc::closed) return result;
  sink.report(stream.schema.name, result.error());
  if (result.error().code == Errc::type_changed) {
    // The log knows this stream from an earlier run: learn it anew from what comes.
    stream.schema.fields.clear();
    stream.index.clear();
    stream.rows = Rows();
  }
  return {};
}

Result<void> SelfDefiningStreams::flush(InputSink& sink) {
  Result<void> result;
  for (Stream* stream : pending_) {
    stream->queued = false;
    if (Result<void> flushed = flush(*stream, sink); !flushed.ok()) result = flushed;
  }
  pending_.clear();
  return result;
}

}  // namespace dunlin::agent
