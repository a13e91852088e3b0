#include "library_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>

#include "error.h"

namespace wuerstchen {

namespace {

Error refused(const LibrarySpec& library, int number) { return systemError("memory for the library", number, library.file); }

int toMemory(const LibrarySpec& library) {
  const std::string name = "wuerstchen-" + library.sha256;
  const int descriptor = memfd_create(name.c_str(), MFD_CLOEXEC);
  if (descriptor < 0) throw refused(library, errno);
  const std::string& bytes = *library.bytes;
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t put = write(descriptor, bytes.data() + done, bytes.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) {
      const int number = errno;
      close(descriptor);
      throw refused(library, number);
    }
    done += static_cast<size_t>(put);
  }
  return descriptor;
}

}  // namespace

std::string pathOf(const LibrarySpec& library) {
  if (!library.bytes) return library.file;  // in tests and tools, which name a file of their own
  static std::mutex mutex;
  static std::map<std::string, int> descriptors;  // by hash
  const std::lock_guard lock(mutex);
  const auto known = descriptors.try_emplace(library.sha256, -1).first;
  if (known->second < 0) {
    try {
      known->second = toMemory(library);
    } catch (...) {
      descriptors.erase(known);
      throw;
    }
  }
  return "/proc/self/fd/" + std::to_string(known->second);
}

}  // namespace wuerstchen
