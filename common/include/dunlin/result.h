#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace dunlin {

// What kind of thing went wrong. Stable: the snake_case name of each code (`to_string`) is what
// logs, metrics and HTTP bodies carry.
enum class Errc {
  invalid_argument,  // the caller asked for something that makes no sense
  malformed,         // foreign bytes that do not follow their format
  truncated,         // foreign bytes that end too early
  too_large,         // above a format limit or a configured bound
  unsupported,       // a version, codec or feature that this build does not know
  bad_signature,     // a signature that its key did not make
  bad_hash,          // a hash chain that does not join
  untrusted,         // somebody whom the fleet's authority did not admit
  revoked,           // somebody whom the authority took back, or what it wrote since
  expired,           // a certificate or token out of its time
  not_found,
  exists,
  type_changed,  // a field that was declared with another type
  corrupt,       // our own storage does not read back as written
  io,            // the operating system said no
  storage_full,  // no space left, or the configured bound with `refuse_new`
  backpressure,  // a bounded queue is full; try again later
  not_connected,
  timeout,
  config,  // a mistake in a configuration file
  closed,  // the object has been shut down
};

std::string_view to_string(Errc code);

// An error says what was wrong and where: `context` reads as the rest of the sentence.
struct Error {
  Errc code;
  std::string context;

  std::string message() const { return std::string(to_string(code)) + ": " + context; }
};

namespace detail {
[[noreturn]] void fail_check(const char* file, int line, const char* what);
}

// A value or an Error. We never throw; every fallible function returns one of these.
// Reading the value of an error (or the error of a value) is our own bug and aborts.
template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit
  Result(Errc code, std::string context) : Result(Error{code, std::move(context)}) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & { return check(), *std::get_if<0>(&state_); }
  const T& value() const& { return check(), *std::get_if<0>(&state_); }
  T&& value() && { return check(), std::move(*std::get_if<0>(&state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const {
    if (ok()) detail::fail_check(__FILE__, __LINE__, "Result::error() on a value");
    return *std::get_if<1>(&state_);
  }

 private:
  void check() const {
    if (!ok()) detail::fail_check(__FILE__, __LINE__, error().message().c_str());
  }
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit
  Result(Errc code, std::string context) : error_(Error{code, std::move(context)}) {}

  bool ok() const { return !error_; }
  explicit operator bool() const { return ok(); }
  const Error& error() const {
    if (ok()) detail::fail_check(__FILE__, __LINE__, "Result::error() on a value");
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

}  // namespace dunlin

#define DUNLIN_CONCAT_(a, b) a##b
#define DUNLIN_CONCAT(a, b) DUNLIN_CONCAT_(a, b)

// DUNLIN_TRY(expr): returns the error of a Result<...> expression to the caller.
#define DUNLIN_TRY(expr)                                                          \
  do {                                                                            \
    if (auto dunlin_try_ = (expr); !dunlin_try_.ok()) return dunlin_try_.error(); \
  } while (false)

// DUNLIN_ASSIGN(decl, expr): binds the value, or returns the error to the caller.
#define DUNLIN_ASSIGN(decl, expr) \
  DUNLIN_ASSIGN_(DUNLIN_CONCAT(dunlin_result_, __LINE__), decl, expr)
#define DUNLIN_ASSIGN_(tmp, decl, expr) \
  auto tmp = (expr);                    \
  if (!tmp.ok()) return tmp.error();    \
  decl = std::move(tmp).value()
