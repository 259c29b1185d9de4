#include "cli/broker_files.h"

#include <algorithm>
#include <map>

#include "common/runtime/topics.h"
#include "common/transport/mqtt/broker_url.h"

namespace dunlin::cli {

std::string broker_configuration(const std::string& folder, const std::vector<std::string>& hosts,
                                 std::uint16_t port, const std::string& user) {
  const bool local = std::all_of(hosts.begin(), hosts.end(), [](const std::string& host) {
    return BrokerUrl{.host = host}.is_loopback();
  });
  const auto file = [&](const char* key, const char* name) {
    return std::string(key) + " " + folder + "/" + name + "\n";
  };
  return "# For mosquitto 2.0, by `dunlin fleet init`. After changes: kill -HUP.\n"
         "user " +
         user + "\nlistener " + std::to_string(port) + (local ? " 127.0.0.1\n" : "\n") +
         file("cafile", "fleet.crt") + file("certfile", "broker.crt") +
         file("keyfile", "broker.key") + file("pid_file", "mosquitto.pid") +
         "tls_version tlsv1.2\n"
         "require_certificate true\n"
         "use_identity_as_username true\n"
         "use_username_as_clientid true\n" +
         file("acl_file", "acl") +
         "set_tcp_nodelay true\n"
         "message_size_limit 262144\n"
         "max_queued_bytes 67108864\n"
         "memory_limit 536870912\n"
         "max_keepalive 300\n";
}

std::string broker_rights(const std::string& fleet, const NodeId& authority,
                          const NodeId& fleet_operator,
                          const std::vector<security::Certificate>& members) {
  using replication::TopicClass;
  std::string out = "# By dunlin, anew with every member.\n";
  out += "\n# the operator\nuser " + fleet_operator.to_string() + "\ntopic readwrite " +
         runtime::topic_name(fleet, "+", TopicClass::authority, authority) +
         "\ntopic read $SYS/broker/#\n";
  std::map<std::string, std::vector<NodeId>> fetching;  // of each cell, who asks its agents
  for (const security::Certificate& certificate : members) {
    const security::Member& member = *certificate.member();
    if (member.role != "gateway" && member.role != "keeper") continue;
    for (const std::string& cell : security::cells_of(member.cell))
      fetching[cell].push_back(certificate.node());
  }
  for (const security::Certificate& certificate : members) {
    const security::Member& member = *certificate.member();
    const bool keeper = member.role == "keeper";
    if (member.role != "agent" && !keeper && member.role != "gateway") continue;
    const NodeId node = certificate.node();
    const bool gateway = member.role == "gateway";
    std::vector<std::string> cells = security::cells_of(member.cell);
    if (gateway) cells.emplace_back(kBackboneName);
    out += "\n# " + member.role + " " + member.name + "\nuser " + node.to_string() + "\n";
    const auto role = gateway ? replication::Role::gateway : replication::Role::agent;
    for (const auto& subscription : runtime::subscriptions(fleet, cells, role, node, keeper))
      out += "topic read " + subscription.filter + "\n";
    if (gateway) out += "topic read $SYS/broker/#\n";
    for (const std::string& cell : cells) {
      const auto own = [&](TopicClass topic) {
        out += "topic write " + runtime::topic_name(fleet, cell, topic, node) + "\n";
      };
      const auto all = [&](TopicClass topic) {
        const std::string name = runtime::topic_name(fleet, cell, topic, node);
        out += "topic write " + name.substr(0, name.rfind('/')) + "/+\n";
      };
      own(replication::presence_topic(gateway || keeper));
      if (keeper) own(TopicClass::hello);  // while it keeps nothing of others
      own(TopicClass::live);
      own(TopicClass::gossip);
      own(TopicClass::bulk);
      const auto inbox = [&](const NodeId& reader) {
        return runtime::topic_name(fleet, cell, TopicClass::inbox, node, reader);
      };
      if (gateway || keeper) {
        std::string any = inbox({});
        const std::string nobodys = NodeId{}.to_string();
        out += "topic write " + any.replace(any.find(nobodys), nobodys.size(), "+") + "\n";
      } else {
        // A name that nobody has would be one more that the broker retains something for.
        for (const NodeId& each : fetching[cell]) out += "topic write " + inbox(each) + "\n";
      }
      if (!gateway) continue;
      all(TopicClass::hello);
      all(TopicClass::gate);
      out += "topic write " + runtime::topic_name(fleet, cell, TopicClass::authority, authority);
      out += "\n";
    }
  }
  return out;
}

}  // namespace dunlin::cli
