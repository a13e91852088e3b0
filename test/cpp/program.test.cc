#include "program.h"

#include <ATen/ATen.h>
#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/jit/api/module.h>

#include <filesystem>
#include <fstream>

#include "aoti.h"
#include "check.h"
#include "models.h"
#include "program_file.h"

using namespace wuerstchen;

namespace {

std::unique_ptr<Program> loadPrior(const models::Folder& folder) {
  return loadProgram(models::write(folder).programs.at(StageId::Prior), c10::kCPU);
}

Tensors priorInputs(int64_t batch = 2) { return {at::ones({batch, 16, 3, 3}), at::ones({batch}), at::ones({batch, 1})}; }

}  // namespace

TEST(program, runsWhatWasExported) {
  const models::Folder folder;
  const auto prior = loadPrior(folder);
  const Tensors noise = prior->run("step", priorInputs());
  CHECK(at::allclose(noise.at(0), at::full({2, 16, 3, 3}, 0.12F), 0, 1e-6));
  CHECK(prior->bytes() == 2 * sizeof(float));
}

TEST(program, refusesInputsThatDoNotFit) {
  const models::Folder folder;
  const auto prior = loadPrior(folder);
  const auto refused = [&](const Tensors& inputs, const char* subject) {
    return is(failureOf([&] { prior->run("step", inputs); }), Code::InvalidArgument, subject);
  };
  CHECK(refused({}, "inputs"));
  CHECK(refused({at::ones({2, 16, 3, 3}), at::ones({2})}, "inputs"));
  CHECK(refused({at::ones({2, 4, 3, 3}), at::ones({2}), at::ones({2, 1})}, "step.latents"));                // channels
  CHECK(refused({at::ones({2, 16, 3, 3}), at::ones({1}), at::ones({2, 1})}, "step.ratio"));                 // batch disagrees
  CHECK(refused({at::ones({2, 16, 3}), at::ones({2}), at::ones({2, 1})}, "step.latents"));                  // rank
  CHECK(refused({at::ones({2, 16, 3, 3}, at::kDouble), at::ones({2}), at::ones({2, 1})}, "step.latents"));  // dtype
  CHECK(refused({at::ones({0, 16, 3, 3}), at::ones({0}), at::ones({0, 1})}, "step.latents"));               // empty
  CHECK(refused({at::Tensor(), at::ones({2}), at::ones({2, 1})}, "step.latents"));                          // undefined
  CHECK(is(failureOf([&] { prior->run("forward", priorInputs()); }), Code::InvalidArgument, "functionName"));
  CHECK(prior->run("step", priorInputs(1)).size() == 1);  // and goes on working
}

TEST(program, refusesOutputsThatAreNotWhatTheManifestSays) {
  const models::Folder folder;
  ProgramSpec spec = models::write(folder).programs.at(StageId::Prior);
  spec.functions.at("step").outputs.front().shape = {"batch", int64_t{32}, "height", "width"};
  CHECK(is(failureOf([&] { loadProgram(spec, c10::kCPU)->run("step", priorInputs()); }), Code::ModelMismatch, "step.noise"));
}

TEST(program, convertsStoredWeights) {
  const models::Folder folder;
  ProgramSpec spec = models::write(folder).programs.at(StageId::Prior);
  spec.storage = c10::kFloat;
  spec.dtype = c10::kDouble;
  for (auto& [unused, function] : spec.functions) {
    for (TensorSpec& tensor : function.inputs) tensor.dtype = c10::kDouble;
    for (TensorSpec& tensor : function.outputs) tensor.dtype = c10::kDouble;
  }
  const auto prior = loadProgram(spec, c10::kCPU);
  CHECK(prior->bytes() == 2 * sizeof(double));
  CHECK(prior->run("step", {at::ones({1, 16, 3, 3}, at::kDouble), at::ones({1}, at::kDouble), at::ones({1, 1}, at::kDouble)})
            .size() == 1);
}

// What was stamped is what is read, whatever takes the file's name or its bytes meanwhile.
TEST(program, readsTheFileThatWasOpenedAndOnlyUnchanged) {
  const models::Folder folder;
  ProgramSpec spec = models::write(folder).programs.at(StageId::Prior);
  spec.source = std::make_shared<const ProgramFile>(spec.file);
  std::filesystem::rename(spec.file, spec.file + ".old");
  std::ofstream(spec.file) << "another file of that name";
  CHECK(loadProgram(spec, c10::kCPU)->run("step", priorInputs()).size() == 1);

  std::fstream(spec.file + ".old", std::ios::in | std::ios::out).seekp(100) << "changed";
  CHECK(is(failureOf([&] { loadProgram(spec, c10::kCPU); }), Code::ModelInvalid, spec.file));
}

TEST(program, aStoppedTokenEndsALoad) {
  const models::Folder folder;
  const ProgramSpec spec = models::write(folder).programs.at(StageId::Prior);
  StopToken stop;
  stop.stop();
  CHECK(is(failureOf([&] { loadProgram(spec, c10::kCPU, stop); }), Code::Cancelled, ""));
}

