#include "cli/report/scrapes.h"

#include <gtest/gtest.h>

#include <map>

namespace dunlin::cli {
namespace {

using Step = cli::Step;

// Three pages of two gateways, ten seconds apart.
Scrapes three_pages() {
  Scrapes scrapes;
  const auto node = [](const char* id, double lag) { return Sample{"lag", {{"node", id}}, lag}; };
  const auto up_to = [](const char* le, double count) {
    return Sample{"latency_bucket", {{"le", le}}, count};
  };
  for (int i = 0; i < 3; ++i) {
    scrapes.begin(100 + 10 * i);
    scrapes.add("one:1", {node("a", 1),
                          node("b", 5 + i),
                          {"total", {{"lane", "live"}}, 50.0 * i},
                          {"seen", {{"node", "a"}}, 95},
                          up_to("1", 4.0 * i),
                          up_to("2", 8.0 * i),
                          up_to("+Inf", 8.0 * i),
                          {"dunlin_node_info", {{"node", "b"}, {"name", "boiler"}}, 1}});
    if (i == 1) {
      scrapes.add_down("two:2");
    } else {
      // Its counter begins again at the last page.
      scrapes.add("two:2", {node("a", 3), {"total", {{"lane", "live"}}, i == 0 ? 1000.0 : 20.0}});
    }
  }
  return scrapes;
}

// Values by what labels there are, "-" for none.
std::map<std::string, std::string> shown(const Series& series, bool last = false) {
  Scrapes scrapes = three_pages();
  std::map<std::string, std::string> out;
  const Result<Curves> answer = scrapes.ask(series, {{"gateway", "two:2"}}, last);
  EXPECT_EQ(answer->at.size(), last ? 1U : 3U);
  for (const Curve& curve : answer->curves) {
    std::string labels, values;
    for (const auto& [label, value] : curve.labels) labels += label + "=" + value + " ";
    for (const auto& value : curve.values) {
      char text[32];
      std::snprintf(text, sizeof text, "%g", value.value_or(0));
      values += (value ? text : "-") + std::string(" ");
    }
    out[labels] = values;
  }
  return out;
}

using Shown = std::map<std::string, std::string>;
const Step kByNode{Step::Op::max, {"node"}};

TEST(Scrapes, CombineStepByStep) {
  EXPECT_EQ(shown({.metric = "lag", .combine = {kByNode}}),
            (Shown{{"node=a ", "3 1 3 "}, {"node=b ", "5 6 7 "}}));
  EXPECT_EQ(shown({.metric = "lag", .combine = {kByNode, {Step::Op::sum, {}}}}),
            (Shown{{"", "8 7 10 "}}));
  EXPECT_EQ(shown({.metric = "lag", .combine = {kByNode, {Step::Op::median, {}}}}),
            (Shown{{"", "4 3.5 5 "}}));
  EXPECT_EQ(shown({.metric = "lag", .combine = {{Step::Op::min, {"instance"}}}}),
            (Shown{{"instance=one:1 ", "1 1 1 "}, {"instance=two:2 ", "3 - 3 "}}));
}

TEST(Scrapes, ChooseByLabels) {
  EXPECT_EQ(shown({.metric = "lag", .where = {{"instance", "$gateway"}}}),
            (Shown{{"instance=two:2 job=dunlin node=a ", "3 - 3 "}}));
  EXPECT_EQ(shown({.metric = "lag",
                   .where = {{"instance", "two:2", true}, {"node", "a", true}},
                   .combine = {{Step::Op::sum, {}}}}),
            (Shown{{"", "5 6 7 "}}));
  // A label that is not there is as an empty one.
  EXPECT_EQ(shown({.metric = "up",
                   .where = {{"program", "agent", true}},
                   .combine = {{Step::Op::sum, {}}}}),
            (Shown{{"", "2 1 2 "}}));
}

TEST(Scrapes, FormRatesIncreasesAndAges) {
  const Step by_instance{Step::Op::sum, {"instance"}};
  EXPECT_EQ(shown({.metric = "total", .form = Form::rate, .combine = {by_instance}}),
            (Shown{{"instance=one:1 ", "- 5 5 "}, {"instance=two:2 ", "- - 1 "}}));
  EXPECT_EQ(shown({.metric = "total", .form = Form::increase, .combine = {by_instance}}, true),
            (Shown{{"instance=one:1 ", "100 "}, {"instance=two:2 ", "20 "}}));
  EXPECT_EQ(shown({.metric = "seen", .form = Form::age, .combine = {kByNode}}),
            (Shown{{"node=a ", "5 15 25 "}}));
  EXPECT_EQ(shown({.metric = "seen", .form = Form::left, .combine = {kByNode}}, true),
            (Shown{{"node=a ", "-25 "}}));
}

TEST(Scrapes, TakeQuantilesOfHistograms) {
  const Series median{.metric = "latency",
                      .form = Form::quantile,
                      .quantile = 0.5,
                      .combine = {{Step::Op::sum, {"le"}}}};
  EXPECT_EQ(shown(median), (Shown{{"", "- 1 1 "}}));
  Series most = median;
  most.quantile = 0.75;
  EXPECT_EQ(shown(most), (Shown{{"", "- 1.5 1.5 "}}));
}

TEST(Scrapes, NameNodesAndTakeTheGreatest) {
  EXPECT_EQ(shown({.metric = "lag", .combine = {kByNode}, .named = true}, true),
            (Shown{{"name=boiler node=b ", "7 "}}));
  EXPECT_EQ(shown({.metric = "lag", .combine = {kByNode}, .top = 1}, true),
            (Shown{{"node=b ", "7 "}}));
}

TEST(Scrapes, SayWhatThereIsWhereNothingIs) {
  EXPECT_EQ(shown({.metric = "nothing", .combine = {{Step::Op::sum, {}}}}), Shown{});
  EXPECT_EQ(shown({.metric = "nothing", .combine = {{Step::Op::sum, {}}}, .none = 0}),
            (Shown{{"", "0 0 0 "}}));
}

}  // namespace
}  // namespace dunlin::cli
