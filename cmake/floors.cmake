# kernels: the arithmetic.
set(exclude "")
if(FRAMEFOLD_ONEDNN)
  find_package(dnnl CONFIG REQUIRED)
else()
  list(APPEND exclude "_onednn\\.cpp$")
endif()
framefold_floor(kernels EXCLUDE ${exclude} LINK OpenMP::OpenMP_CXX)
if(FRAMEFOLD_ONEDNN)
  target_link_libraries(framefold_kernels PUBLIC DNNL::dnnl)
  target_compile_definitions(framefold_kernels PUBLIC FRAMEFOLD_ONEDNN)
endif()

# io: files, pictures, datasets.
find_package(PkgConfig REQUIRED)
find_package(PNG REQUIRED)
find_package(ZLIB REQUIRED)
find_package(nlohmann_json REQUIRED)
pkg_check_modules(WEBP REQUIRED IMPORTED_TARGET libwebp libwebpmux libwebpdemux)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
framefold_floor(io LINK framefold_kernels PNG::PNG ZLIB::ZLIB PkgConfig::WEBP PkgConfig::XXHASH
  nlohmann_json::nlohmann_json)
# engine: graph, plan, execution, training.
framefold_floor(engine LINK framefold_kernels)
