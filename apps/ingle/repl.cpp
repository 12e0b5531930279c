#include "repl.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/format_units.h"
#include "base/near_name.h"
#include "files.h"
#include "line_reader.h"

namespace ingle {
namespace {

constexpr std::string_view kQuotes = "\"\"\"";

constexpr std::string_view kHelp =
    "/set                    the parameters and their values\n"
    "/set PARAMETER VALUE    change one, as in /set temperature 0.2\n"
    "/set verbose            counts, times and rates after each answer; /set quiet: none\n"
    "/system TEXT            what the model is told before everything else (no TEXT: nothing)\n"
    "/show                   what the model is; /show parameters, system, template\n"
    "/clear                  forget the conversation\n"
    "/save FILE              write the conversation as JSON\n"
    "/load FILE              go on with a conversation that was saved\n"
    "/help, /?               this list\n"
    "/bye, /exit             leave (so does Ctrl-D)\n"
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
    console_.note("Ctrl-D or /bye leaves, Ctrl-C stops an answer, /help tells more.");
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
    for (const Command& command : kCommands) {
      if (name == command.name) return (this->*command.run)(rest);
    }
    std::vector<std::string> names;
    for (const Command& command : kCommands) names.emplace_back(command.name);
    const std::optional<std::string> meant = near_name(name, names);
    return Error{ErrorCode::kInvalidArgument, "there is no command " + std::string(name),
                 (meant ? "did you mean " + *meant + "? " : "") +
                     "/help lists them; a space before the slash says the line to the model"};
  }

  Status leave(std::string_view) {
    done_ = true;
    return {};
  }

  Status help(std::string_view) {
    console_.write(kHelp);
    return {};
  }

  Status clear(std::string_view) {
    session_.clear();
    console_.note("The conversation is forgotten.");
    return {};
  }

  Status system(std::string_view rest) {
    const std::optional<std::string> text = whole_text(std::string(rest));
    return text ? session_.set_system(*text) : Status();
  }

  // Also as others write it: /set parameter temperature 0.2, /set system TEXT.
  Status set(std::string_view rest) {
    const auto [name, value] = split_word(rest);
    if (name == "parameter" && !value.empty()) return set(value);
    if (name.empty() || name == "parameter") return show_parameters();
    if (name == "system") return system(value);
    if (value.empty() && (name == "verbose" || name == "quiet")) {
      session_.set_verbose(name == "verbose");
      return {};
    }
    if (value.empty()) return Error{ErrorCode::kInvalidArgument, "what is set needs a value", "/set PARAMETER VALUE"};
    return set_generation_parameter(session_.settings(), name, value);
  }

  Status show_parameters() {
    for (const GenerationParameter& parameter : generation_parameters()) {
      const std::string value = printable(parameter.get(session_.settings()), false);
      console_.write(fmt::format("{:<18} {:<10} {}\n", parameter.name, value, parameter.help));
    }
    return {};
  }

  Status show(std::string_view what) {
    if (what == "parameters") return show_parameters();
    if (what == "system" || what == "template") {
      const std::string& text = what == "system" ? session_.system() : session_.model().chat_template;
      if (text.empty()) {
        console_.note(what == "system" ? "There is no system text." : "The model has no chat template.");
      } else {
        console_.write_model_text(text + "\n");
      }
      return {};
    }
    if (!what.empty() && what != "info") {
      return Error{ErrorCode::kInvalidArgument, "there is nothing to show by the name of " + std::string(what),
                   "there are: info, parameters, system, template"};
    }
    const ModelInfo& model = session_.model();
    const auto row = [&](std::string_view name, const std::string& value) {
      console_.write(fmt::format("{:<14}{}\n", name, printable(value, false)));
    };
    if (!model.name.empty()) row("name", model.name);
    row("architecture", model.architecture);
    row("parameters", format_count(model.parameters));
    row("type", model.quantization);
    row("size", format_bytes(model.file_bytes));
    row("context", fmt::format("{} tokens (trained for {})", model.context, model.trained_context));
    row("engine", model.backend);
    return {};
  }

  Status save(std::string_view file) {
    if (file.empty()) return Error{ErrorCode::kInvalidArgument, "the conversation needs a file", "/save FILE"};
    RETURN_IF_ERROR(session_.save(file));
    console_.note("Saved to " + std::string(file) + ".");
    return {};
  }

  Status load(std::string_view file) {
    if (file.empty()) return Error{ErrorCode::kInvalidArgument, "what is loaded needs a file", "/load FILE"};
    RETURN_IF_ERROR(session_.load(file));
    console_.note("Loaded the conversation in " + std::string(file) + ".");
    return {};
  }

  struct Command {
    std::string_view name;
    Status (Chat::*run)(std::string_view rest);
  };
  static constexpr std::array<Command, 10> kCommands{{{"/set", &Chat::set},
                                                      {"/system", &Chat::system},
                                                      {"/show", &Chat::show},
                                                      {"/clear", &Chat::clear},
                                                      {"/save", &Chat::save},
                                                      {"/load", &Chat::load},
                                                      {"/help", &Chat::help},
                                                      {"/?", &Chat::help},
                                                      {"/bye", &Chat::leave},
                                                      {"/exit", &Chat::leave}}};

  Session& session_;
  Console& console_;
  TerminalSignals signals_;
  LineReader reader_;
  bool done_ = false;
};

}  // namespace

Status chat(Session& session, Console& console) { return Chat(session, console).run(); }

}  // namespace ingle
