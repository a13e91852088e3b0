#include "program_records.h"

#include <ATen/EmptyTensor.h>
#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/jit/api/compilation_unit.h>
#include <torch/csrc/jit/serialization/unpickler.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "error.h"

namespace wuerstchen {

namespace {

// Stands where a weight's bytes would be.
struct Record {
  std::string name;
  size_t size;
};

void deleteRecord(void* record) { delete static_cast<Record*>(record); }

bool isWhole(const at::Tensor& tensor, const Record* record) {
  if (tensor.numel() == 0 || tensor.is_meta()) return true;  // there are no bytes to read
  const size_t needed =
      at::detail::computeStorageNbytes(tensor.sizes(), tensor.strides(), tensor.element_size(), tensor.storage_offset());
  return record != nullptr && needed <= tensor.storage().nbytes() && tensor.storage().nbytes() <= record->size;
}

// What a file describes: its modules are objects of one class, which have their attributes as one value.
class Descriptions {
 public:
  Descriptions(caffe2::serialize::PyTorchStreamReader& reader, std::string archive, const std::string& file)
      : reader_(reader), archive_(std::move(archive)), file_(file), units_(std::make_shared<torch::jit::CompilationUnit>()) {
    class_ = c10::ClassType::create("__torch__.Described", units_);
    class_->addAttribute("state", c10::AnyType::get());
  }

  c10::IValue read() {
    const auto [data, size] = reader_.getRecord(archive_ + ".pkl");
    const std::string_view bytes(static_cast<const char*>(data.get()), size);
    // To make such tensors, LibTorch reads the bytes of others, which are not there.
    for (const char* kind : {"torch._utils\n_rebuild_sparse", "torch._utils\n_rebuild_qtensor"}) {
      if (bytes.find(kind) == std::string_view::npos) continue;
      throw Error(Code::ModelInvalid, "Expected weights in " + file_ + " that are neither sparse nor quantized", file_);
    }
    size_t position = 0;
    const auto next = [&](char* buffer, size_t length) {
      const size_t taken = bytes.copy(buffer, length, position);
      position += taken;
      return taken;
    };
    torch::jit::Unpickler unpickler(
        next, [this](const c10::QualifiedName& name) { return c10::StrongTypePtr(units_, typeOf(name.qualifiedName())); },
        [](const c10::StrongTypePtr& type, c10::IValue state) {
          auto object = c10::ivalue::Object::create(type, 1);
          object->setSlot(0, std::move(state));
          return object;
        },
        [this](const std::string& key) { return sizeOf(key); }, c10::kCPU);
    unpickler.set_version(reader_.version());
    return unpickler.parse_ivalue();
  }

 private:
  // Lists and dictionaries come with their types (List[int]), which LibTorch asks for where it asks for classes.
  c10::TypePtr typeOf(const std::string& name) const {
    // LibTorch reads a type within a type by a call within a call, until the stack is full.
    constexpr auto kMostLevels = 64;
    if (std::count(name.begin(), name.end(), '[') > kMostLevels) {
      throw Error(Code::ModelInvalid, "Expected types of at most 64 levels in " + file_ + " but one has more", file_);
    }
    if (name.rfind("List[", 0) == 0) return c10::ListType::create(c10::AnyType::get());
    if (name.rfind("Dict[", 0) == 0) return c10::DictType::create(c10::StringType::get(), c10::AnyType::get());
    return class_;
  }

  at::DataPtr sizeOf(const std::string& key) const {
    auto record = std::make_unique<Record>(Record{archive_ + "/" + key, 0});
    record->size = reader_.getRecordSize(record->name);
    return {nullptr, record.release(), deleteRecord, c10::kCPU};
  }

  caffe2::serialize::PyTorchStreamReader& reader_;
  const std::string archive_;
  const std::string& file_;
  const std::shared_ptr<torch::jit::CompilationUnit> units_;
  c10::ClassTypePtr class_;
};

// Every tensor in a value. A pickle may contain itself.
template <typename Visit>
void forEachTensor(c10::IValue root, const Visit& visit) {
  std::vector<c10::IValue> waiting{std::move(root)};
  std::unordered_set<const void*> seen;
  while (!waiting.empty()) {
    const c10::IValue value = std::move(waiting.back());
    waiting.pop_back();
    if (value.isTensor()) {
      visit(value.toTensor());
    } else if (value.isPtrType() && !seen.insert(value.internalToPointer()).second) {
      continue;
    } else if (value.isTuple()) {
      for (const c10::IValue& each : value.toTupleRef().elements()) waiting.push_back(each);
    } else if (value.isList()) {
      for (const c10::IValue& each : value.toListRef()) waiting.push_back(each);
    } else if (value.isGenericDict()) {
      for (const auto& entry : value.toGenericDict()) waiting.insert(waiting.end(), {entry.key(), entry.value()});
    } else if (value.isObject()) {
      for (const c10::IValue& each : value.toObjectRef().slots()) waiting.push_back(each);
    }
  }
}

}  // namespace

void expectWholeRecords(caffe2::serialize::PyTorchStreamReader& reader, const std::string& file) {
  for (const char* archive : {"constants", "data"}) {
    Descriptions descriptions(reader, archive, file);
    forEachTensor(descriptions.read(), [&file](const at::Tensor& tensor) {
      if (!tensor.defined() || !tensor.has_storage()) return;
      const auto* record = static_cast<const Record*>(tensor.storage().data_ptr().get_context());
      if (isWhole(tensor, record)) return;
      const std::string name = record == nullptr ? "a weight" : record->name;
      throw Error(Code::ModelInvalid, "Expected whole weights in " + file + " but the record of " + name + " is too short", file);
    });
  }
}

}  // namespace wuerstchen
