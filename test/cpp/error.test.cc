#include "error.h"

#include <c10/util/Exception.h>

#include <new>
#include <set>

#include "check.h"
#include "dtype.h"
#include "spec.h"

using namespace wuerstchen;

TEST(error, everyCodeHasItsName) {
  CHECK(codeName(Code::InvalidArgument) == "INVALID_ARGUMENT");
  CHECK(codeName(Code::ModelNotFound) == "MODEL_NOT_FOUND");
  CHECK(codeName(Code::ModelInvalid) == "MODEL_INVALID");
  CHECK(codeName(Code::ModelMismatch) == "MODEL_MISMATCH");
  CHECK(codeName(Code::LibtorchNotFound) == "LIBTORCH_NOT_FOUND");
  CHECK(codeName(Code::NativeLoadFailed) == "NATIVE_LOAD_FAILED");
  CHECK(codeName(Code::DeviceUnavailable) == "DEVICE_UNAVAILABLE");
  CHECK(codeName(Code::Disposed) == "DISPOSED");
  CHECK(codeName(Code::OutOfMemory) == "OUT_OF_MEMORY");
  CHECK(codeName(Code::NotFinite) == "NOT_FINITE");
  CHECK(codeName(Code::QueueFull) == "QUEUE_FULL");
  CHECK(codeName(Code::Timeout) == "TIMEOUT");
  CHECK(codeName(Code::Internal) == "INTERNAL");
  CHECK(codeName(Code::Cancelled) == "CANCELLED");
  CHECK(std::set<std::string_view>(kCodeNames.begin(), kCodeNames.end()).size() == kCodeNames.size());
}

TEST(error, ourOwnErrorsKeepWhatTheySayAndOthersAreAboutWhatTheCallerSays) {
  const auto described = [](auto exception) { return describe(std::make_exception_ptr(exception), "decoder"); };
  CHECK(is(described(Error(Code::ModelInvalid, "Expected", "mask")), Code::ModelInvalid, "mask"));
  CHECK(is(described(std::bad_alloc()), Code::OutOfMemory, "decoder"));
  CHECK(is(described(std::runtime_error("DefaultCPUAllocator: can't allocate memory")), Code::OutOfMemory, "decoder"));
  CHECK(is(described(c10::Error({__func__, __FILE__, __LINE__}, "CUDA error: out of memory")), Code::OutOfMemory, "decoder"));
  CHECK(is(described(std::runtime_error("another")), Code::Internal, "decoder"));
  CHECK(is(described(42), Code::Internal, "decoder"));
  CHECK(is(describe(std::make_exception_ptr(std::bad_alloc())), Code::OutOfMemory, ""));
  CHECK(!described(std::runtime_error("")).message.empty());
}

TEST(error, namesOutsideTheTablesAreRefused) {
  CHECK(stageFromName("vqDecoder") == StageId::VqDecoder);
  CHECK(is(failureOf([] { stageFromName("vae"); }), Code::ModelInvalid, "vae"));
  CHECK(is(failureOf([] { dtypeFromName("float8"); }), Code::InvalidArgument, "dtype"));
}
