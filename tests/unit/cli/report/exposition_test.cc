#include "cli/report/exposition.h"

#include <gtest/gtest.h>

#include <cmath>

#include "common/telemetry/metrics.h"

namespace dunlin::cli {
namespace {

TEST(Exposition, ReadsNamesLabelsAndValues) {
  const auto read = parse_exposition(
      "# HELP a What.\n# TYPE a gauge\na 1\na{x=\"1\",y=\"a\\\"b\\\\c\\nd\"} 2.5e3 1700000000\n\n"
      "b_bucket{le=\"+Inf\",} +Inf\nc NaN");
  ASSERT_TRUE(read.ok()) << read.error().context;
  ASSERT_EQ(read->size(), 4U);
  EXPECT_EQ(read->at(0).metric, "a");
  EXPECT_EQ(read->at(0).value, 1);
  EXPECT_EQ(read->at(1).labels, (Labels{{"x", "1"}, {"y", "a\"b\\c\nd"}}));
  EXPECT_EQ(read->at(1).value, 2500);
  EXPECT_TRUE(std::isinf(read->at(2).value));
  EXPECT_TRUE(std::isnan(read->at(3).value));
}

TEST(Exposition, RefusesWhatIsNone) {
  for (const char* text : {"a", "a x", "{} 1", "a{x} 1", "a{x=1} 1", "a{x=\"1} 1", "a{x=\"1\" 1",
                           "a{x=\"1\\", "a{x=\"1\",x=\"2\"} 1", "a 1x", "<html>", "a  1"}) {
    const auto read = parse_exposition(std::string("ok 1\n") + text + "\n");
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_EQ(read.error().code, Errc::malformed);
    EXPECT_EQ(read.error().context, "metrics, line 2");
  }
}

TEST(Exposition, ReadsWhatWeWrite) {
  telemetry::Metrics metrics({"1", "2"});
  telemetry::Snapshot snapshot;
  snapshot.nodes.push_back({"0a", "a \"cell\"\n", "agent", "up", 3});
  metrics.observe_replication_latency(std::chrono::seconds(2));
  const auto read = parse_exposition(metrics.render(snapshot));
  ASSERT_TRUE(read.ok()) << read.error().context;
  const auto worst = std::find_if(read->begin(), read->end(), [](const Sample& sample) {
    return sample.metric == "dunlin_lag_entries_max";
  });
  ASSERT_NE(worst, read->end());
  EXPECT_EQ(worst->labels.at("cell"), "a \"cell\"\n");
  EXPECT_EQ(worst->value, 3);
}

}  // namespace
}  // namespace dunlin::cli
