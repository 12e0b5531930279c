#include "server/digest.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <random>

#include "base/hex.h"

namespace ingle {
namespace {

template <typename T>
T random_bytes() {
  T out{};
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&out), sizeof out) == 1) return out;
  std::random_device device;
  for (auto* byte = reinterpret_cast<unsigned char*>(&out); byte < reinterpret_cast<unsigned char*>(&out + 1); byte++) {
    *byte = static_cast<unsigned char>(device());
  }
  return out;
}

}  // namespace

Sha256 sha256(std::string_view text) {
  Sha256 out;
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), out.data());
  return out;
}

bool equal_in_constant_time(const Sha256& a, const Sha256& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string random_id() { return to_hex(random_bytes<std::array<uint8_t, 12>>()); }

uint64_t random_seed() { return random_bytes<uint64_t>(); }

}  // namespace ingle
