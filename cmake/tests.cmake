find_package(GTest REQUIRED)
include(GoogleTest)

# The CUDA kernels, compiled for the host: the tests' runtime executes them thread by thread. Its
# race checker hears of every access through the thread sanitizer's hooks.
file(GLOB kernel_sources CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
  ${PROJECT_SOURCE_DIR}/kernels/*.cu ${PROJECT_SOURCE_DIR}/tests/simt/*.cu)
set(host_kernel_sources "")
foreach(source IN LISTS kernel_sources)  # CMake would take a .cu for nvcc's
  string(REGEX REPLACE "\\.cu$" ".cpp" wrapper ${PROJECT_BINARY_DIR}/host/${source})
  file(CONFIGURE OUTPUT ${wrapper} CONTENT "#include \"${source}\"\n")
  list(APPEND host_kernel_sources ${wrapper})
endforeach()
add_library(framefold_host_kernels OBJECT ${host_kernel_sources})
target_link_libraries(framefold_host_kernels PRIVATE framefold_options)
target_include_directories(framefold_host_kernels PRIVATE ${PROJECT_SOURCE_DIR}/tests)
target_compile_options(framefold_host_kernels PRIVATE -Wno-unknown-pragmas -fno-strict-aliasing)
if(NOT FRAMEFOLD_SANITIZE)
  target_compile_options(framefold_host_kernels PRIVATE -fsanitize=thread)
endif()

file(GLOB test_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/*.cpp
  ${PROJECT_SOURCE_DIR}/tests/simt/*.cpp)
add_executable(framefold-tests ${test_sources} $<TARGET_OBJECTS:framefold_host_kernels>)
target_link_libraries(framefold-tests PRIVATE
  framefold_cli framefold_models framefold_engine framefold_io framefold_kernels GTest::gtest)
# Tests wait for their compiler longer than for themselves; only their runtime has hot loops.
target_compile_options(framefold-tests PRIVATE $<$<CONFIG:Release>:-O1>)
file(GLOB runtime_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/simt/*.cpp)
set_source_files_properties(${runtime_sources} PROPERTIES
  COMPILE_OPTIONS $<$<CONFIG:Release>:-O3>)
# scripts/mutants opens libraries that use the tests' runtime.
set_target_properties(framefold-tests PROPERTIES ENABLE_EXPORTS ON)
# For one file only: elsewhere the folder's name would keep checkouts from sharing a compiler cache.
set_source_files_properties(${PROJECT_SOURCE_DIR}/tests/data.cpp PROPERTIES
  COMPILE_DEFINITIONS FRAMEFOLD_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
set_source_files_properties(${PROJECT_SOURCE_DIR}/tests/test_command.cpp
  ${PROJECT_SOURCE_DIR}/tests/test_command_trust.cpp PROPERTIES
  COMPILE_DEFINITIONS FRAMEFOLD_COMMAND="$<TARGET_FILE:framefold>")
add_dependencies(framefold-tests framefold)

# Vendors' libraries check descriptors, and cuDNN makes plans for a described GPU, without one.
if(FRAMEFOLD_CUDA AND FRAMEFOLD_CUDNN AND FRAMEFOLD_CUDNN_INCLUDE)
  add_library(framefold_driver_double SHARED tests/vendor/driver.cpp)
  set_target_properties(framefold_driver_double PROPERTIES OUTPUT_NAME cuda SOVERSION 1
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/driver)  # where no program of ours looks
  add_executable(framefold-vendor-tests tests/vendor/attention.cpp tests/vendor/cublaslt.cpp
    tests/vendor/cudnn.cpp tests/vendor/lstm.cpp)
  target_link_libraries(framefold-vendor-tests PRIVATE
    framefold_kernels CUDA::cudart_static GTest::gtest_main
    -Wl,--no-as-needed framefold_driver_double -Wl,--as-needed)
  target_include_directories(framefold-vendor-tests SYSTEM PRIVATE ${FRAMEFOLD_CUDNN_INCLUDE})
  gtest_discover_tests(framefold-vendor-tests DISCOVERY_TIMEOUT 60)
endif()
gtest_discover_tests(framefold-tests DISCOVERY_TIMEOUT 60)
if(FRAMEFOLD_SANITIZE)  # GCC 12 warns of its own <regex> when it is instrumented
  foreach(user op_cases test_bench test_command test_simt)
    set_source_files_properties(${PROJECT_SOURCE_DIR}/tests/${user}.cpp PROPERTIES
      COMPILE_OPTIONS -Wno-maybe-uninitialized)
  endforeach()
endif()

# The same cases with nvcc's kernels, on a device where there is one; skipped by name elsewhere.
if(FRAMEFOLD_CUDA)
  set(device_sources ${PROJECT_SOURCE_DIR}/tests/data.cpp ${PROJECT_SOURCE_DIR}/tests/op_cases.cpp)
  foreach(source IN LISTS test_sources)
    file(STRINGS ${source} cases REGEX "^OP_CASES|TEST(_F)?\\(.*OnDevice")
    if(cases)
      list(APPEND device_sources ${source})
    endif()
  endforeach()
  file(GLOB gpu_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/gpu/*.cpp)
  add_library(framefold_gpu_test_kernels OBJECT ${PROJECT_SOURCE_DIR}/tests/simt/ring.cu)
  set_target_properties(framefold_gpu_test_kernels PROPERTIES CUDA_STANDARD 20)
  target_compile_options(framefold_gpu_test_kernels PRIVATE --expt-relaxed-constexpr)
  target_link_libraries(framefold_gpu_test_kernels PRIVATE framefold_options CUDA::cudart_static)
  add_executable(framefold-gpu-tests ${device_sources} ${gpu_sources}
    ${PROJECT_SOURCE_DIR}/tests/simt/ring.cpp
    $<TARGET_OBJECTS:framefold_gpu_test_kernels>)
  target_link_libraries(framefold-gpu-tests PRIVATE
    framefold_models framefold_engine framefold_kernels framefold_cuda GTest::gtest)
  target_compile_options(framefold-gpu-tests PRIVATE
    $<$<AND:$<CONFIG:Release>,$<COMPILE_LANGUAGE:CXX>>:-O1>)
  gtest_discover_tests(framefold-gpu-tests DISCOVERY_TIMEOUT 60 TEST_PREFIX gpu. PROPERTIES LABELS gpu)
endif()
