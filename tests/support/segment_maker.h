#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/check.h"
#include "common/base/random.h"
#include "common/codec/segment_codec.h"
#include "common/log/chain.h"
#include "common/security/keys.h"

namespace dunlin::test {

// A node that writes signed segments for whoever stores or receives them: entry n of a track holds
// what it was asked for, and segments follow one another.
class SegmentMaker {
 public:
  static constexpr std::int64_t kStart = 1'767'225'600'000'000;

  explicit SegmentMaker(Epoch epoch = Epoch{5}, std::shared_ptr<Signer> key = {})
      : key_(key ? std::move(key) : std::shared_ptr<Signer>(security::NodeKey::generate().value())),
        control_(LogId{key_->node(), epoch, kControlTrack}),
        samples_(LogId{key_->node(), epoch, kSamplesTrack}) {}

  Signer& key() { return *key_; }
  std::shared_ptr<Signer> shared_key() const { return key_; }
  const NodeId& node() const { return key_->node(); }
  LogId log(Track track = kSamplesTrack) const { return {node(), samples_.log.epoch, track}; }

  // Track 0: the Open that starts it, a definition of stream `id`, or whatever is given.
  SegmentRecord open(const std::string& name = "node") {
    return control({Open{key_->public_key(), name}});
  }
  SegmentRecord define(std::uint64_t id) {
    return control(
        {Define{id, 1, {"stream" + std::to_string(id), {{"value", FieldType::text, "", 0}}}}});
  }
  SegmentRecord control(std::vector<Op> ops) { return make(control_, {std::move(ops)}); }

  // The next `entries` of the samples track, one reading each a second after the other, of noise
  // that does not compress. It needs all of track 0 that was made so far.
  SegmentRecord samples(std::size_t entries = 1, std::size_t noise_bytes = 8) {
    std::vector<std::vector<Op>> ops;
    for (std::size_t i = 0; i < entries; ++i) {
      const auto second = static_cast<std::int64_t>(samples_.last + i + 1);
      Samples samples{
          .stream = 1, .boot = {}, .base = start_ + second * 1'000'000, .rows = Rows(1)};
      samples.rows.begin_row(samples.base);
      std::string text;
      while (text.size() < noise_bytes) text.push_back(static_cast<char>('!' + noise_.below(90)));
      samples.rows.add_text(text);
      ops.push_back({std::move(samples)});
    }
    return make(samples_, std::move(ops));
  }
  // The next 20 entries of the samples track: some hundred bytes that decode to more than 800 KB.
  SegmentRecord packed() {
    constexpr std::size_t kFields = 40;
    const Hash before = samples_.hash;
    Chain chain;
    for (int entry = 0; entry < 20; ++entry) {
      Samples samples{.stream = 1, .boot = {}, .base = start_, .rows = Rows(kFields)};
      for (int row = 0; row < 1000; ++row) {
        samples.rows.begin_row(start_);
        for (std::size_t field = 0; field < kFields; ++field) samples.rows.add_integer(0);
      }
      samples_.last += 1;
      const Hlc hlc = Hlc::of(1'767'225'600'000, 0);
      samples_.hash =
          chain.add({samples_.last, hlc, {std::move(samples)}}, samples_.hash).value().after;
    }
    const auto signature =
        key_->sign(head_statement(samples_.log, samples_.last, samples_.hash)).value();
    return build_signed_segment(samples_.log, before, control_.last, chain, signature).value();
  }
  // The time of what is made from here on: of entry 0, in UTC microseconds.
  void set_start(std::int64_t utc_us) { start_ = utc_us; }

 private:
  struct Made {
    explicit Made(LogId id) : log(id), hash(chain_start(id)) {}
    LogId log;
    Seq last = 0;
    Hash hash;
  };

  SegmentRecord make(Made& made, std::vector<std::vector<Op>> entries) {
    const Hash before = made.hash;
    Chain chain;
    for (std::vector<Op>& ops : entries) {
      made.last += 1;
      const Hlc hlc = Hlc::of(1'767'225'600'000 + made.last, 0);
      made.hash = chain.add({made.last, hlc, std::move(ops)}, made.hash).value().after;
    }
    const Seq needs = made.log.track == kControlTrack ? 0 : control_.last;
    auto built = build_segments(made.log, before, needs, chain, *key_);
    DUNLIN_CHECK(built.ok() && built->size() == 1);
    return std::move(built->front());
  }

  std::shared_ptr<Signer> key_;
  Made control_;
  Made samples_;
  std::int64_t start_ = kStart;
  Random noise_{7};
};

}  // namespace dunlin::test
