#include "error.h"

#include <c10/util/Exception.h>

#include <new>
#include <string_view>

namespace wuerstchen {

namespace {

// LibTorch's CPU allocator, CUDA's own libraries and compiled libraries raise a plain c10::Error: its text is all there is to
// tell it by.
bool isAllocationFailure(std::string_view message) {
  return message.find("DefaultCPUAllocator: can't allocate memory") != std::string_view::npos ||
         message.find("CUDA out of memory") != std::string_view::npos ||
         message.find("CUDA error: out of memory") != std::string_view::npos ||
         message.find("DefaultCPUAllocator: not enough memory") != std::string_view::npos;
}

}  // namespace

Failure describe(const std::exception_ptr& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    return {e.code(), e.what()};
  } catch (const c10::OutOfMemoryError& e) {
    return {"OUT_OF_MEMORY", e.what_without_backtrace()};
  } catch (const c10::Error& e) {
    const std::string message = e.what_without_backtrace();
    return {isAllocationFailure(message) ? "OUT_OF_MEMORY" : "INTERNAL", message};
  } catch (const std::bad_alloc&) {
    return {"OUT_OF_MEMORY", "Expected memory for the next step but the allocation was refused"};
  } catch (const std::exception& e) {
    return {isAllocationFailure(e.what()) ? "OUT_OF_MEMORY" : "INTERNAL",
            *e.what() == '\0' ? "An exception without a message" : e.what()};
  } catch (...) {
    return {"INTERNAL", "An exception of unknown type"};
  }
}

}  // namespace wuerstchen
