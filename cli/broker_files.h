#pragma once

#include <string>
#include <vector>

#include "common/security/certificate.h"

namespace dunlin::cli {

// mosquitto's configuration: TLS with client certificates, whose node ids are user names and
// client ids, so that nobody takes over the session of another; nothing without. `folder` holds
// fleet.crt, broker.crt, broker.key and acl. Started as root, mosquitto becomes `user`, who can
// read them. It listens on loopback alone when none of its `hosts` is anywhere else.
std::string broker_configuration(const std::string& folder, const std::vector<std::string>& hosts,
                                 std::uint16_t port, const std::string& user);

// What each member may do, in mosquitto's acl_file. An agent writes its own hello and live topics,
// its cell's gossip and bulk, and the inboxes of gateways there; it reads its own inbox and hello,
// and the cell's gateways. A gateway reads all of its cells, and may clear what stands in hello and
// gate there. The authority's log is written by the operator and by gateways. Nothing else is
// allowed.
std::string broker_rights(const std::string& fleet, const NodeId& authority,
                          const NodeId& fleet_operator,
                          const std::vector<security::Certificate>& members);

}  // namespace dunlin::cli
