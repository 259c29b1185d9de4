#include "agent/http_module.h"

#include <dlfcn.h>

#include <filesystem>

namespace dunlin::agent {

namespace {

constexpr const char* kModule = "lib/dunlin/dunlin-agent-http.so";  // beside bin/
using Start = void (*)(runtime::NodeView&, api::HttpApiOptions&,
                       Result<std::unique_ptr<api::HttpApi>>&);

}  // namespace

Result<std::unique_ptr<api::HttpApi>> load_http_api(runtime::NodeView& node,
                                                    api::HttpApiOptions options) {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return {Errc::io, "cannot find this program's folder: " + error.message()};
  const std::string path = program.parent_path().parent_path() / kModule;
  void* module =
      ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);  // stays for the life of the process
  if (module == nullptr) return {Errc::io, "[http] listen needs " + path + ": " + ::dlerror()};
  const auto start = reinterpret_cast<Start>(::dlsym(module, "dunlin_start_http_api"));
  if (start == nullptr) return {Errc::io, path + " is of another version"};
  Result<std::unique_ptr<api::HttpApi>> result{Errc::io, "not started"};
  start(node, options, result);
  return result;
}

}  // namespace dunlin::agent
