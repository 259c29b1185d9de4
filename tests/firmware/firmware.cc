#include "tests/firmware/firmware.h"

#include <algorithm>

namespace dunlin::test {

namespace {

namespace fs = std::filesystem;

// The end of it, for people.
std::string tail(const std::string& text) {
  constexpr std::size_t kMax = 6000;
  return text.size() <= kMax ? text : "..." + text.substr(text.size() - kMax);
}

}  // namespace

bool Firmware::dunlin(std::vector<std::string> args) {
  const std::string output = folder_.file("dunlin.log");
  const auto code = run_program(
      {.program = built_program("dunlin"), .args = std::move(args), .output_file = output},
      std::chrono::minutes(5));
  if (code != 0) ADD_FAILURE() << tail(text_of(output));
  return code == 0;
}

bool Firmware::fleet(std::vector<std::string> args) {
  args.insert(args.end(), {"--dir", folder_.file("fleet")});
  return dunlin(std::move(args));
}

Result<void> Firmware::start_broker() {
  DUNLIN_ASSIGN(broker_,
                ChildProcess::start({.program = "mosquitto",
                                     .args = {"-c", folder_.file("fleet/broker/mosquitto.conf")},
                                     .env = {},
                                     .output_file = folder_.file("broker.log")}));
  if (!eventually([&] { return accepts_connections(port_); }))
    return {Errc::timeout, "mosquitto: " + text_of(folder_.file("broker.log"))};
  return {};
}

void Firmware::begin_alone(const std::string& profile) {
  profile_ = profile;
  const std::string tree = std::string(DUNLIN_SOURCE_DIR) + "/build/firmware/" + profile + "/tree";
  if (!fs::exists(tree)) {
    ASSERT_EQ(std::getenv("CI"), nullptr)
        << "firmware-profiles/build " << profile << " did not run";
    GTEST_SKIP() << "firmware-profiles/build " << profile << " did not run";
  }
}

void Firmware::begin(const std::string& profile) {
  begin_alone(profile);
  if (IsSkipped() || HasFatalFailure()) return;
  // The device knows this machine by another name than the gateway.
  ASSERT_TRUE(fleet({"fleet", "init", "coast", "--broker", "10.0.2.2", "127.0.0.1", "--port",
                     std::to_string(port_)}));
  ASSERT_TRUE(
      fleet({"device", "add", "gate", "--gateway", "--host", "10.0.2.2", "--out", bundle("gate")}));
  ASSERT_TRUE(fleet({"device", "add", "device", "--out", bundle("device")}));
  DUNLIN_ASSERT_OK(start_broker());
  gateway_ = std::make_unique<Member>(
      folder_, Member::Options{.name = "gate",
                               .gateway = true,
                               .broker_url = "mqtts://127.0.0.1:" + std::to_string(port_),
                               .node_keys = "bundle = \"" + bundle("gate") + "\"\n"});
  DUNLIN_ASSERT_OK(gateway_->start());
}

bool Firmware::build_image(const std::vector<std::string>& options) {
  const std::string root = DUNLIN_SOURCE_DIR;
  std::vector<std::string> args = {"image",
                                   "build",
                                   profile_,
                                   "--out",
                                   image(),
                                   "--profiles",
                                   profiles_,
                                   "--programs",
                                   root + "/build/firmware/" + profile_ + "/tree",
                                   "--cache",
                                   root + "/build/packages",
                                   "--settings",
                                   folder_.write("sampling.toml", settings_)};
  args.insert(args.end(), options.begin(), options.end());
  if (!dunlin(std::move(args))) return false;
  machine_ = std::make_unique<Machine>(folder_, image());
  return true;
}

nlohmann::json Firmware::device() const {
  for (const nlohmann::json& node :
       gateway_->get_json("/v1/nodes").value("nodes", nlohmann::json::array()))
    if (node.value("role", "") == "agent") return node;
  return nullptr;
}

std::vector<nlohmann::json> Firmware::logs() const {
  std::vector<nlohmann::json> logs;
  for (const nlohmann::json& log : device().value("logs", nlohmann::json::array()))
    if (log["track"] != 0) logs.push_back(log);
  return logs;
}

std::int64_t Firmware::epochs() const {
  // What is live comes before what is older.
  EXPECT_TRUE(eventually([&] {
    const auto all = logs();
    return std::all_of(all.begin(), all.end(),
                       [](const nlohmann::json& log) { return log["missing_entries"] == 0; });
  })) << explain();
  for (const nlohmann::json& log : logs()) {
    EXPECT_FALSE(log["forked"]) << log;
    EXPECT_EQ(log["lost_entries"], 0) << log;
  }
  return static_cast<std::int64_t>(logs().size());
}

std::string Firmware::explain() const {
  return "console: " + tail(machine_->console()) + "\ngateway: " + tail(gateway_->log());
}

}  // namespace dunlin::test
