find_package(GTest REQUIRED)
include(GoogleTest)

file(GLOB test_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/*.cpp)
add_executable(framefold-tests ${test_sources})
target_link_libraries(framefold-tests PRIVATE
  framefold_cli framefold_engine framefold_io framefold_kernels GTest::gtest)
target_compile_definitions(framefold-tests PRIVATE
  FRAMEFOLD_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
gtest_discover_tests(framefold-tests DISCOVERY_TIMEOUT 60)
