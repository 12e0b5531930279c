// One conversation with a loaded model: what was said so far, and how the next answer is asked for and printed. Used by
// `ingle run` for one prompt and for a chat alike. Main thread.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "chat_prompt.h"
#include "console.h"
#include "engine/engine.h"
#include "generation_settings.h"
#include "terminal_signals.h"

namespace ingle {

struct SessionOptions {
  GenerationSettings settings;
  std::string system;
  bool raw = false;      // no template: the prompt is the model's text, and nothing is remembered
  bool verbose = false;  // counts, times and rates on stderr
};

class Session {
 public:
  // Errors: those of the model's template; kInvalidArgument if there is a system text and no template to put it in.
  static Result<Session> create(Engine& engine, SessionOptions options, Console& console);

  // Prints the answer as it comes and remembers it. With `signals`, Ctrl-C ends the answer, of which what was said
  // is kept. Errors leave the conversation as it was.
  Status answer(const std::string& text, TerminalSignals* signals);

  // Errors: kInvalidArgument where there is no template.
  Status set_system(const std::string& text);
  void clear() { messages_.clear(); }
  // The conversation as the JSON array that `ingle template --messages` takes.
  Status save(const std::filesystem::path& path) const;
  // Takes such an array as the conversation, system text included. Errors: kInvalidData names the message that is none;
  // those of set_system(). The conversation is then as it was.
  Status load(const std::filesystem::path& path);

  GenerationSettings& settings() { return options_.settings; }
  const std::string& system() const { return options_.system; }
  void set_verbose(bool on) { options_.verbose = on; }
  const ModelInfo& model() const { return engine_.info(); }

 private:
  Session(Engine& engine, SessionOptions options, Console& console)
      : engine_(engine), options_(std::move(options)), console_(console) {}
  std::vector<ChatMessage> conversation() const;
  Result<std::vector<TokenId>> prompt_for(const std::vector<ChatMessage>& messages, const std::string& text) const;
  Result<std::string> stream(std::vector<TokenId> prompt, TerminalSignals* signals);
  void report(const RequestStats& stats);

  Engine& engine_;
  SessionOptions options_;
  Console& console_;
  std::optional<ChatPrompt> chat_;     // nothing: raw text
  std::vector<ChatMessage> messages_;  // without the system text
};

}  // namespace ingle
