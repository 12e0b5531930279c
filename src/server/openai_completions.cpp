#include <fmt/format.h>

#include <utility>

#include "server/openai.h"
#include "server/openai_common.h"
#include "text/utf8.h"

namespace ingle {
namespace {

namespace json = boost::json;
using jinja::Kind;

constexpr uint32_t kMaxTopLogprobs = 20;

struct Prompt {
  std::vector<TokenId> tokens;
  std::string text;  // as echoed
};

class CompletionWriter final : public AnswerWriter {
 public:
  CompletionWriter(std::shared_ptr<ServedModel> model, const GenerationFields& fields, bool logprobs,
                   std::vector<std::string> echo)
      : model_(std::move(model)),
        tokenizer_(model_->engine->tokenizer()),
        head_(*model_, "cmpl-"),
        choices_per_prompt_(fields.choices),
        logprobs_(logprobs),
        include_usage_(fields.include_usage),
        echo_(std::move(echo)) {}

  const char* stream_type() const override { return "text/event-stream"; }

  std::string begin(uint32_t choices) override {
    offsets_.assign(choices, 0);
    std::string out;
    for (uint32_t i = 0; i < choices && !echo_.empty(); i++) {
      offsets_[i] = count_characters(echo_of(i));
      out += chunk(choice_object(i, echo_of(i), nullptr, FinishReason::kNone));
    }
    return out;
  }

  std::string news(uint32_t choice, const TokenEvent& event) override {
    const bool has_logprobs = logprobs_ && said_tokens(tokenizer_, event) > 0;
    if (event.text.empty() && !has_logprobs && event.finish == FinishReason::kNone) return "";
    return chunk(choice_object(choice, event.text, logprobs(event, offsets_[choice]), event.finish));
  }

  std::string end(const Usage& usage) override { return head_.end("text_completion", usage, include_usage_); }

  std::string failure(const ApiError& error) override { return sse_failure(error); }

  std::string whole(const std::vector<TokenEvent>& answers, const Usage& usage) override {
    json::array choices;
    for (uint32_t i = 0; i < answers.size(); i++) {
      const std::string before = echo_of(i);
      size_t offset = count_characters(before);
      json::value scores = logprobs(answers[i], offset);
      choices.push_back(choice_object(i, before + answers[i].text, std::move(scores), answers[i].finish));
    }
    return head_.whole("text_completion", std::move(choices), usage);
  }

 private:
  std::string echo_of(uint32_t choice) const { return echo_.empty() ? "" : echo_[choice / choices_per_prompt_]; }

  static size_t count_characters(std::string_view text) {
    size_t count = 0;
    for (const char byte : text) count += (static_cast<unsigned char>(byte) & 0xc0) != 0x80;
    return count;
  }

  static json::object choice_object(uint32_t index, std::string_view text, json::value scores, FinishReason finish) {
    json::object out;
    out["index"] = index;
    out["text"] = text;
    out["logprobs"] = std::move(scores);
    out["finish_reason"] = finish_value(finish);
    return out;
  }

  std::string chunk(json::object choice) const {
    json::object out = head_.object("text_completion");
    out["choices"] = json::array{std::move(choice)};
    if (include_usage_) out["usage"] = nullptr;
    return sse(out);
  }

  // `offset`: characters before the first token, moved past the last.
  json::value logprobs(const TokenEvent& event, size_t& offset) const {
    if (!logprobs_) return nullptr;
    json::array tokens, scores, offsets, tops;
    for (size_t i = 0; i < said_tokens(tokenizer_, event); i++) {
      const std::string text = token_text(tokenizer_, event.tokens[i]);
      json::object top;
      for (const auto& [id, logprob] : event.top_logprobs[i]) top[token_text(tokenizer_, id)] = said_logprob(logprob);
      tokens.push_back(json::string(text));
      scores.push_back(said_logprob(event.logprobs[i]));
      tops.push_back(std::move(top));
      offsets.push_back(offset);
      offset += count_characters(text);
    }
    json::object out;
    out["tokens"] = std::move(tokens);
    out["token_logprobs"] = std::move(scores);
    out["top_logprobs"] = std::move(tops);
    out["text_offset"] = std::move(offsets);
    return out;
  }

