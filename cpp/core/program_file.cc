#include "program_file.h"

#include <caffe2/serialize/read_adapter_interface.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <initializer_list>

#include "error.h"

namespace wuerstchen {

namespace {

Error unreadable(const std::string& path, int number) {
  const bool refused = number == EMFILE || number == ENFILE || number == ENOMEM;
  return {refused ? Code::OutOfMemory : Code::ModelInvalid,
          "Expected a readable program file " + path + " but the system said: " + std::strerror(number), path};
}

// The same text as `stampOf` of lib/files/plain-file.ts makes, in two parts: what a write changes, and what a change of status
// changes too (a write, but also another name or one name less).
struct Stamp {
  std::string written;  // dev,ino,size,mtimeNs
  std::string status;   // nlink,ctimeNs

  std::string text() const { return written + ',' + status; }
};

Stamp stampOf(const struct stat& found) {
  const auto nanoseconds = [](const timespec& time) {
    return std::to_string(int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec);
  };
  const auto join = [](std::initializer_list<std::string> parts) {
    std::string joined;
    for (const std::string& part : parts) joined += joined.empty() ? part : ',' + part;
    return joined;
  };
  return {join({std::to_string(found.st_dev), std::to_string(found.st_ino), std::to_string(found.st_size),
                nanoseconds(found.st_mtim)}),
          join({std::to_string(found.st_nlink), nanoseconds(found.st_ctim)})};
}

std::string linksOf(const std::string& stamp) {  // the last part but one
  const size_t last = stamp.rfind(',');
  const size_t before = stamp.rfind(',', last - 1);
  return stamp.substr(before + 1, last - before - 1);
}

// Whether the path is still this file's.
bool isNamed(const std::string& path, const struct stat& file) {
  struct stat named{};
  return ::stat(path.c_str(), &named) == 0 && named.st_dev == file.st_dev && named.st_ino == file.st_ino;
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
  stamp_ = stampOf(found).text();
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
  if (fstat(descriptor_, &found) == 0) {
    const Stamp now = stampOf(found);
    if (now.text() == stamp_) return;
    // Its status has changed and perhaps its bytes, because the time of a write can be set back. It is as it was where the change
    // is one of names: there are fewer or more of them, or this one is another file's now.
    const bool sameBytes = stamp_.starts_with(now.written + ',');
    if (sameBytes && (std::to_string(found.st_nlink) != linksOf(stamp_) || !isNamed(path_, found))) return;
  }
  throw Error(Code::ModelInvalid, "Expected an unchanged program file " + path_ + " but it has changed since it was checked",
              path_);
}

std::shared_ptr<caffe2::serialize::ReadAdapterInterface> ProgramFile::reader(const StopToken& stop) const {
  return std::make_shared<Reader>(descriptor_, size_, path_, stop);
}

}  // namespace wuerstchen
