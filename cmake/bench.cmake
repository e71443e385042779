find_package(benchmark REQUIRED)

file(GLOB bench_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/*.cpp)
if(bench_sources)
  add_executable(framefold-bench ${bench_sources})
  target_link_libraries(framefold-bench PRIVATE
    framefold_cli framefold_models framefold_engine framefold_kernels benchmark::benchmark)
  if(FRAMEFOLD_ONEDNN)
    set_source_files_properties(bench/bench_matmul.cpp PROPERTIES
      COMPILE_DEFINITIONS FRAMEFOLD_ONEDNN)
  endif()
  if(FRAMEFOLD_CUDA)
    target_sources(framefold-bench PRIVATE bench/roof_cuda.cu)
    target_compile_definitions(framefold-bench PRIVATE FRAMEFOLD_CUDA)
    target_link_libraries(framefold-bench PRIVATE framefold_cuda)
  endif()
endif()
