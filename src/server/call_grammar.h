// Answers that have to call a tool (tool_choice "required", or a function's name): the grammar of such an answer, in
// the form in which the model writes its calls, with arguments that obey the tool's schema. Runs on the server's
// workers.
#pragma once

#include <optional>
#include <string>

#include "server/chat_tools.h"
#include "server/structured_output.h"
#include "text/chat_prompt.h"

namespace ingle {

inline constexpr uint32_t kMaxForcedCalls = 16;  // of one answer, where it may have several

// As Grammars::compile takes it: one call of the tool that is named, or one or several of any. Reasoning may come first
// if the model can reason. `tools` has tools. Errors: a schema that can't be honoured.
Result<std::string> call_grammar(const ChatTools& tools, const AnswerSyntax& syntax, const Tokenizer& tokenizer,
                                 bool in_reasoning);

// What holds an answer to the request's tool_choice; nothing if the model may choose. The tokenizer outlives it.
std::optional<WantedOutput> wanted_calls(const ChatTools& tools, const AnswerSyntax& syntax, const Tokenizer& tokenizer,
                                         bool in_reasoning);

}  // namespace ingle
