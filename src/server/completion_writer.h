// OpenAI's text completions, as whole answers and as streams.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/completion_prompts.h"
#include "server/openai_common.h"
#include "server/token_scores.h"

namespace ingle {

struct CompletionStyle {
  std::optional<uint32_t> logprobs;         // alternatives of each token
  std::optional<uint32_t> prompt_logprobs;  // vLLM's
  bool tokens_as_ids = false;
  bool echo = false;   // the prompt comes first
  bool answer = true;  // false: no token of an answer is wanted, the prompt's scores are
  bool include_usage = false;
  uint32_t choices_per_prompt = 1;
};

class CompletionWriter final : public AnswerWriter {
 public:
  CompletionWriter(std::shared_ptr<ServedModel> model, const CompletionStyle& style,
                   std::vector<CompletionPrompt> prompts);

  const char* stream_type() const override { return "text/event-stream"; }
  std::string begin(uint32_t choices) override;
  std::string news(uint32_t choice, const TokenEvent& event) override;
  std::string end(const Usage& usage) override;
  std::string failure(const ApiError& error) override { return sse_failure(error); }
  std::string whole(const std::vector<TokenEvent>& answers, const Usage& usage) override;

 private:
  struct Choice {
    TextOffsets offsets;
    bool begun = false;  // the prompt was echoed
  };

  const CompletionPrompt& prompt_of(uint32_t choice) const { return prompts_[choice / style_.choices_per_prompt]; }
  Choice new_choice() const { return {.offsets = TextOffsets(tokenizer_, style_.echo)}; }
  FinishReason finish_of(const TokenEvent& event) const;
  Usage usage_of(Usage usage) const;
  std::string choice_text(uint32_t index, Choice& choice, const TokenEvent& event) const;
  std::string scores(const CompletionPrompt* echoed, Choice& choice, const TokenEvent& event) const;
  std::string chunk(const std::string& choice) const;

  const std::shared_ptr<ServedModel> model_;
  const Tokenizer& tokenizer_;
  const AnswerHead head_;
  const CompletionStyle style_;
  const std::vector<CompletionPrompt> prompts_;
  std::vector<Choice> choices_;  // of a stream
};

}  // namespace ingle
