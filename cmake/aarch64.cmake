# Cross-building for 64-bit Arm Linux with Debian's g++-aarch64-linux-gnu; its tests run under QEMU's user emulation.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
# The compiler's own C library; multiarch packages of other libraries lie below /usr.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static -L /usr/aarch64-linux-gnu)
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
