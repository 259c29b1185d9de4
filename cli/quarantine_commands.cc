#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "common/storage/quarantine.h"
#include "common/storage/schema.h"
#include "common/storage/shard_files.h"

namespace dunlin::cli {

namespace {

using storage::Connection;
using storage::Quarantine;

struct Asked {
  std::string data_dir = "/var/lib/dunlin-gateway";
  std::vector<std::int64_t> ids;
  bool all = false;
  bool json = false;
};

std::string database_of(const Asked& asked) {
  return asked.data_dir + "/log.db";
}

// Beside the program that it belongs to, which may run.
Result<Connection> open(const std::string& path) {
  DUNLIN_ASSIGN(Connection db, Connection::open(path, SQLITE_OPEN_READWRITE));
  sqlite3_busy_timeout(db.raw(), 10'000);
  DUNLIN_TRY(storage::check_schema(db, path));
  return db;
}

std::string second_of(UtcMicros time) {
  const std::chrono::hh_mm_ss clock(std::chrono::microseconds(time % 86'400'000'000));
  char text[16];
  std::snprintf(text, sizeof text, "T%02d:%02d:%02dZ", int(clock.hours().count()),
                int(clock.minutes().count()), int(clock.seconds().count()));
  return day_of(time) + text;
}

// What was refused is in the first file of the database, branches beside the logs that they are of.
Result<std::vector<Quarantine::Item>> items_of(const Asked& asked) {
  std::vector<std::size_t> shards = storage::further_shards(database_of(asked));
  shards.insert(shards.begin(), 0);
  std::vector<Quarantine::Item> all;
  for (const std::size_t shard : shards) {
    DUNLIN_ASSIGN(Connection db, open(storage::shard_file(database_of(asked), shard)));
    DUNLIN_ASSIGN(const std::vector<Quarantine::Item> items, Quarantine(db).list());
    all.insert(all.end(), items.begin(), items.end());
  }
  return all;
}

int list(const Asked& asked) {
  const auto items = items_of(asked);
  if (!items.ok()) return fail(items.error());
  nlohmann::json out = nlohmann::json::array();
  if (!asked.json)
    std::printf("%-6s %-20s %-32s %-14s %5s %7s  %s\n", "id", "last", "peer", "reason", "times",
                "bytes", "detail");
  for (const Quarantine::Item& item : *items) {
    if (asked.json) {
      out.push_back({{"id", item.id},
                     {"peer", item.peer.to_string()},
                     {"reason", item.reason},
                     {"detail", item.detail},
                     {"at_us", item.at},
                     {"times", item.times},
                     {"bytes", item.bytes},
                     {"released", item.released}});
      continue;
    }
    const std::string id = item.id == 0 ? "-" : std::to_string(item.id);
    std::printf("%-6s %-20s %-32s %-14s %5llu %7llu  %s%s\n", id.c_str(),
                item.at == 0 ? "-" : second_of(item.at).c_str(), item.peer.to_string().c_str(),
                item.reason.c_str(), static_cast<unsigned long long>(item.times),
                static_cast<unsigned long long>(item.bytes), item.detail.c_str(),
                item.released ? " (released)" : "");
  }
  if (asked.json)
    std::printf("%s\n", out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  return kOk;
}

int change(const Asked& asked, Result<bool> (Quarantine::*what)(std::int64_t), const char* done) {
  auto db = open(database_of(asked));
  if (!db.ok()) return fail(db.error());
  Quarantine quarantine(*db);
  std::vector<std::int64_t> ids = asked.ids;
  if (asked.all) {
    const auto items = quarantine.list();
    if (!items.ok()) return fail(items.error());
    for (const Quarantine::Item& item : *items) {
      if (item.id != 0) ids.push_back(item.id);
    }
  } else if (ids.empty()) {
    return fail({Errc::invalid_argument, "which? ids, or --all"});
  }
  for (const std::int64_t id : ids) {
    const Result<bool> changed = (quarantine.*what)(id);
    if (!changed.ok()) return fail(changed.error());
    if (!*changed) return fail({Errc::not_found, "nothing has the id " + std::to_string(id)});
  }
  std::printf("%zu %s\n", ids.size(), done);
  return kOk;
}

int release(const Asked& asked) {
  return change(asked, &Quarantine::release, "released: the gateway looks at them again");
}
int discard(const Asked& asked) {
  return change(asked, &Quarantine::discard, "discarded");
}

}  // namespace

void add_quarantine_commands(CLI::App& app, Command& chosen) {
  const auto asked = std::make_shared<Asked>();
  CLI::App* group =
      app.add_subcommand("quarantine", "on a gateway's machine: what the gateway refused")
          ->require_subcommand(1);
  const auto add = [&](const char* name, const char* what, int (*run)(const Asked&)) {
    CLI::App* command = group->add_subcommand(name, what);
    command->add_option("--data-dir", asked->data_dir, "of the gateway (/var/lib/dunlin-gateway)");
    command->callback([&chosen, asked, run] { chosen = [asked, run] { return run(*asked); }; });
    return command;
  };
  add("list", "who sent it, and why it was refused", list)->add_flag("--json", asked->json);
  for (CLI::App* command :
       {add("release", "let the gateway look at it again; what is wrong comes back", release),
        add("discard", "forget it", discard)}) {
    command->add_option("id", asked->ids, "as listed");
    command->add_flag("--all", asked->all);
  }
}

}  // namespace dunlin::cli
