#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace dunlin {

// Who listens to what: filters by their levels, so that a topic costs its levels, however many
// filters there are. Filters and topics are taken to be valid (topic_filter.h).
template <typename Reader>
class FilterTrie {
 public:
  void add(std::string_view filter, Reader* reader) {
    Level* level = &root_;
    walk(filter, [&](std::string_view name) {
      auto it = level->below.find(name);
      if (it == level->below.end()) it = level->below.emplace(name, Level{}).first;
      level = &it->second;
    });
    level->readers.push_back(reader);
  }
  // What was added. Its levels stay.
  void remove(std::string_view filter, Reader* reader) {
    Level* level = &root_;
    walk(filter, [&](std::string_view name) { level = &level->below.find(name)->second; });
    level->readers.erase(std::find(level->readers.begin(), level->readers.end(), reader));
  }
  // Each as often as it has a filter that matches, in no order.
  std::vector<Reader*> readers_of(std::string_view topic) const {
    std::vector<const Level*> here{&root_};
    std::vector<Reader*> found;
    bool first = true;
    const auto add_all = [&](const Level& level) {
      found.insert(found.end(), level.readers.begin(), level.readers.end());
    };
    walk(topic, [&](std::string_view name) {
      const bool wild = !first || !name.starts_with('$');
      first = false;
      std::vector<const Level*> next;
      for (const Level* level : here) {
        if (const Level* rest = wild ? level->find("#") : nullptr) add_all(*rest);
        if (const Level* any = wild ? level->find("+") : nullptr) next.push_back(any);
        if (const Level* named = level->find(name)) next.push_back(named);
      }
      here = std::move(next);
    });
    for (const Level* level : here) {
      add_all(*level);
      if (const Level* rest = level->find("#")) add_all(*rest);  // "a/#" matches "a"
    }
    return found;
  }

 private:
  struct Level {
    std::map<std::string, Level, std::less<>> below;
    std::vector<Reader*> readers;
    const Level* find(std::string_view name) const {
      const auto it = below.find(name);
      return it == below.end() ? nullptr : &it->second;
    }
  };
  template <typename Visit>
  static void walk(std::string_view text, Visit visit) {
    for (std::size_t at = 0; at != std::string_view::npos;) {
      const std::size_t slash = text.find('/', at);
      visit(text.substr(at, slash - at));
      at = slash == std::string_view::npos ? slash : slash + 1;
    }
  }

  Level root_;
};

}  // namespace dunlin
