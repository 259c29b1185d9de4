#include "common/runtime/topics.h"

#include <algorithm>

namespace dunlin::runtime {

namespace {

using replication::TopicClass;

constexpr std::string_view kPrefix = "dunlin/v1/";
// In the order of TopicClass.
constexpr std::string_view kNames[] = {"hello", "gate", "authority", "gossip",
                                       "live",  "bulk", "inbox"};

constexpr char kAnyAuthority[] = "authority/+";

// What the topics of a cell begin with.
std::string root_of(std::string_view fleet, std::string_view cell) {
  return std::string(kPrefix).append(fleet).append("/").append(cell).append("/");
}

std::string_view take_level(std::string_view& rest) {
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  const std::string_view level = rest.substr(0, slash);
  rest.remove_prefix(std::min(slash + 1, rest.size()));
  return level;
}

}  // namespace

std::string topic_name(std::string_view fleet, std::string_view cell, TopicClass topic,
                       const NodeId& node, const NodeId& reader) {
  std::string name;
  name.reserve(128);
  name.append(kPrefix).append(fleet).append("/").append(cell).append("/");
  name.append(kNames[static_cast<std::size_t>(topic)]).append("/");
  if (topic == TopicClass::inbox) name.append(reader.to_string()).append("/");
  return name.append(node.to_string());
}

std::vector<std::string> topic_names(std::string_view fleet, const std::vector<std::string>& cells,
                                     const replication::Send& send, const NodeId& self) {
  const bool inbox = send.topic == TopicClass::inbox;
  std::vector<std::string> names;
  for (replication::CellIndex cell = 0; cell < cells.size(); ++cell) {
    if (send.cell != replication::kEveryCell && send.cell != cell) continue;
    names.push_back(inbox ? topic_name(fleet, cells[cell], send.topic, self, send.target)
                          : topic_name(fleet, cells[cell], send.topic, send.target));
  }
  return names;
}

std::string will_topic(std::string_view fleet, const std::vector<std::string>& cells,
                       TopicClass presence, const NodeId& self) {
  const auto backbone = std::find(cells.begin(), cells.end(), kBackboneName);
  return topic_name(fleet, backbone == cells.end() ? cells.front() : *backbone, presence, self);
}

std::optional<ParsedTopic> parse_topic(std::string_view fleet, std::string_view topic) {
  if (!topic.starts_with(kPrefix)) return std::nullopt;
  std::string_view rest = topic.substr(kPrefix.size());
  if (take_level(rest) != fleet) return std::nullopt;
  ParsedTopic parsed{take_level(rest), TopicClass::gossip, {}};
  const auto name = std::find(std::begin(kNames), std::end(kNames), take_level(rest));
  if (name == std::end(kNames)) return std::nullopt;
  parsed.topic = static_cast<TopicClass>(name - std::begin(kNames));
  if (parsed.topic == TopicClass::inbox) {
    const Result<NodeId> reader = NodeId::from_string(take_level(rest));
    if (!reader.ok()) return std::nullopt;
    parsed.reader = *reader;
  }
  const Result<NodeId> node = NodeId::from_string(rest);
  if (!node.ok()) return std::nullopt;
  parsed.node = *node;
  // One spelling of each: no capital digits, nothing behind the last level.
  if (topic_name(fleet, parsed.cell, parsed.topic, parsed.node, parsed.reader) != topic)
    return std::nullopt;
  return parsed;
}

std::vector<Transport::Subscription> subscriptions(std::string_view fleet,
                                                   const std::vector<std::string>& cells,
                                                   replication::Role role, const NodeId& self,
                                                   bool keeps_others) {
  std::vector<Transport::Subscription> out;
  for (const std::string& cell : cells) {
    const std::string root = root_of(fleet, cell);
    const std::string own = self.to_string();
    // Inbox first: answers to our Hello must find us listening.
    out.push_back({root + "inbox/" + own + "/+", 0});
    out.push_back({root + kAnyAuthority, 1});
    if (role == replication::Role::gateway || keeps_others) {
      // Whoever is there is to be known before it says anything.
      out.push_back({root + "hello/+", 1});
      out.push_back({root + "live/+", 0});
      out.push_back({root + "bulk/+", 0});
      out.push_back({root + "gossip/+", 0});
    } else {
      out.push_back({root + "hello/" + own, 1});
    }
    out.push_back({root + "gate/+", 1});
  }
  return out;
}

std::vector<Transport::Subscription> narrowed(std::vector<Transport::Subscription> subscriptions,
                                              std::string_view fleet, std::string_view cell,
                                              const std::vector<NodeId>& writers) {
  const std::string root = root_of(fleet, cell);
  std::vector<Transport::Subscription> out;
  for (Transport::Subscription& each : subscriptions) {
    const std::string& filter = each.filter;
    if (!filter.starts_with(root) || !filter.ends_with("/+") || filter == root + kAnyAuthority) {
      out.push_back(std::move(each));
      continue;
    }
    const std::string topics = filter.substr(0, filter.size() - 1);
    for (const NodeId& writer : writers) out.push_back({topics + writer.to_string(), each.qos});
  }
  return out;
}

bool is_topic_level(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  });
}

bool is_cell_name(std::string_view name) {
  return is_topic_level(name) && name.front() != '_';
}

}  // namespace dunlin::runtime