TEST(program, refusesBrokenFilesByTheirNames) {
  const models::Folder folder;
  const ProgramSpec spec = models::write(folder).programs.at(StageId::Prior);
  const auto loading = [](const ProgramSpec& s) { return failureOf([&] { loadProgram(s, c10::kCPU); }); };

  ProgramSpec missing = spec;
  missing.file += ".absent";
  CHECK(is(loading(missing), Code::ModelInvalid, missing.file));

  ProgramSpec function = spec;
  function.functions["absent"] = {};
  CHECK(is(loading(function), Code::ModelInvalid, spec.file));

  ProgramSpec inputs = spec;
  inputs.functions.at("step").inputs.pop_back();
  CHECK(is(loading(inputs), Code::ModelInvalid, spec.file));

  ProgramSpec kind = spec;
  kind.kind = "onnx";
  CHECK(is(loading(kind), Code::ModelMismatch, spec.file));

  ProgramSpec compiled = spec;
  compiled.kind = "aoti";
  CHECK(is(loading(compiled), Code::ModelMismatch, spec.file));
  compiled.libraries["step"] = {folder.file("step.so"), "", nullptr, {}};
  std::ofstream(folder.file("step.so")) << "not a library";
  CHECK(is(loading(compiled), Code::ModelInvalid, folder.file("step.so")));

  std::ofstream(spec.file, std::ios::trunc) << "not a program";
  CHECK(is(loading(spec), Code::ModelInvalid, spec.file));
}

namespace {

// A program from one number to one number, in `step`.
ProgramSpec saved(const torch::jit::Module& module, const std::string& file) {
  ProgramSpec spec;
  spec.file = file;
  spec.kind = "torchscript";
  spec.dtype = spec.storage = c10::kFloat;
  spec.functions["step"] = {{{"x", c10::kFloat, {int64_t{1}}}}, {{"y", c10::kFloat, {int64_t{1}}}}};
  module.save(file);
  return spec;
}

// A program with a weight, and with two constants, which LibTorch compares with each other while it loads.
ProgramSpec writeProgram(const models::Folder& folder, const at::Tensor& weight) {
  torch::jit::Module module("short");
  module.register_parameter("weight", weight, /*is_buffer=*/false);
  module.define("def step(self, x):\n    return x + self.weight.sum()\n");
  const auto graph = torch::jit::toGraphFunction(module.get_method("step").function()).graph();
  {
    const torch::jit::WithInsertPoint before(graph->return_node());
    torch::jit::Value* sum = graph->outputs().at(0);
    for (const double value : {2, 3}) {
      torch::jit::Value* constant = graph->insert(c10::aten::sum, {graph->insertConstant(at::full({1000}, value))});
      sum = graph->insert(c10::aten::add, {sum, constant});
    }
    graph->return_node()->replaceInput(0, sum);
  }
  return saved(module, folder.file("whole.pt"));
}

// The same program, with at most so many bytes in each record whose name begins so.
ProgramSpec cutRecords(ProgramSpec spec, const std::string& prefix, size_t most) {
  caffe2::serialize::PyTorchStreamReader reader(spec.file);
  spec.file += "." + std::to_string(most);
  caffe2::serialize::PyTorchStreamWriter writer(spec.file);
  for (const std::string& name : reader.getAllRecords()) {
    if (name == "version" || name.rfind(".data/", 0) == 0) continue;  // the writer writes its own
    const auto [data, size] = reader.getRecord(name);
    writer.writeRecord(name, data.get(), name.rfind(prefix, 0) == 0 ? std::min(size, most) : size);
  }
  writer.writeEndOfFile();
  return spec;
}

}  // namespace

// As a full disk leaves it, or malice. LibTorch would read what comes after the record in memory.
TEST(program, refusesAWeightWithARecordThatIsTooShort) {
  const models::Folder folder;
  const ProgramSpec whole = writeProgram(folder, at::ones({1000}));
  for (const char* prefix : {"data/", "constants/"}) {
    const ProgramSpec same = cutRecords(whole, prefix, 4000);
    CHECK(loadProgram(same, c10::kCPU)->run("step", {at::ones({1})}).at(0).item<float>() == 6001);
    for (const size_t most : {0, 16, 3900}) {
      const ProgramSpec spec = cutRecords(whole, prefix, most);
      CHECK(is(failureOf([&] { loadProgram(spec, c10::kCPU); }), Code::ModelInvalid, spec.file));
    }
  }
}

