// Speed of the matmul kernels, by weight type and number of columns, beside the limits of the machine measured by the
// same program: read bandwidth of memory and the rate of int8 dot products (of float multiply-adds for float weights).
// Weights are streamed from memory, as in a model (for more than 16 columns they are one matrix, over and over).
// Usage: matmul_bench [--threads N] [--isa NAME] [--type NAME] [--columns N] [--check]
// (--type none: the limits alone; --check: fail where a type misses its bar)
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "backend/cpu/kernels/kernels.h"
#include "backend/cpu/tiling.h"
#include "base/anonymous_memory.h"
#include "base/thread_pool.h"
#include "mac_rate.h"

namespace ingle::cpu {
namespace {

constexpr uint32_t kCols = 2048, kRows = 8192;
constexpr size_t kStreamBytes = size_t{512} << 20;  // well beyond the last cache
constexpr uint32_t kGroupsPerTask = 16;
constexpr uint32_t kManyColumns = 512;

// In huge pages where the system gives them, as the engine's weights are.
AnonymousMemory allocate(size_t bytes) {
  Result<AnonymousMemory> memory = AnonymousMemory::allocate(bytes, true);
  if (!memory.ok()) {
    std::fprintf(stderr, "matmul_bench: no memory for %zu bytes\n", bytes);
    std::exit(1);
  }
  std::memset(memory->data(), 0, bytes);
  return *std::move(memory);
}

// As the kernel tells it, on Linux.
std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(": ") + 2);
  }
  return "CPU unknown";
}

struct Options {
  uint32_t threads = std::max(1u, std::thread::hardware_concurrency());
  std::string isa, type;
  uint32_t columns = 0;
  bool check = false;  // fail where a kernel misses its bar
};

