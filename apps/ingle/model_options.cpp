#include "model_options.h"

#include <chrono>
#include <map>

#include "backend/cpu/kernels/kernels.h"
#include "files.h"

namespace ingle {
namespace {

constexpr uint32_t kMaxThreads = 1024;
constexpr uint32_t kMaxPrefillChunk = 65536;
constexpr uint32_t kMaxContext = 1u << 27;

std::string isa_names() {
  std::string names;
  for (const cpu::KernelTable* table : cpu::available_tables())
    names += (names.empty() ? "" : ", ") + std::string(table->name);
  return names;
}

}  // namespace

void add_model_argument(CLI::App& command, std::string& model) {
  command.add_option("MODEL", model, "Name in the store (smollm2, qwen2.5-coder:1.5b) or path to a .gguf file")
      ->required();
}

void add_model_options(CLI::App& command, ModelOptions& options) {
  add_model_argument(command, options.model);
  const std::string group = "How the model is run";
  command.add_option("--threads", options.engine.threads, "Threads (default: the fast physical cores we may use)")
      ->check(CLI::Range(1u, kMaxThreads))
      ->group(group);
  command.add_option("--isa", options.engine.isa, "Kernels: " + isa_names() + " (default: the first)")
      ->check([](const std::string& name) {
        return cpu::find_table(name) != nullptr ? std::string() : "this machine runs " + isa_names() + ", not " + name;
      })
      ->envname("INGLE_ISA")
      ->type_name("NAME")
      ->group(group);
  command.add_option("--kv", options.engine.kv_type, "Keys and values are kept as f16 (default), q8_0 or f32")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, KvType>{{"f16", KvType::kF16}, {"q8_0", KvType::kQ8_0}, {"f32", KvType::kF32}}))
      ->type_name("TYPE")
      ->group(group);
  command
      .add_option("--prefill-chunk", options.engine.prefill_chunk, "Tokens of prompt per step at most (default: 512)")
      ->check(CLI::Range(1u, kMaxPrefillChunk))
      ->group(group);
  command.add_option("--context", options.engine.context, "Tokens of context (default: the model's, as memory allows)")
      ->check(CLI::Range(1u, kMaxContext))
      ->group(group);
}

Result<LoadedEngine> load_engine(const ModelOptions& options, Console& console) {
  const auto start = std::chrono::steady_clock::now();
  ASSIGN_OR_RETURN(const std::filesystem::path path, find_model(options.model, console));
  EngineOptions engine_options = options.engine;
  engine_options.on_progress = [&](double fraction) { console.progress("loading", fraction); };
  Result<std::unique_ptr<Engine>> engine = Engine::load(path, engine_options);
  console.end_progress();
  if (!engine.ok()) return engine.error();
  const std::chrono::duration<double, std::milli> load = std::chrono::steady_clock::now() - start;
  return LoadedEngine{std::move(engine).value(), load.count()};
}

}  // namespace ingle
