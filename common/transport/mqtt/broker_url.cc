#include "common/transport/mqtt/broker_url.h"

#include <charconv>

namespace dunlin {

Result<BrokerUrl> BrokerUrl::parse(std::string_view text) {
  const auto refuse = [text](const char* why) {
    return Error{Errc::invalid_argument, "broker url '" + std::string(text) + "': " + why};
  };
  BrokerUrl url;
  std::string_view rest = text;
  if (rest.starts_with("mqtts://")) {
    url.tls = true;
    url.port = 8883;
    rest.remove_prefix(8);
  } else if (rest.starts_with("mqtt://")) {
    url.port = 1883;
    rest.remove_prefix(7);
  } else {
    return refuse("the scheme is neither mqtt nor mqtts");
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find('@') != std::string_view::npos) return refuse("holds credentials");
  if (rest.find_first_of("/?# ") != std::string_view::npos)
    return refuse("holds more than an address");

  const std::size_t bracket = rest.starts_with('[') ? rest.find(']') : 0;
  if (bracket == std::string_view::npos) return refuse("a bracket is not closed");
  const std::size_t colon = rest.find(':', bracket);
  url.host = rest.substr(0, colon);
  if (url.host.empty()) return refuse("no host");
  if (colon == std::string_view::npos) return url;
  const std::string_view port = rest.substr(colon + 1);
  const auto [end, failure] = std::from_chars(port.data(), port.data() + port.size(), url.port);
  if (failure != std::errc() || end != port.data() + port.size() || url.port == 0) {
    return refuse("the port is not a number from 1 to 65535");
  }
  return url;
}

bool is_loopback_address(std::string_view address) {
  return BrokerUrl{.host = std::string(address.substr(0, address.rfind(':')))}.is_loopback();
}

bool BrokerUrl::is_loopback() const {
  if (host == "localhost" || host == "[::1]") return true;
  // As an address: 127.example.org is none.
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos;
}

}  // namespace dunlin
