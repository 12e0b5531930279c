// The tools of a chat request in OpenAI's shape, which Ollama's requests have too: checked, and made ready for the
// chat template and for the parser of the answer.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
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
  std::string named;                             // the tool that has to be called
  std::optional<std::set<std::string>> allowed;  // those that alone may be called; none: all of them
  bool parallel = true;                          // may an answer have several calls?
  // [{"type": "function", "function": {"name", "description", "parameters"}}]: ChatInput::tools. None if there are
  // none, or tool_choice is "none". The template gets those that are not `allowed`, too, so that prompts stay the same.
  jinja::Value tools = jinja::Value::none();
  std::vector<AnswerParserOptions::Tool> callable;  // those that may be called, as the parser knows them
  std::map<std::string, Strictness> strict;         // the same, by name
  Strictness strict_by_default = Strictness::kNo;   // of tools that don't say

  bool must_call() const { return choice == ToolChoice::kRequired || choice == ToolChoice::kNamed; }
  bool any_strict() const;
  bool may_call(const std::string& name) const {
    return (choice != ToolChoice::kNamed || name == named) && (!allowed || allowed->contains(name));
  }
};

// Reads tools, tool_choice and parallel_tool_calls.
void read_tools(RequestFields& fields, ChatTools& out);
// Adds a list of tools in OpenAI's shape; `where` names it in errors.
void add_tools(RequestFields& fields, const std::string& where, const jinja::Value& list, ChatTools& out);

}  // namespace ingle
