// JavaScript to the core.
#include <ATen/Context.h>
#include <ATen/ops/empty.h>

#include <cstring>

#include "convert.h"
#include "dtype.h"
#include "handles.h"

namespace wuerstchen::addon {

namespace {

std::string text(const Napi::Object& o, const char* key) { return o.Get(key).As<Napi::String>().Utf8Value(); }
double number(const Napi::Object& o, const char* key) { return o.Get(key).As<Napi::Number>().DoubleValue(); }
int64_t integer(const Napi::Object& o, const char* key) { return o.Get(key).As<Napi::Number>().Int64Value(); }
Napi::Object object(const Napi::Object& o, const char* key) { return o.Get(key).As<Napi::Object>(); }

template <typename Visit>
void forEach(const Napi::Value& value, const Visit& visit) {
  const auto array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) visit(array.Get(i));
}

template <typename Visit>
void forEachEntry(const Napi::Object& o, const Visit& visit) {
  forEach(o.GetPropertyNames(), [&](const Napi::Value& key) {
    const std::string name = key.As<Napi::String>().Utf8Value();
    if (!o.Get(name).IsUndefined()) visit(name, o.Get(name).As<Napi::Object>());
  });
}

std::vector<TensorSpec> readTensorSpecs(const Napi::Value& value) {
  std::vector<TensorSpec> specs;
  forEach(value, [&](const Napi::Value& item) {
    const auto o = item.As<Napi::Object>();
    TensorSpec spec{text(o, "name"), dtypeFromName(text(o, "dtype")), {}};
    forEach(o.Get("shape"), [&](const Napi::Value& d) {
      spec.shape.push_back(d.IsNumber() ? Dimension(d.As<Napi::Number>().Int64Value())
                                        : Dimension(d.As<Napi::String>().Utf8Value()));
    });
    specs.push_back(std::move(spec));
  });
  return specs;
}

SchedulerSpec readScheduler(const Napi::Object& o) { return {number(o, "scaler"), number(o, "s")}; }

// As<> does not look at the element type, and the wrong one would read past the end.
template <typename Array>
Array typedArray(const Napi::Value& value, napi_typedarray_type type, const char* name, const char* subject) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) {
    throw Error(Code::InvalidArgument, std::string("Expected another typed array for ") + name, subject);
  }
  return value.As<Array>();
}

at::Tensor readTokens(const Napi::Value& value) {
  const auto array = typedArray<Napi::BigInt64Array>(value, napi_bigint64_array, "tokens", "prompt");
  at::Tensor tokens = at::empty({1, static_cast<int64_t>(array.ElementLength())}, at::kLong);
  std::memcpy(tokens.data_ptr(), array.Data(), tokens.nbytes());
  return tokens;
}

std::vector<Text> readTexts(const Napi::Value& value) {
  std::vector<Text> texts;
  forEach(value, [&](const Napi::Value& item) {
    const auto o = item.As<Napi::Object>();
    if (o.Has("embeddings")) {
      texts.push_back(unwrapTensor(o.Get("embeddings")));
    } else {
      texts.push_back(Tokens{readTokens(o.Get("ids")), readTokens(o.Get("mask"))});
    }
  });
  return texts;
}

// Empty where the value is null.
std::vector<double> readTimesteps(const Napi::Object& o, const char* key) {
  const Napi::Value value = o.Get(key);
  if (value.IsNull()) return {};
  const auto array = typedArray<Napi::Float64Array>(value, napi_float64_array, "timesteps", key);
  return {array.Data(), array.Data() + array.ElementLength()};
}

// An undefined tensor where the value is null or left out.
at::Tensor readTensor(const Napi::Object& o, const char* key) {
  const Napi::Value value = o.Get(key);
  return value.IsNull() || value.IsUndefined() ? at::Tensor() : unwrapTensor(value);
}

ImageSpec readImage(const Napi::Object& o) {
  const auto index = [&o](const char* key) { return static_cast<int>(integer(o, key)); };
  return {integer(o, "seed"),         integer(o, "randomOffset"), index("priorText"),
          index("priorNegativeText"), index("decoderText"),       index("decoderNegativeText")};
}

}  // namespace

c10::Device parseDevice(const std::string& name) {
  const auto notADevice = [&name] {
    return Error(Code::InvalidArgument, "Expected cpu, cuda or cuda:N for device but received " + name, "device");
  };
  const c10::Device device = [&] {
    try {
      return c10::Device(name);
    } catch (const c10::Error&) {
      throw notADevice();
    }
  }();
  if (device.is_cpu()) return c10::Device(c10::kCPU);
  if (!device.is_cuda()) throw notADevice();
  const int count = at::hasCUDA() ? static_cast<int>(at::detail::getCUDAHooks().deviceCount()) : 0;
  const int index = device.has_index() ? device.index() : 0;
  if (index >= count) {
    throw Error(Code::DeviceUnavailable, c10::str("Expected one of ", count, " CUDA devices but received ", name), "device");
  }
  return c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(index));
}

