#include "base/format_units.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace ingle {
namespace {

// Three significant digits below 1000, no trailing zeros of a fraction that says nothing ("2 GiB", not "2.00 GiB").
std::string three_digits(double value) {
  std::string text = fmt::format("{:.{}f}", value, value < 10 ? 2 : value < 100 ? 1 : 0);
  if (text.find('.') == std::string::npos) return text;
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

template <size_t N>
std::string scaled(uint64_t value, double step, const std::array<const char*, N>& units) {
  double scaled_value = static_cast<double>(value);
  size_t unit = 0;
  // 999.5 and more would print as four digits.
  while (scaled_value >= std::min(step, 999.5) && unit + 1 < N) {
    scaled_value /= step;
    unit++;
  }
  return unit == 0 ? fmt::format("{}{}", value, units[0]) : three_digits(scaled_value) + units[unit];
}

}  // namespace

std::string format_bytes(uint64_t bytes) {
  return scaled(bytes, 1024.0, std::array{" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"});
}

std::string format_count(uint64_t count) { return scaled(count, 1000.0, std::array{"", "k", "M", "B", "T", "Q"}); }

std::string format_duration_ms(double ms) {
  if (!std::isfinite(ms) || ms < 0) return "-";
  if (ms < 10) return fmt::format("{:.1f} ms", ms);
  if (ms < 999.5) return fmt::format("{:.0f} ms", ms);
  const double s = ms / 1000;
  if (s < 119.5) return fmt::format("{} s", three_digits(s));
  const auto whole_s = static_cast<uint64_t>(std::llround(std::min(s, 1e15)));
  return fmt::format("{} min {} s", whole_s / 60, whole_s % 60);
}

std::string format_token_rate(uint64_t tokens, double ms) {
  if (tokens == 0 || !(ms > 0)) return "-";
  return fmt::format("{:.1f} tokens/s", static_cast<double>(tokens) / ms * 1000);
}

}  // namespace ingle
