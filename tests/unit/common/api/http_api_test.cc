// A node's HTTP as a hostile client sees it.
#include "common/api/http_api.h"

#include <gtest/gtest.h>
#include <time.h>

#include <filesystem>
#include <future>
#include <nlohmann/json.hpp>

#include "common/security/keys.h"
#include "common/storage/log_store.h"
#include "tests/support/eventually.h"
#include "tests/support/http_client.h"
#include "tests/support/temp_dir.h"

namespace dunlin::api {
namespace {

using nlohmann::json;

// A node that has nothing to tell, unless a test says so.
class QuietNode final : public runtime::NodeView {
 public:
  runtime::NodeReport told;
  runtime::NodeReport report() override { return told; }
  bool revoked(const NodeId&) override { return false; }
  bool keeps_other_cells() override { return false; }
  bool connected() const override { return true; }
  runtime::DiskState disk_state() const override { return {}; }
  void on_replicated(OnReplicated) override {}
};

class HttpApiTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto key = security::NodeKey::generate().value();
    const auto verifier = security::make_mbedtls_verifier();
    const storage::LogStore::Options log{.path = path_, .fresh_epoch = Epoch{7}};
    ASSERT_TRUE(storage::LogStore::open(log, key->node(), *verifier, nullptr).ok());
    HttpApiOptions options;
    options.listen = "127.0.0.1:0";
    options.database = path_;
    api_ = HttpApi::start(node_, options).value();
  }
  std::uint16_t port() const { return static_cast<std::uint16_t>(api_->port()); }
  // "200", or the status and the code of the problem.
  std::string post(const std::string& body) const {
    const auto answer = test::http_post(port(), "/v1/sql", body);
    if (!answer.ok()) return answer.error().message();
    if (answer->status == 200) return "200";
    return std::to_string(answer->status) + " " + json::parse(answer->body).value("code", "none");
  }
  static std::string body_of(const std::string& sql) { return json{{"sql", sql}}.dump(); }
  std::string ask(const std::string& sql) const { return post(body_of(sql)); }
  json rows(const std::string& sql) const {
    const auto answer = test::http_post(port(), "/v1/sql", body_of(sql));
    return json::parse(answer.value().body);
  }

  test::TempDir folder_;
  std::string path_ = folder_.file("log.db");
  QuietNode node_;
  std::unique_ptr<HttpApi> api_;
};

TEST_F(HttpApiTest, SaysWhenItIsExposed) {
  const auto says = [&](const std::string& value) {
    const std::string page = test::http_get(port(), "/metrics")->body;
    return page.find("dunlin_http_exposed " + value) != std::string::npos;
  };
  EXPECT_TRUE(says("0"));
  HttpApiOptions options;
  options.listen = "0.0.0.0:0";
  options.database = path_;
  options.http_exposed = true;
  api_ = HttpApi::start(node_, options).value();
  EXPECT_TRUE(says("1"));
}

TEST_F(HttpApiTest, SaysWhatItsProcessTakes) {
  const std::string page = test::http_get(port(), "/metrics")->body;
  const auto value = [&](const std::string& metric) {
    const std::size_t at = page.find("\n" + metric + " ");
    return at == std::string::npos ? -1.0 : std::stod(page.substr(at + metric.size() + 2));
  };
  EXPECT_GT(value("process_resident_memory_bytes"), 1e6);
  EXPECT_GT(value("process_open_fds"), 3);
  EXPECT_GE(value("process_cpu_seconds_total"), 0);
  const auto now = static_cast<double>(::time(nullptr));
  EXPECT_LE(value("process_start_time_seconds"), now + 2);
  EXPECT_GE(value("process_start_time_seconds"), now - 3600);
  EXPECT_EQ(value("dunlin_certificate_expiry_timestamp_seconds"), -1) << "it has none";
}

TEST_F(HttpApiTest, NobodyWaitsForWhoWasRevoked) {
  const auto lacks = [&](std::uint8_t number, std::uint64_t entries) {
    replication::NodeStatus& node = node_.told.nodes.emplace_back(
        replication::NodeStatus{.node = NodeId{{number}}, .name = {}, .cell = "north"});
    node.logs.push_back({.log = {}, .missing = {}, .behind_since = Instant{}});
    node.logs.back().missing_entries = entries;
    return node.node.to_string();
  };
  node_.told.self.bytes.fill(0xff);
  node_.told.now.mono = Instant{std::chrono::hours(1)};
  const std::string kept = lacks(1, 3), gone = lacks(2, 500);
  node_.told.nodes.back().revoked = true;
  const std::string page = test::http_get(port(), "/metrics")->body;
  EXPECT_NE(page.find("dunlin_node_lag_seconds{node=\"" + kept + "\"} 3600"), std::string::npos);
  EXPECT_NE(page.find("dunlin_lag_entries_max{cell=\"north\"} 3\n"), std::string::npos);
  EXPECT_EQ(page.find(gone), std::string::npos);
  const json lag = json::parse(test::http_get(port(), "/v1/lag")->body);
  EXPECT_EQ(lag["cells"][0]["nodes"], 1);
  EXPECT_EQ(lag["cells"][0]["lag_entries_max"], 3);
}

