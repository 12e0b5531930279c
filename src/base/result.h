// Result<T>: what a function gives when the outside world (files, network, users) may be at fault.
// A programmer's mistake is a CHECK (check.h) instead. Errors travel by value; nothing here throws.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "base/check.h"

namespace ingle {

enum class ErrorCode {
  kInvalidArgument,  // the caller's value can't be honoured
  kInvalidData,      // a file or message breaks its format
  kNotFound,
  kUnsupported,        // well-formed, but not something we can run
  kResourceExhausted,  // memory, disk, pages, queue
  kIo,
  kCancelled,
  kInternal,
};

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;  // what is wrong and where, one line, no trailing full stop
  std::string remedy;   // what the reader can do about it; may be empty
  // With kInvalidArgument: the caller's field that is at fault, if it is one; the message may begin with it.
  std::string field = {};

  // One line for people: "message (remedy)".
  std::string to_string() const { return remedy.empty() ? message : message + " (" + remedy + ")"; }
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    CHECK(ok());
    return std::get<0>(state_);
  }
  const T& value() const& {
    CHECK(ok());
    return std::get<0>(state_);
  }
  T&& value() && {
    CHECK(ok());
    return std::get<0>(std::move(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const {
    CHECK(!ok());
    return std::get<1>(state_);
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}
  bool ok() const { return !error_; }
  explicit operator bool() const { return ok(); }
  const Error& error() const {
    CHECK(!ok());
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace ingle

#define INGLE_CONCAT_INNER(a, b) a##b
#define INGLE_CONCAT(a, b) INGLE_CONCAT_INNER(a, b)

// Return the error of `expr` (a Result or Status) to the caller, if it has one.
#define RETURN_IF_ERROR(expr)                                         \
  do {                                                                \
    if (auto status_ = (expr); !status_.ok()) return status_.error(); \
  } while (false)

// ASSIGN_OR_RETURN(auto x, f()): x is the value of f(), or f's error is returned.
#define ASSIGN_OR_RETURN(lhs, expr) ASSIGN_OR_RETURN_INNER(INGLE_CONCAT(result_, __LINE__), lhs, expr)
#define ASSIGN_OR_RETURN_INNER(tmp, lhs, expr) \
  auto tmp = (expr);                           \
  if (!tmp.ok()) return tmp.error();           \
  lhs = std::move(tmp).value()
