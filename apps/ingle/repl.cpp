#include "repl.h"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>

#include "files.h"
#include "line_reader.h"

namespace ingle {
namespace {

constexpr std::string_view kQuotes = "\"\"\"";

constexpr std::string_view kHelp =
    "/set                    the parameters and their values\n"
    "/set PARAMETER VALUE    change one, as in /set temperature 0.2\n"
    "/system TEXT            what the model is told before everything else (no TEXT: nothing)\n"
    "/clear                  forget the conversation\n"
    "/save FILE              write the conversation as JSON\n"
    "/help                   this list\n"
    "/bye                    leave (so does Ctrl-D)\n"
    "\"\"\"                     begins and ends a text of several lines\n"
    "Ctrl-C                  stops the answer. A space before the slash says a line to the model.\n";

std::string_view trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// The word at the front, and what follows it.
std::pair<std::string_view, std::string_view> split_word(std::string_view text) {
  text = trim(text);
  const size_t end = text.find_first_of(" \t");
  if (end == std::string_view::npos) return {text, {}};
  return {text.substr(0, end), trim(text.substr(end))};
}

std::filesystem::path history_file() {
  const Result<std::filesystem::path> folder = data_folder();
  if (!folder.ok() || !make_folders(*folder).ok()) return {};
  return *folder / "history";
}

class Chat {
 public:
  Chat(Session& session, Console& console)
      : session_(session), console_(console), reader_(history_file(), console.stdout_is_terminal(), signals_) {}

  Status run() {
    console_.write("Ctrl-D or /bye leaves, Ctrl-C stops an answer, /help tells more.\n");
    while (!done_) {
      RETURN_IF_ERROR(console_.flush());
      const LineReader::Line line = reader_.read(">>> ");
      if (line.end == LineReader::End::kEndOfInput) break;
      if (line.end == LineReader::End::kInterrupted) {
        console_.note("");
        continue;
      }
      RETURN_IF_ERROR(take(line.text));
    }
    return console_.flush();
  }

 private:
  // Errors end the chat: only those of stdout do.
  Status take(const std::string& line) {
    if (trim(line).empty()) return {};
    Status status;
    if (line.starts_with('/')) {
      reader_.remember(line);
      status = command(line);
    } else {
      const std::optional<std::string> text = whole_text(line);
      if (!text || trim(*text).empty()) return {};
      reader_.remember(line);
      status = session_.answer(*text, &signals_);
    }
    if (console_.failed()) return console_.flush();
    if (!status.ok()) console_.error(status.error());
    return {};
  }

  // The line, or the lines from """ to """. Nothing if that was broken off.
  std::optional<std::string> whole_text(const std::string& line) {
    const std::string_view start = trim(line);
    if (!start.starts_with(kQuotes)) return line;
    std::string text(start.substr(kQuotes.size()));
    while (true) {
      if (const size_t end = text.find(kQuotes); end != std::string::npos) return text.substr(0, end);
      const LineReader::Line next = reader_.read("... ");
      if (next.end == LineReader::End::kInterrupted) console_.note("");
      if (next.end != LineReader::End::kLine) return std::nullopt;
      if (!text.empty()) text += '\n';
      text += next.text;
    }
  }

  Status command(std::string_view line) {
    const auto [name, rest] = split_word(line);
    if (name == "/bye") {
      done_ = true;
      return {};
    }
    if (name == "/help") {
      console_.write(kHelp);
      return {};
    }
    if (name == "/clear") {
      session_.clear();
      console_.note("The conversation is forgotten.");
      return {};
    }
    if (name == "/system") return session_.set_system(std::string(rest));
    if (name == "/set") return set(rest);
    if (name == "/save") return save(rest);
    return Error{ErrorCode::kInvalidArgument, "there is no command " + std::string(name), "/help lists them"};
  }

  Status set(std::string_view rest) {
    if (rest.empty()) {
      for (const GenerationParameter& parameter : generation_parameters()) {
        console_.write(
            fmt::format("{:<18} {:<10} {}\n", parameter.name, parameter.get(session_.settings()), parameter.help));
      }
      return {};
    }
    const auto [name, value] = split_word(rest);
    if (value.empty()) return Error{ErrorCode::kInvalidArgument, "what is set needs a value", "/set PARAMETER VALUE"};
    return set_generation_parameter(session_.settings(), name, value);
  }

  Status save(std::string_view file) {
    if (file.empty()) return Error{ErrorCode::kInvalidArgument, "the conversation needs a file", "/save FILE"};
    RETURN_IF_ERROR(session_.save(file));
    console_.note("Saved to " + std::string(file) + ".");
    return {};
  }

  Session& session_;
  Console& console_;
  TerminalSignals signals_;
  LineReader reader_;
  bool done_ = false;
};

}  // namespace

Status chat(Session& session, Console& console) { return Chat(session, console).run(); }

}  // namespace ingle
