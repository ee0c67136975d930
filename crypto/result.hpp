#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <variant>

// A machine's fault, as a value. What a user reads of it has three lines and a code that never
// changes.
namespace tessera {

struct Error {
  std::string code; // "E302": one meaning for ever.
  std::string what; // What happened.
  std::string why;
  std::string fix; // What to do about it.

  bool operator==(const Error&) const = default;
};

// The three lines, without a trailing newline.
inline std::string to_text(const Error& e) {
  return e.code + " " + e.what + "\n     " + e.why + "\n     " + e.fix;
}

template<class T>
class [[nodiscard]] Result {
public:
  Result(T value) : it_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : it_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return it_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    assert(ok());
    return *std::get_if<0>(&it_);
  }
  const T& value() const& {
    assert(ok());
    return *std::get_if<0>(&it_);
  }
  T&& value() && {
    assert(ok());
    return std::move(*std::get_if<0>(&it_));
  }
  const Error& error() const {
    assert(!ok());
    return *std::get_if<1>(&it_);
  }

  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

private:
  std::variant<T, Error> it_;
};

struct Nothing {
  bool operator==(const Nothing&) const = default;
};
using Status = Result<Nothing>;

} // namespace tessera
