#include "cli/tokens.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/security/private_file.h"

namespace dunlin::cli {

namespace {

using nlohmann::json;

std::string path_of(const std::string& folder, const std::string& id) {
  return folder + "/tokens/" + id + ".json";
}

bool is_id(const std::string& text) {
  const auto digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return text.size() == 16 && std::all_of(text.begin(), text.end(), digit);
}

}  // namespace

Result<void> write_invitation(const std::string& folder, const std::string& id,
                              const Invitation& invitation) {
  const security::Member& member = invitation.member;
  json out{{"secret", to_hex(invitation.secret)},
           {"fleet", member.fleet},
           {"cell", member.cell},
           {"role", member.role},
           {"name", member.name},
           {"until_us", invitation.until}};
  if (invitation.used_by) out["used_by"] = invitation.used_by->to_string();
  return security::write_private_file(path_of(folder, id), out.dump(2) + "\n");
}

Result<Invitation> read_invitation(const std::string& folder, const std::string& id) {
  if (!is_id(id)) return {Errc::not_found, "no token"};
  DUNLIN_ASSIGN(const std::string text, security::read_private_file(path_of(folder, id)));
  try {
    const json read = json::parse(text);
    Invitation out;
    DUNLIN_ASSIGN(out.secret, from_hex(read.at("secret").get<std::string>()));
    out.member = {read.at("fleet"), read.at("cell"), read.at("role"), read.at("name")};
    out.until = read.at("until_us");
    if (read.contains("used_by")) {
      DUNLIN_ASSIGN(out.used_by, NodeId::from_string(read.at("used_by").get<std::string>()));
    }
    return out;
  } catch (const json::exception& error) {
    return {Errc::corrupt, path_of(folder, id) + ": " + error.what()};
  }
}

}  // namespace dunlin::cli
