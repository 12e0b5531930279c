#include "base/format_units.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace ingle {
namespace {

TEST(FormatUnits, Bytes) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(1000), "0.98 KiB");
  EXPECT_EQ(format_bytes(1024), "1 KiB");
  EXPECT_EQ(format_bytes(98362432), "93.8 MiB");
  EXPECT_EQ(format_bytes(1117320768), "1.04 GiB");
  EXPECT_EQ(format_bytes(uint64_t{1023} << 20), "1 GiB");
  EXPECT_EQ(format_bytes(std::numeric_limits<uint64_t>::max()), "16 EiB");
}

TEST(FormatUnits, Counts) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(134515008), "135M");
  EXPECT_EQ(format_count(1543714304), "1.54B");
  EXPECT_EQ(format_count(999600000), "1B");
}

TEST(FormatUnits, Durations) {
  EXPECT_EQ(format_duration_ms(0.84), "0.8 ms");
  EXPECT_EQ(format_duration_ms(123.4), "123 ms");
  EXPECT_EQ(format_duration_ms(999.7), "1 s");
  EXPECT_EQ(format_duration_ms(4560), "4.56 s");
  EXPECT_EQ(format_duration_ms(125000), "2 min 5 s");
  EXPECT_EQ(format_duration_ms(std::nan("")), "-");
  EXPECT_EQ(format_duration_ms(-1), "-");
}

TEST(FormatUnits, RatesOfNothingAreNotDivided) {
  EXPECT_EQ(format_token_rate(64, 500), "128.0 tokens/s");
  EXPECT_EQ(format_token_rate(0, 500), "-");
  EXPECT_EQ(format_token_rate(64, 0), "-");
}

}  // namespace
}  // namespace ingle
