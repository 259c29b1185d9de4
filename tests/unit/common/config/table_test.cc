#include "common/config/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <limits>

#include "tests/support/temp_dir.h"

namespace dunlin::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

Document parse(std::string_view toml, const Environment& environment = {}) {
  auto document = Document::parse(toml, "agent.toml", environment);
  EXPECT_TRUE(document.ok()) << document.error().message();
  return std::move(document).value();
}

TEST(Table, ReadsEveryType) {
  Document document = parse(R"(
cells = ["a", "b"]
[node]
name = "n1"
count = 3
share = 0.5
whole = 2
on = true
wait = "1.5h"
bytes = "64MiB"
plain = 4096
mode = "fast"
)");
  EXPECT_THAT(document.root().texts("cells"), ElementsAre("a", "b"));
  EXPECT_THAT(document.root().text_or_texts("cells"), ElementsAre("a", "b"));
  EXPECT_THAT(document.root().table("node").text_or_texts("name"), ElementsAre("n1"));
  EXPECT_THAT(document.root().text_or_texts("absent"), IsEmpty());
  Table node = document.root().table("node");
  EXPECT_EQ(node.text("name"), "n1");
  EXPECT_EQ(node.integer("count", 0, 0, 10), 3);
  EXPECT_EQ(node.real("share", 0, 0, 1), 0.5);
  EXPECT_EQ(node.real("whole", 0, 0, 5), 2.0);
  EXPECT_TRUE(node.boolean("on", false));
  EXPECT_EQ(node.duration("wait", 0us), 90min);
  EXPECT_EQ(node.size("bytes", 0), 64u << 20);
  EXPECT_EQ(node.size("plain", 0), 4096u);
  EXPECT_EQ(node.choice("mode", "slow", {"slow", "fast"}), "fast");
  EXPECT_THAT(document.mistakes(), IsEmpty());
}

TEST(Table, AbsentKeysGiveTheFallback) {
  Document document = parse("");
  Table node = document.root().table("node");
  EXPECT_EQ(node.text("name", "x"), "x");
  EXPECT_EQ(node.integer("count", 7, 0, 10), 7);
  EXPECT_EQ(node.duration("wait", 5s), 5s);
  EXPECT_FALSE(node.has("name"));
  EXPECT_THAT(document.root().tables("input"), IsEmpty());
  EXPECT_THAT(document.mistakes(), IsEmpty());
}

TEST(Table, WrongTypesAndRangesAreGathered) {
  Document document = parse(R"([node]
name = 5
count = 11
wait = 5
on = "yes"
mode = "fsat"
)");
  Table node = document.root().table("node");
  EXPECT_EQ(node.text("name", "x"), "x");
  EXPECT_EQ(node.integer("count", 1, 0, 10), 1);
  EXPECT_EQ(node.duration("wait", 1s), 1s);
  EXPECT_FALSE(node.boolean("on", false));
  EXPECT_EQ(node.choice("mode", "slow", {"slow", "fast"}), "slow");
  EXPECT_THAT(
      document.mistakes(),
      ElementsAre("agent.toml:2: [node] name: should be a text, not an integer",
                  "agent.toml:3: [node] count: should be within 0 to 10, not 11",
                  HasSubstr("agent.toml:4: [node] wait: should be a duration"),
                  "agent.toml:5: [node] on: should be true or false, not \"yes\"",
                  "agent.toml:6: [node] mode: unknown value \"fsat\" (one of slow, fast); did you "
                  "mean \"fast\"?"));
}

TEST(Table, NanIsOutOfRange) {
  Document document = parse("share = nan\n");
  EXPECT_EQ(document.root().real("share", 0.25, 0, 1), 0.25);
  EXPECT_EQ(document.mistakes().size(), 1u);
}

TEST(Table, RequiredKeysAreMissed) {
  Document document = parse("[broker]\n");
  Table broker = document.root().table("broker");
  EXPECT_EQ(broker.required_text("url"), "");
  EXPECT_THAT(document.mistakes(), ElementsAre("agent.toml:1: [broker] url: missing"));
}

