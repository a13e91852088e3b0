// The few lines a test needs: TEST registers, CHECK counts and goes on.
#pragma once

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "error.h"

struct TestCase {
  std::string suite;
  std::string name;
  std::function<void()> body;
};

inline std::vector<TestCase>& testCases() {
  static std::vector<TestCase> cases;
  return cases;
}

inline int& failures() {
  static int count = 0;
  return count;
}

struct Registration {
  Registration(const char* suite, const char* name, std::function<void()> body) {
    testCases().push_back({suite, name, std::move(body)});
  }
};

#define TEST(suite, name)                                                                \
  static void suite##_##name();                                                          \
  static const Registration registered_##suite##_##name(#suite, #name, &suite##_##name); \
  static void suite##_##name()

#undef CHECK  // LibTorch's logging has one that ends the process
#define CHECK(condition)                                                                 \
  do {                                                                                   \
    if (!(condition)) {                                                                  \
      ++failures();                                                                      \
      std::fprintf(stderr, "%s:%d: CHECK(%s) failed\n", __FILE__, __LINE__, #condition); \
    }                                                                                    \
  } while (false)

// The code of the error that `body` throws; empty if it throws none.
inline std::string codeOf(const std::function<void()>& body) {
  try {
    body();
    return "";
  } catch (...) {
    return wuerstchen::describe(std::current_exception()).code;
  }
}
