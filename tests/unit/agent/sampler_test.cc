#include "agent/sampler.h"

#include <gtest/gtest.h>

#include "common/storage/query.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_dir.h"

namespace dunlin::agent {
namespace {

// Says so many readings and then nothing.
class Talker final : public Input {
 public:
  explicit Talker(int readings) : readings_(readings) {}
  Result<void> run(InputSink& sink, std::stop_token stop) override {
    const StreamSchema schema{"air", {{"temperature", FieldType::int64, "Cel", 0}}};
    for (int i = 0; i < readings_; ++i) {
      Rows rows(1);
      rows.begin_row(i), rows.add_integer(i);
      DUNLIN_TRY(sink.append(schema, std::move(rows), false));
    }
    (void)wait_for(stop, std::chrono::hours(1));
    return {};
  }

 private:
  int readings_;
};

TEST(SamplerTest, TheFirstReadingOfAnInputIsFlushedAtOnce) {
  const test::TempDir folder;
  DatabaseOptions options;
  options.name = "sampled";
  options.data_dir = folder.file("data");
  options.tracks[0].flush_interval = std::chrono::hours(1);
  const auto database = Database::open(std::move(options)).value();
  Sampler sampler(*database);
  sampler.start("talker", std::make_unique<Talker>(3));
  const auto stored = [&] {
    storage::Reader reader = storage::Reader::open(database->path()).value();
    return std::get<std::int64_t>(
        reader.query("SELECT count(*) FROM samples", {}, {}).value().rows[0][0]);
  };
  EXPECT_TRUE(test::eventually([&] { return stored() > 0; }));
  EXPECT_EQ(stored(), 1);
  sampler.stop();
  database->close();
  EXPECT_EQ(stored(), 3);
}

}  // namespace
}  // namespace dunlin::agent
