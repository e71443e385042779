// framefold-gpu-tests: the cases that the host's runtime executes, with the kernels that nvcc made,
// on a device. Where there is none each is listed as skipped, with the reason.
#include <gtest/gtest.h>

#include "tests/op_cases.h"

int main(int argc, char** argv) {
  GTEST_FLAG_SET(filter, "OpDevice.*:*OnDevice.*");
  testing::InitGoogleTest(&argc, argv);
  framefold::test::register_op_tests();
  return RUN_ALL_TESTS();
}
