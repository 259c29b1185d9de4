// A real Prometheus scrapes the gateways of a fleet: every query of the dashboards gives values,
// and so does every panel of `dunlin report`, by Prometheus and by the gateways themselves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <regex>

#include "tests/integration/membership.h"
#include "tests/support/prometheus.h"
#include "tests/support/talker.h"

namespace dunlin {
namespace {

using nlohmann::json;
using test::eventually;
using testing::HasSubstr;
using testing::Not;

const std::string kSource = DUNLIN_SOURCE_DIR;

std::vector<std::string> files(const std::string& folder, const std::string& extension) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(kSource + "/" + folder)) {
    if (entry.path().extension() == extension) out.push_back(entry.path().string());
  }
  return out;
}

int report(std::vector<std::string> args, const std::string& page) {
  args.insert(args.begin(), "report");
  args.insert(args.end(), {"--out", page});
  return test::run_program({.program = test::built_program("dunlin"),
                            .args = std::move(args),
                            .env = {},
                            .output_file = page + ".log"})
      .value_or(-1);
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++found;
  return found;
}

// The panels of a page that have no values, by their titles.
std::vector<std::string> without_values(const std::string& page) {
  static const std::regex kEmpty(
      "<h3>([^<]*)</h3><div class=\"about\">[^<]*</div><div class=\"empty\">");
  std::vector<std::string> out;
  for (std::sregex_iterator at(page.begin(), page.end(), kEmpty), end; at != end; ++at)
    out.push_back((*at)[1]);
  return out;
}

// What stands for Grafana's words, in a query.
std::string filled(std::string query, const std::map<std::string, std::string>& words) {
  for (const auto& [word, value] : words) {
    for (std::size_t at = 0; (at = query.find(word, at)) != std::string::npos; at += value.size())
      query.replace(at, word.size(), value);
  }
  return query;
}

class Dashboards : public testing::Test {
 protected:
  static bool missing(const char* program) {
    return !test::find_program(program) && std::getenv("CI") == nullptr;
  }
  void SetUp() override {
    if (missing("mosquitto") || missing("prometheus"))
      GTEST_SKIP() << "mosquitto or prometheus is not installed";
    auto secured = test::Fleet::secure();
    ASSERT_TRUE(secured.ok()) << secured.error().message();
    fleet_ = std::make_unique<test::Fleet>(*std::move(secured));
    for (const char* name : {"pump", "pond", "gone"})
      fleet_->add_agent(name, {.track_keys = "flush_interval = \"200ms\"\n"});
    // A gateway learns how clocks differ from nodes that come after it.
    test::Member& first = fleet_->add_gateway({.name = "gate-1"});
    DUNLIN_ASSERT_OK(first.start());
    ASSERT_TRUE(eventually([&] { return !first.events("broker_connected").empty(); }));
    for (const auto& agent : fleet_->agents()) DUNLIN_ASSERT_OK(agent->start());
    // To a gateway that comes agents tell of their disks at once, and others hear it too.
    DUNLIN_ASSERT_OK(fleet_->add_gateway({.name = "gate-2"}).start());
    for (const auto& agent : fleet_->agents()) {
      for (const auto& gateway : fleet_->gateways()) {
        const std::string series = "dunlin_node_log_bytes{node=\"" + agent->node() + "\"}";
        ASSERT_TRUE(eventually([&] { return gateway->metric(series) > 0; })) << gateway->log();
      }
      talkers_.push_back(std::make_unique<test::Talker>(*agent, std::chrono::milliseconds(50)));
    }
    for (const auto& gateway : fleet_->gateways()) ports_.push_back(gateway->http_port());
  }
  std::string instance(std::size_t gateway) const {
    return "127.0.0.1:" + std::to_string(ports_[gateway]);
  }

  std::unique_ptr<test::Fleet> fleet_;
  std::vector<std::unique_ptr<test::Talker>> talkers_;
  std::vector<std::uint16_t> ports_;
};

TEST_F(Dashboards, EveryQueryGivesValues) {
  const auto prometheus =
      test::Prometheus::start({ports_, files("docker/prometheus/rules", ".yml")});
  ASSERT_TRUE(prometheus.ok()) << prometheus.error().message();
  test::Member& gone = *fleet_->agents()[2];
  gone.kill();

  std::size_t queries = 0;
  for (const std::string& file : files("docker/grafana/dashboards", ".json")) {
    const json dashboard = json::parse(read_file(file));
    // Of the node that is away as well.
    std::map<std::string, std::string> words{{"$__rate_interval", "10s"},
                                             {"$__range", "1m"},
                                             {"$gateway", instance(0)},
                                             {"$node", gone.node()}};
    for (const json& panel : dashboard["panels"]) {
      for (const json& target : panel.value("targets", json::array())) {
        ++queries;
        const std::string query = filled(target["expr"], words);
        json answer;
        const auto has_values = [&] {
          answer = (*prometheus)->query(query);
          return std::ranges::any_of(answer, [](const json& series) {
            return series["value"][1].get<std::string>() != "NaN";
          });
        };
        EXPECT_TRUE(eventually(has_values)) << panel["title"] << ": " << query << "\n" << answer;
        // Labels that a legend names are there.
        const std::string legend = target["legendFormat"];
        static const std::regex kLabel(R"(\{\{(\w+)\}\})");
        for (std::sregex_iterator at(legend.begin(), legend.end(), kLabel), end; at != end; ++at) {
          for (const json& series : answer)
            EXPECT_TRUE(series["metric"].contains((*at)[1].str())) << query << series;
        }
      }
    }
  }
  EXPECT_GT(queries, 60U);
  const json rules = (*prometheus)->get("/api/v1/rules");
  std::size_t groups = 0;
  for (const std::string& file : files("docker/prometheus/rules", ".yml")) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) groups += line.starts_with("  - name: ");
  }
  EXPECT_GT(groups, 0U);
  EXPECT_EQ(rules["groups"].size(), groups);
  for (const json& group : rules["groups"]) {
    for (const json& rule : group["rules"]) EXPECT_EQ(rule["health"], "ok") << rule;
  }
}

