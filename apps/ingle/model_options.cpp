#include "model_options.h"

#include <charconv>
#include <chrono>
#include <cstdio>
#include <map>
#include <span>

#include "backend/cpu/kernels/kernels.h"
#include "engine/kv_plan.h"
#include "files.h"

namespace ingle {
namespace {

constexpr uint32_t kMaxThreads = 1024;
constexpr uint32_t kMaxPrefillChunk = 65536;

const std::map<std::string, KvType> kKvTypes{{"f16", KvType::kF16}, {"q8_0", KvType::kQ8_0}, {"f32", KvType::kF32}};

std::string isa_names() {
  std::string names;
  for (const cpu::KernelTable* table : cpu::available_tables())
    names += (names.empty() ? "" : ", ") + std::string(table->name);
  return names;
}

}  // namespace

CLI::Option* add_number(CLI::App& command, const std::string& name, uint32_t& value, uint32_t min, uint32_t max,
                        const std::string& help) {
  return command.add_option(name, value, help)->check(CLI::Range(min, max).description(""))->type_name("N");
}

void add_model_argument(CLI::App& command, std::string& model) {
  command.add_option("MODEL", model, "Name in the store (smollm2, qwen2.5-coder:1.5b) or path to a .gguf file")
      ->type_name("")
      ->required();
}

void add_model_options(CLI::App& command, ModelOptions& options) {
  options.engine.max_sequences = 1;
  add_model_argument(command, options.model);
  const std::string group = "How the model is run";
  add_number(command, "--threads", options.engine.threads, 1, kMaxThreads,
             "Threads (default: the fast physical cores we may use)")
      ->group(group);
  command.add_option("--isa", options.engine.isa, "Kernels: " + isa_names() + " (default: the first)")
      ->check([](const std::string& name) {
        return cpu::find_table(name) != nullptr ? std::string() : "this machine runs " + isa_names() + ", not " + name;
      })
      ->envname("INGLE_ISA")
      ->type_name("NAME")
      ->group(group);
  command
      .add_option_function<std::string>(
          "--kv", [&options](const std::string& name) { options.engine.kv_type = kKvTypes.at(name); },
          "Keys and values are kept as f16 (default), q8_0 or f32")
      ->check([](const std::string& name) {
        return kKvTypes.contains(name) ? std::string() : "f16, q8_0 or f32, not " + name;
      })
      ->type_name("TYPE")
      ->group(group);
  add_number(command, "--prefill-chunk", options.engine.prefill_chunk, 1, kMaxPrefillChunk,
             "Tokens of prompt per step at most (default: 512)")
      ->group(group);
  add_number(command, "--context", options.engine.context, 1, kMaxContext,
             "Tokens of context (default: the model's, as memory allows)")
      ->group(group);
  command
      .add_option("--dump-ops", options.engine.dump_ops, "Write the outputs of ops whose names contain TEXT to stderr")
      ->type_name("TEXT")
      ->group(group);
}

namespace {

// A JSON line per row of an op's output, on the engine's thread.
void dump_op(const std::string& op, std::span<const float> values, uint32_t width) {
  std::string out;
  char digits[32];
  for (size_t row = 0; row * width < values.size(); row++) {
    out += "{\"op\":\"" + printable(op, false) + "\",\"row\":" + std::to_string(row) + ",\"values\":[";
    for (const float value : values.subspan(row * width, width)) {
      out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
      out += ',';
    }
    out.back() = ']';
    out += "}\n";
  }
  std::fputs(out.c_str(), stderr);
}

}  // namespace

void add_speculation_option(CLI::App& command, ModelOptions& options) {
  command
      .add_flag("!--no-speculation", options.engine.speculate,
                "No guesses from the text so far beside an answer's next token; the answer is the same, often slower")
      ->group("How the model is run");
}

Result<LoadedEngine> load_engine(const ModelOptions& options, Console& console) {
  const auto start = std::chrono::steady_clock::now();
  ASSIGN_OR_RETURN(const std::filesystem::path path, find_model(options.model, console));
  EngineOptions engine_options = options.engine;
  engine_options.on_progress = [&](double fraction) { console.progress("loading", fraction); };
  if (!engine_options.dump_ops.empty()) engine_options.on_dump = dump_op;
  Result<std::unique_ptr<Engine>> engine = Engine::load(path, engine_options);
  console.end_progress();
  if (!engine.ok()) return engine.error();
  const std::chrono::duration<double, std::milli> load = std::chrono::steady_clock::now() - start;
  return LoadedEngine{std::move(engine).value(), load.count()};
}

}  // namespace ingle
