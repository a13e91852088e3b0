#include "aoti.h"

#include <c10/core/DeviceGuard.h>
#include <c10/util/StringUtil.h>
#include <torch/csrc/inductor/aoti_runner/model_container_runner.h>

#include <mutex>
#include <utility>

#include "dtype.h"
#include "error.h"
#include "library_file.h"
#include "library_proof.h"
#include "open_library.h"

namespace wuerstchen {

namespace {

using torch::inductor::AOTIModelContainerRunner;

// The exporter compiles a function as a module around the network, so its weights are called "program.<name>".
std::string weightName(const std::string& qualified) { return qualified.substr(qualified.find('.') + 1); }

Error broken(const std::string& file, const std::string& reason) {
  return {Code::ModelInvalid, "Expected a compiled library in " + file + " but LibTorch said: " + reason, file};
}

}  // namespace

Tensors runWithFallback(const std::function<Tensors()>& compiled, const std::function<Tensors()>& program, int64_t& fallbacks) {
  try {
    return compiled();
  } catch (const std::exception&) {
    if (describe(std::current_exception()).code == Code::OutOfMemory) throw;
  }
  ++fallbacks;
  return program();
}

AotiProgram::AotiProgram(const ProgramSpec& spec, c10::Device device, const StopToken& stop)
    : Program(spec, device), torchScript_(spec, device, stop) {
  if (spec_.libraries.empty())
    throw Error(Code::ModelMismatch, "Expected compiled libraries for " + spec_.file + " but there are none", spec_.file);
  for (const auto& [name, library] : spec_.libraries) {
    function(name);
    stop.check();
    Compiled compiled{open(library), Coverage(function(name).inputs, library.limits)};
    OpenLibrary& opened = *compiled_.emplace(name, std::move(compiled)).first->second.library;
    prove(
        {library, function(name), device_, spec_.file}, [&](const Tensors& inputs) { return torchScript_.run(name, inputs); },
        [&](const Tensors& inputs) { return runLibrary(opened.runner(), inputs); });
  }
}

std::shared_ptr<OpenLibrary> AotiProgram::open(const LibrarySpec& library) const {
  const std::string path = pathOf(library);
  // LibTorch reads a library's companions into static variables while it opens the library. Two engines that opened theirs at
  // once would mix them up, so the process has one lock for it, the only static variable here that changes.
  static std::mutex opening;
  const std::lock_guard lock(opening);
  const c10::DeviceGuard guard(device_);
  try {
    const auto& makers = torch::inductor::getAOTIModelRunnerRegistry();
    const auto maker = makers.find(device_.is_cpu() ? "cpu" : "cuda");
    if (maker == makers.end()) throw std::runtime_error("it runs no compiled libraries on " + device_.str());
    auto runner = maker->second(path, 1, device_.str(), "", true);
    const auto dtypes = runner->getConstantNamesToDtypes();
    std::unordered_map<std::string, at::Tensor> constants;
    for (const auto& [internal, qualified] : runner->getConstantNamesToOriginalFQNs()) {
      const auto weight = torchScript_.weights().find(weightName(qualified));
      if (weight == torchScript_.weights().end()) throw std::runtime_error("its program has no " + qualified);
      if (dtypes.at(internal) != static_cast<int32_t>(weight->second.scalar_type())) {
        throw std::runtime_error(c10::str("its program has ", qualified, " in ", dtypeName(weight->second.scalar_type())));
      }
      constants.emplace(internal, weight->second);
    }
    runner->update_constant_buffer(constants, /*use_inactive=*/false, /*validate_full_updates=*/true, /*user_managed=*/true);
    return std::make_shared<OpenLibrary>(std::move(runner));
  } catch (const std::exception&) {
    const Failure failure = describe(std::current_exception());
    if (failure.code == Code::OutOfMemory) throw;
    throw broken(library.file, failure.message);
  }
}

Tensors AotiProgram::execute(const std::string& name, const Tensors& inputs) {
  const auto program = [&] { return torchScript_.run(name, inputs); };
  const auto found = compiled_.find(name);
  if (found == compiled_.end() || !found->second.coverage.has(inputs)) return program();
  return runWithFallback([&] { return runLibrary(found->second.library->runner(), inputs); }, program, fallbacks_);
}

Tensors AotiProgram::runLibrary(AOTIModelContainerRunner& runner, const Tensors& inputs) const {
  Tensors contiguous;  // a library computes addresses from sizes alone
  for (const at::Tensor& input : inputs) contiguous.push_back(input.contiguous());
  // A library runs on the thread's current stream. Without the guard that is the first GPU's.
  const c10::DeviceGuard guard(device_);
  return runner.run(contiguous);
}

}  // namespace wuerstchen
