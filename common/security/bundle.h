#pragma once

#include <optional>
#include <string>

#include "common/security/certificate.h"

namespace dunlin::security {

// Where a fleet is met. Before a PEM block they are text lines, `broker: URL` and `gateway: URL`.
struct Addresses {
  std::string broker;   // mqtts://HOST[:PORT]; "" = the configuration says it
  std::string gateway;  // https://HOST[:PORT], that renews certificates; "" = none does
  bool operator==(const Addresses&) const = default;
};
std::string write_addresses(const Addresses& addresses);
Addresses read_addresses(std::string_view text);

// What makes a machine a member of a fleet. In its data directory it lies as `node.key` (0600),
// `node.crt` and `fleet.crt`, the authority's certificate under the addresses; on the way there as
// one file, the bundle: addresses and three PEM blocks, member, authority, key.
struct Membership {
  Certificate certificate;
  Certificate authority;
  Addresses addresses;
};

// The wireless network of a device without a cable: its name and its key, in hex. In a bundle they
// are the lines `wifi-network:` and `wifi-key:`, for whoever sets up the device's network.
struct Wifi {
  std::string network;  // 1 to 32 bytes
  std::string key;      // 32 bytes, made of the passphrase (WPA2-PSK); a secret
  bool operator==(const Wifi&) const = default;
};

struct Bundle {
  Membership membership;
  std::string key_pem;  // a secret
  std::optional<Wifi> wifi = {};
};

std::string write_bundle(const Bundle& bundle);
// What does not belong together is `untrusted`: the authority signed the certificate, which is over
// the key. Times are not looked at: who reads it may not know the time.
Result<Bundle> read_bundle(std::string_view text);

// Puts the three files in place, `node.crt` last; once more after a crash. `exists` when the
// directory belongs to another node, `malformed` when an address is none.
Result<void> install(const Bundle& bundle, const std::string& data_dir);
// Nothing when the directory belongs to nobody yet, or to a node without a fleet's authority.
// `not_found` when one of the files is there without the others: who lost its certificate is not to
// believe everybody. install() puts them back.
Result<std::optional<Membership>> load_membership(const std::string& data_dir);

std::string key_file(const std::string& data_dir);
std::string certificate_file(const std::string& data_dir);
std::string authority_file(const std::string& data_dir);

}  // namespace dunlin::security
