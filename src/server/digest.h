// SHA-256 and random names, by OpenSSL. Stateless; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace ingle {

using Sha256 = std::array<uint8_t, 32>;

Sha256 sha256(std::string_view text);
// Takes as long whatever differs.
bool equal_in_constant_time(const Sha256& a, const Sha256& b);

// 24 hex digits from the system's random numbers.
std::string random_id();
uint64_t random_seed();

}  // namespace ingle
