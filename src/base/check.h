// CHECK: a programmer's mistake ends the program with file and line. No file or request byte may reach one.
#pragma once

namespace ingle {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}  // namespace ingle

#define CHECK(condition) ((condition) ? static_cast<void>(0) : ::ingle::check_failed(#condition, __FILE__, __LINE__))
