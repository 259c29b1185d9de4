#include "cli/dashboards/panels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "cli/dashboards/grafana.h"
#include "cli/dashboards/promql.h"

namespace dunlin::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;

std::string content(const std::string& path) {
  std::ifstream in(DUNLIN_SOURCE_DIR "/" + path);
  return {std::istreambuf_iterator<char>(in), {}};
}

Series series_of(const std::string& line) {
  const auto read = read_dashboards(
      "[[dashboard]]\nname = \"d\"\ntitle = \"D\"\nabout = \"a\"\n[[dashboard.row]]\ntitle = "
      "\"r\"\n[[dashboard.row.panel]]\ntitle = \"p\"\nabout = \"a\"\nseries = [" +
      line + "]\n");
  EXPECT_TRUE(read.ok()) << read.error().context;
  return read.ok() ? read->at(0).rows.at(0).panels.at(0).series.at(0) : Series{};
}

TEST(Panels, CommittedDashboardsAreThoseOfTheSource) {
  for (const Dashboard& dashboard : dashboards()) {
    EXPECT_TRUE(content("docker/grafana/dashboards/" + dashboard.name + ".json") ==
                grafana_json(dashboard))
        << "dunlin dashboards --out docker/grafana/dashboards";
  }
}

TEST(Panels, TheSourceIsTheFileOfTheTree) {
  const auto read = read_dashboards(content("cli/dashboards/panels.toml"));
  ASSERT_TRUE(read.ok()) << read.error().context;
  ASSERT_EQ(read->size(), dashboards().size());
  for (std::size_t i = 0; i < read->size(); ++i)
    EXPECT_EQ(grafana_json(read->at(i)), grafana_json(dashboards()[i]));
}

TEST(Panels, MistakesHaveTheirLine) {
  const auto read = read_dashboards(
      "[[dashboard]]\nname = \"d\"\ntitle = \"D\"\nabout = \"a\"\n[[dashboard.row]]\ntitle = "
      "\"r\"\n[[dashboard.row.panel]]\ntitle = \"p\"\nabout = \"a\"\nkind = \"pie\"\n"
      "series = [{ metric = \"up\", combine = [\"mean\"], colour = \"red\" }]\n");
  ASSERT_FALSE(read.ok());
  for (const char* part : {"panels.toml:10", "pie", "mean", "colour"})
    EXPECT_THAT(read.error().context, HasSubstr(part));
}

TEST(Promql, SaysWhatASeriesSays) {
  const std::pair<const char*, const char*> expected[] = {
      {"{ metric = 'up', where = { job = 'dunlin', program = '!agent' }, combine = ['sum'] }",
       "sum(up{job=\"dunlin\", program!=\"agent\"})"},
      {"{ metric = 'm', combine = ['max by node', 'median'] }", "quantile(0.5, max by (node) (m))"},
      {"{ metric = 'm_total', as = 'rate', combine = ['sum by direction, lane'] }",
       "sum by (direction, lane) (rate(m_total[1m]))"},
      {"{ metric = 'm_total', as = 'increase' }", "increase(m_total[6h])"},
      {"{ metric = 'm', as = 'magnitude' }", "abs(m)"},
      {"{ metric = 'm', as = 'age', where = { node = '$node' }, combine = ['min'] }",
       "min(time() - m{node=\"a\\\"b\"})"},
      {"{ metric = 'm', as = 'left' }", "m - time()"},
      {"{ metric = 'm', as = 'buckets', combine = ['sum by le'] }",
       "sum by (le) (rate(m_bucket[1m]))"},
      {"{ metric = 'm', as = 'quantile', quantile = 0.99, combine = ['sum by le'] }",
       "histogram_quantile(0.99, sum by (le) (rate(m_bucket[1m])))"},
      {"{ metric = 'm', combine = ['sum'], none = 0 }", "sum(m) or vector(0)"},
      {"{ metric = 'm', combine = ['max by node'], named = true, top = 3 }",
       "topk(3, max by (node) (m) * on (node) group_left (name) topk by (node) (1, max by (node, "
       "name) (dunlin_node_info)))"},
  };
  for (const auto& [line, query] : expected) {
    EXPECT_EQ(
        promql(series_of(line), {.interval = "1m", .range = "6h", .chosen = {{"node", "a\"b"}}}),
        query);
  }
}

TEST(Panels, NamesOfCurvesTakeTheirLabels) {
  const Series series = series_of("{ metric = 'm', name = '{direction}, {lane}!' }");
  EXPECT_EQ(name_of(series, {{"direction", "sent"}, {"lane", "live"}}), "sent, live!");
  EXPECT_EQ(name_of(series, {{"lane", "live"}}), ", live!");
}

TEST(Grafana, PanelsOfARowStandBesideEachOther) {
  for (const Dashboard& dashboard : dashboards()) {
    const json made = json::parse(grafana_json(dashboard));
    std::set<std::pair<int, int>> taken;
    std::set<int> ids;
    for (const json& panel : made["panels"]) {
      const json& at = panel["gridPos"];
      EXPECT_TRUE(ids.insert(panel["id"].get<int>()).second);
      EXPECT_LE(at["x"].get<int>() + at["w"].get<int>(), 24);
      for (int x = at["x"]; x < at["x"].get<int>() + at["w"].get<int>(); ++x) {
        for (int y = at["y"]; y < at["y"].get<int>() + at["h"].get<int>(); ++y)
          EXPECT_TRUE(taken.emplace(x, y).second) << panel["title"] << " lies on another";
      }
    }
  }
}

}  // namespace
}  // namespace dunlin::cli
