find_package(GTest REQUIRED)
include(GoogleTest)

file(GLOB test_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/*.cpp)
add_executable(framefold-tests ${test_sources})
target_link_libraries(framefold-tests PRIVATE
  framefold_cli framefold_models framefold_engine framefold_io framefold_kernels GTest::gtest)
# For one file only: elsewhere the folder's name would keep checkouts from sharing a compiler cache.
set_source_files_properties(${PROJECT_SOURCE_DIR}/tests/data.cpp PROPERTIES
  COMPILE_DEFINITIONS FRAMEFOLD_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
set_source_files_properties(${PROJECT_SOURCE_DIR}/tests/test_command.cpp PROPERTIES
  COMPILE_DEFINITIONS FRAMEFOLD_COMMAND="$<TARGET_FILE:framefold>")
add_dependencies(framefold-tests framefold)
gtest_discover_tests(framefold-tests DISCOVERY_TIMEOUT 60)
if(FRAMEFOLD_SANITIZE)  # GCC 12 warns of its own <regex> when it is instrumented
  set_source_files_properties(${PROJECT_SOURCE_DIR}/tests/test_command.cpp PROPERTIES
    COMPILE_OPTIONS -Wno-maybe-uninitialized)
endif()
