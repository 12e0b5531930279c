// Turns a conversation into the text that a model was trained to continue, by the Jinja template that comes with the
// model. Templates render as they do in Python's jinja2 set up the way the library transformers does.
//
// A template comes from a file that a stranger made, and a conversation from a request: both are hostile. What a
// rendering may use is bounded (TemplateLimits), and whatever goes wrong is an Error that names the line of the
// template. A ChatTemplate never changes; any number of threads may render it at the same time.
#pragma once

#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "text/jinja_value.h"

namespace ingle {

namespace jinja {
struct Program;
}

struct TemplateLimits {
  size_t max_source_bytes = size_t{4} << 20;
  size_t max_memory_bytes = size_t{256} << 20;  // of the values a rendering makes and the text it writes
  size_t max_output_bytes = size_t{64} << 20;
  uint64_t max_steps = 100'000'000;  // a step is about one node of the template, or 4 bytes of text looked at
};

struct ChatInput {
  jinja::Value messages;                      // a list of dicts, as parse_json (json_value.h) gives it
  jinja::Value tools = jinja::Value::none();  // a list of JSON schemas, or none
  jinja::Value documents = jinja::Value::none();
  bool add_generation_prompt = true;
  // For ChatPrompt: the prompt ends where the content of the last message does, which must be a text; the model goes on
  // with it. add_generation_prompt must be false.
  bool continue_final_message = false;
  // Whatever else the template may ask for: bos_token, eos_token, enable_thinking. They come after the ones above.
  std::vector<std::pair<std::string, jinja::Value>> variables;
  std::optional<std::tm> now;  // what strftime_now() tells; the local time when not set
};

class ChatTemplate {
 public:
  // Errors: kInvalidData (not UTF-8, or not a template), kResourceExhausted (too large).
  static Result<ChatTemplate> parse(std::string_view source, const TemplateLimits& limits = {});

  // Errors: kInvalidArgument with the template's own message when it refuses the conversation or fails on it,
  // kResourceExhausted when it goes beyond the limits.
  Result<std::string> render(const ChatInput& input) const;
  // The same with nothing but `variables`, which must be a dict.
  Result<std::string> render(const jinja::Value& variables, const std::optional<std::tm>& now) const;

 private:
  ChatTemplate(std::shared_ptr<const jinja::Program> program, const TemplateLimits& limits)
      : program_(std::move(program)), limits_(limits) {}
  std::shared_ptr<const jinja::Program> program_;
  TemplateLimits limits_;
};

}  // namespace ingle
