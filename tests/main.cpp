#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tests/faulty_codecs.h"
#include "tests/op_cases.h"
#include "tests/temporary.h"
#include "tests/tiny_run.h"

int main(int argc, char** argv) {
  if (argc == 3 && argv[1] == std::string_view(framefold::test::train_option))
    return framefold::test::train_in(argv[2]);
  if (argc > 1 && argv[1] == std::string_view(framefold::test::faulty_codecs_option))
    return framefold::test::serve_faulty_codecs({argv + 2, argv + argc});
  if (argc == 3 && argv[1] == std::string_view(framefold::test::hanging_parent_option))
    return framefold::test::wait_for_hanging_child(argv[2]);
  // A library of kernels that take the place of those linked in: scripts/mutants plants faults so.
  const char* kernels = std::getenv("FRAMEFOLD_TEST_KERNELS");
  if (kernels && !dlopen(kernels, RTLD_NOW)) {
    std::fprintf(stderr, "%s\n", dlerror());
    return 2;
  }
  // Nothing is written beside the data that tests are given.
  const framefold::TemporaryDirectory indices;
  ::setenv("FRAMEFOLD_CACHE_DIR", indices.path().c_str(), 1);
  testing::InitGoogleTest(&argc, argv);
  framefold::test::register_op_tests();
  return RUN_ALL_TESTS();
}
