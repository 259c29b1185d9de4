#pragma once

#include <string>
#include <vector>

#include "common/security/bundle.h"

namespace dunlin::cli {

// A folder of the operator's that makes a fleet: the authority's key (`authority.key`, 0600) and
// certificate (`authority.crt`), the certificate of every member (`members/NODE.crt`), and what the
// broker needs (`broker/`). Whoever has the key makes members: it belongs on no device and no
// gateway.
class Fleet {
 public:
  struct Broker {
    std::vector<std::string> hosts;  // names and addresses under which devices reach it
    std::uint16_t port = 8883;
  };
  // `exists` when there is a fleet in the folder already. `now` starts the broker's certificate;
  // the authority's is valid from 1970, where devices without a clock battery wake, for `years`.
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
  // Every member, by cell and name.
  Result<std::vector<security::Certificate>> members() const;
  // Writes broker/acl anew.
  Result<void> write_rights() const;

 private:
  Fleet(std::string folder, security::Authority authority, std::string broker_url)
      : folder_(std::move(folder)),
        authority_(std::move(authority)),
        broker_url_(std::move(broker_url)) {}

  std::string folder_;
  security::Authority authority_;
  std::string broker_url_;
};

}  // namespace dunlin::cli
