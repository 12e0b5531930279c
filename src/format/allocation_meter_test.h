// Test helper: the most memory that operator new had given out at once since a moment. One meter at a time.
#pragma once

#include <cstdint>

namespace ingle {

class AllocationMeter {
 public:
  AllocationMeter();
  uint64_t peak_bytes() const;

 private:
  uint64_t start_bytes_;
};

}  // namespace ingle
