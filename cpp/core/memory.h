// Memory that was freed, back to the system.
#pragma once

#include <cstdlib>  // defines __GLIBC__

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace wuerstchen {

// After weights were loaded or unloaded. glibc keeps what lies between blocks that are still used, for the next allocation; for a process that
// goes on without those weights that is memory nobody else can have.
inline void giveBackMemory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

}  // namespace wuerstchen