// Seconds of the fastest of several runs of work(thread) on all threads.
double fastest(uint32_t threads, const std::function<void(uint32_t)>& work) {
  double best = 1e9;
  for (int repeat = 0; repeat < 5; repeat++) {
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> pool;
    for (uint32_t t = 0; t < threads; t++) pool.emplace_back([&work, t] { work(t); });
    for (std::thread& thread : pool) thread.join();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

// Bytes per second of reading memory, each thread its own part, as so many streams side by side (the hardware
// prefetches each for itself); with prefetches of ours or without.
double read_bandwidth(std::span<const std::byte> data, uint32_t threads, uint32_t streams, bool ahead) {
  constexpr size_t kAheadBytes = 6 << 10;
  std::atomic<uint64_t> sink{0};
  const double seconds = fastest(threads, [&](uint32_t thread) {
    const size_t words = data.size() / 8 / threads, part = words / streams;
    const auto* p = reinterpret_cast<const uint64_t*>(data.data()) + thread * words;
    uint64_t sums[8] = {};
    for (size_t i = 0; i + 8 <= part; i += 8) {
      for (uint32_t s = 0; s < streams; s++) {
        const uint64_t* line = p + s * part + i;
        if (ahead) __builtin_prefetch(line + kAheadBytes / 8, 0, 2);
        for (size_t k = 0; k < 8; k++) sums[k] += line[k];
      }
    }
    for (uint64_t sum : sums) sink += sum;
  });
  return static_cast<double>(data.size()) / seconds;
}

// Of the best way known.
double read_bandwidth(std::span<const std::byte> data, uint32_t threads) {
  double best = 0;
  for (uint32_t streams : {1u, 4u}) {
    for (bool ahead : {false, true}) best = std::max(best, read_bandwidth(data, threads, streams, ahead));
  }
  return best;
}

const MacRates& mac_rates(const KernelTable& table) {
#if defined(__x86_64__)
  if (table.name == "avx2") return kMacRatesAvx2;
  if (table.name == "avxvnni") return kMacRatesAvxVnni;
  if (table.name == "avx512vl") return kMacRatesAvx512Vl;
  if (table.name == "avx512") return kMacRatesAvx512;
  if (table.name == "amx") return kMacRatesAmx;
#elif defined(__aarch64__)
  if (table.name == "neon") return kMacRatesNeon;
  if (table.name == "i8mm") return kMacRatesI8mm;
#endif
  return kMacRatesScalar;
}

// Products per second of run(rounds), on all threads.
double mac_limit(uint64_t rounds, uint32_t threads, const std::function<uint64_t(uint64_t)>& run) {
  std::atomic<uint64_t> products{0};
  const double seconds = fastest(threads, [&](uint32_t) { products = run(rounds); });
  return static_cast<double>(products) * threads / seconds;
}

double int8_limit(const KernelTable& table, uint32_t threads) {
  uint8_t weights[256];
  int8_t activations[32];
  for (size_t i = 0; i < sizeof weights; i++) weights[i] = i % 16;
  for (size_t i = 0; i < sizeof activations; i++) activations[i] = static_cast<int8_t>(i % 255 - 127);
  return mac_limit(table.name == "scalar" ? 100'000 : 2'000'000, threads, [&](uint64_t rounds) {
    int32_t sum = 0;
    const uint64_t products = mac_rates(table).int8(rounds, weights, activations, &sum);
    volatile int32_t keep = sum;
    static_cast<void>(keep);
    return products;
  });
}

double fma_limit(const KernelTable& table, uint32_t threads) {
  float weights[16], activations[16];
  std::fill(std::begin(weights), std::end(weights), 0.5f);
  std::fill(std::begin(activations), std::end(activations), 0.25f);
  return mac_limit(4'000'000, threads, [&](uint64_t rounds) {
    float sum = 0;
    const uint64_t products = mac_rates(table).fma(rounds, weights, activations, &sum);
    volatile float keep = sum;
    static_cast<void>(keep);
    return products;
  });
}

std::vector<uint8_t> random_rows(DType type, uint32_t rows) {
  std::mt19937 rng(1);
  std::vector<uint8_t> bytes(*dtype_bytes(type, uint64_t{rows} * kCols));
  for (uint8_t& b : bytes) b = static_cast<uint8_t>(rng() & 0x3b);  // any bytes whose f16 and f32 are finite
  // Subnormal numbers and sums, which no model has, take many times as long: exponents are held above those.
  const auto raise = [&](size_t first, size_t step, uint8_t bits) {
    for (size_t i = first; i < bytes.size(); i += step) bytes[i] |= bits;
  };
  if (type == DType::kMXFP4) raise(0, *dtype_bytes(type, 32), 0x40);
  if (type == DType::kBF16) raise(1, 2, 0x30);
  if (type == DType::kF32) raise(3, 4, 0x30);
  return bytes;
}

// A stack of matrices of one type, together larger than the caches.
struct Weights {
  Weights(const KernelTable& table, DType dtype, uint32_t threads)
      : type(dtype), matrix_bytes(table.packed_bytes(dtype, kRows, kCols)) {
    count = static_cast<uint32_t>(kStreamBytes / matrix_bytes) + 1;
    data = allocate(count * matrix_bytes);
    const std::vector<uint8_t> rows = random_rows(type, kRows);
    for (uint32_t g = 0; g < kGroups; g++) table.pack_group(matrix(0), g, rows.data(), rows.size() / kRows);
    for (uint32_t i = 1; i < count; i++) std::memcpy(matrix(i).data, data.data(), matrix_bytes);
    std::vector<PackedMatrix> all;
    for (uint32_t i = 1; i < count; i++) all.push_back(matrix(i));  // the first was copied from, and is in caches
    ThreadPool pool(threads);
    tiling = best_tiling(table, all, pool);
  }
  PackedMatrix matrix(uint32_t index) const {
    return {.type = type, .rows = kRows, .cols = kCols, .data = data.data() + index * matrix_bytes, .tiling = tiling};
  }
  static constexpr uint32_t kGroups = kRows / kGroupRows;
  DType type;
  size_t matrix_bytes;
  uint32_t count = 0;
  Tiling tiling;
  AnonymousMemory data;
};

struct Limits {
  double bytes_per_s, int8_per_s, fma_per_s;
};

Limits measure_limits(const KernelTable& table, std::span<const std::byte> stream, uint32_t threads) {
  return {read_bandwidth(stream, threads), int8_limit(table, threads), fma_limit(table, threads)};
}

// What is asked of kernels, in parts of the limits: of one column of the commonest types by the bandwidth, of many by
// the rate of products.
struct Bars {
  double bandwidth = 0, products = 0;
};
Bars bars_of(const KernelTable& table, DType type) {
  const bool narrow = table.name == "avx2";
  const auto is_one_of = [&](std::initializer_list<DType> types) {
    return std::find(types.begin(), types.end(), type) != types.end();
  };
  Bars bars;
  if (is_one_of({DType::kQ4_K, DType::kQ8_0})) bars.bandwidth = 0.85;
  if (is_one_of({DType::kQ2_K, DType::kQ3_K, DType::kQ6_K, DType::kTQ1_0, DType::kTQ2_0}))
    bars.products = narrow ? 0.3 : 0.45;
  if (is_one_of({DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0, DType::kQ4_K, DType::kQ5_K,
                 DType::kIQ4_NL, DType::kIQ4_XS, DType::kMXFP4})) {
    bars.products = narrow ? 0.45 : 0.6;
  }
  return bars;
}

// Whether it reaches its bars.
bool measure(const KernelTable& table, const Weights& weights, uint32_t columns, uint32_t threads, Limits limits) {
  const DType type = weights.type;
  const size_t stride = activation_bytes(type, kCols);
  const AnonymousMemory x = allocate(stride * columns);
  std::mt19937 rng(2);
  std::vector<float> column(kCols);
  for (uint32_t c = 0; c < columns; c++) {
    for (float& v : column) v = static_cast<float>(rng() % 2001) * 1e-3f - 1;
    std::byte* to = x.data() + c * stride;
    if (is_block_quantized(type)) {
      table.quantize(column.data(), kCols, reinterpret_cast<ActivationBlock*>(to));
    } else {
      std::memcpy(to, column.data(), kCols * sizeof(float));
    }
  }
  std::vector<float> out(size_t{kRows} * columns);
  std::vector<AnonymousMemory> scratch;
  for (uint32_t t = 0; t < threads; t++) scratch.push_back(allocate(table.matmul_scratch_bytes));
  const uint32_t matrices = columns > 16 || table.name == "scalar" ? 1 : weights.count;
  std::atomic<uint32_t> next{0};
  std::atomic<uint32_t> arrived{0};
  const uint32_t blocks = (columns + table.column_block - 1) / table.column_block,
                 tasks = Weights::kGroups / kGroupsPerTask * blocks;
  const double seconds = fastest(threads, [&](uint32_t thread) {
    for (uint32_t task = next++; task < matrices * tasks; task = next++) {
      const uint32_t block = task % tasks / (tasks / blocks), c = block * table.column_block;
      const uint32_t group = task % (tasks / blocks) * kGroupsPerTask;
      table.matmul(weights.matrix(task / tasks), group, kGroupsPerTask, x.data() + c * stride, stride,
                   std::min(table.column_block, columns - c), out.data() + size_t{c} * kRows + group * kGroupRows,
                   kRows, scratch[thread].data());
    }
    if (++arrived % threads == 0) next = 0;
  });
  const double macs = double{kCols} * kRows * columns * matrices / seconds;
  const double bytes = static_cast<double>(weights.matrix_bytes) * matrices * blocks / seconds;
  std::printf("%-8s %-8s %4u columns %8.1f GMAC/s (%3.0f %%) %7.1f GB/s (%3.0f %%)\n", std::string(table.name).c_str(),
              std::string(dtype_info(type).name).c_str(), columns, macs / 1e9,
              100 * macs / (is_block_quantized(type) ? limits.int8_per_s : limits.fma_per_s), bytes / 1e9,
              100 * bytes / limits.bytes_per_s);
  std::fflush(stdout);
  const Bars bars = bars_of(table, type);
  const bool reached = columns == 1 ? bytes >= bars.bandwidth * limits.bytes_per_s
                                    : columns < kManyColumns || macs >= bars.products * limits.int8_per_s;
  if (!reached) std::printf("  below its bar, %.0f %%\n", 100 * (columns == 1 ? bars.bandwidth : bars.products));
  return reached;
}

// Packing at load, from rows that lie in memory to groups.
void measure_packing(const KernelTable& table, const Weights& weights, uint32_t threads) {
  const std::vector<uint8_t> rows = random_rows(weights.type, kRows);
  std::atomic<uint32_t> next{0}, arrived{0};
  const double seconds = fastest(threads, [&](uint32_t) {
    for (uint32_t group = next++; group < Weights::kGroups; group = next++) {
      table.pack_group(weights.matrix(0), group, rows.data(), rows.size() / kRows);
    }
    if (++arrived % threads == 0) next = 0;
  });
  std::printf("%-8s %-8s packing %37.1f GB/s\n", std::string(table.name).c_str(),
              std::string(dtype_info(weights.type).name).c_str(), static_cast<double>(rows.size()) / seconds / 1e9);
}

void tell_tiling(const KernelTable& table, const Weights& weights) {
  constexpr const char* kFetches[] = {"never", "into L2", "into L1"};
  std::printf("%-8s %-8s fetches ahead: %s; several strips at once with", std::string(table.name).c_str(),
              std::string(dtype_info(weights.type).name).c_str(),
              kFetches[static_cast<int>(weights.tiling.fetch_ahead)]);
  for (const uint32_t width : {1u, 2u, 4u, 8u}) {
    if ((weights.tiling.several_strips & width) != 0) std::printf(" %u", width);
  }
  std::printf(" columns\n");
}

int run(const Options& options) {
  const KernelTable* table = find_table(options.isa);
  if (table == nullptr) {
    std::fprintf(stderr, "matmul_bench: this machine has no %s\n", options.isa.c_str());
    return 2;
  }
  const AnonymousMemory stream = allocate(kStreamBytes);
  // Again for each type: a shared machine is another one a minute later.
  const auto limits_now = [&] {
    const Limits limits = measure_limits(*table, {stream.data(), kStreamBytes}, options.threads);
    std::printf("%s, %s, %u threads: reads %.1f GB/s, int8 dot products %.1f GMAC/s, float multiply-adds %.1f GMAC/s\n",
                cpu_name().c_str(), std::string(table->name).c_str(), options.threads, limits.bytes_per_s / 1e9,
                limits.int8_per_s / 1e9, limits.fma_per_s / 1e9);
    return limits;
  };
  if (options.type == "none") limits_now();
  bool reached = true;
  bool found = options.type.empty() || options.type == "none";
  for (const DTypeInfo& info : all_dtypes()) {
    if (table->packed_bytes(info.type, kRows, kCols) == 0) continue;
    if (!options.type.empty() && options.type != info.name) continue;
    found = true;
    const Weights weights(*table, info.type, options.threads);
    const Limits limits = limits_now();
    tell_tiling(*table, weights);
    if (options.columns != 0) {
      reached = measure(*table, weights, options.columns, options.threads, limits) && reached;
      continue;
    }
    measure_packing(*table, weights, options.threads);
    for (uint32_t columns : {1u, 2u, 4u, 8u, 16u, kManyColumns}) {
      reached = measure(*table, weights, columns, options.threads, limits) && reached;
    }
  }
  if (!found)
    std::fprintf(stderr, "matmul_bench: no kernel for the type %s; they are named as in Q4_K\n", options.type.c_str());
  if (!found) return 2;
  return reached || !options.check ? 0 : 1;
}

}  // namespace
}  // namespace ingle::cpu

int main(int argc, char** argv) {
  ingle::cpu::Options options;
  for (int i = 1; i < argc; i++) {
    const std::string name = argv[i];
    const bool last = i + 1 == argc;
    if (name == "--check") {
      options.check = true;
    } else if (name == "--threads" && !last) {
      options.threads = static_cast<uint32_t>(std::max(1, std::atoi(argv[++i])));
    } else if (name == "--isa" && !last) {
      options.isa = argv[++i];
    } else if (name == "--type" && !last) {
      options.type = argv[++i];
    } else if (name == "--columns" && !last) {
      options.columns = static_cast<uint32_t>(std::max(1, std::atoi(argv[++i])));
    } else {
      std::fprintf(stderr, "matmul_bench: %s is no option, or lacks its value\n", argv[i]);
      return 2;
    }
  }
  return ingle::cpu::run(options);
}
