#include "cli/report/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/report/scrapes.h"

namespace dunlin::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

std::vector<Dashboard> two_dashboards() {
  return *read_dashboards(R"(
[[dashboard]]
name = "fleet"
title = "F"
about = "All."
[[dashboard.row]]
title = "Now"
[[dashboard.row.panel]]
title = "Lag"
about = "Of <all>."
kind = "number"
unit = "seconds"
warn = 10
series = [{ metric = "dunlin_node_lag_seconds", combine = ["max"] }]
[[dashboard.row.panel]]
title = "Missing"
about = "Nobody has it."
series = [{ metric = "nothing" }]
[[dashboard]]
name = "node"
title = "N"
about = "One."
choice = { name = "node", title = "Node", metric = "dunlin_node_info", value = "node", text = "name" }
[[dashboard.row]]
title = "Now"
[[dashboard.row.panel]]
title = "Own lag"
about = "Of it."
kind = "lines"
unit = "seconds"
series = [{ metric = "dunlin_node_lag_seconds", where = { node = "$node" }, name = "at {instance}" }]
)");
}

Scrapes two_pages() {
  Scrapes scrapes;
  for (const double at : {1000.0, 1010.0}) {
    scrapes.begin(at);
    scrapes.add("one:1", {{"dunlin_node_lag_seconds", {{"node", "a"}}, 2},
                          {"dunlin_node_lag_seconds", {{"node", "b"}}, 42},
                          {"dunlin_node_info", {{"node", "a"}, {"name", "attic"}}, 1},
                          {"dunlin_node_info", {{"node", "b"}, {"name", "<b>oiler"}}, 1}});
  }
  return scrapes;
}

Result<std::string> page(const std::vector<std::string>& nodes) {
  Scrapes scrapes = two_pages();
  return report_page(two_dashboards(), scrapes, {nodes, 1000, 1010});
}

TEST(ReportPage, DrawsEveryPanelAndTheNodeThatIsFurthestBehind) {
  const auto drawn = page({});
  ASSERT_TRUE(drawn.ok());
  EXPECT_THAT(*drawn, HasSubstr("Lag</h3><div class=\"value warn\">42 s</div>"));
  EXPECT_THAT(*drawn, HasSubstr("Node &lt;b&gt;oiler</h2>"));
  EXPECT_THAT(*drawn, HasSubstr("at one:1</li>"));
  EXPECT_THAT(*drawn, HasSubstr("Of &lt;all&gt;."));
  EXPECT_THAT(*drawn, Not(HasSubstr("attic")));
  EXPECT_THAT(*drawn, Not(HasSubstr("<b>oiler")));
  EXPECT_THAT(*drawn, HasSubstr("Missing</h3><div class=\"about\">Nobody has it.</div>"
                                "<div class=\"empty\">no values</div>"));
}

TEST(ReportPage, NeedsNothingFromElsewhere) {
  const auto drawn = page({});
  ASSERT_TRUE(drawn.ok());
  for (const char* from : {"http:", "https:", "<script src", "<link", "@import", "url("})
    EXPECT_THAT(*drawn, Not(HasSubstr(from)));
}

TEST(ReportPage, DrawsTheNodesThatAreAskedFor) {
  EXPECT_THAT(*page({"attic"}), HasSubstr("Node attic</h2>"));
  EXPECT_THAT(*page({"b"}), HasSubstr("Node &lt;b&gt;oiler</h2>"));
  const auto unknown = page({"cellar"});
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().code, Errc::not_found);
}

}  // namespace
}  // namespace dunlin::cli
