#include "plan.h"

#include <ATen/ATen.h>

#include <fstream>
#include <sstream>

#include "dtype.h"
#include "error.h"

namespace wuerstchen {

namespace {

c10::ScalarType readDtype(std::istream& in) {
  std::string name;
  in >> name;
  return dtypeFromName(name);
}

Dimension readDimension(const std::string& text) {
  const bool isNumber = text.find_first_not_of("0123456789") == std::string::npos;
  return isNumber ? Dimension(static_cast<int64_t>(std::stoll(text))) : Dimension(text);
}

TensorSpec readTensor(std::istream& in) {
  TensorSpec spec;
  in >> spec.name;
  spec.dtype = readDtype(in);
  for (std::string dimension; in >> dimension;) spec.shape.push_back(readDimension(dimension));
  return spec;
}

// (1, tokens) ids with their attention mask.
Text readText(std::istream& in) {
  int64_t counted = 0;
  in >> counted;
  std::vector<int64_t> ids;
  for (int64_t id; in >> id;) ids.push_back(id);
  const at::Tensor positions = at::arange(static_cast<int64_t>(ids.size()), at::kLong);
  return Tokens{at::tensor(ids, at::kLong).unsqueeze(0), positions.lt(counted).to(at::kLong).unsqueeze(0)};
}

}  // namespace

Plan readPlan(const std::string& file) {
  std::ifstream lines(file);
  if (!lines) throw Error(Code::ModelNotFound, "Expected a plan file but cannot read " + file, file);
  Plan plan;
  EngineSpec& spec = plan.spec;
  Request& request = plan.request;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream in(line);
    std::string word, stage, function;
    in >> word;
    if (word == "constants") {
      in >> spec.constants.latentMean >> spec.constants.latentStd >> spec.constants.scaleFactor >> spec.constants.latentDimScale;
    } else if (word == "scheduler") {
      in >> stage;
      SchedulerSpec& scheduler = stage == "prior" ? spec.constants.priorScheduler : spec.constants.decoderScheduler;
      in >> scheduler.scaler >> scheduler.s;
    } else if (word == "program") {
      in >> stage;
      ProgramSpec& program = spec.programs[stageFromName(stage)];
      in >> program.kind;
      program.dtype = readDtype(in);
      program.storage = readDtype(in);
      std::getline(in >> std::ws, program.file);
    } else if (word == "input" || word == "output") {
      in >> stage >> function;
      FunctionSpec& described = spec.programs[stageFromName(stage)].functions[function];
      (word == "input" ? described.inputs : described.outputs).push_back(readTensor(in));
    } else if (word == "library") {
      in >> stage >> function;
      std::getline(in >> std::ws, spec.programs[stageFromName(stage)].libraries[function].file);
    } else if (word == "limit") {
      std::string symbol;
      in >> stage >> function >> symbol;
      Limit& limit = spec.programs[stageFromName(stage)].libraries[function].limits[symbol];
      in >> limit.least >> limit.most >> limit.multipleOf;
    } else if (word == "text") {
      in >> stage;
      const bool isPrior = stageFromName(stage) == StageId::PriorTextEncoder;
      (isPrior ? request.priorTexts : request.decoderTexts).push_back(readText(in));
    } else if (word == "timesteps") {
      in >> stage;
      std::vector<double>& timesteps = (stage == "prior" ? request.prior : request.decoder).timesteps;
      for (double timestep; in >> timestep;) timesteps.push_back(timestep);
    } else if (word == "guidance") {
      in >> stage;
      in >> (stage == "prior" ? request.prior : request.decoder).guidance.scale;
    } else if (!word.empty()) {
      throw Error(Code::InvalidArgument, "Expected a plan line but received " + line, file);
    }
  }
  return plan;
}

}  // namespace wuerstchen
