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
  const auto array = value.As<Napi::Array>();
  std::vector<int64_t> shape;
  int64_t elements = 1;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const int64_t size = array.Get(i).As<Napi::Number>().Int64Value();
    // A product that overflows would make createTensor's check of bytes pass.
    if (size < 0 || (size > 0 && elements > std::numeric_limits<int64_t>::max() / 16 / size)) {
      throw Error(Code::InvalidArgument, "Expected sizes of at least 0 whose product is addressable for shape", "shape");
    }
    elements *= size;
    shape.push_back(size);
  }
  return shape;
}

struct Bytes {
  const void* data;
  size_t size;
};

Bytes viewOf(const Napi::Value& value) {
  if (value.IsTypedArray()) {
    const auto array = value.As<Napi::TypedArray>();
    return {static_cast<const uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset(), array.ByteLength()};
  }
  if (value.IsDataView()) {
    const auto view = value.As<Napi::DataView>();
    return {static_cast<const uint8_t*>(view.ArrayBuffer().Data()) + view.ByteOffset(), view.ByteLength()};
  }
  throw Error(Code::InvalidArgument, "Expected a typed array for data", "data");
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
  const Bytes bytes = viewOf(info[0]);
  const std::vector<int64_t> shape = readShape(info[1]);
  const c10::ScalarType dtype = dtypeFromName(info[2].As<Napi::String>().Utf8Value());
  at::Tensor tensor = at::empty(shape, dtype);
  if (tensor.nbytes() != bytes.size) {
    throw Error(Code::InvalidArgument, c10::str("Expected ", tensor.nbytes(), " bytes for data but received ", bytes.size),
                "data");
  }
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
  const c10::Device device = info[1].IsNull() ? tensor.device() : parseDevice(info[1].As<Napi::String>().Utf8Value());
  const c10::ScalarType dtype = info[2].IsNull() ? tensor.scalar_type() : dtypeFromName(info[2].As<Napi::String>().Utf8Value());
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
      [](Napi::Env env, at::Tensor& result) -> Napi::Value {
        auto buffer = Napi::ArrayBuffer::New(env, result.nbytes());
        if (result.nbytes() != 0) std::memcpy(buffer.Data(), result.const_data_ptr(), result.nbytes());
        return buffer;
      });
}

Napi::Value preprocessImage(const Napi::CallbackInfo& info) {
  auto& environment = Environment::of(info.Env());
  return environment.runOn<at::Tensor>(
      info.Env(), environment.tensorWorker(),
      [pixels = readPixels(info[0].As<Napi::Object>()), grid = readGrid(info[1].As<Napi::Object>())] {
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
