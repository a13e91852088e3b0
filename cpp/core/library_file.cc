#include "library_file.h"

#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>

#include "error.h"

namespace wuerstchen {

namespace {

Error refused(const LibrarySpec& library, int number) { return systemError("memory for the library", number, library.file); }

// The system maps a library whose end is missing without a word, and the process ends with SIGBUS when it uses it. The last part
// of a library is the table of its sections.
void expectWhole(const LibrarySpec& library) {
  const std::string& bytes = *library.bytes;
  Elf64_Ehdr header;
  if (bytes.size() < sizeof header || bytes.compare(0, SELFMAG, ELFMAG) != 0) return;  // the system will say what it is
  std::memcpy(&header, bytes.data(), sizeof header);
  const size_t table = size_t{header.e_shentsize} * header.e_shnum;
  if (table > bytes.size() || header.e_shoff > bytes.size() - table)
    throw Error(Code::ModelInvalid,
                "Expected a whole library in " + library.file + " but its end is missing: it has " +
                    std::to_string(bytes.size()) + " bytes",
                library.file);
}

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
  expectWhole(library);
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