TEST(Table, UnknownKeysNameTheNearestKnownOne) {
  Document document = parse(R"(
[borker]
url = "x"
[broker]
usrname = "me"
[[input]]
type = "host"
intervall = "5s"
)");
  Table broker = document.root().table("broker");
  broker.text("url");
  broker.text("username");
  auto inputs = document.root().tables("input");
  ASSERT_EQ(inputs.size(), 1u);
  inputs[0].text("type");
  inputs[0].duration("interval", 1s);
  EXPECT_THAT(
      document.mistakes(),
      ElementsAre("agent.toml:2: borker: unknown key; did you mean \"broker\"?",
                  "agent.toml:5: [broker] usrname: unknown key; did you mean \"username\"?",
                  "agent.toml:8: [[input]] intervall: unknown key; did you mean \"interval\"?"));
}

TEST(Table, FreeFormTablesKeepTheOrderOfTheFile) {
  Document document = parse(R"(
[[input]]
[input.columns]
zeta = "a"
alpha = "b"
wrong = 5
)");
  auto inputs = document.root().tables("input");
  Table columns = inputs.at(0).table("columns");
  EXPECT_THAT(columns.text_pairs(), ElementsAre(std::pair<std::string, std::string>("zeta", "a"),
                                                std::pair<std::string, std::string>("alpha", "b")));
  EXPECT_THAT(document.mistakes(),
              ElementsAre("agent.toml:6: [input.columns] wrong: should be a text, not an integer"));
}

TEST(Table, ATableIsNoArrayOfTables) {
  Document document = parse("[input]\ntype = \"host\"\n");
  EXPECT_THAT(document.root().tables("input"), IsEmpty());
  EXPECT_THAT(document.mistakes(), ElementsAre(HasSubstr("an array of tables, [[input]]")));
}

TEST(Document, SyntaxErrorsSayWhere) {
  const auto document = Document::parse("[node]\nname = \n", "agent.toml", {});
  ASSERT_FALSE(document.ok());
  EXPECT_EQ(document.error().code, Errc::config);
  EXPECT_THAT(document.error().context, HasSubstr("agent.toml:2:"));
}

TEST(Document, VariablesAreReplacedInTexts) {
  const Environment environment = {{"HOME", "/root"}, {"EMPTY", ""}};
  Document document = parse(R"(
a = "${HOME}/x"
b = "${NONE:-dflt}"
c = "${EMPTY:-dflt}-${EMPTY}"
d = "$${HOME} $5"
e = ["${HOME}"]
)",
                            environment);
  EXPECT_EQ(document.root().text("a"), "/root/x");
  EXPECT_EQ(document.root().text("b"), "dflt");
  EXPECT_EQ(document.root().text("c"), "dflt-");
  EXPECT_EQ(document.root().text("d"), "${HOME} $5");
  EXPECT_THAT(document.root().texts("e"), ElementsAre("/root"));
  EXPECT_THAT(document.mistakes(), IsEmpty());
}

TEST(Document, UndefinedVariablesAreMistakes) {
  Document document = parse("[broker]\nurl = \"mqtt://${HOST}\"\nuser = \"${OPEN\"\n");
  Table broker = document.root().table("broker");
  broker.text("url");
  broker.text("user");
  EXPECT_THAT(document.mistakes(),
              ElementsAre("agent.toml:2: [broker] url: ${HOST} is not set in the environment",
                          "agent.toml:3: [broker] user: ${ without its }"));
}

