#include "server/timestamps.h"

#include <fmt/format.h>

#include <ctime>

namespace ingle {

std::string rfc3339(std::chrono::system_clock::time_point time) {
  const auto since = std::chrono::floor<std::chrono::microseconds>(time.time_since_epoch());
  const auto whole_s = std::chrono::floor<std::chrono::seconds>(since);
  const std::time_t unix_s = whole_s.count();
  std::tm utc{};
  ::gmtime_r(&unix_s, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec, (since - whole_s).count());
}

std::string rfc3339(int64_t unix_s) {
  return rfc3339(std::chrono::system_clock::time_point(std::chrono::seconds(unix_s)));
}

}  // namespace ingle
