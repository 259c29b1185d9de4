#pragma once

#include <cstddef>
#include <cstdint>

#include "common/base/random.h"
#include "dunlin/stream.h"

namespace dunlin::agent {

// The benchmark series: a model, not a measurement, of the four sensors of a greenhouse.
//
//   temperature decimal(2) Cel, humidity decimal(1) %, light decimal(1) lx, battery decimal(3) V
//
// Light follows the sun from 6:00 to 18:00 UTC behind drifting clouds; temperature follows light
// and weather with the inertia of some hours, humidity runs against it; the battery falls from 4.15
// V to 3.3 V in about three months of seconds and is changed. On top lies the noise of real
// sensors: a few of the last digit, for light 0.2 %. Integer arithmetic throughout, so one seed
// gives the same series on every platform.
class Greenhouse {
 public:
  struct Options {
    std::uint64_t seed = 1;
    std::int64_t start_us = 1'767'225'600'000'000;  // 2026-01-01T00:00:00Z
    std::int64_t period_us = 1'000'000;             // a reading is up to 2 ms early or late
  };
  explicit Greenhouse(const Options& options);

  static StreamSchema schema(const std::string& stream = "greenhouse_model");

  // Appends the next `n` readings to `out`, which has four fields. Costs some tens of nanoseconds a
  // reading.
  void next(std::size_t n, Rows& out);

 private:
  // A value that moves in a straight line between two updates, in 1/65536 of its last digit.
  struct Line {
    std::int64_t value = 0;
    std::int64_t step = 0;
    void aim(std::int64_t target);
    std::int64_t advance() { return (value += step) >> 16; }
  };

  void update();

  Options options_;
  Random random_;
  std::uint64_t count_ = 0;
  std::int64_t cloud_ = 45'000;       // share of the light that comes through, of 65536
  std::int64_t weather_ = 0;          // 0.01 Cel
  std::int64_t moisture_ = 0;         // 0.1 %
  std::int64_t warmth_ = 1600 << 16;  // temperature with inertia, 0.01 Cel / 65536
  std::int64_t charge_ = 4150 << 16;  // mV / 65536
  Line temperature_, humidity_, light_;
};

}  // namespace dunlin::agent
