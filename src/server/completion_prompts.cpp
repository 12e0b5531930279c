#include "server/completion_prompts.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "server/openai_common.h"
#include "text/fill_in.h"
#include "text/utf8.h"

namespace ingle {
namespace {

using jinja::Kind;

bool is_ids(const jinja::Value& value) {
  return value.is_sequence() && !value.items().empty() && value.items()[0].is(Kind::kInt);
}

class PromptReader {
 public:
  PromptReader(RequestFields& fields, const ServedModel& model, const GenerationFields& generation)
      : fields_(fields),
        tokenizer_(model.engine->tokenizer()),
        context_(model.engine->info().context),
        generation_(generation) {
    fields.read("add_special_tokens", add_special_);
    fields.read("suffix", suffix_);
    if (!suffix_.empty() && !can_fill_in(tokenizer_)) {
      fields.refuse("suffix", "needs a model with tokens for filling in, which this one has not");
    }
    if (!suffix_.empty() && (generation.truncate.tokens || generation.truncate.to_context)) {
      fields.refuse("suffix", "excludes truncation");
    }
  }

  std::optional<CompletionPrompt> read(const jinja::Value& value) const {
    CompletionPrompt out;
    if (value.is_string()) {
      out.text = value.text();
      out.tokens = suffix_.empty() ? tokenizer_.encode(out.text, {.add_special = add_special_})
                                   : fill_in_prefix(tokenizer_, out.text);
    } else if (is_ids(value)) {
      std::optional<std::vector<TokenId>> tokens = token_ids(value, tokenizer_);
      if (!tokens) {
        fields_.refuse("prompt", "has something that is no token id of this model");
        return std::nullopt;
      }
      out.tokens = std::move(*tokens);
      out.text = text_of(out.tokens);
    } else {
      fields_.refuse("prompt", "must be a string, an array of token ids, or an array of these");
      return std::nullopt;
    }
    if (!suffix_.empty()) out.tokens = fill_in_prompt(tokenizer_, out.tokens, suffix_);
    if (truncate_prompt(generation_.truncate, tokenizer_, context_, generation_.request.max_tokens, out.tokens)) {
      out.text = text_of(out.tokens);
    }
    return out;
  }

 private:
  std::string text_of(const std::vector<TokenId>& tokens) const {
    return replace_each_invalid_byte(tokenizer_.decode(tokens));
  }

  RequestFields& fields_;
  const Tokenizer& tokenizer_;
  const uint32_t context_;
  const GenerationFields& generation_;
  std::string suffix_;
  bool add_special_ = true;
};

}  // namespace

std::vector<CompletionPrompt> read_completion_prompts(RequestFields& fields, const ServedModel& model,
                                                      const GenerationFields& generation) {
  const jinja::Value* value = fields.find("prompt");
  std::vector<CompletionPrompt> out;
  if (value == nullptr) {
    fields.refuse("prompt", "is missing");
    return out;
  }
  const bool several = value->is_sequence() && !is_ids(*value) && !value->items().empty();
  const size_t count = several ? value->items().size() : 1;
  if (count > kMaxChoices / generation.choices) {
    fields.refuse("prompt", fmt::format("times n asks for more than {} answers", kMaxChoices));
    return out;
  }
  const PromptReader reader(fields, model, generation);
  for (size_t i = 0; i < count && !fields.error(); i++) {
    std::optional<CompletionPrompt> prompt = reader.read(several ? value->items()[i] : *value);
    if (prompt) out.push_back(std::move(*prompt));
  }
  return out;
}

}  // namespace ingle