TEST_F(HttpApiTest, NoPathLeadsToAFile) {
  ASSERT_EQ(test::http_get(port(), "/v1/nodes")->status, 200);
  for (const std::string path :
       {"/etc/passwd", "//etc/passwd", "/../../../../etc/passwd", "/v1/../../../../etc/passwd",
        "/v1/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2f..%2fetc%2fpasswd",
        "/v1/..%5c..%5cetc%5cpasswd", "/%252e%252e/etc/passwd", "/v1/nodes/../../etc/passwd",
        "/v1/nodes%00", "/v1/nodes/", "/v1/./nodes", "/metrics/../v1/nodes", "/log.db",
        "file:///etc/passwd", "http://127.0.0.1/etc/passwd"}) {
    const auto answer = test::http_get(port(), path);
    ASSERT_TRUE(answer.ok()) << path;
    EXPECT_TRUE(answer->status == 404 || answer->status == 400) << path << ": " << answer->status;
    EXPECT_EQ(answer->body.find("root:"), std::string::npos) << path;
  }
}

TEST_F(HttpApiTest, SqlReadsTheLogAlone) {
  const std::string loot = folder_.file("loot");
  const json before = rows("SELECT * FROM meta");
  ASSERT_TRUE(before.contains("rows")) << before;
  const std::vector<std::string> hostile{"INSERT INTO meta VALUES('a', 1)",
                                         "DELETE FROM meta",
                                         "DROP TABLE meta",
                                         "REPLACE INTO meta VALUES('a', 1)",
                                         "CREATE TABLE t(x)",
                                         "ATTACH '" + loot + "' AS o",
                                         "ATTACH '/etc/passwd' AS o",
                                         "VACUUM INTO '" + loot + "'",
                                         "SELECT load_extension('x')",
                                         "SELECT readfile('/etc/passwd')",
                                         "SELECT writefile('" + loot + "', 'x')",
                                         "SELECT * FROM fsdir('/')",
                                         "SELECT edit('x')",
                                         "SELECT fts3_tokenizer('simple')",
                                         "PRAGMA journal_mode = OFF",
                                         "PRAGMA writable_schema = 1",
                                         "PRAGMA temp_store_directory",
                                         "PRAGMA hard_heap_limit = 0",
                                         "SELECT 1; DROP TABLE meta",
                                         "EXPLAIN DELETE FROM meta; DELETE FROM meta"};
  for (const std::string& sql : hostile) {
    EXPECT_EQ(ask(sql), "400 invalid_argument") << sql;
  }
  EXPECT_EQ(rows("SELECT * FROM meta"), before);
  EXPECT_FALSE(std::filesystem::exists(loot));
}

TEST_F(HttpApiTest, AnEndlessResultIsCutOff) {
  const json table =
      rows("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n");
  EXPECT_EQ(table.at("rows").size(), 10'000U);
  EXPECT_EQ(table.at("truncated"), true);
  EXPECT_EQ(ask("SELECT " + std::string(8'000, '(') + "1" + std::string(8'000, ')')),
            "400 invalid_argument");
}

TEST_F(HttpApiTest, AnEndlessQueryHoldsUpQueriesAlone) {
  auto endless = std::async(std::launch::async, [&] {
    return ask(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n");
  });
  EXPECT_TRUE(test::eventually([&] { return ask("SELECT 1") == "503 busy"; }));
  EXPECT_EQ(test::http_get(port(), "/healthz")->status, 200);
  EXPECT_EQ(endless.get(), "503 timeout");
  EXPECT_EQ(ask("SELECT 1"), "200");
}

TEST_F(HttpApiTest, BodiesOfAnotherShapeAreRefused) {
  const std::string open(100'000, '['), close(100'000, ']');
  const std::string query = R"({"sql":"SELECT 1","params":)";
  ASSERT_EQ(post(query + "[]}"), "200");
  for (const std::string& body :
       {std::string(), std::string("\xff\xfe"), std::string("{\"sql\":\"SELECT 1\""),
        std::string("{\"sql\":7}"), open, open + close, "{\"sql\":" + open + close + "}",
        query + open + close + "}", query + "{\"a\":1}}", query + "7}", query + "[{}]}",
        query + "[18446744073709551615]}"}) {
    EXPECT_EQ(post(body), "400 invalid_argument") << body.substr(0, 80);
  }
  EXPECT_EQ(post(std::string((1 << 20) + 1, ' ')), "413 content_too_large");
}

}  // namespace
}  // namespace dunlin::api
