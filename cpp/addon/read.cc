// JavaScript to the core.
#include <ATen/Context.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/isfinite.h>

#include <cmath>
#include <cstring>

#include "convert.h"
#include "dtype.h"
#include "handles.h"

namespace wuerstchen::addon {

namespace {

constexpr int64_t kLargestGrid = 4096;  // 174 763 pixels a side: beyond it a product of sizes could overflow

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

StageId readStageId(const std::string& name) {
  for (size_t i = 0; i < kStageNames.size(); ++i) {
    if (kStageNames[i] == name) return static_cast<StageId>(i);
  }
  throw Error("MODEL_INVALID", "Expected a known stage but received " + name);
}

// As<> does not look at the element type, and the wrong one would read past the end.
template <typename Array>
Array typedArray(const Napi::Value& value, napi_typedarray_type type, const char* name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) {
    throw Error("INVALID_ARGUMENT", std::string("Expected another typed array for ") + name);
  }
  return value.As<Array>();
}

at::Tensor readTokens(const Napi::Value& value) {
  const auto array = typedArray<Napi::BigInt64Array>(value, napi_bigint64_array, "tokens");
  at::Tensor tokens = at::empty({1, static_cast<int64_t>(array.ElementLength())}, at::kLong);
  std::memcpy(tokens.data_ptr(), array.Data(), tokens.nbytes());
  return tokens;
}

std::vector<Text> readTexts(const Napi::Value& value) {
  std::vector<Text> texts;
  forEach(value, [&](const Napi::Value& item) {
    const auto o = item.As<Napi::Object>();
    if (o.Has("embeddings")) {
      const at::Tensor& embeddings = unwrapTensor(o.Get("embeddings"));
      if (embeddings.dim() != 3 || embeddings.size(0) != 1 || !embeddings.is_floating_point()) {
        throw Error("INVALID_ARGUMENT", c10::str("Expected (1, text, channels) floating point for text embeddings but received ",
                                                 embeddings.sizes()));
      }
      texts.push_back(embeddings);
      return;
    }
    Tokens tokens{readTokens(o.Get("ids")), readTokens(o.Get("mask"))};
    if (tokens.ids.sizes() != tokens.mask.sizes() || tokens.ids.numel() == 0) {
      throw Error("INVALID_ARGUMENT", "Expected token ids and a mask of the same length");
    }
    texts.push_back(std::move(tokens));
  });
  return texts;
}

std::vector<double> readNumbers(const Napi::Value& value) {
  if (value.IsNull()) return {};
  const auto array = typedArray<Napi::Float64Array>(value, napi_float64_array, "timesteps");
  return {array.Data(), array.Data() + array.ElementLength()};
}

// Undefined where null; else its sizes must be exactly these. Its values are looked at here because JavaScript cannot
// without waiting: one that is not finite would spread over the whole picture, and come out as plain black.
at::Tensor readLatents(const Napi::Value& value, const char* name, at::IntArrayRef shape) {
  if (value.IsNull() || value.IsUndefined()) return {};
  const at::Tensor& tensor = unwrapTensor(value);
  if (tensor.sizes() != shape || !tensor.is_floating_point()) {
    throw Error("INVALID_ARGUMENT", c10::str("Expected floating point ", shape, " for ", name, " but received ",
                                             dtypeName(tensor.scalar_type()), " ", tensor.sizes()));
  }
  if (!at::isfinite(tensor).all().item<bool>()) {
    throw Error("INVALID_ARGUMENT", c10::str("Expected finite numbers for ", name, " but received NaN or infinity"));
  }
  return tensor;
}

void checkTextIndex(int index, size_t count, bool needed) {
  if (needed ? index < 0 || index >= static_cast<int>(count) : index >= static_cast<int>(count)) {
    throw Error("INVALID_ARGUMENT", c10::str("Expected a text index below ", count, " but received ", index));
  }
}

}  // namespace

c10::Device parseDevice(const std::string& name) {
  const c10::Device device = [&] {
    try {
      return c10::Device(name);
    } catch (const c10::Error&) {
      throw Error("INVALID_ARGUMENT", "Expected cpu, cuda or cuda:N for device but received " + name);
    }
  }();
  if (device.is_cpu()) return c10::Device(c10::kCPU);
  if (!device.is_cuda()) throw Error("INVALID_ARGUMENT", "Expected cpu, cuda or cuda:N for device but received " + name);
  const int count = at::hasCUDA() ? static_cast<int>(at::detail::getCUDAHooks().deviceCount()) : 0;
  const int index = device.has_index() ? device.index() : 0;
  if (index >= count) {
    throw Error("DEVICE_UNAVAILABLE", c10::str("Expected one of ", count, " CUDA devices but received ", name));
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
        throw Error("MODEL_INVALID", "Expected a multipleOf of at least 1 for " + symbol);
    });
  });
  return spec;
}

EngineSpec readEngineSpec(const Napi::Object& o) {
  EngineSpec spec;
  spec.device = parseDevice(text(o, "device"));
  spec.threads = static_cast<int>(integer(o, "threads"));
  spec.maxBatch = static_cast<int>(integer(o, "maxBatch"));
  if (spec.threads < 1 || spec.maxBatch < 1) throw Error("INVALID_ARGUMENT", "Expected threads and maxBatch of at least 1");
  spec.residency = text(o, "residency") == "sequential" ? Residency::Sequential : Residency::All;
  const Napi::Object constants = object(o, "constants");
  spec.constants = {number(constants, "latentMean"),
                    number(constants, "latentStd"),
                    number(constants, "scaleFactor"),
                    number(constants, "latentDimScale"),
                    readScheduler(object(constants, "priorScheduler")),
                    readScheduler(object(constants, "decoderScheduler"))};
  forEachEntry(object(o, "programs"), [&](const std::string& name, const Napi::Object& program) {
    spec.programs.emplace(readStageId(name), readProgram(program));
  });
  return spec;
}

