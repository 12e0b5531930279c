#include "session.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <utility>

#include "base/atomic_file.h"
#include "base/format_units.h"
#include "files.h"

namespace ingle {
namespace {

Error no_template() {
  return {ErrorCode::kInvalidArgument, "the model has no chat template that could hold a system text", ""};
}

}  // namespace

Result<Session> Session::create(Engine& engine, SessionOptions options, Console& console) {
  Session session(engine, std::move(options), console);
  if (!session.options_.raw && !engine.info().chat_template.empty()) {
    ASSIGN_OR_RETURN(session.chat_, ChatPrompt::create(engine.info().chat_template, engine.tokenizer()));
  } else if (!session.options_.system.empty()) {
    return no_template();
  }
  if (!session.options_.raw && !session.chat_) {
    console.note("Note: the model has no chat template; it continues the text it is given.");
  }
  return session;
}

std::vector<ChatMessage> Session::conversation() const {
  std::vector<ChatMessage> messages;
  if (!options_.system.empty()) messages.push_back({"system", options_.system});
  messages.insert(messages.end(), messages_.begin(), messages_.end());
  return messages;
}

Result<std::vector<TokenId>> Session::prompt_for(const std::vector<ChatMessage>& messages,
                                                 const std::string& text) const {
  if (chat_) return chat_tokens(*chat_, messages);
  return engine_.tokenizer().encode(text);
}

Status Session::answer(const std::string& text, TerminalSignals* signals) {
  std::vector<ChatMessage> messages = conversation();
  messages.push_back({"user", text});
  ASSIGN_OR_RETURN(std::vector<TokenId> prompt, prompt_for(messages, text));
  ASSIGN_OR_RETURN(std::string answer, stream(std::move(prompt), signals));
  if (chat_) {
    messages_.push_back({"user", text});
    messages_.push_back({"assistant", std::move(answer)});
  }
  return {};
}

Result<std::string> Session::stream(std::vector<TokenId> prompt, TerminalSignals* signals) {
  ASSIGN_OR_RETURN(const std::unique_ptr<TokenStream> stream,
                   engine_.submit(options_.settings.request(std::move(prompt))));
  std::optional<TerminalSignals::Watch> watch;
  if (signals != nullptr) watch.emplace(*signals, *stream);
  std::string answer;
  TokenEvent event;
  do {
    event = stream->next();
    answer += event.text;
    console_.write_model_text(event.text);
    RETURN_IF_ERROR(console_.flush());
  } while (event.finish == FinishReason::kNone);
  watch.reset();
  if (!answer.ends_with('\n')) console_.write("\n");
  RETURN_IF_ERROR(console_.flush());
  if (event.error) return *event.error;
  if (event.finish == FinishReason::kCancelled) console_.note("(stopped)");
  const RequestStats stats = stream->stats();
  if (event.finish == FinishReason::kLength && stats.prompt_tokens + stats.generated_tokens >= engine_.info().context) {
    console_.note(
        fmt::format("Note: the answer ends here because the context of {} tokens is full.", engine_.info().context));
  }
  if (options_.verbose) report(stats);
  return answer;
}

void Session::report(const RequestStats& stats) {
  const uint32_t computed = stats.prompt_tokens - stats.cached_tokens;
  console_.note(fmt::format("prompt:      {} tokens{}, {}, {}", stats.prompt_tokens,
                            stats.cached_tokens > 0 ? fmt::format(" ({} cached)", stats.cached_tokens) : "",
                            format_duration_ms(stats.prompt_ms), format_token_rate(computed, stats.prompt_ms)));
  // The first token comes with the prompt.
  const uint32_t timed = stats.generated_tokens > 0 ? stats.generated_tokens - 1 : 0;
  console_.note(fmt::format("generation:  {} tokens, {}, {}", stats.generated_tokens,
                            format_duration_ms(stats.generation_ms), format_token_rate(timed, stats.generation_ms)));
}

Status Session::set_system(const std::string& text) {
  if (!chat_ && !text.empty()) return no_template();
  options_.system = text;
  return {};
}

Status Session::save(const std::filesystem::path& path) const {
  boost::json::array out;
  for (const ChatMessage& message : conversation()) {
    out.push_back(boost::json::object{{"role", message.role}, {"content", valid_utf8(message.content)}});
  }
  const std::string text = boost::json::serialize(out) + "\n";
  // Of a link the file that it names: the rename at the end would replace the link itself, be it /dev/stdout.
  std::error_code ignored;
  const std::filesystem::path target = std::filesystem::weakly_canonical(path, ignored);
  ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(target.empty() ? path : target));
  RETURN_IF_ERROR(file.append({reinterpret_cast<const uint8_t*>(text.data()), text.size()}));
  return file.commit();
}

Status Session::load(const std::filesystem::path& path) {
  if (!chat_) return no_template();
  ASSIGN_OR_RETURN(const boost::json::value value, read_json(path));
  const auto bad = [&](const std::string& what) {
    return Error{ErrorCode::kInvalidData, path.string() + ": " + what, "/save FILE writes what is wanted here"};
  };
  if (!value.is_array()) return bad("a conversation is a JSON array of messages");
  std::string system;
  std::vector<ChatMessage> messages;
  for (size_t i = 0; i < value.get_array().size(); i++) {
    const boost::json::object* message = value.get_array()[i].if_object();
    const boost::json::value* role = message == nullptr ? nullptr : message->if_contains("role");
    const boost::json::value* content = message == nullptr ? nullptr : message->if_contains("content");
    if (role == nullptr || content == nullptr || !role->is_string() || !content->is_string()) {
      return bad(fmt::format("message {} has no role and content that are texts", i));
    }
    const std::string name(role->get_string()), text(content->get_string());
    if (name == "system" && i == 0) {
      system = text;
    } else if (name == "user" || name == "assistant") {
      messages.push_back({name, text});
    } else {
      return bad(fmt::format("message {} is neither the user's nor the assistant's", i));
    }
  }
  options_.system = std::move(system);
  messages_ = std::move(messages);
  return {};
}

}  // namespace ingle
