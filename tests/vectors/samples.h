#pragma once

#include <bit>
#include <limits>
#include <memory>
#include <vector>

#include "common/log/chain.h"
#include "common/log/entry.h"
#include "common/security/keys.h"

// The values behind the golden vectors.
namespace dunlin::test {

// The P-256 key of RFC 6979, appendix A.2.5. A TEST KEY: public, never to be used by a node.
inline constexpr std::string_view kTestKeyPem =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MHcCAQEEIMmvqdhFunUWa1whV2ex1pNOUMPbNuibEnuKYisSD2choAoGCCqGSM49\n"
    "AwEHoUQDQgAEYP7UuiVanTHJYet0xjVtaMBJuJI7Yfps5mliLmDyn7Z5A/4QCLi8\n"
    "maQa6elWKLxk8vGyDC1+n1F3o8KU1EYimQ==\n"
    "-----END EC PRIVATE KEY-----\n";

inline std::unique_ptr<security::NodeKey> test_key() {
  auto key = security::NodeKey::from_pem(kTestKeyPem);
  return key.ok() ? *std::move(key) : nullptr;
}

inline constexpr Epoch kTestEpoch{0x0123456789abcdef};
inline constexpr std::int64_t kTestTime = 1'760'000'000'000'000;  // 2025-10-09T08:53:20Z

inline LogId test_log(Track track) {
  return {node_id_of(test_key()->public_key()), kTestEpoch, track};
}

inline Hash hash_of_byte(std::uint8_t byte) {
  Hash hash;
  hash.fill(byte);
  return hash;
}

inline StreamSchema greenhouse_schema() {
  return {"greenhouse",
          {{"temperature", FieldType::decimal, "Cel", 2},
           {"humidity", FieldType::float64, "%", 0},
           {"door", FieldType::boolean, "", 0},
           {"note", FieldType::text, "", 0}}};
}

inline Samples greenhouse_samples() {
  Samples samples{.stream = 1, .boot = {}, .base = kTestTime, .rows = Rows(4)};
  samples.rows.begin_row(kTestTime);
  samples.rows.add_integer(2153), samples.rows.add_real(61.5);
  samples.rows.add_boolean(false), samples.rows.add_text("ok");
  samples.rows.begin_row(kTestTime + 1'000'000);
  samples.rows.add_integer(-40), samples.rows.add_missing();
  samples.rows.add_boolean(true), samples.rows.add_text("T\xc3\xbcr");
  return samples;
}

// Readings of a device that does not know the time, with the corners of every kind of cell.
inline Samples corner_samples() {
  constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  Samples samples{.stream = 7, .boot = 3, .base = kMax, .rows = Rows(2)};
  samples.rows.begin_row(kMin);  // the offset wraps to 1
  samples.rows.add_integer(kMin), samples.rows.add_integer(kMax);
  samples.rows.begin_row(0);
  samples.rows.add_real(-0.0), samples.rows.add_real(std::numeric_limits<double>::infinity());
  samples.rows.begin_row(-1);
  samples.rows.add_real(std::bit_cast<double>(std::uint64_t{0x7ff8000000000000}));
  samples.rows.add_real(std::bit_cast<double>(std::uint64_t{1}));
  samples.rows.begin_row(1);
  samples.rows.add_text(""), samples.rows.add_missing();
  return samples;
}

inline Lost sample_lost() {
  return {Epoch{9},
          kSamplesTrack,
          {{1, 10, hash_of_byte(0x11), hash_of_byte(0x22), 200},
           {12, 12, hash_of_byte(0x33), hash_of_byte(0x44), 0}}};
}

inline UnknownOp sample_unknown() {
  return {4, *from_hex("8404182af66131")};
}  // [4, 42, null, "1"]

// A TimeAnchor as a newer minor version may write it, with a field more.
inline UnknownOp later_anchor() {
  return {TimeAnchor::kCode, *from_hex("870803616201020363736174")};
}  // [8, 3, "b", 1, 2, 3, "sat"]

// Track 0 as a device begins it.
inline std::vector<Entry> control_entries() {
  const Hlc start = Hlc::of(1'760'000'000'000, 0);
  return {{1, start, {Open{test_key()->public_key(), "greenhouse-7"}}},
          {2,
           Hlc{start.value + 1},
           {Define{1, 1, greenhouse_schema()},
            TimeAnchor{3, "6f9a2b1c", 1'500'000, kTestTime, 20'000}}}};
}

// Two flushes of a samples track.
inline std::vector<Entry> sample_entries() {
  Samples second{.stream = 1, .boot = {}, .base = kTestTime + 2'000'000, .rows = Rows(4)};
  second.rows.add_row(greenhouse_samples().rows, 0);
  second.rows.set_time(0, kTestTime + 2'000'000);
  return {{1, Hlc::of(1'760'000'001'020, 0), {greenhouse_samples()}},
          {2, Hlc::of(1'760'000'002'020, 0), {second}}};
}

// One per minute for two hours: enough for compression to pay.
inline std::vector<Entry> many_entries() {
  std::vector<Entry> entries;
  for (int i = 0; i < 120; ++i) {
    Samples samples{.stream = 1, .boot = {}, .base = kTestTime + i * 60'000'000LL, .rows = Rows(4)};
    samples.rows.begin_row(samples.base);
    samples.rows.add_integer(2000 + i * i % 37), samples.rows.add_real(60.0 + i % 7 * 0.5);
    samples.rows.add_boolean(i % 10 == 0), samples.rows.add_text(i % 40 == 0 ? "rain" : "dry");
    entries.push_back({static_cast<Seq>(i + 1),
                       Hlc::of(static_cast<std::uint64_t>(samples.base / 1000) + 5, 0),
                       {std::move(samples)}});
  }
  return entries;
}

}  // namespace dunlin::test
