#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/security/certificate.h"
#include "tests/support/eventually.h"
#include "tests/support/fleet.h"

namespace dunlin {

inline std::string read_file(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// A fleet made by `dunlin`, its broker, and bundles of two gateways, a rogue one, and three agents:
// a and b in the cell north, c in south.
class Membership : public testing::Test {
 protected:
  using ChildProcess = test::ChildProcess;
  using Member = test::Member;

  void SetUp() override {
    if (!test::find_program("mosquitto")) {
      ASSERT_EQ(std::getenv("CI"), nullptr) << "mosquitto is not installed";
      GTEST_SKIP() << "mosquitto is not installed";
    }
    ASSERT_EQ(dunlin({"fleet", "init", "mountain", "--port", std::to_string(port_), "--broker",
                      "127.0.0.1", "localhost"}),
              0);
    for (const char* name : {"gate", "watch", "rogue"})
      ASSERT_EQ(
          dunlin({"device", "add", name, "--gateway", "--cell", "north", "--out", bundle(name)}),
          0);
    for (const char* name : {"a", "b"})
      ASSERT_EQ(dunlin({"device", "add", name, "--cell", "north", "--out", bundle(name)}), 0);
    ASSERT_EQ(dunlin({"device", "add", "c", "--cell", "south", "--out", bundle("c")}), 0);
    start_broker();
  }
  void start_broker(std::vector<std::string> environment = {}) {
    auto broker = ChildProcess::start({.program = "mosquitto",
                                       .args = {"-c", fleet_ + "/broker/mosquitto.conf"},
                                       .env = std::move(environment),
                                       .output_file = folder_.file("broker.log")});
    ASSERT_TRUE(broker.ok());
    broker_ = *std::move(broker);
    ASSERT_TRUE(test::eventually([&] { return test::accepts_connections(port_); }))
        << read_file(folder_.file("broker.log"));
  }
  int dunlin(std::vector<std::string> args) {
    args.insert(args.end(), {"--dir", fleet_});
    return test::run_program({.program = test::built_program("dunlin"),
                              .args = std::move(args),
                              .env = {},
                              .output_file = folder_.file("dunlin.log")})
        .value_or(-1);
  }
  std::string bundle(const std::string& name) const { return folder_.file(name + ".bundle"); }
  std::string url() const { return "mqtts://127.0.0.1:" + std::to_string(port_); }
  Member make(const std::string& name, bool gateway = false, const std::string& of = "north") {
    const std::string cell = gateway ? "cells = [\"" + of + "\"]\n" : "";
    return Member(folder_, {.name = name,
                            .gateway = gateway,
                            .broker_url = url(),
                            .node_keys = "bundle = \"" + bundle(name) + "\"\n" + cell});
  }
  // A member that does not run, its certificate in hostile hands: two clients of one certificate
  // would take each other's session.
  Member stolen(const std::string& name, bool gateway = false, const std::string& of = "north") {
    Member member = make(name, gateway, of);
    EXPECT_TRUE(member.start().ok());
    EXPECT_EQ(member.stop(), 0);
    return member;
  }
  // How mosquitto_pub and mosquitto_sub show the certificate of such a member,
  std::vector<std::string> as(const Member& member, const std::string& client) const {
    return as(member.data_dir() + "/node", client);
  }
  // or one whose files are PATH.crt and PATH.key.
  std::vector<std::string> as(const std::string& path, const std::string& client) const {
    return {
        "-h",    "127.0.0.1",  "-p",       std::to_string(port_),        "-i",     client,
        "-V",    "5",          "--cafile", fleet_ + "/broker/fleet.crt", "--cert", path + ".crt",
        "--key", path + ".key"};
  }
  void publish(const Member& member, const std::string& topic, const std::string& text,
               const std::string& client = "publisher") {
    publish_with(as(member, client), topic, text);
  }
  // Its exit code.
  int publish_with(std::vector<std::string> args, const std::string& topic,
                   const std::string& text) {
    args.insert(args.end(), {"-q", "1", "-t", topic, "-m", text});
    return test::run_program({.program = "mosquitto_pub",
                              .args = std::move(args),
                              .env = {},
                              .output_file = folder_.file("publish.log")})
        .value_or(-1);
  }
  // The fleet's own, as whoever holds its folder could use it.
  security::Authority authority() const {
    auto key = security::NodeKey::from_pem(read_file(fleet_ + "/authority.key")).value();
    const std::string pem = read_file(fleet_ + "/broker/fleet.crt");
    return security::Authority::load(std::move(key), security::Certificate::from_pem(pem).value())
        .value();
  }
  // PATH of PATH.crt and PATH.key, for an agent in north.
  std::string issue(security::Authority& by, const std::string& name,
                    security::Validity validity) const {
    const auto key = security::NodeKey::generate().value();
    const security::Member member{by.fleet(), "north", "agent", name};
    std::ofstream(folder_.file(name + ".crt"))
        << by.issue(key->public_key(), member, validity)->to_pem();
    std::ofstream(folder_.file(name + ".key")) << key->to_pem().value();
    return folder_.file(name);
  }
  // The broker's certificate, as it shows it to who connects.
  std::string shown_by_broker() const {
    const std::string file = folder_.file("shown");
    std::filesystem::remove(file);
    (void)test::run_program({.program = "openssl",
                             .args = {"s_client", "-connect", "127.0.0.1:" + std::to_string(port_)},
                             .env = {},
                             .output_file = file});
    const std::string text = read_file(file);
    const std::size_t begin = text.find("-----BEGIN"), end = text.find("-----END");
    return end == std::string::npos ? "" : text.substr(begin, end - begin);
  }
  ChildProcess subscribe(const Member& member, const std::string& to) {
    std::vector<std::string> args = as(member, "subscriber-" + to);
    args.insert(args.end(), {"-v", "-t", root_ + "#"});
    return ChildProcess::start(
               {.program = "mosquitto_sub", .args = args, .env = {}, .output_file = heard(to)})
        .value();
  }
  std::string heard(const std::string& to) const { return folder_.file(to + ".heard"); }
  // Of the lines so far; others are of payloads.
  std::vector<std::string> topics(const std::string& to) const {
    std::vector<std::string> found;
    std::istringstream lines(read_file(heard(to)));
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with(root_)) found.push_back(line.substr(0, line.find(' ')));
    }
    return found;
  }
  bool hears(const std::string& to, const std::string& text) const {
    return test::eventually([&] { return read_file(heard(to)).find(text) != std::string::npos; });
  }

  test::TempDir folder_;
  std::string fleet_ = folder_.file("fleet");
  std::uint16_t port_ = test::free_port();
  std::string root_ = "dunlin/v1/mountain/";
  ChildProcess broker_;
};

}  // namespace dunlin
