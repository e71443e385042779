# kernels: the arithmetic.
set(exclude "_(cublaslt|cudnn|cuda)\\.cpp$")
if(FRAMEFOLD_ONEDNN)
  find_package(dnnl CONFIG REQUIRED)
  find_package(OpenMP REQUIRED COMPONENTS CXX)  # its threads
else()
  list(APPEND exclude "_onednn\\.cpp$")
endif()
framefold_floor(kernels EXCLUDE ${exclude} LINK Threads::Threads)
if(FRAMEFOLD_ONEDNN)
  target_link_libraries(framefold_kernels PUBLIC DNNL::dnnl PRIVATE ${OpenMP_CXX_LIBRARIES})
  # For these files only: with all else compiled alike, builds with and without share a cache.
  set_source_files_properties(kernels/matmul_onednn.cpp PROPERTIES
    COMPILE_OPTIONS ${OpenMP_CXX_FLAGS})
  set_source_files_properties(kernels/matmul_cpu.cpp kernels/vendor_cpu.cpp PROPERTIES
    COMPILE_DEFINITIONS FRAMEFOLD_ONEDNN)
endif()

# The CUDA kernels and runtime. Programs link these objects themselves: they register when the program
# starts.
if(FRAMEFOLD_CUDA)
  file(GLOB cuda_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/*.cu
    ${PROJECT_SOURCE_DIR}/kernels/*_cublaslt.cpp ${PROJECT_SOURCE_DIR}/kernels/*_cuda.cpp)
  # Only the vendors' headers are needed here: their libraries are opened when a run wants them.
  find_path(FRAMEFOLD_CUDNN_INCLUDE cudnn.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
  if(FRAMEFOLD_CUDNN AND FRAMEFOLD_CUDNN_INCLUDE)
    file(GLOB cudnn_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/*_cudnn.cpp)
    list(APPEND cuda_sources ${cudnn_sources})
    set_source_files_properties(${PROJECT_SOURCE_DIR}/kernels/vendor_cuda.cpp PROPERTIES
      COMPILE_DEFINITIONS FRAMEFOLD_CUDNN)
  else()
    message(STATUS "no cuDNN: its paths are left out")
  endif()
  add_library(framefold_cuda OBJECT ${cuda_sources})
  set_target_properties(framefold_cuda PROPERTIES CUDA_STANDARD 20)
  target_compile_options(framefold_cuda PRIVATE
    # 1675: it does not know the host compiler's pragmas.
    "$<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr;-diag-suppress=1675>")
  target_link_libraries(framefold_cuda PRIVATE framefold_options PUBLIC CUDA::cudart_static)
  if(FRAMEFOLD_CUDNN AND FRAMEFOLD_CUDNN_INCLUDE)
    target_include_directories(framefold_cuda SYSTEM PRIVATE ${FRAMEFOLD_CUDNN_INCLUDE})
  endif()
endif()

# io: files, pictures, datasets.
find_package(PkgConfig REQUIRED)
find_package(PNG REQUIRED)
find_package(ZLIB REQUIRED)
find_package(nlohmann_json REQUIRED)
pkg_check_modules(FRAMEFOLD_WEBP REQUIRED IMPORTED_TARGET libwebp libwebpmux libwebpdemux)
pkg_check_modules(FRAMEFOLD_XXHASH REQUIRED IMPORTED_TARGET libxxhash)
framefold_floor(io LINK framefold_kernels PNG::PNG ZLIB::ZLIB PkgConfig::FRAMEFOLD_WEBP
  PkgConfig::FRAMEFOLD_XXHASH nlohmann_json::nlohmann_json)

# Shared libraries that io opens when a run needs them.
target_link_libraries(framefold_io PUBLIC ${CMAKE_DL_LIBS} Threads::Threads)
function(framefold_plugin name)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/io/${name}/*.cpp)
  add_library(framefold_${name} MODULE ${sources})
  target_link_libraries(framefold_${name} PRIVATE framefold_options ${ARGN})
  set_target_properties(framefold_${name} PROPERTIES CXX_VISIBILITY_PRESET hidden)
  add_dependencies(framefold_io framefold_${name})
endfunction()
if(FRAMEFOLD_OPENCV)  # Debian's opencv4.pc and CMake files want the whole of OpenCV
  find_path(FRAMEFOLD_OPENCV_INCLUDE opencv2/imgproc.hpp PATH_SUFFIXES opencv4 REQUIRED)
  find_library(FRAMEFOLD_OPENCV_CORE opencv_core REQUIRED)
  find_library(FRAMEFOLD_OPENCV_IMGPROC opencv_imgproc REQUIRED)
  framefold_plugin(fonts ${FRAMEFOLD_OPENCV_IMGPROC} ${FRAMEFOLD_OPENCV_CORE})
  target_include_directories(framefold_fonts SYSTEM PRIVATE ${FRAMEFOLD_OPENCV_INCLUDE})
endif()

if(FRAMEFOLD_FFMPEG)
  pkg_check_modules(FRAMEFOLD_LIBAV REQUIRED IMPORTED_TARGET libavformat libavcodec libswscale libavutil)
  framefold_plugin(codecs PkgConfig::FRAMEFOLD_LIBAV)
endif()

# The child of io/isolated_codecs.h; it takes no more of our libraries than it uses.
add_executable(framefold-decoder ${PROJECT_SOURCE_DIR}/io/decoder/main.cpp)
target_link_libraries(framefold-decoder PRIVATE framefold_io)
target_link_options(framefold-decoder PRIVATE -Wl,--as-needed)

# engine: graph, plan, execution, training; io for checkpoints.
framefold_floor(engine LINK framefold_io framefold_kernels)

# models: one file per system of the literature.
framefold_floor(models LINK framefold_engine)
