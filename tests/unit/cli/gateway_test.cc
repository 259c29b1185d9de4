#include "cli/gateway.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/http/server.h"
#include "common/log/limits.h"

namespace dunlin::cli {
namespace {

using nlohmann::json;

// A gateway that knows one node with these logs.
class GatewayTest : public testing::Test {
 protected:
  GatewayTest() {
    server_.route("GET", "/v1/nodes", [this](const http::Request&) {
      const json node{{"node", NodeId{}.to_string()}, {"logs", logs_}};
      return http::Response{.body = json{{"nodes", {node}}}.dump()};
    });
    url_ = "http://127.0.0.1:" + std::to_string(server_.start("127.0.0.1:0").value());
  }
  static json log(std::uint64_t epoch, std::uint64_t proven) {
    Bytes epoch_bytes;
    for (int shift = 56; shift >= 0; shift -= 8)
      epoch_bytes.push_back(static_cast<std::uint8_t>(epoch >> shift));
    return {{"epoch", to_hex(epoch_bytes)},
            {"track", 1},
            {"proven", proven},
            {"proven_hash", to_hex(Bytes(32, 7))}};
  }

  json logs_ = json::array();
  http::Server server_;
  std::string url_;
};

TEST_F(GatewayTest, SaysWhatIsProven) {
  logs_ = {log(5, 12), log(6, 0)};
  const auto ends = ends_of(url_, NodeId{}).value();
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends[0].epoch, Epoch{5});
  EXPECT_EQ(ends[0].last, 12u);
  NodeId other;
  other.bytes.fill(1);
  EXPECT_TRUE(ends_of(url_, other)->empty());
}

TEST_F(GatewayTest, IsOnThisMachine) {
  for (const char* url : {"http://10.0.0.1:7380", "https://127.0.0.1:7380", "127.0.0.1:7380",
                          "http://127.0.0.1.example.org", "http://me@10.0.0.1:7380"})
    EXPECT_EQ(ends_of(url, NodeId{}).error().code, Errc::invalid_argument) << url;
}

TEST_F(GatewayTest, OfAThousandLogsTheLongestCount) {
  for (std::uint64_t n = 1; n <= 1000; ++n) logs_.push_back(log(n, n));
  const auto ends = ends_of(url_, NodeId{}).value();
  ASSERT_EQ(ends.size(), kRevokedLogsMax);
  EXPECT_EQ(ends.front().last, 1000u);
  EXPECT_EQ(ends.back().last, 1000u - kRevokedLogsMax + 1);
}

TEST_F(GatewayTest, WhatNoLogCanBeIsMalformed) {
  logs_ = {log(1, kSeqMax + 1)};
  EXPECT_EQ(ends_of(url_, NodeId{}).error().code, Errc::malformed);
  logs_ = {{{"epoch", 7}}};
  EXPECT_EQ(ends_of(url_, NodeId{}).error().code, Errc::malformed);
}

}  // namespace
}  // namespace dunlin::cli
