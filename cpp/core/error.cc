#include "error.h"

#include <c10/util/Exception.h>

#include <new>

namespace wuerstchen {

namespace {

// LibTorch's CPU allocator, CUDA's own libraries and compiled libraries raise a plain c10::Error. Only its text tells that
// memory ran out.
bool isAllocationFailure(std::string_view message) {
  return message.find("DefaultCPUAllocator: can't allocate memory") != std::string_view::npos ||
         message.find("CUDA out of memory") != std::string_view::npos ||
         message.find("CUDA error: out of memory") != std::string_view::npos ||
         message.find("DefaultCPUAllocator: not enough memory") != std::string_view::npos ||
         message.find("could not create a primitive\n") != std::string_view::npos ||  // oneDNN, for its generated code
         message.ends_with("could not create a primitive");
}

Code codeOf(std::string_view message) { return isAllocationFailure(message) ? Code::OutOfMemory : Code::Internal; }

Failure mapped(const std::exception_ptr& error, const std::string& subject) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    return {e.code(), e.what(), e.subject()};
  } catch (const c10::OutOfMemoryError& e) {
    return {Code::OutOfMemory, e.what_without_backtrace(), subject};
  } catch (const c10::Error& e) {
    const std::string message = e.what_without_backtrace();
    return {codeOf(message), message, subject};
  } catch (const std::bad_alloc&) {
    return {Code::OutOfMemory, "Expected memory for the next step but the allocation was refused", subject};
  } catch (const std::exception& e) {
    return {codeOf(e.what()), *e.what() == '\0' ? "An exception without a message" : e.what(), subject};
  } catch (...) {
    return {Code::Internal, "An exception of unknown type", subject};
  }
}

}  // namespace

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
