#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/replication/io.h"
#include "dunlin/transport.h"

namespace dunlin::runtime {

// dunlin/v1/<fleet>/<cell>/<class>/<node>, where the node is who writes there; inboxes are
// .../inbox/<reader>/<writer>, and .../authority/<node> says whose log it is. So a broker can hold
// everybody to writing as itself.
std::string topic_name(std::string_view fleet, std::string_view cell, replication::TopicClass topic,
                       const NodeId& node, const NodeId& reader = {});
// Where that goes, by `self`: to one of its cells or to all.
std::vector<std::string> topic_names(std::string_view fleet, const std::vector<std::string>& cells,
                                     const replication::Send& send, const NodeId& self);
// Of a connection's one will. A gateway's is for the other gateways, where it meets them.
std::string will_topic(std::string_view fleet, const std::vector<std::string>& cells,
                       replication::TopicClass presence, const NodeId& self);

struct ParsedTopic {
  std::string_view cell;
  replication::TopicClass topic;
  NodeId node;
  NodeId reader = {};  // of an inbox
};
// Nothing when the topic is not one of this fleet's.
std::optional<ParsedTopic> parse_topic(std::string_view fleet, std::string_view topic);

// What a node listens to in its cells; `keeps_others` of an agent that keeps logs of others.
std::vector<Transport::Subscription> subscriptions(std::string_view fleet,
                                                   const std::vector<std::string>& cells,
                                                   replication::Role role, const NodeId& self,
                                                   bool keeps_others = false);

// Instead of those: in that cell only what these writers write. The authority's log, which others
// pass on, stays as it is.
std::vector<Transport::Subscription> narrowed(std::vector<Transport::Subscription> subscriptions,
                                              std::string_view fleet, std::string_view cell,
                                              const std::vector<NodeId>& writers);

// Fleet and cell names are topic levels: 1 to 64 of [A-Za-z0-9_.-].
bool is_topic_level(std::string_view name);
// Those that begin with '_' are the fleet's own.
bool is_cell_name(std::string_view name);

}  // namespace dunlin::runtime