TEST(Document, TheEnvironmentOverrides) {
  const Environment environment = {{"DUNLIN_LOG", "1"},
                                   {"DUNLIN_BROKER__URL", "mqtt://b:1"},
                                   {"DUNLIN_BROKER__PORT", "5"},
                                   {"DUNLIN_NODE__ON", "true"},
                                   {"DUNLIN_INPUT__0__RATE", "2.5"},
                                   {"DUNLIN_CELLS", "a, b"},
                                   {"DUNLIN_LOG__LEVEL", "debug"},
                                   {"DUNLIN_DATA", "/somewhere"}};
  Document document = parse("[broker]\nurl = \"mqtt://a:1\"\n[[input]]\nrate = 1\n", environment);
  Table broker = document.root().table("broker");
  EXPECT_EQ(broker.text("url"), "mqtt://b:1");
  EXPECT_EQ(broker.integer("port", 0, 0, 10), 5);
  EXPECT_TRUE(document.root().table("node").boolean("on", false));
  EXPECT_EQ(document.root().tables("input").at(0).real("rate", 0, 0, 10), 2.5);
  EXPECT_THAT(document.root().texts("cells"), ElementsAre("a", "b"));
  EXPECT_THAT(document.root().text_or_texts("cells"), ElementsAre("a", "b"));
  EXPECT_EQ(document.root().table("log").text("level"), "debug");
  EXPECT_THAT(document.mistakes(), IsEmpty());
}

TEST(Document, OverridesAreCheckedLikeTheFile) {
  Document document = parse("", {{"DUNLIN_BROKER__PORT", "many"}, {"DUNLIN_BROKER__ULR", "x"}});
  Table broker = document.root().table("broker");
  broker.text("url");
  EXPECT_EQ(broker.integer("port", 3, 0, 10), 3);
  EXPECT_THAT(
      document.mistakes(),
      ElementsAre("DUNLIN_BROKER__PORT: [broker] port: should be an integer within 0 to 10, "
                  "not \"many\"",
                  "DUNLIN_BROKER__ULR: [broker] ulr: unknown key; did you mean \"url\"?"));
}

TEST(Document, DropInsApplyInTheOrderOfTheirNames) {
  const test::TempDir dir;
  std::filesystem::create_directory(dir.path() / "conf.d");
  const std::string main = dir.write("agent.toml", R"(
[broker]
url = "main"
username = "main"
[[input]]
type = "a"
)");
  dir.write("conf.d/20-late.toml", "[broker]\nurl = \"late\"\n[[input]]\ntype = \"c\"\n");
  dir.write("conf.d/10-early.toml", "[broker]\nurl = \"early\"\n[[input]]\ntype = \"b\"\nx = 1\n");
  dir.write("conf.d/ignored.txt", "not toml");
  auto document = Document::load({main, {}});
  ASSERT_TRUE(document.ok()) << document.error().message();
  Table broker = document->root().table("broker");
  EXPECT_EQ(broker.text("url"), "late");
  EXPECT_EQ(broker.text("username"), "main");
  std::vector<std::string> types;
  for (Table& input : document->root().tables("input")) types.push_back(input.text("type"));
  EXPECT_THAT(types, ElementsAre("a", "b", "c"));
  EXPECT_THAT(document->mistakes(),
              ElementsAre(HasSubstr("conf.d/10-early.toml:5: [[input]] x: unknown key")));
}

TEST(Document, MissingFilesAndWrongDropInsAreErrors) {
  const test::TempDir dir;
  EXPECT_EQ(Document::load({dir.file("none.toml"), {}}).error().code, Errc::not_found);
  const std::string main = dir.write("agent.toml", "a = 1\n");
  std::filesystem::create_directory(dir.path() / "conf.d");
  dir.write("conf.d/x.toml", "a = = 1\n");
  EXPECT_THAT(Document::load({main, {}}).error().context, HasSubstr("conf.d/x.toml:1:"));
}

TEST(Document, TablesMayOutliveIt) {
  std::vector<Table> tables;
  {
    Document document = parse("[a]\nb = \"c\"\n");
    tables.push_back(document.root().table("a"));
  }
  EXPECT_EQ(tables[0].text("b"), "c");
  EXPECT_EQ(tables[0].where("b"), "agent.toml:2: [a] b");
}

}  // namespace
}  // namespace dunlin::config