ProgramSpec readProgram(const Napi::Object& o) {
  ProgramSpec spec{text(o, "kind"), text(o, "file"), dtypeFromName(text(o, "dtype")), dtypeFromName(text(o, "storage")), {}, {}};
  forEachEntry(object(o, "functions"), [&](const std::string& name, const Napi::Object& function) {
    spec.functions[name] = {readTensorSpecs(function.Get("inputs")), readTensorSpecs(function.Get("outputs"))};
  });
  if (spec.kind != "aoti") return spec;
  forEachEntry(object(o, "libraries"), [&](const std::string& name, const Napi::Object& library) {
    LibrarySpec& described = spec.libraries[name];
    described.file = text(library, "file");
    forEachEntry(object(library, "limits"), [&](const std::string& symbol, const Napi::Object& limit) {
      described.limits[symbol] = {integer(limit, "least"), integer(limit, "most"), integer(limit, "multipleOf")};
      if (described.limits[symbol].multipleOf < 1)
        throw Error(Code::ModelInvalid, "Expected a multipleOf of at least 1 for " + symbol, described.file);
    });
  });
  return spec;
}

EngineSpec readEngineSpec(const Napi::Object& o) {
  EngineSpec spec;
  spec.device = parseDevice(text(o, "device"));
  spec.threads = static_cast<int>(integer(o, "threads"));
  spec.maxBatch = static_cast<int>(integer(o, "maxBatch"));
  if (spec.threads < 1 || spec.maxBatch < 1) {
    throw Error(Code::InvalidArgument, "Expected threads and maxBatch of at least 1", spec.threads < 1 ? "threads" : "maxBatch");
  }
  spec.residency = text(o, "residency") == "sequential" ? Residency::Sequential : Residency::All;
  const Napi::Object constants = object(o, "constants");
  spec.constants = {number(constants, "latentMean"),
                    number(constants, "latentStd"),
                    number(constants, "scaleFactor"),
                    number(constants, "latentDimScale"),
                    readScheduler(object(constants, "priorScheduler")),
                    readScheduler(object(constants, "decoderScheduler"))};
  forEachEntry(object(o, "programs"), [&](const std::string& name, const Napi::Object& program) {
    spec.programs.emplace(stageFromName(name), readProgram(program));
  });
  return spec;
}

Request readRequest(const Napi::Object& o) {
  Request request;
  request.gridHeight = integer(o, "gridHeight");
  request.gridWidth = integer(o, "gridWidth");
  request.priorTexts = readTexts(o.Get("priorTexts"));
  request.decoderTexts = readTexts(o.Get("decoderTexts"));
  request.priorTimesteps = readTimesteps(o, "priorTimesteps");
  request.priorGuidanceScale = number(o, "priorGuidanceScale");
  request.decoderTimesteps = readTimesteps(o, "decoderTimesteps");
  request.decoderGuidanceScale = number(o, "decoderGuidanceScale");
  forEach(o.Get("images"), [&](const Napi::Value& image) { request.images.push_back(readImage(image.As<Napi::Object>())); });
  request.priorLatents = readTensor(o, "priorLatents");
  request.embeddings = readTensor(o, "embeddings");
  request.mask = readTensor(o, "mask");
  request.decoderLatents = readTensor(o, "decoderLatents");
  request.decoderSource = readTensor(o, "decoderSource");
  request.previews = static_cast<int>(integer(o, "previews"));
  return request;
}

at::Tensor readPixels(const Napi::Object& o) {
  const auto data = typedArray<Napi::Uint8Array>(o.Get("data"), napi_uint8_array, "pixels", "pixels");
  const int64_t width = integer(o, "width"), height = integer(o, "height");
  constexpr int64_t kLargestSide = 1 << 20;
  if (width < 1 || height < 1 || width > kLargestSide || height > kLargestSide ||
      data.ElementLength() != static_cast<size_t>(width * height * 3)) {
    throw Error(Code::InvalidArgument, c10::str("Expected width·height·3 bytes for pixels but received ", data.ElementLength()),
                "pixels");
  }
  at::Tensor pixels = at::empty({height, width, 3}, at::kByte);
  std::memcpy(pixels.data_ptr(), data.Data(), pixels.nbytes());
  return pixels;
}

Grid readGrid(const Napi::Object& o) {
  const Grid grid{integer(o, "gridHeight"), integer(o, "gridWidth"), text(o, "fit") == "fill" ? Fit::Fill : Fit::Cover};
  checkGrid(grid.height, grid.width);
  return grid;
}

}  // namespace wuerstchen::addon
