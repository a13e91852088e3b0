// JavaScript to the core.
#include <ATen/Context.h>
#include <ATen/ops/empty.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "convert.h"
#include "dtype.h"
#include "handles.h"
#include "program_file.h"

namespace wuerstchen::addon {

namespace {

size_t elementSize(napi_typedarray_type type) {
  switch (type) {
    case napi_int8_array:
    case napi_uint8_array:
    case napi_uint8_clamped_array: return 1;
    case napi_int16_array:
    case napi_uint16_array: return 2;
    case napi_int32_array:
    case napi_uint32_array:
    case napi_float32_array: return 4;
    case napi_float64_array:
    case napi_bigint64_array:
    case napi_biguint64_array: return 8;
    default: return 2;  // Float16Array, which the headers of older Node do not name
  }
}

std::string text(const Napi::Object& o, const char* key) { return readText(o.Get(key), key); }
double number(const Napi::Object& o, const char* key) { return readNumber(o.Get(key), key); }
int64_t integer(const Napi::Object& o, const char* key) { return readInteger(o.Get(key), key); }
Napi::Object object(const Napi::Object& o, const char* key) { return readObject(o.Get(key), key); }

// An integer that an int holds too.
int small(const Napi::Object& o, const char* key) {
  const int64_t value = integer(o, key);
  if (value >= std::numeric_limits<int>::min() && value <= std::numeric_limits<int>::max()) return static_cast<int>(value);
  throw Error(Code::InvalidArgument, c10::str("Expected a smaller integer for ", key, " but received ", value), key);
}

template <typename Visit>
void forEach(const Napi::Value& value, const char* name, const Visit& visit) {
  const Napi::Array array = readArray(value, name);
  const uint32_t length = array.Length();
  for (uint32_t i = 0; i < length; ++i) visit(array.Get(i));
}

// Its own entries, and nothing that some library has put on Object.prototype.
template <typename Visit>
void forEachEntry(const Napi::Object& o, const Visit& visit) {
  napi_value keys = nullptr;
  const napi_status status = napi_get_all_property_names(
      o.Env(), o, napi_key_own_only, static_cast<napi_key_filter>(napi_key_enumerable | napi_key_skip_symbols),
      napi_key_numbers_to_strings, &keys);
  if (status != napi_ok) throw Napi::Error::New(o.Env());
  forEach(Napi::Value(o.Env(), keys), "keys", [&](const Napi::Value& key) {
    const std::string name = readText(key, "key");
    const Napi::Value value = o.Get(key);
    if (!value.IsUndefined()) visit(name, readObject(value, name.c_str()));
  });
}

std::vector<TensorSpec> readTensorSpecs(const Napi::Value& value) {
  std::vector<TensorSpec> specs;
  forEach(value, "tensors", [&](const Napi::Value& item) {
    const Napi::Object o = readObject(item, "tensor");
    TensorSpec spec{text(o, "name"), dtypeFromName(text(o, "dtype")), {}};
    forEach(o.Get("shape"), "shape", [&](const Napi::Value& d) {
      spec.shape.push_back(d.IsNumber() ? Dimension(readInteger(d, "shape")) : Dimension(readText(d, "shape")));
      if (const auto* symbol = std::get_if<std::string>(&spec.shape.back())) parseSymbol(*symbol);
    });
    specs.push_back(std::move(spec));
  });
  return specs;
}

SchedulerSpec readScheduler(const Napi::Object& o) { return {number(o, "scaler"), number(o, "s")}; }

// The elements of a typed array of this kind, copied.
template <typename Element>
std::vector<Element> elements(const Napi::Value& value, napi_typedarray_type type, const char* name) {
  const Bytes bytes = viewOf(value, name);
  if (!value.IsTypedArray() || bytes.type != type) {
    throw Error(Code::InvalidArgument, std::string("Expected another typed array for ") + name, name);
  }
  const auto* first = static_cast<const Element*>(bytes.data);
  return {first, first + bytes.size / sizeof(Element)};
}

at::Tensor readTokens(const Napi::Value& value) {
  const std::vector<int64_t> ids = elements<int64_t>(value, napi_bigint64_array, "prompt");
  at::Tensor tokens = at::empty({1, static_cast<int64_t>(ids.size())}, at::kLong);
  if (!ids.empty()) std::memcpy(tokens.data_ptr(), ids.data(), tokens.nbytes());
  return tokens;
}

std::vector<Text> readTexts(const Napi::Value& value) {
  std::vector<Text> texts;
  forEach(value, "texts", [&](const Napi::Value& item) {
    const Napi::Object o = readObject(item, "text");
    const Napi::Value embeddings = o.Get("embeddings");
    if (!embeddings.IsUndefined()) {
      texts.push_back(unwrapTensor(embeddings));
    } else {
      texts.push_back(Tokens{readTokens(o.Get("ids")), readTokens(o.Get("mask"))});
    }
  });
  return texts;
}

// Without timesteps where the value is null. `samplerOption` is for errors.
Sampling readSampling(const Napi::Object& o, const char* stage, const char* samplerOption) {
  const Napi::Value value = o.Get(stage);
  if (value.IsNull()) return {};
  const Napi::Object given = readObject(value, stage);
  return {.timesteps = elements<double>(given.Get("timesteps"), napi_float64_array, stage),
          .sampler = samplerFromName(text(given, "sampler"), samplerOption),
          .guidance = {
              .scale = number(given, "guidanceScale"), .from = number(given, "guidanceFrom"), .to = number(given, "guidanceTo")}};
}

// An undefined tensor where the value is null or left out.
at::Tensor readTensor(const Napi::Object& o, const char* key) {
  const Napi::Value value = o.Get(key);
  return value.IsNull() || value.IsUndefined() ? at::Tensor() : unwrapTensor(value);
}

ImageSpec readImage(const Napi::Object& o) {
  return {integer(o, "seed"),      integer(o, "randomOffset"),     small(o, "priorText"), small(o, "priorNegativeText"),
          small(o, "decoderText"), small(o, "decoderNegativeText")};
}

// A file that TypeScript has opened, hashed and stamped; none where it gives no descriptor.
std::shared_ptr<const ProgramFile> readSource(const Napi::Object& o, const std::string& file) {
  const Napi::Value descriptor = o.Get("fd");
  if (descriptor.IsUndefined()) return nullptr;
  return std::make_shared<const ProgramFile>(small(o, "fd"), file, text(o, "stamp"));
}

LibrarySpec readLibrary(const Napi::Object& o) {
  LibrarySpec library;
  library.file = text(o, "file");
  library.sha256 = text(o, "sha256");
  forEachEntry(object(o, "limits"), [&](const std::string& symbol, const Napi::Object& limit) {
    const Limit& read = library.limits[symbol] = {integer(limit, "least"), integer(limit, "most"), integer(limit, "multipleOf")};
    if (read.multipleOf < 1) throw Error(Code::ModelInvalid, "Expected a multipleOf of at least 1 for " + symbol, library.file);
  });
  const Bytes bytes = viewOf(o.Get("bytes"), "bytes");
  library.bytes = std::make_shared<const std::string>(static_cast<const char*>(bytes.data), bytes.size);
  return library;
}

}  // namespace

std::string readText(const Napi::Value& value, const char* name) {
  if (value.IsString()) return value.As<Napi::String>().Utf8Value();
  throw Error(Code::InvalidArgument, std::string("Expected a string for ") + name, name);
}

double readNumber(const Napi::Value& value, const char* name) {
  if (value.IsNumber()) return value.As<Napi::Number>().DoubleValue();
  throw Error(Code::InvalidArgument, std::string("Expected a number for ") + name, name);
}

int64_t readInteger(const Napi::Value& value, const char* name) {
  constexpr double kLargest = 9007199254740991;  // 2^53 − 1
  const double number = readNumber(value, name);
  if (number >= -kLargest && number <= kLargest && std::trunc(number) == number) return static_cast<int64_t>(number);
  throw Error(Code::InvalidArgument, c10::str("Expected an integer for ", name, " but received ", number), name);
}

Napi::Object readObject(const Napi::Value& value, const char* name) {
  if (value.IsObject()) return value.As<Napi::Object>();
  throw Error(Code::InvalidArgument, std::string("Expected an object for ") + name, name);
}

Napi::Array readArray(const Napi::Value& value, const char* name) {
  if (value.IsArray()) return value.As<Napi::Array>();
  throw Error(Code::InvalidArgument, std::string("Expected an array for ") + name, name);
}

Bytes viewOf(const Napi::Value& value, const char* name) {
  Bytes bytes{nullptr, 0, napi_uint8_array};
  void* data = nullptr;
  napi_status status = napi_invalid_arg;
  if (value.IsTypedArray()) {
    size_t length = 0;
    status = napi_get_typedarray_info(value.Env(), value, &bytes.type, &length, &data, nullptr, nullptr);
    bytes.size = length * elementSize(bytes.type);
  } else if (value.IsDataView()) {
    status = napi_get_dataview_info(value.Env(), value, &bytes.size, &data, nullptr, nullptr);
  }
  if (status != napi_ok) throw Error(Code::InvalidArgument, std::string("Expected a typed array for ") + name, name);
  bytes.data = data;
  return bytes;
}

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
  ProgramSpec spec;
  spec.kind = text(o, "kind");
  spec.file = text(o, "file");
  spec.dtype = dtypeFromName(text(o, "dtype"));
  spec.storage = dtypeFromName(text(o, "storage"));
  forEachEntry(object(o, "functions"), [&](const std::string& name, const Napi::Object& function) {
    spec.functions[name] = {readTensorSpecs(function.Get("inputs")), readTensorSpecs(function.Get("outputs"))};
  });
  if (spec.kind == "aoti") {
    forEachEntry(object(o, "libraries"),
                 [&](const std::string& name, const Napi::Object& library) { spec.libraries[name] = readLibrary(library); });
  }
  spec.source = readSource(o, spec.file);
  return spec;
}

