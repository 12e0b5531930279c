#include "server/completion_writer.h"

#include <utility>

namespace ingle {

namespace json = boost::json;

namespace {

constexpr const char* kKind = "text_completion";

}  // namespace

CompletionWriter::CompletionWriter(std::shared_ptr<ServedModel> model, const CompletionStyle& style,
                                   std::vector<CompletionPrompt> prompts)
    : model_(std::move(model)),
      tokenizer_(model_->engine->tokenizer()),
      head_(*model_, "cmpl-"),
      style_(style),
      prompts_(std::move(prompts)) {}

std::string CompletionWriter::begin(uint32_t choices) {
  std::string out;
  for (uint32_t i = 0; i < choices; i++) {
    choices_.push_back(new_choice());
    // With log-probabilities the prompt has to wait for its own.
    if (style_.echo && !style_.logprobs) out += chunk(choice_text(i, choices_.back(), {}));
  }
  return out;
}

std::string CompletionWriter::news(uint32_t choice, const TokenEvent& event) {
  const bool has_tokens = style_.answer && style_.logprobs && !event.tokens.empty();
  const bool has_text = (style_.answer && !event.text.empty()) || (style_.echo && !choices_[choice].begun);
  if (!has_tokens && !has_text && event.finish == FinishReason::kNone) return "";
  return chunk(choice_text(choice, choices_[choice], event));
}

std::string CompletionWriter::end(const Usage& usage) {
  return head_.end(kKind, usage_of(usage), style_.include_usage);
}

std::string CompletionWriter::whole(const std::vector<TokenEvent>& answers, const Usage& usage) {
  JsonList choices('[');
  for (uint32_t i = 0; i < answers.size(); i++) {
    Choice choice = new_choice();
    std::string text = choice_text(i, choice, answers[i]);
    if (style_.prompt_logprobs) {
      text = with_field(
          std::move(text), "prompt_logprobs",
          prompt_logprobs_text(tokenizer_, prompt_of(i).tokens, answers[i].prompt_scores, *style_.prompt_logprobs));
    }
    choices.add(text);
  }
  return with_field(head_.whole(kKind, usage_of(usage)), "choices", std::move(choices).text());
}

FinishReason CompletionWriter::finish_of(const TokenEvent& event) const {
  return event.finish != FinishReason::kNone && !style_.answer ? FinishReason::kLength : event.finish;
}

Usage CompletionWriter::usage_of(Usage usage) const {
  if (!style_.answer) usage.completion_tokens = 0;
  return usage;
}

// What is new of a choice: the prompt too if it is echoed and was not before.
std::string CompletionWriter::choice_text(uint32_t index, Choice& choice, const TokenEvent& event) const {
  const CompletionPrompt* echoed = style_.echo && !choice.begun ? &prompt_of(index) : nullptr;
  choice.begun = true;
  json::object out;
  out["index"] = index;
  out["text"] = (echoed != nullptr ? echoed->text : "") + (style_.answer ? event.text : "");
  out["finish_reason"] = finish_value(finish_of(event));
  return with_field(json::serialize(out), "logprobs", scores(echoed, choice, event));
}

std::string CompletionWriter::scores(const CompletionPrompt* echoed, Choice& choice, const TokenEvent& event) const {
  if (!style_.logprobs) return "null";
  CompletionScores out(tokenizer_, *style_.logprobs, style_.tokens_as_ids, choice.offsets);
  if (echoed != nullptr) {
    out.add_first(echoed->tokens.front());
    for (size_t i = 0; i < event.prompt_scores.size(); i++) {
      out.add(echoed->tokens[i + 1], event.prompt_scores[i].logprob, event.prompt_scores[i].top);
    }
  }
  for (size_t i = 0; i < event.tokens.size() && style_.answer; i++) {
    out.add(event.tokens[i], event.logprobs[i], event.top_logprobs[i]);
  }
  return out.empty() ? "null" : std::move(out).text();
}

std::string CompletionWriter::chunk(const std::string& choice) const {
  json::object out = head_.object(kKind);
  if (style_.include_usage) out["usage"] = nullptr;
  return "data: " + with_field(json::serialize(out), "choices", "[" + choice + "]") + "\n\n";
}

}  // namespace ingle
