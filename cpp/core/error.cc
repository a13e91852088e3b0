#include "error.h"

#include <c10/util/Exception.h>

#include <cerrno>
#include <cstring>
#include <new>

namespace wuerstchen {

namespace {

// LibTorch's CPU allocator, CUDA's own libraries and compiled libraries raise a plain c10::Error. Only its text tells that
// memory ran out.
bool isAllocationFailure(std::string_view message) {
  return message.find("DefaultCPUAllocator: can't allocate memory") != std::string_view::npos ||
         message.find("std::bad_alloc") != std::string_view::npos ||  // from inside the interpreter
         message.find("CUDA out of memory") != std::string_view::npos ||
         message.find("CUDA error: out of memory") != std::string_view::npos ||
         message.find("DefaultCPUAllocator: not enough memory") != std::string_view::npos ||
         message.find("could not create a primitive\n") != std::string_view::npos ||  // oneDNN, for its generated code
         message.ends_with("could not create a primitive");
}

// LibTorch puts a traceback of the program before the sentence that matters.
std::string lastLine(std::string_view message) {
  while (!message.empty() && message.back() == '\n') message.remove_suffix(1);
  return std::string(message.substr(message.rfind('\n') + 1));  // npos + 1 is 0
}

Failure outOfMemory(const std::string& subject, std::string_view detail) {
  return {Code::OutOfMemory,
          "Expected memory for " + (subject.empty() ? "this call" : subject) + " but it was refused: " + lastLine(detail),
          subject};
}

Failure foreign(const std::string& message, const std::string& subject) {
  if (isAllocationFailure(message)) return outOfMemory(subject, message);
  return {Code::Internal, message.empty() ? "An exception without a message" : message, subject};
}

Failure mapped(const std::exception_ptr& error, const std::string& subject) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    return {e.code(), e.what(), e.subject()};
  } catch (const c10::OutOfMemoryError& e) {
    return outOfMemory(subject, e.what_without_backtrace());
  } catch (const c10::Error& e) {
    return foreign(e.what_without_backtrace(), subject);
  } catch (const std::bad_alloc&) {
    return outOfMemory(subject, "bad_alloc");
  } catch (const std::exception& e) {
    return foreign(e.what(), subject);
  } catch (...) {
    return {Code::Internal, "An exception of unknown type", subject};
  }
}

}  // namespace

Error systemError(const std::string& expected, int number, const std::string& file) {
  const bool refused = number == EMFILE || number == ENFILE || number == ENOMEM || number == ENOSPC;
  return {refused ? Code::OutOfMemory : Code::ModelInvalid,
          "Expected " + expected + ' ' + file + " but the system said: " + std::strerror(number), file};
}

Failure Failure::copy() const noexcept {
  try {
    return *this;
  } catch (...) {
    return {Code::OutOfMemory, "Out of memory", {}};  // short enough to need none
  }
}

Failure describe(const std::exception_ptr& error, const std::string& subject) noexcept {
  try {
    return mapped(error, subject);
  } catch (...) {
    return {Code::OutOfMemory, "Out of memory", {}};
  }
}

}  // namespace wuerstchen
