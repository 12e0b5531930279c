# Compile settings that every target shares, and the helpers that make one target per folder.

add_library(ingle_settings INTERFACE)
target_include_directories(ingle_settings INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_compile_options(ingle_settings INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror=return-type
  # The bits of every result are part of the interface (docs/numerics.md): no contraction, no relaxed math.
  -ffp-contract=off -fno-math-errno
  # GCC 12 warns of overlapping copies inside its own std::string operators (GCC bug 105651).
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>)
target_compile_definitions(ingle_settings INTERFACE INGLE_VERSION="${PROJECT_VERSION}")
if(INGLE_SANITIZE)
  target_compile_options(ingle_settings INTERFACE -fsanitize=${INGLE_SANITIZE} -fno-omit-frame-pointer)
  if(NOT INGLE_BUILD_FUZZERS)
    # These two take a third of what sanitized code takes to compile. What is given up: misaligned pointers, and null ones that
    # nothing is read through (AddressSanitizer sees the others). The fuzzers look for both in what parses.
    target_compile_options(ingle_settings INTERFACE -fno-sanitize=null,alignment)
  endif()
  target_link_options(ingle_settings INTERFACE -fsanitize=${INGLE_SANITIZE})
endif()

# A test is compiled more often than it is run. Not so with sanitizers: at -O0 the tests of hostile files take six times as long.
set(INGLE_TEST_OPTIONS $<$<CONFIG:Release>:-O1>)

find_package(Threads REQUIRED)
if(INGLE_BUILD_TESTS)
  find_package(GTest)
  if(NOT GTest_FOUND)
    # Cross builds have no packaged GoogleTest: Debian ships its sources.
    add_subdirectory(/usr/src/googletest googletest EXCLUDE_FROM_ALL)
  endif()
  include(GoogleTest)
endif()

# What most files include, parsed once: where INGLE_PRECOMPILE_HEADERS asks for it, which the release preset does not, so that
# a file that lacks an #include fails there. Flags differ between libraries (-fPIC) and programs (-fPIE), hence two; GCC
# parses the headers themselves where a target's flags are different still, while Clang (as for the fuzzers) may refuse to go on.
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(INGLE_PRECOMPILE_HEADERS OFF)
endif()
if(INGLE_PRECOMPILE_HEADERS)
  set(headers <algorithm> <array> <chrono> <cmath> <cstdint> <filesystem> <functional> <map> <memory> <optional> <set> <span>
    <sstream> <string> <string_view> <unordered_map> <utility> <variant> <vector>)
  file(WRITE ${PROJECT_BINARY_DIR}/empty.cpp "")
  file(WRITE ${PROJECT_BINARY_DIR}/empty_main.cpp "int main() {}\n")
  add_library(ingle_headers OBJECT EXCLUDE_FROM_ALL ${PROJECT_BINARY_DIR}/empty.cpp)
  target_link_libraries(ingle_headers PRIVATE ingle_settings)
  target_precompile_headers(ingle_headers PRIVATE ${headers})
  if(INGLE_BUILD_TESTS)
    add_executable(ingle_test_headers EXCLUDE_FROM_ALL ${PROJECT_BINARY_DIR}/empty_main.cpp)
    target_link_libraries(ingle_test_headers PRIVATE ingle_settings GTest::gmock)
    target_compile_options(ingle_test_headers PRIVATE ${INGLE_TEST_OPTIONS})
    target_precompile_headers(ingle_test_headers PRIVATE ${headers} <gmock/gmock.h> <gtest/gtest.h>)
  endif()
endif()

function(ingle_precompiled target headers)
  if(INGLE_PRECOMPILE_HEADERS)
    target_precompile_headers(${target} REUSE_FROM ${headers})
  endif()
endfunction()

# ingle_library(NAME [DEPS target...] [SYSTEM library...])
# The library ingle_NAME from the folder's *.cpp (one target per folder, so that link lines are the architecture's arrows)
# and, from its *_test.cpp, the program NAME_test. Globbing is safe here because a folder holds exactly one target.
function(ingle_library name)
  cmake_parse_arguments(ARG "" "" "DEPS;SYSTEM;TEST_DEPS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS *.cpp)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  if(sources)
    add_library(ingle_${name} STATIC ${sources})
    ingle_precompiled(ingle_${name} ingle_headers)
    set(kind PUBLIC)
  else()
    add_library(ingle_${name} INTERFACE)
    set(kind INTERFACE)
  endif()
  target_link_libraries(ingle_${name} ${kind} ingle_settings ${ARG_DEPS} ${ARG_SYSTEM})
  if(tests AND INGLE_BUILD_TESTS)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE ingle_${name} ${ARG_TEST_DEPS} GTest::gmock GTest::gtest_main)
    if(NOT name STREQUAL "backend")
      # Not the kernels': they instantiate headers that the kernels do.
      target_compile_options(${name}_test PRIVATE ${INGLE_TEST_OPTIONS})
      ingle_precompiled(${name}_test ingle_test_headers)
    endif()
    target_compile_definitions(${name}_test PRIVATE INGLE_TESTDATA="${CMAKE_CURRENT_SOURCE_DIR}/testdata")
    gtest_discover_tests(${name}_test TEST_PREFIX ${name}. DISCOVERY_TIMEOUT 60)
  endif()
endfunction()
