#include <algorithm>
#include <utility>

#include "server/completion_prompts.h"
#include "server/completion_writer.h"
#include "server/openai.h"
#include "server/openai_common.h"

namespace ingle {
namespace {

constexpr uint32_t kDefaultMaxTokens = 16;  // as OpenAI has it

// The prompt's scores are computed where it is echoed with log-probabilities, or as vLLM has it.
void read_logprobs(RequestFields& fields, Request& request, CompletionStyle& style) {
  style.prompt_logprobs = request.prompt_logprobs;
  fields.read("echo", style.echo);
  if (!fields.has("logprobs")) return;
  fields.read("logprobs", request.top_logprobs, 0, kMaxTopLogprobs);
  request.logprobs = true;
  style.logprobs = request.top_logprobs;
  if (style.echo) request.prompt_logprobs = std::max(request.top_logprobs, request.prompt_logprobs.value_or(0));
}

void refuse_unsupported(RequestFields& fields, const CompletionStyle& style) {
  uint32_t best_of = style.choices_per_prompt;
  fields.read("best_of", best_of, 1, kMaxChoices);
  if (best_of != style.choices_per_prompt) fields.refuse("best_of", "must be n");
  std::string suffix;
  fields.read("suffix", suffix);
  if (style.echo && !suffix.empty()) fields.refuse("echo", "excludes suffix");
}

}  // namespace

Reply openai_completions(ApiCall& call) {
  RequestFields& fields = call.fields;
  const std::shared_ptr<ServedModel>& model = call.model;
  GenerationFields generation;
  generation.request.sampling = model->engine->info().default_sampling;
  generation.request.continues_text = true;
  generation.request.max_tokens = kDefaultMaxTokens;
  generation.may_be_empty = true;
  read_generation_fields(fields, generation);
  CompletionStyle style;
  // For the engine 0 is no limit: one token, then, that is not said.
  style.answer = generation.request.max_tokens > 0;
  if (!style.answer) generation.request.max_tokens = 1;
  read_logprobs(fields, generation.request, style);
  style.tokens_as_ids = generation.tokens_as_ids;
  style.include_usage = generation.include_usage;
  style.choices_per_prompt = generation.choices;
  refuse_unsupported(fields, style);
  std::vector<CompletionPrompt> given;
  if (!fields.error()) given = read_completion_prompts(fields, *model, generation);
  if (fields.error()) return *fields.error();

  std::vector<std::vector<TokenId>> prompts;
  for (const CompletionPrompt& prompt : given) prompts.push_back(prompt.tokens);
  return start_answer(call, generation, prompts, std::make_unique<CompletionWriter>(model, style, std::move(given)));
}

}  // namespace ingle
