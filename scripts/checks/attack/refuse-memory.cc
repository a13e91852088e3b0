// Preloaded: refuses the n-th request for memory that LibTorch or the addon makes. refused-resources.mjs says when, through a
// file that both map. Requests of Node itself are never refused, because V8 ends the process then.
//
// g++ -O1 -shared -fPIC -o refuse-memory.so refuse-memory.cc -ldl
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <new>

namespace {

// The order is that of the file, little-endian 64-bit numbers.
struct Control {
  long long armed;      // 0: nothing is refused
  long long group;      // 0: LibTorch, 1: the addon and the core
  long long least;      // bytes of a request that counts
  long long countdown;  // the request with this number is refused, from 1
  long long sustained;  // 1: all after it too
  long long seen;
  long long refused;
};

Control* control = nullptr;

__attribute__((constructor)) void open() {
  const char* folder = getenv("WUERSTCHEN_REFUSE");
  if (folder == nullptr) return;
  char path[512];
  snprintf(path, sizeof path, "%s/%d", folder, getpid());
  const int file = ::open(path, O_RDWR | O_CREAT, 0600);
  if (file < 0 || ftruncate(file, sizeof(Control)) != 0) return;
  void* memory = mmap(nullptr, sizeof(Control), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (memory != MAP_FAILED) control = static_cast<Control*>(memory);
  close(file);
}

// Where the code of c10, which makes tensors' memory (0), of the addon (1) and of the rest of LibTorch (2) is. dladdr() looks
// through every symbol and takes milliseconds.
struct Range {
  uintptr_t from, to;
  long long group;
};
Range ranges[16];
int rangeCount = 0;

int addRange(dl_phdr_info* info, size_t, void*) {
  const char* slash = strrchr(info->dlpi_name, '/');
  const char* name = slash == nullptr ? info->dlpi_name : slash + 1;
  const bool addon = strncmp(name, "wuerstchen", 10) == 0;
  if (!addon && strncmp(name, "libtorch", 8) != 0 && strncmp(name, "libc10", 6) != 0) return 0;
  for (int i = 0; i < info->dlpi_phnum && rangeCount < 16; ++i) {
    const auto& header = info->dlpi_phdr[i];
    if (header.p_type != PT_LOAD || (header.p_flags & PF_X) == 0) continue;
    const uintptr_t from = info->dlpi_addr + header.p_vaddr;
    ranges[rangeCount++] = {from, from + header.p_memsz, addon ? 1 : (strncmp(name, "libc10", 6) == 0 ? 0 : 2)};
  }
  return 0;
}

// `aligned`: by posix_memalign. oneDNN inside LibTorch reads what it could not allocate so, and the process ends: not ours.
bool isOurs(const void* caller, long long group, bool aligned) {
  static const int found = (dl_iterate_phdr(addRange, nullptr), rangeCount);
  const auto address = reinterpret_cast<uintptr_t>(caller);
  for (int i = 0; i < found; ++i) {
    if (address < ranges[i].from || address >= ranges[i].to) continue;
    return ranges[i].group == group || (group == 0 && !aligned && ranges[i].group == 2);
  }
  return false;
}

bool refuses(size_t bytes, const void* caller, bool aligned) {
  if (control == nullptr || control->armed == 0 || static_cast<long long>(bytes) < control->least) return false;
  if (!isOurs(caller, control->group, aligned)) return false;
  const long long number = __atomic_add_fetch(&control->seen, 1, __ATOMIC_SEQ_CST);
  if (number != control->countdown && !(control->sustained == 1 && number > control->countdown)) return false;
  __atomic_add_fetch(&control->refused, 1, __ATOMIC_SEQ_CST);
  return true;
}

template <typename Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

void* make(size_t bytes, size_t alignment) {
  void* memory = nullptr;
  static const auto real = next<int (*)(void**, size_t, size_t)>("posix_memalign");
  return real(&memory, alignment, bytes == 0 ? 1 : bytes) == 0 ? memory : nullptr;
}

}  // namespace

#define CALLER __builtin_return_address(0)

extern "C" int posix_memalign(void** memory, size_t alignment, size_t bytes) {
  static const auto real = next<int (*)(void**, size_t, size_t)>("posix_memalign");
  if (refuses(bytes, CALLER, true)) return ENOMEM;
  return real(memory, alignment, bytes);
}

extern "C" void* aligned_alloc(size_t alignment, size_t bytes) {
  static const auto real = next<void* (*)(size_t, size_t)>("aligned_alloc");
  if (refuses(bytes, CALLER, true)) {
    errno = ENOMEM;
    return nullptr;
  }
  return real(alignment, bytes);
}

static void* newOrThrow(size_t bytes, size_t alignment, const void* caller) {
  void* memory = refuses(bytes, caller, false) ? nullptr : make(bytes, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void* operator new(size_t bytes) { return newOrThrow(bytes, 16, CALLER); }
void* operator new[](size_t bytes) { return newOrThrow(bytes, 16, CALLER); }
void* operator new(size_t bytes, std::align_val_t alignment) { return newOrThrow(bytes, static_cast<size_t>(alignment), CALLER); }
void* operator new[](size_t bytes, std::align_val_t alignment) {
  return newOrThrow(bytes, static_cast<size_t>(alignment), CALLER);
}
void operator delete(void* memory) noexcept { free(memory); }
void operator delete[](void* memory) noexcept { free(memory); }
void operator delete(void* memory, size_t) noexcept { free(memory); }
void operator delete[](void* memory, size_t) noexcept { free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { free(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { free(memory); }
