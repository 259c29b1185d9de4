#pragma once

#include <set>
#include <string>
#include <vector>

#include "cli/authority_log.h"
#include "common/security/bundle.h"
#include "dunlin/transport.h"

namespace dunlin::cli {

// A folder of the operator's that makes a fleet: the authority's key (`authority.key`, 0600),
// certificate (`authority.crt`) and log (`log.db`), a certificate by which it meets its broker
// (`operator.crt`), the certificate of every member (`members/NODE.crt`), and what the
// broker needs (`broker/`). Whoever has the key makes members: it belongs on no device and no
// gateway.
class Fleet {
 public:
  struct Broker {
    std::vector<std::string> hosts;  // names and addresses under which devices reach it
    std::uint16_t port = 8883;
  };
  // `exists` when there is a fleet in the folder already. The certificates of authority and
  // broker are valid from 1970, where devices without a clock battery wake, to `years` from `now`.
  static Result<Fleet> create(const std::string& folder, const std::string& name,
                              const Broker& broker, UtcMicros now, int years = 20);
  static Result<Fleet> open(const std::string& folder);

  const std::string& name() const { return authority_.fleet(); }
  const security::Certificate& authority() const { return authority_.certificate(); }
  const std::string& broker_url() const { return broker_url_; }
  const std::string& folder() const { return folder_; }

  // A new key and its certificate: what the device is to be given. The broker's files know it from
  // the broker's next reload on. `exists` when a member of that cell has that name.
  Result<security::Bundle> add(const security::Member& member, UtcMicros now, int days,
                               const std::vector<std::string>& hosts = {});
  // Every certificate that was given, by cell and name; revoked ones too.
  Result<std::vector<security::Certificate>> members() const;
  // Who is one no more; of its logs counts what `ends` say. The broker's files forget it.
  Result<void> revoke(const NodeId& node, std::vector<Revoke::End> ends, UtcMicros now);
  Result<std::map<NodeId, Revoke>> revocations();
  // Puts the authority's log before every cell that has a member: see cli/broker.h.
  Result<void> publish();
  // Writes broker/acl anew, and tells a broker that runs on this machine.
  Result<void> write_rights();

 private:
  Result<AuthorityLog> log();
  Fleet(std::string folder, security::Authority authority, std::string broker_url)
      : folder_(std::move(folder)),
        authority_(std::move(authority)),
        broker_url_(std::move(broker_url)) {}

  std::string folder_;
  security::Authority authority_;
  std::string broker_url_;
};

}  // namespace dunlin::cli
