// Compiled libraries where dlopen() finds them.
#pragma once

#include <string>

#include "spec.h"

namespace wuerstchen {

// A path to open the library by. What was hashed is what runs: the caller's bytes are put into memory that no file name leads to,
// once for each hash in this process.
//
// The loader takes an object that it has already for one of the same path, and a library stays mapped as long as a thread lives
// that has run it. The memory of a hash therefore keeps its path until the process ends: a new library under an old path would
// run the old code.
//
// Throws OUT_OF_MEMORY where the system refuses memory or a descriptor, and MODEL_INVALID where it allows no code in memory or
// the library's end is missing.
std::string pathOf(const LibrarySpec& library);

}  // namespace wuerstchen
