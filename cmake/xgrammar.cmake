# The library target xgrammar, from sources that every preset shares. Its own build file is not used: it makes warnings
# errors, turns link-time optimisation on and looks for Python.
set(INGLE_DEPS_DIR ${PROJECT_SOURCE_DIR}/build/deps CACHE PATH "Where sources of others are kept")
execute_process(COMMAND ${PROJECT_SOURCE_DIR}/scripts/get_xgrammar.sh ${INGLE_DEPS_DIR} COMMAND_ERROR_IS_FATAL ANY)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/xgrammar.txt)

file(GLOB_RECURSE xgrammar_sources ${INGLE_DEPS_DIR}/xgrammar/cpp/*.cc)
list(FILTER xgrammar_sources EXCLUDE REGEX "/tvm_ffi/")
add_library(xgrammar STATIC EXCLUDE_FROM_ALL ${xgrammar_sources})
target_include_directories(xgrammar SYSTEM PUBLIC
  ${INGLE_DEPS_DIR}/xgrammar/include
  ${INGLE_DEPS_DIR}/xgrammar/3rdparty/picojson
  ${INGLE_DEPS_DIR}/xgrammar/3rdparty/dlpack/include)
target_compile_definitions(xgrammar PUBLIC XGRAMMAR_ENABLE_CPPTRACE=0 XGRAMMAR_ENABLE_INTERNAL_CHECK=0
  XGRAMMAR_LOG_CUSTOMIZE=1)  # src/grammar/grammar_compiler.cpp says what becomes of its log
target_compile_options(xgrammar PRIVATE -w)
set_target_properties(xgrammar PROPERTIES CXX_STANDARD 17)
if(INGLE_SANITIZE AND INGLE_BUILD_FUZZERS)
  # In CI it would be a quarter of all there is to compile, so memory errors of its own are looked for by the fuzzers alone. Its
  # undefined behaviour isn't looked for.
  target_compile_options(xgrammar PRIVATE -fsanitize=${INGLE_SANITIZE} -fno-sanitize=undefined -fno-omit-frame-pointer)
endif()
target_link_libraries(xgrammar PUBLIC Threads::Threads)
