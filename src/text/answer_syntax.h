// How a model writes tool calls and reasoning into its answers, told from its chat template and vocabulary when it is
// loaded. Plain data; AnswerParser (answer_parser.h) reads answers by it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace ingle {

enum class CallFormat : uint8_t {
  kJson,     // {"name": "f", "arguments": {}} by itself: models whose template says nothing of calls
  kHermes,   // <tool_call>{"name": "f", "arguments": {}}</tool_call>: Hermes, Qwen
  kQwenXml,  // <tool_call><function=f><parameter=p>value</parameter></function></tool_call>: Qwen3-Coder
  kLlama,    // {"name": "f", "parameters": {}}, maybe after <|python_tag|>: Llama 3.x
  kMistral,  // [TOOL_CALLS][{"name": "f", "arguments": {}}] or [TOOL_CALLS]f[ARGS]{}
};

struct AnswerSyntax {
  CallFormat calls = CallFormat::kJson;
  bool mistral_names = false;   // kMistral: the second of its two forms
  std::string reasoning_open;   // "<think>"; empty: the model does not reason apart
  std::string reasoning_close;  // "</think>"
  // Control tokens whose text the marks are made of: the reader of an answer has to see them.
  std::vector<TokenId> call_tokens, reasoning_tokens;

  bool opens_reasoning(std::string_view prompt) const;  // Does this prompt end in reasoning_open?
  bool is_in_reasoning(std::string_view answer) const;  // Has this beginning of an answer opened it and not closed it?
};

AnswerSyntax find_answer_syntax(std::string_view template_source, const Tokenizer& tokenizer);

}  // namespace ingle
