# cli: the command `framefold`. Presets are compiled in; version and commit are read at each build.
find_package(CLI11 REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Eigen3 REQUIRED NO_MODULE)

set(generated ${PROJECT_BINARY_DIR}/generated)
file(GLOB preset_files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/models/presets/*.toml)
set(PRESETS "")
foreach(file IN LISTS preset_files)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  get_filename_component(name ${file} NAME_WE)
  file(READ ${file} content)
  string(APPEND PRESETS "    Preset{\"${name}\", R\"toml(${content})toml\"},\n")
endforeach()
configure_file(${PROJECT_SOURCE_DIR}/cmake/presets.cpp.in ${generated}/presets.cpp @ONLY)

add_custom_target(framefold_version
  COMMAND ${CMAKE_COMMAND} -DVERSION=${PROJECT_VERSION} -DSOURCE=${PROJECT_SOURCE_DIR}
    -DOUTPUT=${generated}/cli/version.h -P ${PROJECT_SOURCE_DIR}/cmake/version.cmake
  BYPRODUCTS ${generated}/cli/version.h
  COMMENT "")

file(GLOB cli_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cli/*.cpp)
list(FILTER cli_sources EXCLUDE REGEX "/main\\.cpp$")
add_library(framefold_cli STATIC ${cli_sources} ${generated}/presets.cpp)
add_dependencies(framefold_cli framefold_version)
target_include_directories(framefold_cli PRIVATE ${generated})
target_link_libraries(framefold_cli PUBLIC
  framefold_models framefold_engine framefold_io CLI11::CLI11 Eigen3::Eigen)
# Commands wait for the libraries; only these two compute much themselves.
target_compile_options(framefold_cli PRIVATE $<$<CONFIG:Release>:-O1>)
set_source_files_properties(${PROJECT_SOURCE_DIR}/cli/pca.cpp ${PROJECT_SOURCE_DIR}/cli/probe.cpp
  PROPERTIES COMPILE_OPTIONS $<$<CONFIG:Release>:-O3>)

add_executable(framefold ${PROJECT_SOURCE_DIR}/cli/main.cpp)
target_link_libraries(framefold PRIVATE framefold_cli)
add_dependencies(framefold framefold-decoder)
if(FRAMEFOLD_CUDA)
  target_link_libraries(framefold PRIVATE framefold_cuda)
endif()
