#include <gtest/gtest.h>

#include "tests/op_cases.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  framefold::test::register_op_tests();
  return RUN_ALL_TESTS();
}
