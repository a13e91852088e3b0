// Errors as facts: a code, what the error is about, and a sentence for people. Nothing ever compares a message. describe() maps
// every exception that the core did not raise on purpose.
#pragma once

#include <array>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>

namespace wuerstchen {

enum class Code {
  InvalidArgument,
  ModelNotFound,
  ModelInvalid,
  ModelMismatch,
  LibtorchNotFound,
  NativeLoadFailed,
  DeviceUnavailable,
  Disposed,
  OutOfMemory,
  NotFinite,
  QueueFull,
  Timeout,
  Internal,
  Cancelled,
};

// The names of ERROR_CODES in lib/errors.ts, in its order, and one more.
inline constexpr std::array<std::string_view, 14> kCodeNames{
    "INVALID_ARGUMENT",   "MODEL_NOT_FOUND", "MODEL_INVALID", "MODEL_MISMATCH", "LIBTORCH_NOT_FOUND", "NATIVE_LOAD_FAILED",
    "DEVICE_UNAVAILABLE", "DISPOSED",        "OUT_OF_MEMORY", "NOT_FINITE",     "QUEUE_FULL",         "TIMEOUT",
    "INTERNAL",
    "CANCELLED",  // never shown: a cancelled run is no error outside C++
};
static_assert(static_cast<size_t>(Code::Cancelled) + 1 == kCodeNames.size());

constexpr std::string_view codeName(Code code) { return kCodeNames[static_cast<size_t>(code)]; }

// The subject is the option (by its name in TypeScript), the file or the stage that the error is about.
class Error : public std::runtime_error {
 public:
  Error(Code code, const std::string& message, std::string subject)
      : std::runtime_error(message), code_(code), subject_(std::move(subject)) {}
  Code code() const noexcept { return code_; }
  const std::string& subject() const noexcept { return subject_; }

 private:
  Code code_;
  std::string subject_;
};

// What crosses threads and the boundary to Node, where no live exception may go. An empty subject: nothing is known.
struct Failure {
  Code code;
  std::string message;
  std::string subject;

  // Where even the copy of a message is refused memory, it says that instead.
  Failure copy() const noexcept;
};

// The error of a call to the system about `file`: OutOfMemory where it refused memory, a descriptor or room, else ModelInvalid.
// `expected` is what the message says was expected.
Error systemError(const std::string& expected, int number, const std::string& file);

// Maps any exception: ours as it is, refused memory and threads to OutOfMemory, the rest to Internal. The last two are about
// `subject`.
Failure describe(const std::exception_ptr& error, const std::string& subject = {}) noexcept;

}  // namespace wuerstchen