Request readRequest(const Napi::Object& o, const EngineSpec& spec) {
  Request request;
  request.gridHeight = integer(o, "gridHeight");
  request.gridWidth = integer(o, "gridWidth");
  if (request.gridHeight < 1 || request.gridWidth < 1 || request.gridHeight > kLargestGrid || request.gridWidth > kLargestGrid) {
    throw Error("INVALID_ARGUMENT", "Expected a positive embedding grid");
  }
  request.priorTexts = readTexts(o.Get("priorTexts"));
  request.decoderTexts = readTexts(o.Get("decoderTexts"));
  request.priorTimesteps = readNumbers(o.Get("priorTimesteps"));
  request.priorGuidanceScale = number(o, "priorGuidanceScale");
  request.decoderTimesteps = readNumbers(o.Get("decoderTimesteps"));
  request.decoderGuidanceScale = number(o, "decoderGuidanceScale");
  const bool priorGuided = request.wantsPrior() && request.priorGuidanceScale > 1;
  const bool decoderGuided = request.wantsDecoder() && request.decoderGuidanceScale > 1;

  forEach(o.Get("images"), [&](const Napi::Value& item) {
    const auto image = item.As<Napi::Object>();
    const ImageSpec parsed{
        static_cast<uint64_t>(number(image, "seed")),    integer(image, "randomOffset"),
        static_cast<int>(integer(image, "priorText")),   static_cast<int>(integer(image, "priorNegativeText")),
        static_cast<int>(integer(image, "decoderText")), static_cast<int>(integer(image, "decoderNegativeText"))};
    if (!(number(image, "seed") >= 0) || parsed.randomOffset < 0) {
      throw Error("INVALID_ARGUMENT", "Expected a seed and a randomOffset of at least 0");
    }
    checkTextIndex(parsed.priorText, request.priorTexts.size(), request.wantsPrior());
    checkTextIndex(parsed.priorNegativeText, request.priorTexts.size(), priorGuided);
    checkTextIndex(parsed.decoderText, request.decoderTexts.size(), request.wantsDecoder());
    checkTextIndex(parsed.decoderNegativeText, request.decoderTexts.size(), decoderGuided);
    request.images.push_back(parsed);
  });
  if (request.images.empty()) throw Error("INVALID_ARGUMENT", "Expected at least one image");

  const int64_t images = static_cast<int64_t>(request.images.size());
  const auto latentSize = [&](int64_t grid) {
    return static_cast<int64_t>(static_cast<double>(grid) * spec.constants.latentDimScale);
  };
  const std::vector<int64_t> grid{images, 16, request.gridHeight, request.gridWidth};
  request.priorLatents = readLatents(o.Get("priorLatents"), "latents", grid);
  request.embeddings = readLatents(o.Get("embeddings"), "embeddings", grid);
  request.mask = readLatents(o.Get("mask"), "mask", {images, 1, request.gridHeight, request.gridWidth});
  const std::vector<int64_t> latents{images, 4, latentSize(request.gridHeight), latentSize(request.gridWidth)};
  request.decoderLatents = readLatents(o.Get("decoderLatents"), "latents", latents);
  request.decoderSource = readLatents(o.Get("decoderSource"), "latents", latents);
  request.previews = static_cast<int>(integer(o, "previews"));
  if (request.previews < 0) throw Error("INVALID_ARGUMENT", "Expected previews of at least 0");
  const bool canDecode = request.wantsDecoder() && spec.residency == Residency::All;
  if (request.previews > 0 && !(request.wantsPrior() && (canDecode || spec.programs.count(StageId::Previewer) != 0))) {
    throw Error("INVALID_ARGUMENT", "Expected a prior with a previewer, or with a decoder that stays loaded, for previews");
  }
  if (!request.wantsPrior() && !request.embeddings.defined()) {
    throw Error("INVALID_ARGUMENT", "Expected prior timesteps or embeddings");
  }
  if (!request.wantsPrior() && !request.wantsDecoder()) throw Error("INVALID_ARGUMENT", "Expected a stage to run");
  if (request.mask.defined() && !(request.wantsPrior() && request.embeddings.defined())) {
    throw Error("INVALID_ARGUMENT", "Expected a prior that starts from embeddings for mask");
  }
  return request;
}

at::Tensor readPixels(const Napi::Object& o) {
  const auto data = typedArray<Napi::Uint8Array>(o.Get("data"), napi_uint8_array, "pixels");
  const int64_t width = integer(o, "width"), height = integer(o, "height");
  constexpr int64_t kLargestSide = 1 << 20;
  if (width < 1 || height < 1 || width > kLargestSide || height > kLargestSide ||
      data.ElementLength() != static_cast<size_t>(width * height * 3)) {
    throw Error("INVALID_ARGUMENT", c10::str("Expected width·height·3 bytes for pixels but received ", data.ElementLength()));
  }
  at::Tensor pixels = at::empty({height, width, 3}, at::kByte);
  std::memcpy(pixels.data_ptr(), data.Data(), pixels.nbytes());
  return pixels;
}

Grid readGrid(const Napi::Object& o) {
  const Grid grid{integer(o, "gridHeight"), integer(o, "gridWidth"), text(o, "fit") == "fill" ? Fit::Fill : Fit::Cover};
  if (grid.height < 1 || grid.width < 1 || grid.height > kLargestGrid || grid.width > kLargestGrid) {
    throw Error("INVALID_ARGUMENT", "Expected a positive embedding grid");
  }
  return grid;
}

}  // namespace wuerstchen::addon
