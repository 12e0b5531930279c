#include <fmt/format.h>

#include <memory>
#include <set>
#include <string_view>
#include <vector>

#include "command.h"

namespace ingle {
namespace {

// One command as a shell has to know it, read off the command line's own description.
struct Command {
  std::string path;                                        // "", "run", "eval logprobs"
  std::vector<std::pair<std::string, std::string>> words;  // subcommands and options with their help
  bool takes_name = false;                                 // of a model in the store
  bool takes_file = false;
};

const std::set<std::string> kShells{"bash", "zsh", "fish"};

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

void collect(const CLI::App& app, const std::string& path, std::vector<Command>& out) {
  Command command{path, {}};
  const auto subcommands = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* sub : subcommands)
    command.words.emplace_back(sub->get_name(), first_line(sub->get_description()));
  for (const CLI::Option* option : app.get_options()) {
    const std::string positional = option->get_name(true);
    if (positional == "MODEL" || positional == "NAME") command.takes_name = true;
    if (positional == "MODEL" || positional == "FILE" || option->get_type_name() == "FILE") command.takes_file = true;
    if (positional == "SHELL") {
      for (const std::string& shell : kShells) command.words.emplace_back(shell, "");
    }
    for (const std::string& name : option->get_lnames())
      command.words.emplace_back("--" + name, option->get_description());
  }
  out.push_back(std::move(command));
  for (const CLI::App* sub : subcommands) {
    collect(*sub, path.empty() ? sub->get_name() : path + " " + sub->get_name(), out);
  }
}

std::string words_of(const Command& command) {
  std::string words;
  for (const auto& [word, help] : command.words) words += (words.empty() ? "" : " ") + word;
  return words;
}

constexpr std::string_view kNames = "(ingle list 2>/dev/null | awk 'NR > 1 { print $1 }')";

// For bash and zsh (which reads bash's completions, in its own way): the words after the command, by a case over its
// path. Zsh adds no space after a word that could be a file, so that files come there only where no word fits.
std::string bash_like(const std::vector<Command>& commands, bool zsh) {
  std::string out = fmt::format(
      "_ingle() {{\n"
      "  local current={} at= word words= files= colon=\n",
      zsh ? "$2" : "${COMP_LINE:0:COMP_POINT}");
  out +=
      "  current=${current##*[[:space:]]}\n"
      "  for word in \"${COMP_WORDS[@]:1:$((COMP_CWORD - 1))}\"; do\n"
      "    case \"${at:+$at }$word\" in\n";
  std::string paths;
  for (const Command& command : commands) {
    if (!command.path.empty()) paths += (paths.empty() ? "\"" : " | \"") + command.path + "\"";
  }
  out += "      " + paths +
         ") at=\"${at:+$at }$word\" ;;\n"
         "    esac\n"
         "  done\n"
         "  case \"$at\" in\n";
  for (const Command& command : commands) {
    out += fmt::format("    \"{}\") words=\"{}{}\"{} ;;\n", command.path, words_of(command),
                       command.takes_name ? " $" + std::string(kNames) : "",
                       command.takes_file && !zsh ? "; files=1" : "");
  }
  out +=
      "  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" ${files:+-f} -- \"$current\"))\n"
      // Bash cuts words at a colon, which names have before their tags.
      "  if [[ $COMP_WORDBREAKS == *:* && $current == *:* ]]; then\n"
      "    colon=${current%\"${current##*:}\"}\n"
      "    COMPREPLY=(\"${COMPREPLY[@]#\"$colon\"}\")\n"
      "  fi\n"
      "}\n";
  return out + fmt::format("complete -o {} -F _ingle ingle\n", zsh ? "default" : "filenames");
}

std::string bash(const std::vector<Command>& commands) {
  return "# Completions of ingle for bash: source <(ingle completions bash)\n" + bash_like(commands, false);
}

std::string zsh(const std::vector<Command>& commands) {
  return "# Completions of ingle for zsh: source <(ingle completions zsh)\n"
         "autoload -U +X bashcompinit && bashcompinit\n" +
         bash_like(commands, true);
}

std::string fish_quote(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string fish(const std::vector<Command>& commands) {
  std::string out = "# Completions of ingle for fish: ingle completions fish | source\n";
  for (const Command& command : commands) {
    std::string condition = "__fish_use_subcommand";
    if (!command.path.empty()) {
      condition = "__fish_seen_subcommand_from " + command.path.substr(command.path.rfind(' ') + 1);
    }
    for (const auto& [word, help] : command.words) {
      const bool option = word.starts_with("--");
      out += fmt::format("complete -c ingle {}-n '{}' {} {} -d {}\n", option ? "" : "-f ", condition,
                         option ? "-l" : "-a", option ? word.substr(2) : word, fish_quote(first_line(help)));
    }
    if (command.takes_name) out += fmt::format("complete -c ingle -n '{}' -a {}\n", condition, fish_quote(kNames));
    if (!command.takes_file) out += fmt::format("complete -c ingle -n '{}' -f\n", condition);
  }
  return out;
}

Status print(const CLI::App& app, const std::string& shell, Console& console) {
  std::vector<Command> commands;
  collect(app, "", commands);
  console.write(shell == "bash" ? bash(commands) : shell == "zsh" ? zsh(commands) : fish(commands));
  return {};
}

}  // namespace

void add_completions(CLI::App& app, Console& console, Action& action) {
  CLI::App* command = app.add_subcommand("completions", "Print completions for a shell");
  auto shell = std::make_shared<std::string>();
  command->add_option("SHELL", *shell, "bash, zsh or fish")->type_name("")->required()->check(CLI::IsMember(kShells));
  command->callback(
      [shell, &app, &console, &action] { action = [shell, &app, &console] { return print(app, *shell, console); }; });
}

}  // namespace ingle