TEST_F(Dashboards, EveryChoiceOffersWhatThereIs) {
  const auto prometheus = test::Prometheus::start({ports_, {}});
  ASSERT_TRUE(prometheus.ok()) << prometheus.error().message();
  std::map<std::string, std::set<std::string>> offered;
  static const std::regex kForm(R"((?:label_values\((.*), (\w+)\)|query_result\((.*)\)))");
  for (const std::string& file : files("docker/grafana/dashboards", ".json")) {
    const json dashboard = json::parse(read_file(file));
    for (const json& variable : dashboard["templating"]["list"]) {
      if (variable["type"] != "query") continue;
      const std::string query = variable["query"]["query"];
      std::smatch form;
      ASSERT_TRUE(std::regex_match(query, form, kForm)) << query;
      const std::string label = form[2].matched ? form[2].str() : "name";
      const std::string of = form[2].matched ? form[1].str() : form[3].str();
      const auto ask = [&] {
        offered[variable["name"]].clear();
        for (const json& series : (*prometheus)->query(of))
          offered[variable["name"]].insert(series["metric"].value(label, ""));
        return offered[variable["name"]];
      };
      const std::set<std::string> wanted =
          label == "name" ? std::set<std::string>{"gate-1", "gate-2", "pump", "pond", "gone"}
                          : std::set<std::string>{instance(0), instance(1)};
      EXPECT_TRUE(eventually([&] { return ask() == wanted; })) << query;
    }
  }
  EXPECT_EQ(offered.size(), 2U);
}

TEST_F(Dashboards, EveryPanelOfAReportHasValues) {
  const auto prometheus = test::Prometheus::start({ports_, {}});
  ASSERT_TRUE(prometheus.ok()) << prometheus.error().message();
  const std::string page = fleet_->folder().file("fleet.html");
  std::size_t panels = 0;
  const auto drawn = [&](const std::string& source) {
    const std::string text = read_file(page);
    EXPECT_THAT(without_values(text), testing::IsEmpty()) << source;
    EXPECT_GT(count(text, "<h3>"), 60U) << source;
    EXPECT_THAT(text, HasSubstr("Agents up</h3><div class=\"value plain\">3</div>")) << source;
    EXPECT_THAT(text, HasSubstr("Gateway " + instance(1) + "</h2>"));
    EXPECT_THAT(text, HasSubstr("Node pump</h2>"));
    EXPECT_THAT(text, Not(HasSubstr("<script src")));
    if (panels == 0) panels = count(text, "<h3>");
    EXPECT_EQ(count(text, "<h3>"), panels) << "the same panels from both";
  };
  const std::vector<std::string> by_prometheus{
      "--prometheus", (*prometheus)->url(), "--range", "1m", "--node", "pump"};
  EXPECT_TRUE(eventually(
      [&] { return report(by_prometheus, page) == 0 && without_values(read_file(page)).empty(); },
      std::chrono::seconds(60)))
      << read_file(page + ".log");
  drawn("Prometheus");
  ASSERT_EQ(report({"--gateway", "http://" + instance(0), "http://" + instance(1), "--for", "5s",
                    "--node", "pump"},
                   page),
            0)
      << read_file(page + ".log");
  drawn("gateways");
}

// Over HTTPS the operator's certificate opens the door.
class SecureReport : public Membership {};

TEST_F(SecureReport, ShowsTheOperatorsCertificate) {
  if (IsSkipped()) return;
  ASSERT_EQ(dunlin({"device", "add", "front", "--gateway", "--cell", "north", "--host", "localhost",
                    "--out", bundle("front")}),
            0);
  Member front(folder_, {.name = "front",
                         .gateway = true,
                         .broker_url = url(),
                         .node_keys = "bundle = \"" + bundle("front") + "\"\ncells = [\"north\"]\n",
                         .more = "[https]\nlisten = \"127.0.0.1:0\"\n"});
  DUNLIN_ASSERT_OK(front.start());
  const int port = front.events("started").back()["https_port"];
  const std::string at = "localhost:" + std::to_string(port);
  const std::string page = folder_.file("fleet.html");
  ASSERT_EQ(report({"--gateway", "https://" + at, "--for", "1s", "--dir", fleet_}, page), 0)
      << read_file(page + ".log");
  EXPECT_THAT(read_file(page), HasSubstr("Gateway " + at + "</h2>"));
  std::filesystem::remove(page);
  EXPECT_EQ(report({"--gateway", "https://" + at, "--for", "1s", "--dir", fleet_ + "/none"}, page),
            1);
  EXPECT_FALSE(std::filesystem::exists(page));
}

}  // namespace
}  // namespace dunlin
