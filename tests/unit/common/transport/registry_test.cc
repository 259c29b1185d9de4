#include <gtest/gtest.h>

#include "dunlin/transport.h"

namespace dunlin {
namespace {

Result<std::unique_ptr<Transport>> make(const std::string& url, int protocol = 5) {
  TransportOptions options;
  options.url = url;
  options.client_id = "node";
  options.protocol = protocol;
  return make_transport(options);
}

TEST(Registry, MakesTheBuiltInTransports) {
  for (const char* url :
       {"mqtt://localhost", "mqtt://[::1]:1883", "mqtts://broker.example:8883/", "memory://bus"}) {
    const auto transport = make(url);
    ASSERT_TRUE(transport.ok()) << url << ": " << transport.error().message();
    EXPECT_NE(transport.value(), nullptr);
  }
}

TEST(Registry, NamesTheSchemesItKnows) {
  const auto transport = make("carrier-pigeon://roof");
  ASSERT_FALSE(transport.ok());
  EXPECT_EQ(transport.error().code, Errc::unsupported);
  EXPECT_NE(transport.error().context.find("memory mqtt mqtts"), std::string::npos);
}

TEST(Registry, RefusesUrlsThatMakeNoSense) {
  for (const char* url :
       {"", "localhost:1883", "mqtt://", "mqtt://host:0", "mqtt://host:70000", "mqtt://host:x",
        "mqtt://host:", "mqtt://[::1", "mqtt://user:secret@host", "mqtt://host/path"}) {
    const auto transport = make(url);
    ASSERT_FALSE(transport.ok()) << url;
    EXPECT_EQ(transport.error().code, Errc::invalid_argument) << url;
  }
  EXPECT_EQ(make("mqtt://host", 3).error().code, Errc::invalid_argument);
}

TEST(Registry, TakesFurtherSchemes) {
  register_transport("other", [](TransportOptions options) -> Result<std::unique_ptr<Transport>> {
    return {Errc::closed, options.url};
  });
  EXPECT_EQ(make("other://x").error().message(), "closed: other://x");
}

}  // namespace
}  // namespace dunlin
