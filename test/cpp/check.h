// The few lines a test needs: TEST registers, CHECK counts and goes on.
#pragma once

#include <cstdio>
#include <functional>
#include <optional>
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

// What `body` throws; nothing if it throws nothing.
inline std::optional<wuerstchen::Failure> failureOf(const std::function<void()>& body) {
  try {
    body();
    return std::nullopt;
  } catch (...) {
    return wuerstchen::describe(std::current_exception());
  }
}

inline bool is(const std::optional<wuerstchen::Failure>& failure, wuerstchen::Code code, const std::string& subject) {
  if (failure && failure->code == code && failure->subject == subject) return true;
  if (failure) {
    std::fprintf(stderr, "received %s about '%s': %s\n", std::string(wuerstchen::codeName(failure->code)).c_str(),
                 failure->subject.c_str(), failure->message.c_str());
  }
  return false;
}