  const std::shared_ptr<ServedModel> model_;
  const Tokenizer& tokenizer_;
  const AnswerHead head_;
  const uint32_t choices_per_prompt_;
  const bool logprobs_, include_usage_;
  const std::vector<std::string> echo_;  // by prompt; empty if nothing is echoed
  std::vector<size_t> offsets_;          // by choice: characters said so far
};

bool is_ids(const jinja::Value& value) {
  return value.is_sequence() && !value.items().empty() && value.items()[0].is(Kind::kInt);
}

std::optional<Prompt> prompt_of_ids(RequestFields& fields, const jinja::Value& ids, const Tokenizer& tokenizer) {
  std::optional<std::vector<TokenId>> tokens = token_ids(ids, tokenizer);
  if (!tokens) {
    fields.refuse("prompt", "has something that is no token id of this model");
    return std::nullopt;
  }
  std::string text = replace_each_invalid_byte(tokenizer.decode(*tokens));
  return Prompt{std::move(*tokens), std::move(text)};
}

std::optional<Prompt> one_prompt(RequestFields& fields, const jinja::Value& value, const Tokenizer& tokenizer) {
  if (value.is_string()) return Prompt{tokenizer.encode(value.text()), value.text()};
  if (is_ids(value)) return prompt_of_ids(fields, value, tokenizer);
  fields.refuse("prompt", "must be a string, an array of token ids, or an array of these");
  return std::nullopt;
}

std::vector<Prompt> read_prompts(RequestFields& fields, const Tokenizer& tokenizer, uint32_t choices) {
  const jinja::Value* value = fields.find("prompt");
  std::vector<Prompt> out;
  if (value == nullptr) {
    fields.refuse("prompt", "is missing");
    return out;
  }
  const bool several = value->is_sequence() && !is_ids(*value) && !value->items().empty();
  const size_t count = several ? value->items().size() : 1;
  if (count * choices > kMaxChoices) {
    fields.refuse("prompt", fmt::format("times n asks for more than {} answers", kMaxChoices));
    return out;
  }
  for (size_t i = 0; i < count; i++) {
    std::optional<Prompt> prompt = one_prompt(fields, several ? value->items()[i] : *value, tokenizer);
    if (!prompt) break;
    out.push_back(std::move(*prompt));
  }
  return out;
}

// Whether log-probabilities are asked for.
bool read_logprobs(RequestFields& fields, Request& request, bool echo) {
  if (!fields.has("logprobs")) return false;
  fields.read("logprobs", request.top_logprobs, 0, kMaxTopLogprobs);
  request.logprobs = true;
  if (echo) fields.refuse("logprobs", "with echo is not supported");
  return true;
}

void refuse_unsupported(RequestFields& fields, uint32_t choices) {
  std::string suffix;
  fields.read("suffix", suffix);
  if (!suffix.empty()) fields.refuse("suffix", "is not supported");
  uint32_t best_of = choices;
  fields.read("best_of", best_of, 1, kMaxChoices);
  if (best_of != choices) fields.refuse("best_of", "must be n");
}

}  // namespace

Reply openai_completions(ApiCall& call) {
  RequestFields& fields = call.fields;
  const std::shared_ptr<ServedModel>& model = call.model;
  GenerationFields generation;
  generation.request.sampling = model->engine->info().default_sampling;
  generation.request.max_tokens = 16;  // unless told otherwise, as OpenAI has it
  read_generation_fields(fields, generation);
  bool echo = false;
  fields.read("echo", echo);
  const bool logprobs = read_logprobs(fields, generation.request, echo);
  refuse_unsupported(fields, generation.choices);
  std::vector<Prompt> given;
  if (!fields.error()) given = read_prompts(fields, model->engine->tokenizer(), generation.choices);
  if (fields.error()) return *fields.error();

  std::vector<std::vector<TokenId>> prompts;
  std::vector<std::string> texts;
  for (Prompt& prompt : given) {
    prompts.push_back(std::move(prompt.tokens));
    if (echo) texts.push_back(std::move(prompt.text));
  }
  return start_answer(call, generation, prompts,
                      std::make_unique<CompletionWriter>(model, generation, logprobs, std::move(texts)));
}

}  // namespace ingle
