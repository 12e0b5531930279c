// Answers that call tools, as grammars: in the form in which the model writes its calls, with arguments that obey the
// tool's schema. They hold answers that have to call (tool_choice "required", or a function's name) from the first
// token, and those that may (with "auto", of tools that are `strict`) from the mark on that begins a call.
// Runs on the server's workers.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "grammar/grammars.h"
#include "server/chat_tools.h"
#include "server/structured_output.h"
#include "text/answer_parser.h"
#include "text/chat_prompt.h"

namespace ingle {

inline constexpr uint32_t kMaxForcedCalls = 16;  // of one answer, where it may have several

// As Grammars::compile takes it. Where the model must call: one call of the tool that is named, or one or several of
// any; else these or what is wanted `otherwise`; else any text with calls behind their mark, and of a model that has no
// mark for them (CallFormat::kJson) one call. Reasoning may come first if the model can reason. Without tools it is
// `otherwise`. Errors: a schema that can't be honoured.
Result<std::string> call_grammar(const ChatTools& tools, const AnswerSyntax& syntax, const Tokenizer& tokenizer,
                                 bool in_reasoning, const WantedOutput* otherwise = nullptr);

// What holds the request's answer to its tool_choice and its strict tools, and to what it has to look like `otherwise`;
// nothing if no more is wanted than that. Sets how calls are to be read. The tokenizer outlives both.
std::optional<WantedOutput> wanted_calls(const ChatTools& tools, const Tokenizer& tokenizer,
                                         AnswerParserOptions& reading,
                                         const std::optional<WantedOutput>& otherwise = std::nullopt);

}  // namespace ingle
