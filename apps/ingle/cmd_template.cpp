#include <memory>
#include <utility>

#include "chat_prompt.h"
#include "command.h"
#include "files.h"
#include "format/gguf.h"
#include "model_options.h"
#include "text/chat_template.h"
#include "text/json_value.h"

namespace ingle {
namespace {

struct Options {
  std::string model, messages, tools, variables;
  bool no_generation_prompt = false;
};

struct Source {
  std::string text;
  std::vector<std::pair<std::string, jinja::Value>> variables;
};

Result<Source> read_source(const std::string& name, Console& console) {
  if (name.ends_with(".jinja")) {
    ASSIGN_OR_RETURN(std::string text, read_input(name));
    return Source{std::move(text), {}};
  }
  ASSIGN_OR_RETURN(const std::filesystem::path path, find_model(name, console));
  ASSIGN_OR_RETURN(const GgufFile file, GgufFile::open(path));
  if (!file.has("tokenizer.chat_template")) {
    return Error{ErrorCode::kNotFound, name + " has no chat template", "give a FILE.jinja"};
  }
  Source source;
  ASSIGN_OR_RETURN(source.text, file.get<std::string>("tokenizer.chat_template"));
  ASSIGN_OR_RETURN(const std::unique_ptr<Tokenizer> tokenizer, Tokenizer::from_gguf(file));
  source.variables = template_tokens(*tokenizer);
  return source;
}

Result<jinja::Value> read_values(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, read_input(path));
  Result<jinja::Value> value = parse_json(text);
  if (value.ok()) return value;
  return Error{value.error().code, path + ": " + value.error().message, value.error().remedy};
}

Result<jinja::Value> read_list(const std::string& path, const std::string& what) {
  ASSIGN_OR_RETURN(jinja::Value value, read_values(path));
  if (!value.is_sequence()) return Error{ErrorCode::kInvalidData, path + ": " + what + " are a JSON array", ""};
  return value;
}

Status render(const Options& options, Console& console) {
  ASSIGN_OR_RETURN(Source source, read_source(options.model, console));
  ASSIGN_OR_RETURN(const ChatTemplate chat_template, ChatTemplate::parse(source.text));
  ChatInput input;
  ASSIGN_OR_RETURN(input.messages, read_list(options.messages, "messages"));
  if (!options.tools.empty()) {
    ASSIGN_OR_RETURN(input.tools, read_list(options.tools, "tools"));
  }
  input.add_generation_prompt = !options.no_generation_prompt;
  input.variables = std::move(source.variables);
  if (!options.variables.empty()) {
    ASSIGN_OR_RETURN(const jinja::Value variables, read_values(options.variables));
    if (!variables.is_dict()) {
      return Error{ErrorCode::kInvalidData, options.variables + ": variables are a JSON object", ""};
    }
    for (const auto& [key, value] : variables.dict_object().entries) input.variables.emplace_back(key.text(), value);
  }
  ASSIGN_OR_RETURN(const std::string text, chat_template.render(input));
  console.write_model_text(text);
  return {};
}

}  // namespace

void add_template(CLI::App& app, Console& console, Action& action) {
  CLI::App* command = app.add_subcommand("template", "Print the prompt that a chat template makes of messages");
  auto options = std::make_shared<Options>();
  command->add_option("MODEL", options->model, "Name in the store, .gguf file, or template in a .jinja file")
      ->required();
  command->add_option("--messages", options->messages, "JSON array of messages")->required();
  command->add_option("--tools", options->tools, "JSON array of tools");
  command->add_option("--vars", options->variables, "JSON object of more variables for the template");
  command->add_flag("--no-generation-prompt", options->no_generation_prompt, "Don't open the model's answer");
  command->callback(
      [options, &console, &action] { action = [options, &console] { return render(*options, console); }; });
}

}  // namespace ingle
