find_package(benchmark REQUIRED)

file(GLOB bench_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/*.cpp)
if(bench_sources)
  add_executable(framefold-bench ${bench_sources})
  target_link_libraries(framefold-bench PRIVATE
    framefold_engine framefold_kernels benchmark::benchmark)
endif()
