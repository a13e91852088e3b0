#include "program_file.h"

#include <caffe2/serialize/read_adapter_interface.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "error.h"

namespace wuerstchen {

namespace {

Error unreadable(const std::string& path, int number) { return systemError("a readable program file", number, path); }

// The same text as `stampOf` of lib/files/plain-file.ts makes. It has no time of the last change of status: a file whose name is
// given to another one has that too, and is still what was hashed.
std::string stampOf(const struct stat& found) {
  const int64_t modified = int64_t{found.st_mtim.tv_sec} * 1'000'000'000 + found.st_mtim.tv_nsec;
  std::string stamp;
  for (const int64_t part :
       {static_cast<int64_t>(found.st_dev), static_cast<int64_t>(found.st_ino), static_cast<int64_t>(found.st_size), modified}) {
    if (!stamp.empty()) stamp += ',';
    stamp += std::to_string(part);
  }
  return stamp;
}

// Deno knows the times of files to the millisecond only.
struct stat inMilliseconds(struct stat found) {
  found.st_mtim.tv_nsec -= found.st_mtim.tv_nsec % 1'000'000;
  return found;
}

class Reader final : public caffe2::serialize::ReadAdapterInterface {
 public:
  Reader(int descriptor, size_t size, const std::string& path, const StopToken& stop)
      : descriptor_(descriptor), size_(size), path_(path), stop_(stop) {}

  size_t size() const override { return size_; }

  size_t read(uint64_t position, void* buffer, size_t count, const char*) const override {
    constexpr size_t kMost = 1 << 26;  // between two looks at the token
    size_t done = 0;
    while (done < count) {
      stop_.check();
      const ssize_t got = pread(descriptor_, static_cast<char*>(buffer) + done, std::min(count - done, kMost),
                                static_cast<off_t>(position + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw unreadable(path_, errno);
      if (got == 0) break;
      done += static_cast<size_t>(got);
    }
    return done;
  }

 private:
  int descriptor_;
  size_t size_;
  const std::string& path_;
  const StopToken& stop_;
};

}  // namespace

ProgramFile::ProgramFile(const std::string& path)
    : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)), path_(path) {
  if (descriptor_ < 0) throw unreadable(path, errno);
  struct stat found{};
  fstat(descriptor_, &found);
  stamp_ = stampOf(found);
  size_ = static_cast<size_t>(found.st_size);
}

ProgramFile::ProgramFile(int descriptor, std::string path, std::string stamp)
    : descriptor_(fcntl(descriptor, F_DUPFD_CLOEXEC, 0)), path_(std::move(path)), stamp_(std::move(stamp)) {
  if (descriptor_ < 0) throw unreadable(path_, errno);
  struct stat found{};
  fstat(descriptor_, &found);
  size_ = static_cast<size_t>(found.st_size);
}

ProgramFile::~ProgramFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

void ProgramFile::expectUnchanged() const {
  struct stat found{};
  if (fstat(descriptor_, &found) == 0 && (stampOf(found) == stamp_ || stampOf(inMilliseconds(found)) == stamp_)) return;
  throw Error(Code::ModelInvalid, "Expected an unchanged program file " + path_ + " but it has changed since it was checked",
              path_);
}

std::shared_ptr<caffe2::serialize::ReadAdapterInterface> ProgramFile::reader(const StopToken& stop) const {
  return std::make_shared<Reader>(descriptor_, size_, path_, stop);
}

}  // namespace wuerstchen
