#include "agent/inputs/greenhouse.h"

#include <algorithm>
#include <bit>

namespace dunlin::agent {

namespace {

constexpr std::uint64_t kUpdateReadings = 64;  // the slow processes move this rarely
constexpr std::int64_t kOne = 65536;

// The height of the sun, of 65536: half a sine from 6:00 to 18:00 by Bhaskara's approximation,
// sin(pi x) = 16 x (1 - x) / (5 - 4 x (1 - x)), which is within 0.2 %.
std::int64_t sun(std::int64_t second_of_day) {
  constexpr std::int64_t kDay = 43'200;
  const std::int64_t x = second_of_day - 21'600;
  if (x <= 0 || x >= kDay) return 0;
  const std::int64_t p = x * (kDay - x);
  return 16 * p * kOne / (5 * kDay * kDay - 4 * p);
}

}  // namespace

void Greenhouse::Line::aim(std::int64_t target) {
  step = (target - value) / static_cast<std::int64_t>(kUpdateReadings);
}

Greenhouse::Greenhouse(const Options& options) : options_(options), random_(options.seed) {
  // Settle: the series starts as if it had been running.
  for (int i = 0; i < 512; ++i) update();
  charge_ = 4150 << 16;
  for (Line* line : {&temperature_, &humidity_, &light_}) {
    line->value += line->step * static_cast<std::int64_t>(kUpdateReadings);
  }
}

StreamSchema Greenhouse::schema(const std::string& stream) {
  return {stream,
          {{"temperature", FieldType::decimal, "Cel", 2},
           {"humidity", FieldType::decimal, "%", 1},
           {"light", FieldType::decimal, "lx", 1},
           {"battery", FieldType::decimal, "V", 3}}};
}

void Greenhouse::update() {
  // Uniform in [-bound, bound].
  const auto drift = [this](std::int64_t bound) {
    return static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(2 * bound + 1))) -
           bound;
  };
  const std::int64_t elapsed_us =
      options_.start_us + static_cast<std::int64_t>(count_) * options_.period_us;
  const std::int64_t second = ((elapsed_us / 1'000'000) % 86'400 + 86'400) % 86'400;
  const std::int64_t height = sun(second);

  cloud_ = std::clamp<std::int64_t>(cloud_ + (45'000 - cloud_) / 64 + drift(1'500), 8'000, kOne);
  weather_ = std::clamp<std::int64_t>(weather_ - weather_ / 512 + drift(4), -400, 400);
  moisture_ = std::clamp<std::int64_t>(moisture_ - moisture_ / 256 + drift(3), -100, 100);

  const std::int64_t shine = height * cloud_ / kOne;
  const std::int64_t target = (1'500 + weather_ + 1'300 * shine / kOne) << 16;
  warmth_ += (target - warmth_) / 128;
  const std::int64_t damp =
      std::clamp<std::int64_t>(870 + moisture_ - ((warmth_ >> 16) - 1'400) * 3 / 10, 150, 990);
  temperature_.aim(warmth_);
  humidity_.aim(damp << 16);
  light_.aim((800'000 * shine / kOne) << 16);
  charge_ -= 458;
  if (charge_ < 3300 << 16) charge_ = 4150 << 16;
}

void Greenhouse::next(std::size_t n, Rows& out) {
  for (std::size_t i = 0; i < n; ++i, ++count_) {
    if (count_ % kUpdateReadings == 0) update();
    // One draw feeds all noise: counted bits make it bell-shaped.
    const std::uint64_t bits = random_.next();
    const int noise_4 = std::popcount(bits & 0xf) - 2;
    const int noise_2 = std::popcount(bits >> 4 & 0x3) - 1;
    const int noise_light = static_cast<int>(bits >> 8 & 0xff) - 128;
    const int noise_battery = ((bits >> 16 & 7) == 0 ? 1 : 0) - ((bits >> 19 & 7) == 0 ? 1 : 0);
    const std::int64_t jitter_ms = static_cast<std::int64_t>((bits >> 32 & 0xffff) * 5 >> 16) - 2;

    out.begin_row(options_.start_us + static_cast<std::int64_t>(count_) * options_.period_us +
                  jitter_ms * 1000);
    out.add_integer(temperature_.advance() + noise_4);
    out.add_integer(humidity_.advance() + noise_2);
    const std::int64_t light = light_.advance();
    out.add_integer(std::max<std::int64_t>(0, light + light * noise_light / kOne));
    out.add_integer((charge_ >> 16) + noise_battery);
  }
}

}  // namespace dunlin::agent
