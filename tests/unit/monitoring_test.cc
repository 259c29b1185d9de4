// Code, documents, alert rules and dashboards speak of the same metrics, and every alert has a case
// in which it fires and one in which it does not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <string>

#include "cli/dashboards/panels.h"

namespace dunlin {
namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;

// All files of a folder with that extension, one after the other; or one file.
std::string content(const std::string& path, const std::string& extension = "") {
  std::string out;
  const auto add = [&](const fs::path& file) {
    std::ifstream in(file);
    out.append(std::istreambuf_iterator<char>(in), {});
  };
  const fs::path at = fs::path(DUNLIN_SOURCE_DIR) / path;
  if (extension.empty()) return add(at), out;
  for (const auto& entry : fs::directory_iterator(at)) {
    if (entry.path().extension() == extension) add(entry.path());
  }
  return out;
}

Names matches(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  Names out;
  for (std::sregex_iterator at(text.begin(), text.end(), regex), end; at != end; ++at)
    out.insert((*at)[1]);
  return out;
}

Names in_code() {
  return matches(content("common/telemetry", ".cc"), "\"((?:dunlin|process)_[a-z_]+)\"");
}
Names documented() {
  return matches(content("common/doc/metrics.md"), "(?:^|\n)\\| `((?:dunlin|process)_[a-z_]+)");
}
Names alerts() {
  return matches(content("docker/prometheus/rules", ".yml"), "- alert: (\\w+)");
}

TEST(Monitoring, DocumentsAndCodeNameTheSameMetrics) {
  EXPECT_GT(in_code().size(), 40U);
  EXPECT_EQ(documented(), in_code());
}

TEST(Monitoring, RulesUseMetricsThatThereAre) {
  const std::string rules = content("docker/prometheus/rules", ".yml");
  const Names known = in_code();
  const Names used = matches(rules, "\\b((?:dunlin|process)_[a-z_]+)");
  EXPECT_GT(used.size(), 10U);
  for (const std::string& name : used) EXPECT_TRUE(known.contains(name)) << name;
  const Names recorded = matches(rules, "record: (dunlin:[a-z_:]+)");
  for (const std::string& name : matches(rules, "\\b(dunlin:[a-z_:]+)"))
    EXPECT_TRUE(recorded.contains(name)) << name;
}

TEST(Monitoring, DashboardsShowMetricsThatThereAre) {
  const Names known = in_code();
  const auto expect_known = [&](const cli::Series& series) {
    EXPECT_TRUE(series.metric == "up" || known.contains(series.metric)) << series.metric;
  };
  for (const cli::Dashboard& dashboard : cli::dashboards()) {
    if (dashboard.choice) expect_known(dashboard.choice->among);
    for (const cli::Row& row : dashboard.rows) {
      for (const cli::Panel& panel : row.panels) {
        for (const cli::Series& series : panel.series) expect_known(series);
      }
    }
  }
}

TEST(Monitoring, EveryAlertHasACaseInWhichItFiresAndOneInWhichItDoesNot) {
  const std::string cases = content("docker/prometheus/tests", ".yml");
  const std::string expected =
      "ALERTS\\{alertname=\"(\\w+)\", alertstate=\"firing\"\\}\\s+eval_time: \\w+\\s+exp_samples:";
  EXPECT_GT(alerts().size(), 10U);
  EXPECT_EQ(matches(cases, expected + "\\s+- "), alerts());
  EXPECT_EQ(matches(cases, expected + " \\[\\]"), alerts());
}

TEST(Monitoring, EveryAlertIsDocumented) {
  EXPECT_EQ(matches(content("common/doc/monitoring.md"), "`(Dunlin[A-Z]\\w+)`"), alerts());
}

}  // namespace
}  // namespace dunlin
