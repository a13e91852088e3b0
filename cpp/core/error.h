// Errors the core raises on purpose. Codes equal the TypeScript registry's (lib/errors.ts); everything else that
// escapes (c10::Error, std::exception) is mapped once, by describe().
#pragma once

#include <exception>
#include <stdexcept>
#include <string>

namespace wuerstchen {

class Error : public std::runtime_error {
 public:
  Error(std::string code, const std::string& message) : std::runtime_error(message), code_(std::move(code)) {}
  const std::string& code() const noexcept { return code_; }

 private:
  std::string code_;
};

// What crosses threads and, later, the Node boundary: a code and a message, no live exception.
struct Failure {
  std::string code;
  std::string message;
};

// Maps any exception: ours by its code, allocation failures to OUT_OF_MEMORY, the rest to INTERNAL.
Failure describe(const std::exception_ptr& error) noexcept;

}  // namespace wuerstchen
