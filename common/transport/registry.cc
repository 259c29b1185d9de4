#include <map>
#include <mutex>
#include <utility>

#include "common/transport/memory/memory_transport.h"
#include "common/transport/mqtt/mqtt_transport.h"
#include "dunlin/transport.h"

namespace dunlin {
namespace {

struct Registry {
  std::mutex mutex;
  std::map<std::string, TransportFactory, std::less<>> factories;
};

// The adapters of this library are named here, not registered by static objects of their own files:
// the linker drops those from a static library.
Registry& registry() {
  static Registry instance{.mutex = {},
                           .factories = {{"mqtt", MqttTransport::make},
                                         {"mqtts", MqttTransport::make},
                                         {"memory", MemoryTransport::make}}};
  return instance;
}

}  // namespace

void register_transport(std::string scheme, TransportFactory factory) {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  all.factories.insert_or_assign(std::move(scheme), std::move(factory));
}

Result<std::unique_ptr<Transport>> make_transport(TransportOptions options) {
  const std::size_t end = options.url.find("://");
  if (end == std::string::npos) {
    return {Errc::invalid_argument, "broker url '" + options.url + "' has no scheme://"};
  }
  TransportFactory factory;
  {
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    const auto found = all.factories.find(std::string_view(options.url).substr(0, end));
    if (found == all.factories.end()) {
      std::string known;
      for (const auto& [scheme, unused] : all.factories) known += " " + scheme;
      return {Errc::unsupported, "scheme of '" + options.url + "'; known are" + known};
    }
    factory = found->second;
  }
  return factory(std::move(options));
}

}  // namespace dunlin