// Every list and dictionary says its type in the file. The weights of a scripted LSTM are such lists.
TEST(program, readsListsAndDictionaries) {
  const models::Folder folder;
  torch::jit::Module module("lists");
  c10::Dict<std::string, at::Tensor> scales;
  scales.insert("a", at::full({4}, 2.0));
  const c10::List<c10::List<int64_t>> sizes({c10::List<int64_t>({1, 2}), c10::List<int64_t>()});
  const c10::TypePtr names = c10::DictType::create(c10::StringType::get(), c10::TensorType::get());
  module.register_attribute("sizes", c10::ListType::create(c10::ListType::ofInts()), sizes);
  module.register_attribute("tensors", c10::ListType::ofTensors(), c10::List<at::Tensor>({at::full({4}, 3.0)}));
  module.register_attribute("scales", names, scales);
  module.register_attribute("note", c10::StringType::get(), "_rebuild_sparse and _rebuild_qtensor");
  module.register_buffer("unused", at::empty({4}, at::kMeta));
  module.define("def step(self, x):\n    return x * self.tensors[0].sum() * self.scales['a'].sum() * self.sizes[0][1]\n");
  const ProgramSpec spec = saved(module, folder.file("lists.pt"));
  CHECK(loadProgram(spec, c10::kCPU)->run("step", {at::ones({1})}).at(0).item<float>() == 12 * 8 * 2);
  const ProgramSpec cut = cutRecords(spec, "data/", 12);
  CHECK(is(failureOf([&] { loadProgram(cut, c10::kCPU); }), Code::ModelInvalid, cut.file));
}

TEST(program, refusesWeightsThatAreMadeFromTheBytesOfOthers) {
  const models::Folder folder;
  const at::Tensor sparse = at::eye(4).to_sparse(), quantized = at::quantize_per_tensor(at::ones({4}), 0.1, 0, c10::kQInt8);
  for (const at::Tensor& weight : {sparse, quantized}) {
    const ProgramSpec spec = writeProgram(folder, weight);
    CHECK(is(failureOf([&] { loadProgram(spec, c10::kCPU); }), Code::ModelInvalid, spec.file));
  }
}

// LibTorch reads types by a call within a call.
TEST(program, refusesATypeOfManyLevels) {
  const models::Folder folder;
  const auto deep = [&folder](int levels) {
    torch::jit::Module module("deep");
    c10::TypePtr type = c10::IntType::get();
    c10::IValue value(1);
    for (int level = 0; level < levels; ++level) {
      c10::impl::GenericList list(type);
      list.push_back(value);
      type = c10::ListType::create(type);
      value = list;
    }
    module.register_attribute("list", type, value);
    module.define("def step(self, x):\n    return x + len(self.list)\n");
    return saved(module, folder.file("deep.pt"));
  };
  CHECK(loadProgram(deep(20), c10::kCPU)->run("step", {at::ones({1})}).at(0).item<float>() == 2);
  const ProgramSpec spec = deep(70);
  CHECK(is(failureOf([&] { loadProgram(spec, c10::kCPU); }), Code::ModelInvalid, spec.file));
}

TEST(program, refusesTheFormatOfVersionZero) {
  const models::Folder folder;
  ProgramSpec spec = writeProgram(folder, at::ones({4}));
  {
    caffe2::serialize::PyTorchStreamWriter writer(spec.file);
    writer.writeRecord("model.json", "{}", 2);
    writer.writeEndOfFile();
  }
  const auto failure = failureOf([&] { loadProgram(spec, c10::kCPU); });
  CHECK(is(failure, Code::ModelInvalid, spec.file) && failure->message.find("1.0 or newer") != std::string::npos);
}

// A GPU's memory goes back when nobody has weights there, and a program is somebody from its load to its end.
TEST(program, weightsAreCountedOnTheirDevice) {
  const models::Folder folder;
  const ProgramSpec spec = models::write(folder).programs.at(StageId::Prior);
  const int64_t before = WeightsOn::count(c10::kCPU);
  auto first = loadProgram(spec, c10::kCPU);
  const auto second = loadProgram(spec, c10::kCPU);
  CHECK(WeightsOn::count(c10::kCPU) == before + 2);
  first.reset();
  CHECK(WeightsOn::count(c10::kCPU) == before + 1);

  const c10::Device here(c10::kCUDA, 0), there(c10::kCUDA, 1);
  CHECK(isAbandoned(here));
  {
    const WeightsOn one(here);
    CHECK(!isAbandoned(here) && isAbandoned(there));
    {
      const WeightsOn another(here);
    }
    CHECK(!isAbandoned(here));
  }
  CHECK(isAbandoned(here) && !isAbandoned(c10::kCPU));
}

TEST(program, aRunThatFailsInALibraryIsTheProgramsToAnswer) {
  int runs = 0;
  int64_t fallbacks = 0;
  const auto program = [&runs]() -> Tensors {
    ++runs;
    return {at::ones({1})};
  };
  const auto fails = []() -> Tensors { throw std::runtime_error("API call failed at model_container.h, line 7"); };
  CHECK(runWithFallback(fails, program, fallbacks).at(0).item<float>() == 1 && runs == 1 && fallbacks == 1);
  const auto works = []() -> Tensors { return {at::zeros({1})}; };
  CHECK(runWithFallback(works, program, fallbacks).at(0).item<float>() == 0 && runs == 1 && fallbacks == 1);

  const auto refused = []() -> Tensors { throw std::bad_alloc(); };
  CHECK(is(failureOf([&] { runWithFallback(refused, program, fallbacks); }), Code::OutOfMemory, "") && runs == 1 &&
        fallbacks == 1);
  CHECK(is(failureOf([&] { runWithFallback(fails, refused, fallbacks); }), Code::OutOfMemory,
           ""));  // the program's error has a name
}
