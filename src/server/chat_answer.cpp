#include "server/chat_answer.h"

#include <optional>
#include <utility>

#include "server/chat_request.h"

namespace ingle {

std::shared_ptr<AnswerParserOptions> plan_chat_answer(const ChatPrompt& chat, const ChatPrompt::Rendered& prompt,
                                                      const ChatTools& tools, Request& request) {
  auto options = std::make_shared<AnswerParserOptions>();
  options->syntax = chat.syntax();
  options->tools = tools.callable;
  options->in_reasoning = prompt.in_reasoning;
  options->one_call = !tools.parallel;
  // Then a grammar sees to it that what begins as a call is one (call_grammar.h).
  options->stream_arguments = tools.must_call();
  request.shown_control = shown_control(*options);
  return options;
}

std::function<AnswerEnd()> end_after_only_call(const AnswerParserOptions& reading) {
  if (!reading.one_call || reading.tools.empty()) return nullptr;
  const auto options = std::make_shared<AnswerParserOptions>(reading);
  // To find out whether what has another form than the model's own is a call takes too long on the engine's thread.
  if (options->takes) options->takes = [](std::string_view, std::string_view) { return false; };
  return [options]() -> AnswerEnd {
    return [parser = std::make_shared<AnswerParser>(options)](std::string_view text) {
      parser->push(text);
      return parser->calls() > 0;
    };
  };
}

// One answer in the reading.
struct ChatAnswerWriter::Choice {
  explicit Choice(const std::shared_ptr<const AnswerParserOptions>& options) : parser(options) {}

  AnswerParser parser;
  std::optional<AnswerTokens> tokens;  // while they are looked at
  uint64_t reasoning_tokens = 0;
};

ChatAnswerWriter::ChatAnswerWriter(const ChatRequest& asked, bool tells_parts)
    : options_(asked.reading), tokenizer_(asked.tokenizer), tells_parts_(tells_parts) {}

ChatAnswerWriter::~ChatAnswerWriter() = default;

ChatAnswerWriter::Choice& ChatAnswerWriter::choice(uint32_t index) {
  while (choices_.size() <= index) choices_.push_back(new_choice());
  return *choices_[index];
}

std::unique_ptr<ChatAnswerWriter::Choice> ChatAnswerWriter::new_choice() const {
  auto out = std::make_unique<Choice>(options_);
  const bool may_reason = !options_->syntax.reasoning_open.empty();
  if (tokenizer_ != nullptr && (tells_parts_ || may_reason)) out->tokens.emplace(*tokenizer_, options_);
  return out;
}

// Counts the reasoning's tokens, too. It is what an answer begins with, so that nothing is to be looked for behind it.
std::vector<AnswerTokens::Part> ChatAnswerWriter::parts_of(Choice& choice, const TokenEvent& event) const {
  std::vector<AnswerTokens::Part> out;
  const auto add = [&](const std::vector<AnswerTokens::Part>& parts) {
    for (const AnswerTokens::Part part : parts) choice.reasoning_tokens += part == AnswerTokens::Part::kReasoning;
    const bool over = !parts.empty() && parts.back() != AnswerTokens::Part::kReasoning;
    if (over && !tells_parts_) choice.tokens.reset();
    out.insert(out.end(), parts.begin(), parts.end());
  };
  for (size_t i = 0; i < event.tokens.size() && choice.tokens; i++) add(choice.tokens->push(event.tokens[i]));
  if (event.finish != FinishReason::kNone && choice.tokens) add(choice.tokens->finish());
  return out;
}

std::string ChatAnswerWriter::news(uint32_t index, const TokenEvent& event) {
  Choice& read = choice(index);
  std::vector<AnswerDelta> deltas = read.parser.push(event.text);
  if (event.finish != FinishReason::kNone) {
    // Those of the end may go on where the others ended; an API's client joins them.
    for (AnswerDelta& delta : read.parser.finish()) deltas.push_back(std::move(delta));
  }
  const bool calls_tools = read.parser.calls() > 0 && !read.parser.last_call_is_cut();
  return chat_news({index, event, std::move(deltas), calls_tools, parts_of(read, event)});
}

std::string ChatAnswerWriter::end(const Usage& usage) {
  Usage all = usage;
  for (const auto& choice : choices_) all.reasoning_tokens += choice->reasoning_tokens;
  return chat_end(all);
}

std::string ChatAnswerWriter::whole(const std::vector<TokenEvent>& answers, const Usage& usage) {
  Usage all = usage;
  std::vector<ChatChoice> choices;
  for (const TokenEvent& event : answers) {
    const std::unique_ptr<Choice> read = new_choice();
    std::vector<AnswerDelta> deltas = read->parser.push(event.text);
    for (AnswerDelta& delta : read->parser.finish()) deltas.push_back(std::move(delta));
    ParsedAnswer answer;
    for (const AnswerDelta& delta : deltas) answer.add(delta);
    std::vector<AnswerTokens::Part> parts = parts_of(*read, event);
    all.reasoning_tokens += read->reasoning_tokens;
    choices.push_back({event, std::move(answer), std::move(deltas), std::move(parts)});
  }
  return chat_whole(choices, all);
}

}  // namespace ingle
