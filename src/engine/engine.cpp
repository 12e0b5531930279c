#include "engine/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/cpu_topology.h"
#include "base/format_units.h"
#include "base/memory_info.h"
#include "engine/engine_loop.h"
#include "engine/kv_plan.h"
#include "engine/model_info.h"
#include "models/model.h"

namespace ingle {
namespace {

constexpr uint32_t kMaxThreads = 1024;
constexpr uint32_t kMaxSequences = 4096;
constexpr uint32_t kMaxPrefillChunk = 65536;

Status check_range(const char* option, uint32_t value, uint32_t min, uint32_t max) {
  if (value >= min && value <= max) return {};
  return Error{ErrorCode::kInvalidArgument, fmt::format("{} is {}", option, value),
               fmt::format("it must be from {} to {}", min, max)};
}

Status validate(const EngineOptions& options) {
  RETURN_IF_ERROR(check_range("threads", options.threads, 0, kMaxThreads));
  RETURN_IF_ERROR(check_range("prefill_chunk", options.prefill_chunk, 1, kMaxPrefillChunk));
  return check_range("max_sequences", options.max_sequences, 1, kMaxSequences);
}

// An encoder has an embedding for each position that it was trained with, and none beyond. It takes its prompts whole.
Status check_encoder_context(const EngineOptions& options, uint32_t trained) {
  if (trained > kMaxPrefillChunk && options.context == 0) {
    return Error{ErrorCode::kUnsupported, fmt::format("the model takes texts of {} tokens in one step", trained),
                 fmt::format("load it with a context of at most {}", kMaxPrefillChunk)};
  }
  return check_range("context", std::max(options.context, 1u), 1, std::min(trained, kMaxPrefillChunk));
}

// Memory left once the weights are loaded; they take about the file's size. Error: they can't fit.
Result<uint64_t> memory_after_weights(uint64_t file_bytes) {
  const MemoryInfo memory = memory_info();
  if (memory.total_bytes == 0) return std::numeric_limits<uint64_t>::max();
  if (file_bytes > memory.total_bytes) {
    return Error{ErrorCode::kResourceExhausted,
                 fmt::format("the model's weights take {}, more than the {} of memory there are",
                             format_bytes(file_bytes), format_bytes(memory.total_bytes)),
                 "take a smaller model or a smaller quantisation of it"};
  }
  return memory.available_bytes - std::min(memory.available_bytes, file_bytes);
}

}  // namespace

class Engine::Impl {
 public:
  static Result<std::unique_ptr<Impl>> load(const std::filesystem::path& path, const EngineOptions& options);

  ModelInfo info;
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<Model> model;  // its graph is the backend's
  std::unique_ptr<EngineLoop> loop;
};

Result<std::unique_ptr<Engine::Impl>> Engine::Impl::load(const std::filesystem::path& path,
                                                         const EngineOptions& options) {
  RETURN_IF_ERROR(validate(options));
  ASSIGN_OR_RETURN(const GgufFile file, GgufFile::open(path));
  auto impl = std::make_unique<Impl>();
  ModelInfo& info = impl->info;
  ASSIGN_OR_RETURN(info, model_info(file));
  ASSIGN_OR_RETURN(impl->model, build_model(file));
  const Graph& graph = impl->model->graph;
  info.layers = impl->model->layers;
  info.vocab = impl->model->vocab;
  info.trained_context = impl->model->context_length;
  info.generates = graph.logits().has_value();
  info.embedding_length = graph.hidden_width();
  info.pooling = impl->model->pooling;
  const bool encoder = !graph.causal();
  if (encoder) RETURN_IF_ERROR(check_encoder_context(options, info.trained_context));
  // An encoder's pages live for one step, so that there is nothing to gain from rounding what is in them.
  const KvType kv_type = encoder ? KvType::kF32 : options.kv_type;
  ASSIGN_OR_RETURN(impl->tokenizer, Tokenizer::from_gguf(file));

  ASSIGN_OR_RETURN(const uint64_t free_bytes, memory_after_weights(file.size_bytes()));
  const std::vector<KvGroup> groups = kv_groups(graph, kv_type);
  ASSIGN_OR_RETURN(const KvPlan plan, plan_kv({.groups = groups,
                                               .prefill_chunk = options.prefill_chunk,
                                               .trained_context = info.trained_context,
                                               .wanted_context = options.context,
                                               .max_sequences = options.max_sequences,
                                               .wanted_kv_bytes = options.kv_bytes,
                                               .free_bytes = free_bytes}));
  info.context = plan.context;
  info.context_note = plan.note;

  std::vector<WindowPool> windows;
  for (size_t g = 1; g < groups.size(); g++) windows.push_back({.window = groups[g].window, .pages = plan.pages[g]});
  const uint32_t chunk =
      encoder ? std::max(options.prefill_chunk, plan.context) : std::min(options.prefill_chunk, plan.context);
  const EngineLoopOptions loop_options = {.vocab = info.vocab,
                                          .hidden_width = info.embedding_length,
                                          .generates = info.generates,
                                          .pooling = info.pooling,
                                          .context = plan.context,
                                          .scheduler = {.pages = plan.pages[0],
                                                        .windows = windows,
                                                        .prefill_chunk = chunk,
                                                        .max_sequences = options.max_sequences,
                                                        .prefix_cache = options.prefix_cache && !encoder,
                                                        .prompt_cost = prompt_cost(graph),
                                                        .whole_prompts = encoder},
                                          .max_step_ms = static_cast<double>(options.max_step_ms),
                                          .speculate = options.speculate};
  ASSIGN_OR_RETURN(std::unique_ptr<Backend> backend,
                   make_cpu_backend(graph, {.threads = options.threads > 0 ? options.threads : default_threads(),
                                            .isa = options.isa,
                                            .kv_type = kv_type,
                                            .pages = plan.pages,
                                            .max_batch_tokens = loop_options.scheduler.max_batch_tokens(),
                                            .dump_ops = options.dump_ops,
                                            .on_dump = options.on_dump,
                                            .on_progress = options.on_progress}));
  info.backend = backend->description();
  info.kv_bytes = plan.bytes;
  impl->loop = std::make_unique<EngineLoop>(loop_options, std::move(backend), *impl->tokenizer);
  return impl;
}

Result<std::unique_ptr<Engine>> Engine::load(const std::filesystem::path& path, const EngineOptions& options) {
  ASSIGN_OR_RETURN(std::unique_ptr<Impl> impl, Impl::load(path, options));
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Engine::~Engine() = default;

Result<std::unique_ptr<TokenStream>> Engine::submit(Request request) { return impl_->loop->submit(std::move(request)); }

void Engine::settle() { impl_->loop->settle(); }

std::chrono::milliseconds Engine::stalled_for() const { return impl_->loop->stalled_for(); }

const EngineMetrics& Engine::metrics() const { return impl_->loop->metrics(); }

const Tokenizer& Engine::tokenizer() const { return *impl_->tokenizer; }

const ModelInfo& Engine::info() const { return impl_->info; }

}  // namespace ingle
