#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/storage/query.h"
#include "dunlin/result.h"
#include "tests/support/http_client.h"
#include "tests/support/mosquitto.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace dunlin::test {

// One dunlin program of a fleet, with a configuration, a database and a log of its own. It listens
// for line protocol on a Unix socket (agents) and for HTTP on a port that the kernel chooses.
class Member {
 public:
  struct Options {
    std::string name = {};
    bool gateway = false;
    bool keeper = false;                  // an agent that keeps all logs of its cell
    std::vector<std::string> cells = {};  // an agent is in the first; empty = "default"
    std::string broker_url = {};
    std::vector<std::string> more_urls = {};    // of the same broker
    std::string node_keys = {};                 // more lines of [node],
    std::string broker_keys = {};               // of [broker],
    std::string storage_keys = {};              // of [storage],
    std::string track_keys = {};                // of [[track]] "samples"
    std::string more = {};                      // and whole sections
    std::string data_dir = {};                  // "" = a folder beside the configuration
    std::vector<std::string> environment = {};  // NAME=value
    bool stdin_pipe = false;
  };
  Member(const TempDir& folder, Options options);

  // Returns once it says that it started; on an error with what it said instead.
  Result<void> start();
  // Other options, for its next start,
  void configure(const std::function<void(Options&)>& change);
  // which comes without ending the process; returns once it says that it started.
  Result<void> reload();
  void kill();                // SIGKILL, as a crash
  std::optional<int> stop();  // SIGTERM; the exit code

  std::uint16_t http_port() const { return http_port_; }
  const std::string& name() const { return options_.name; }
  const std::vector<std::string>& cells() const { return options_.cells; }
  const std::string& data_dir() const { return options_.data_dir; }
  std::string database() const { return options_.data_dir + "/log.db"; }
  std::string config() const { return config_; }
  std::string node() const { return node_; }  // its id; known after the first start
  ChildProcess& process() { return process_; }

  // Writes lines to the socket of an agent and waits until it has read them. Tries to connect for
  // as long as `patience`; false when nobody listened or it ended meanwhile.
  bool say(const std::string& lines,
           std::chrono::milliseconds patience = std::chrono::seconds(20)) const;

  // A column of what `status` says of the samples track of a node; -1 when it is not known.
  std::int64_t status(const std::string& node, const std::string& column) const;

  // HTTP; a status of 0 when nobody answers, null for what is no JSON.
  HttpReply get(const std::string& path) const;
  nlohmann::json get_json(const std::string& path) const;
  // The value of a series on /metrics, 0 when there is none. `series` as printed, with its labels.
  double metric(const std::string& series) const;

  // One statement against the database by another process's eyes; an error is an empty table.
  storage::Table sql(const std::string& query) const;
  std::int64_t sql_integer(const std::string& query) const;
  // The same rows for the same readings, in whatever segments they lie. Of one node, or of all.
  std::vector<std::vector<storage::Value>> samples(const std::string& node = {}) const;
  // Readings in the database, each once.
  std::int64_t readings(const std::string& node = {}) const;

  // What it has logged so far, all starts together.
  std::string log() const;
  std::vector<nlohmann::json> events(const std::string& event) const;

  // The greatest resident memory so far.
  std::uint64_t peak_rss() const;

  // Runs the program with other arguments, "--config" added; its exit code and what it printed.
  struct Printed {
    int code = -1;
    std::string text;
  };
  Printed command(std::vector<std::string> args) const;

 private:
  std::string program() const;
  std::string configuration() const;
  Result<void> await_start(std::size_t started);

  const TempDir& folder_;
  Options options_;
  std::string config_;
  std::string node_;
  std::uint16_t http_port_ = 0;
  ChildProcess process_;
};

// A broker, gateways and agents, in a folder that is removed with them. The fleet has an authority:
// everybody speaks TLS with certificates, and has the rights that it needs. In an open one whoever
// reaches the broker is a member.
class Fleet {
 public:
  struct Secured {
    std::unique_ptr<TempDir> folder;  // by `dunlin fleet init`
    std::unique_ptr<Mosquitto> broker;
  };
  // Members of one with hosts reach the broker by these names and addresses.
  static Result<Secured> secure(const std::vector<std::string>& hosts = {});

  explicit Fleet(Secured secured)
      : authority_(std::move(secured.folder)), broker_(std::move(secured.broker)) {}
  explicit Fleet(std::unique_ptr<Mosquitto> open) : broker_(std::move(open)) {}
  // On a broker of several nodes that somebody else runs; an open fleet, whose members begin at one
  // node each and know the others.
  explicit Fleet(std::vector<std::string> urls) : urls_(std::move(urls)) {}

  Mosquitto& broker() { return *broker_; }
  const TempDir& folder() const { return folder_; }
  // A new member's bundle, which the broker knows; "" in an open fleet, where nobody needs one.
  Result<std::string> admit(const Member::Options& member);
  // Adds a member that is not started yet; broker_url and gateway are filled in, and the name, of a
  // gateway "gateway" if it has none.
  Member& add_gateway(Member::Options options = {});
  Member& add_agent(const std::string& name, Member::Options options = {});
  Member& gateway() { return *gateways_.front(); }
  std::vector<std::unique_ptr<Member>>& gateways() { return gateways_; }
  std::vector<std::unique_ptr<Member>>& agents() { return agents_; }
  Result<void> start();  // gateways, then agents, those that do not run

  // "" when every gateway that runs has all that the agents have, by its /v1/nodes; else what one
  // lacks.
  std::string behind() const;
  // Waits for that, and until the readings of each agent equal those at each of these gateways, row
  // by row. "" when they do.
  std::string converge(std::chrono::seconds deadline = std::chrono::seconds(60)) const;
  // "" when two members hold the same readings of a node.
  static std::string difference(const Member& agent, const Member& gateway);

 private:
  Member make(Member::Options options);
  static std::string behind(const Member& gateway,
                            const std::vector<std::unique_ptr<Member>>& agents);
  std::vector<Member*> running() const;  // gateways

  TempDir folder_;
  std::unique_ptr<TempDir> authority_;  // null in an open fleet
  std::unique_ptr<Mosquitto> broker_;
  std::vector<std::string> urls_;
  std::vector<std::unique_ptr<Member>> gateways_;
  std::vector<std::unique_ptr<Member>> agents_;
};

}  // namespace dunlin::test

// Starts a broker and a fleet on it into a new variable; see DUNLIN_START_MOSQUITTO.
#define DUNLIN_FLEET(fleet) DUNLIN_FLEET_ON(fleet, ::dunlin::test::Fleet::secure())
#define DUNLIN_OPEN_FLEET(fleet, ...) \
  DUNLIN_FLEET_ON(fleet, ::dunlin::test::Mosquitto::start(__VA_ARGS__))
#define DUNLIN_FLEET_ON(fleet, ...)                                                     \
  auto fleet##_broker = (__VA_ARGS__);                                                  \
  if (!fleet##_broker && fleet##_broker.error().code == ::dunlin::Errc::not_found &&    \
      !std::getenv("CI")) {                                                             \
    GTEST_SKIP() << "mosquitto is not installed: " << fleet##_broker.error().message(); \
  }                                                                                     \
  ASSERT_TRUE(fleet##_broker.ok()) << fleet##_broker.error().message();                 \
  ::dunlin::test::Fleet fleet(std::move(fleet##_broker).value())

#define DUNLIN_ASSERT_OK(expression)                          \
  do {                                                        \
    const auto asserted = (expression);                       \
    ASSERT_TRUE(asserted.ok()) << asserted.error().message(); \
  } while (false)
