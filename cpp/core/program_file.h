// An open program file. Whoever hashed it did so through the same descriptor and noted its stamp. A file of that name that is
// replaced later is another file, and one that is changed in place no longer has the stamp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "stop.h"

namespace caffe2::serialize {
class ReadAdapterInterface;
}

namespace wuerstchen {

class ProgramFile {
 public:
  // Opens a file that nobody hashed: in tools and tests. Throws MODEL_INVALID about it, OUT_OF_MEMORY for want of a descriptor.
  explicit ProgramFile(const std::string& path);
  // Takes a duplicate of `descriptor`, which stays the caller's. `stamp` is as stampOf() gives it.
  ProgramFile(int descriptor, std::string path, std::string stamp);
  ~ProgramFile();
  ProgramFile(const ProgramFile&) = delete;
  ProgramFile& operator=(const ProgramFile&) = delete;

  // Throws MODEL_INVALID where the file has changed since it was stamped.
  void expectUnchanged() const;
  // For LibTorch's loader. Reading throws Code::Cancelled once `stop` is stopped. Both must outlive what is returned.
  std::shared_ptr<caffe2::serialize::ReadAdapterInterface> reader(const StopToken& stop) const;

 private:
  int descriptor_ = -1;
  std::string path_;
  std::string stamp_;
  size_t size_ = 0;
};

}  // namespace wuerstchen
