# Cross-building for 64-bit Arm Linux with Debian's g++-aarch64-linux-gnu; its tests run under QEMU's user emulation.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
# Loader and C library of the multiarch packages, and none of the cross-compiler's own: with QEMU's `-L` the loader would
# be the latter's, and where their versions differ, pthread_create and fork never return.
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static-libstdc++ -static-libgcc")
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY BOTH)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE BOTH)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE BOTH)
# The build machine's own libraries must not be found in place of Arm's, but of fmt only the headers are used.
file(GLOB host_libraries /usr/lib/x86_64-linux-gnu)
set(CMAKE_IGNORE_PATH ${host_libraries} ${host_libraries}/cmake)
set(CMAKE_IGNORE_PREFIX_PATH ${host_libraries})
file(GLOB fmt_DIR /usr/lib/*/cmake/fmt)