EngineSpec readEngineSpec(const Napi::Object& o) {
  EngineSpec spec;
  spec.device = parseDevice(text(o, "device"));
  spec.threads = small(o, "threads");
  spec.maxBatch = small(o, "maxBatch");
  spec.maxBatchCells = integer(o, "maxBatchCells");
  if (spec.threads < 1 || spec.maxBatch < 1 || spec.maxBatchCells < 0) {
    throw Error(Code::InvalidArgument, "Expected threads and maxBatch of at least 1, and maxBatchCells of at least 0",
                spec.threads < 1 ? "threads" : "maxBatch");
  }
  spec.residency = text(o, "residency") == "sequential" ? Residency::Sequential : Residency::All;
  const Napi::Object constants = object(o, "constants");
  spec.constants = {number(constants, "latentMean"),
                    number(constants, "latentStd"),
                    number(constants, "scaleFactor"),
                    number(constants, "latentDimScale"),
                    readScheduler(object(constants, "priorScheduler")),
                    readScheduler(object(constants, "decoderScheduler")),
                    integer(constants, "latentUnit")};
  forEachEntry(object(o, "programs"), [&](const std::string& name, const Napi::Object& program) {
    spec.programs.emplace(stageFromName(name), readProgram(program));
  });
  forEachEntry(object(o, "texts"), [&](const std::string& name, const Napi::Object& encoder) {
    spec.texts[stageFromName(name)] = {integer(encoder, "length"), integer(encoder, "largest")};
  });
  return spec;
}

