#include "cli/image/manifest.h"

#include <nlohmann/json.hpp>

namespace dunlin::image {

namespace {
constexpr int kFormat = 1;
}

std::string write_manifest(const Manifest& manifest) {
  nlohmann::json json = {{"format", kFormat},
                         {"profile", manifest.profile},
                         {"architecture", manifest.architecture},
                         {"boot", manifest.boot},
                         {"version", manifest.version},
                         {"revision", manifest.revision},
                         {"kernel", manifest.kernel},
                         {"security_updates", manifest.security_updates},
                         {"time", manifest.time},
                         {"parts", nlohmann::json::array()},
                         {"contents", nlohmann::json::array()}};
  for (const Manifest::Part& each : manifest.parts)
    json["parts"].push_back({{"name", each.name}, {"size", each.size}, {"sha256", each.sha256}});
  for (const Manifest::Content& each : manifest.contents)
    json["contents"].push_back(
        {{"package", each.package}, {"version", each.version}, {"licences", each.licences}});
  return json.dump(1) + "\n";
}

Result<Manifest> read_manifest(const std::string& text) {
  try {
    const nlohmann::json json = nlohmann::json::parse(text);
    if (json.at("format") != kFormat)
      return {Errc::unsupported, "a manifest of another format than " + std::to_string(kFormat)};
    Manifest manifest;
    json.at("profile").get_to(manifest.profile);
    json.at("architecture").get_to(manifest.architecture);
    json.at("boot").get_to(manifest.boot);
    json.at("version").get_to(manifest.version);
    json.at("revision").get_to(manifest.revision);
    json.at("kernel").get_to(manifest.kernel);
    json.at("security_updates").get_to(manifest.security_updates);
    json.at("time").get_to(manifest.time);
    for (const nlohmann::json& each : json.at("parts"))
      manifest.parts.push_back({each.at("name"), each.at("size"), each.at("sha256")});
    for (const nlohmann::json& each : json.at("contents"))
      manifest.contents.push_back({each.at("package"), each.at("version"), each.at("licences")});
    return manifest;
  } catch (const nlohmann::json::exception& error) {
    return {Errc::malformed, std::string("manifest: ") + error.what()};
  }
}

}  // namespace dunlin::image
