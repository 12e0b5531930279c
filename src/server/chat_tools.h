// The tools of a chat request in OpenAI's shape, which Ollama's requests have too: checked, and made ready for the
// chat template and for the parser of the answer.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "server/request_fields.h"
#include "text/answer_parser.h"

namespace ingle {

inline constexpr size_t kMaxTools = 512;

enum class ToolChoice : uint8_t { kAuto, kNone, kRequired, kNamed };
// Must the arguments of a call that the model makes of its own accord obey the tool's schema?
enum class Strictness : uint8_t { kNo, kIfPossible, kYes };

struct ChatTools {
  ToolChoice choice = ToolChoice::kAuto;
  std::string named;     // the tool that has to be called
  bool parallel = true;  // may an answer have several calls?
  // [{"type": "function", "function": {"name", "description", "parameters"}}]: ChatInput::tools. None if there are
  // none, or none may be called.
  jinja::Value tools = jinja::Value::none();
  std::vector<AnswerParserOptions::Tool> callable;  // the same, as the parser knows them
  std::map<std::string, Strictness> strict;         // the same, by name
  Strictness strict_by_default = Strictness::kNo;   // of tools that don't say

  bool must_call() const { return choice == ToolChoice::kRequired || choice == ToolChoice::kNamed; }
  bool any_strict() const;
};

// Reads tools, tool_choice and parallel_tool_calls.
void read_tools(RequestFields& fields, ChatTools& out);
// Adds a list of tools in OpenAI's shape; `where` names it in errors.
void add_tools(RequestFields& fields, const std::string& where, const jinja::Value& list, ChatTools& out);

}  // namespace ingle