Request readRequest(const Napi::Object& o) {
  Request request;
  request.gridHeight = integer(o, "gridHeight");
  request.gridWidth = integer(o, "gridWidth");
  request.priorTexts = readTexts(o.Get("priorTexts"));
  request.decoderTexts = readTexts(o.Get("decoderTexts"));
  request.prior = readSampling(o, "prior", "priorSampler");
  request.decoder = readSampling(o, "decoder", "decoderSampler");
  forEach(o.Get("images"), "images",
          [&](const Napi::Value& image) { request.images.push_back(readImage(readObject(image, "image"))); });
  request.priorLatents = readTensor(o, "priorLatents");
  request.embeddings = readTensor(o, "embeddings");
  request.mask = readTensor(o, "mask");
  request.decoderLatents = readTensor(o, "decoderLatents");
  request.decoderSource = readTensor(o, "decoderSource");
  request.previews = small(o, "previews");
  return request;
}

at::Tensor readPixels(const Napi::Object& o) {
  const int64_t width = integer(o, "width"), height = integer(o, "height");
  const Napi::Value data = o.Get("data");
  constexpr int64_t kLargestSide = 1 << 20;
  const bool sound = width >= 1 && height >= 1 && width <= kLargestSide && height <= kLargestSide;
  const Bytes bytes = viewOf(data, "pixels");
  if (!sound || bytes.type != napi_uint8_array || bytes.size != static_cast<size_t>(width * height * 3)) {
    throw Error(Code::InvalidArgument, c10::str("Expected width·height·3 bytes for pixels but received ", bytes.size), "pixels");
  }
  at::Tensor pixels = at::empty({height, width, 3}, at::kByte);
  std::memcpy(pixels.data_ptr(), bytes.data, bytes.size);
  return pixels;
}

Grid readGrid(const Napi::Object& o) {
  const Grid grid{integer(o, "gridHeight"), integer(o, "gridWidth"), text(o, "fit") == "fill" ? Fit::Fill : Fit::Cover};
  checkGrid(grid.height, grid.width);
  return grid;
}

}  // namespace wuerstchen::addon
