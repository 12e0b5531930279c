#include "text/answer_syntax.h"

#include <initializer_list>

namespace ingle {
namespace {

CallFormat find_format(std::string_view source, const Tokenizer& tokenizer) {
  const auto has = [&](std::string_view part) { return source.find(part) != std::string_view::npos; };
  if (has("[TOOL_CALLS]")) return CallFormat::kMistral;
  if (has("<function=") && has("<parameter=")) return CallFormat::kQwenXml;
  if (has("<tool_call>")) return CallFormat::kHermes;
  const bool llama = has("<|python_tag|>") || tokenizer.find_token("<|python_tag|>") != kNoToken;
  if (llama && has("\"parameters\"")) return CallFormat::kLlama;
  return CallFormat::kJson;
}

}  // namespace

bool AnswerSyntax::opens_reasoning(std::string_view prompt) const {
  if (reasoning_open.empty()) return false;
  const size_t last = prompt.find_last_not_of(" \t\r\n");
  return last != std::string_view::npos && prompt.substr(0, last + 1).ends_with(reasoning_open);
}

bool AnswerSyntax::is_in_reasoning(std::string_view answer) const {
  const size_t first = answer.find_first_not_of(" \t\r\n");
  return !reasoning_open.empty() && first != std::string_view::npos &&
         answer.substr(first).starts_with(reasoning_open) && answer.find(reasoning_close) == std::string_view::npos;
}

AnswerSyntax find_answer_syntax(std::string_view source, const Tokenizer& tokenizer) {
  AnswerSyntax syntax;
  syntax.calls = find_format(source, tokenizer);
  syntax.mistral_names = source.find("[ARGS]") != std::string_view::npos;
  for (const auto& [open, close] : {std::pair("<think>", "</think>"), std::pair("[THINK]", "[/THINK]")}) {
    const bool known = source.find(open) != std::string_view::npos || tokenizer.find_token(open) != kNoToken;
    if (!known || !syntax.reasoning_open.empty()) continue;
    syntax.reasoning_open = open;
    syntax.reasoning_close = close;
  }
  const auto add = [&](std::initializer_list<std::string_view> names, std::vector<TokenId>& out) {
    for (const std::string_view name : names) {
      const TokenId id = name.empty() ? kNoToken : tokenizer.find_token(name);
      if (id != kNoToken && tokenizer.is_control(id)) out.push_back(id);
    }
  };
  add({syntax.reasoning_open, syntax.reasoning_close}, syntax.reasoning_tokens);
  add({"<tool_call>", "</tool_call>", "[TOOL_CALLS]", "[ARGS]", "[CALL_ID]", "<|python_tag|>"}, syntax.call_tokens);
  return syntax;
}

}  // namespace ingle
