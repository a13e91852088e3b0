// core_tests [SUITE]: runs one suite, or all.
#include "check.h"

int main(int argc, char** argv) {
  int run = 0, failed = 0;
  for (const TestCase& test : testCases()) {
    if (argc > 1 && test.suite != argv[1]) continue;
    const int before = failures();
    try {
      test.body();
    } catch (...) {
      ++failures();
      const wuerstchen::Failure failure = wuerstchen::describe(std::current_exception());
      std::fprintf(stderr, "%s: %s\n", std::string(wuerstchen::codeName(failure.code)).c_str(), failure.message.c_str());
    }
    ++run;
    failed += failures() != before;
    std::printf("%s %s.%s\n", failures() == before ? "ok" : "FAILED", test.suite.c_str(), test.name.c_str());
  }
  std::printf("%d passed, %d failed\n", run - failed, failed);
  return failed != 0 || run == 0 ? 1 : 0;
}
