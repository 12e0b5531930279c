// Points in time as APIs write them. Pure functions, any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace ingle {

// "2025-11-21T19:43:27.123456Z"
std::string rfc3339(std::chrono::system_clock::time_point time);
std::string rfc3339(int64_t unix_s);

}  // namespace ingle
