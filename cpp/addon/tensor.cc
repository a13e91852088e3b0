#include "tensor.h"

#include <ATen/ops/empty.h>

#include <cstring>
#include <limits>

#include "convert.h"
#include "dtype.h"
#include "handles.h"

namespace wuerstchen::addon {

namespace {

std::vector<int64_t> readShape(const Napi::Value& value) {
  const Napi::Array array = readArray(value, "shape");
  const uint32_t dimensions = array.Length();
  constexpr uint32_t kMostDimensions = 64;
  if (dimensions > kMostDimensions) throw Error(Code::InvalidArgument, "Expected at most 64 dimensions for shape", "shape");
  std::vector<int64_t> shape;
  int64_t elements = 1;  // zeros count as ones, because strides are computed of the others
  for (uint32_t i = 0; i < dimensions; ++i) {
    const int64_t size = readInteger(array.Get(i), "shape");
    if (size < 0 || elements > std::numeric_limits<int64_t>::max() / 16 / std::max<int64_t>(1, size)) {
      throw Error(Code::InvalidArgument, "Expected sizes of at least 0 whose product is addressable for shape", "shape");
    }
    elements *= std::max<int64_t>(1, size);
    shape.push_back(size);
  }
  return shape;
}

}  // namespace

void TensorHolder::finalize(Napi::Env env) {
  if (accounted != 0) Napi::MemoryManagement::AdjustExternalMemory(env, -accounted);
  accounted = 0;
}

Napi::Value wrapTensor(Napi::Env env, at::Tensor tensor) {
  auto holder = std::make_unique<TensorHolder>();
  holder->accounted = tensor.is_cpu() ? static_cast<int64_t>(tensor.nbytes()) : 0;
  holder->tensor = std::move(tensor);
  if (holder->accounted != 0) Napi::MemoryManagement::AdjustExternalMemory(env, holder->accounted);
  return wrapHandle(env, std::move(holder));
}

const at::Tensor& unwrapTensor(const Napi::Value& value) {
  const TensorHolder& holder = unwrapHandle<TensorHolder>(value);
  if (!holder.tensor.defined()) throw Error(Code::Disposed, "Expected a live tensor but it was disposed", "tensor");
  return holder.tensor;
}

Napi::Value createTensor(const Napi::CallbackInfo& info) {
  const std::vector<int64_t> shape = readShape(info[1]);
  const c10::ScalarType dtype = dtypeFromName(readText(info[2], "dtype"));
  const Bytes bytes = viewOf(info[0], "data");
  const size_t expected = static_cast<size_t>(c10::multiply_integers(shape)) * c10::elementSize(dtype);
  if (expected != bytes.size) {  // before memory for it is asked for
    throw Error(Code::InvalidArgument, c10::str("Expected ", expected, " bytes for data but received ", bytes.size), "data");
  }
  at::Tensor tensor = at::empty(shape, dtype);
  if (bytes.size != 0) std::memcpy(tensor.data_ptr(), bytes.data, bytes.size);
  return wrapTensor(info.Env(), std::move(tensor));
}

Napi::Value tensorInfo(const Napi::CallbackInfo& info) {
  const at::Tensor& tensor = unwrapTensor(info[0]);
  auto shape = Napi::Array::New(info.Env(), tensor.dim());
  for (uint32_t i = 0; i < tensor.dim(); ++i) shape.Set(i, static_cast<double>(tensor.size(i)));
  auto o = Napi::Object::New(info.Env());
  o.Set("shape", shape);
  o.Set("dtype", dtypeName(tensor.scalar_type()));
  o.Set("device", tensor.device().str());
  o.Set("bytes", static_cast<double>(tensor.nbytes()));
  return o;
}

Napi::Value tensorTo(const Napi::CallbackInfo& info) {
  const at::Tensor tensor = unwrapTensor(info[0]);
  const c10::Device device = info[1].IsNull() ? tensor.device() : parseDevice(readText(info[1], "device"));
  const c10::ScalarType dtype = info[2].IsNull() ? tensor.scalar_type() : dtypeFromName(readText(info[2], "dtype"));
  auto& environment = Environment::of(info.Env());
  return environment.runOn<at::Tensor>(
      // This always copies, because disposing one handle must never empty another.
      info.Env(), environment.tensorWorker(), [=] { return tensor.to(device, dtype, /*non_blocking=*/false, /*copy=*/true); },
      [](Napi::Env env, at::Tensor& result) { return wrapTensor(env, std::move(result)); });
}

Napi::Value tensorData(const Napi::CallbackInfo& info) {
  const at::Tensor tensor = unwrapTensor(info[0]);
  auto& environment = Environment::of(info.Env());
  return environment.runOn<at::Tensor>(
      info.Env(), environment.tensorWorker(), [=] { return tensor.cpu().contiguous(); },
      [&environment](Napi::Env env, at::Tensor& result) -> Napi::Value {
        Napi::ArrayBuffer buffer = environment.newBuffer(env, result.nbytes());
        if (result.nbytes() != 0) std::memcpy(buffer.Data(), result.const_data_ptr(), result.nbytes());
        return buffer;
      });
}

Napi::Value preprocessImage(const Napi::CallbackInfo& info) {
  auto& environment = Environment::of(info.Env());
  const Grid grid = readGrid(readObject(info[1], "target"));
  return environment.runOn<at::Tensor>(
      info.Env(), environment.tensorWorker(),
      [pixels = readPixels(readObject(info[0], "pixels")), grid] {
        return wuerstchen::preprocessImage(pixels, grid.height, grid.width, grid.fit);
      },
      [](Napi::Env env, at::Tensor& result) { return wrapTensor(env, std::move(result)); });
}

Napi::Value disposeTensor(const Napi::CallbackInfo& info) {
  TensorHolder& holder = unwrapHandle<TensorHolder>(info[0]);
  holder.tensor.reset();  // jobs that still need it hold references of their own
  holder.finalize(info.Env());
  return info.Env().Undefined();
}

}  // namespace wuerstchen::addon
