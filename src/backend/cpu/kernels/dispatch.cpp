// Which tables this build holds and this CPU, with its operating system, can run.
#include <array>
#include <cstddef>

#include "backend/cpu/kernels/tables.h"

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace ingle::cpu {
namespace {

struct Tables {
  std::array<const KernelTable*, 6> list{};
  size_t count = 0;
  void add(const KernelTable& table) { list[count++] = &table; }
};

#if defined(__x86_64__)
// Clang 16's __builtin_cpu_supports doesn't know this one; the registers it uses come with AVX2, which is asked for
// beside.
bool has_f16c() {
  unsigned eax, ebx, ecx, edx;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}

// Nor this one: leaf 7, subleaf 1, EAX.
bool has_avx_vnni() {
  unsigned eax, ebx, ecx, edx;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax & 1u << 4) != 0;
}

// AMX-TILE and AMX-INT8 (leaf 7, EDX), if the system lets this process have the registers: Linux grants them on
// request, to all of its threads.
bool may_use_amx() {
#if defined(__linux__)
  unsigned eax, ebx, ecx, edx;
  constexpr unsigned kTile = 1u << 24, kInt8 = 1u << 25;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0 || (edx & kTile) == 0 || (edx & kInt8) == 0) return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

void add_native(Tables& tables) {
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
  if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512vnni")) {
    if (may_use_amx()) {
      static const KernelTable amx = amx_table();
      tables.add(amx);
    }
    tables.add(kAvx512Table);
    static const KernelTable avx512vl = avx512vl_table();
    tables.add(avx512vl);
  }
  if (avx2 && has_avx_vnni()) {
    static const KernelTable avx_vnni = avx_vnni_table();
    tables.add(avx_vnni);
  }
  if (avx2) tables.add(kAvx2Table);
}
#elif defined(__aarch64__)
bool has_dot_product() {
#if defined(__linux__)
  constexpr unsigned long kAsimdDp = 1ul << 20;  // HWCAP_ASIMDDP
  return (getauxval(AT_HWCAP) & kAsimdDp) != 0;
#else
  return true;  // every Apple CPU since the A13 and M1
#endif
}
bool has_int8_matrix_multiply() {
#if defined(__linux__)
  constexpr unsigned long kI8mm = 1ul << 13;  // HWCAP2_I8MM
  return (getauxval(AT_HWCAP2) & kI8mm) != 0;
#elif defined(__APPLE__)  // since the A15 and M2
  int has = 0;
  size_t bytes = sizeof has;
  return sysctlbyname("hw.optional.arm.FEAT_I8MM", &has, &bytes, nullptr, 0) == 0 && has != 0;
#else
  return false;
#endif
}
void add_native(Tables& tables) {
  if (!has_dot_product()) return;
  if (has_int8_matrix_multiply()) tables.add(kI8mmTable);
  tables.add(kNeonTable);
}
#else
void add_native(Tables&) {}
#endif

Tables detect() {
  Tables tables;
  add_native(tables);
  tables.add(kScalarTable);
  return tables;
}

}  // namespace

std::span<const KernelTable* const> available_tables() {
  static const Tables tables = detect();
  return {tables.list.data(), tables.count};
}

const KernelTable* find_table(std::string_view name) {
  const auto tables = available_tables();
  if (name.empty()) return tables.front();
  for (const KernelTable* table : tables) {
    if (table->name == name) return table;
  }
  return nullptr;
}

}  // namespace ingle::cpu
