#pragma once

#include "agent/inputs/input.h"
#include "common/codec/entry_codec.h"
#include "common/log/limits.h"
#include "tests/fuzz/fuzz.h"

namespace dunlin::fuzz {

// Takes what a driver hands over as a log would: readings that fit their schema and can be encoded.
class ReadingSink final : public agent::InputSink {
 public:
  agent::Stamp now() override { return {1'700'000'000'000'000, false}; }

  Result<void> append(const StreamSchema& schema, Rows rows, bool) override {
    DUNLIN_CHECK(!rows.empty() && rows.fields() == schema.fields.size());
    DUNLIN_CHECK(schema.fields.size() <= kFieldsMax && schema.name.size() <= kNameBytesMax);
    const std::int64_t base = rows.time(0);
    check({1, {}, {Define{1, 1, schema}}});
    check({2, {}, {Samples{.stream = 1, .boot = {}, .base = base, .rows = std::move(rows)}}});
    return {};
  }
  void report(const std::string& where, const Error& error, std::uint64_t) override {
    DUNLIN_CHECK(!where.empty() && !error.message().empty());
  }
  void waiting(std::optional<std::chrono::microseconds>) override {}

 private:
  static void check(const Entry& entry) {
    const Bytes bytes = encode_entry(entry);
    const Result<Entry> again = decode_entry(bytes);
    DUNLIN_CHECK(again.ok() ? *again == entry : bytes.size() > kEntryBytesMax);
  }
};

}  // namespace dunlin::fuzz
