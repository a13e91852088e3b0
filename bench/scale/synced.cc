// Preloaded: keeps the size that each file had when it was last written to the disk for sure, as lines of `size path` in the file
// that WUERSTCHEN_SYNCED names. What was written after that is lost when the power goes.
//
// g++ -O1 -shared -fPIC -o synced.so synced.cc -ldl
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

using Sync = int (*)(int);

int syncNoted(const char* name, int fd) {
  const auto sync = reinterpret_cast<Sync>(dlsym(RTLD_NEXT, name));
  char link[64], path[4096];
  struct stat before;
  // What is written while it works may be left out.
  const bool known = fstat(fd, &before) == 0;
  const int result = sync(fd);
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, sizeof path);
  const char* notes = getenv("WUERSTCHEN_SYNCED");
  if (result != 0 || !known || length < 0 || notes == nullptr) return result;
  char line[4200];
  const int bytes = snprintf(line, sizeof line, "%lld %.*s\n", static_cast<long long>(before.st_size), static_cast<int>(length), path);
  const int file = open(notes, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0 || write(file, line, bytes) != bytes) abort();
  close(file);
  return result;
}

}  // namespace

extern "C" int fsync(int fd) { return syncNoted("fsync", fd); }
extern "C" int fdatasync(int fd) { return syncNoted("fdatasync", fd); }
