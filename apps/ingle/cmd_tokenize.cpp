#include <charconv>
#include <memory>

#include "command.h"
#include "files.h"
#include "format/gguf.h"
#include "model_options.h"
#include "text/tokenizer.h"

namespace ingle {
namespace {

struct Options {
  std::string model, file = "-";
  bool no_bos = false;
};

void write_ids(const std::vector<TokenId>& ids, Console& console) {
  char digits[16];
  console.write("[");
  for (size_t i = 0; i < ids.size(); i++) {
    if (i > 0) console.write(",");
    console.write({digits, std::to_chars(digits, digits + sizeof digits, ids[i]).ptr});
  }
  console.write("]\n");
}

Status tokenize(const Options& options, Console& console) {
  ASSIGN_OR_RETURN(const std::filesystem::path path, find_model(options.model, console));
  ASSIGN_OR_RETURN(const GgufFile file, GgufFile::open(path));
  ASSIGN_OR_RETURN(const std::unique_ptr<Tokenizer> tokenizer, Tokenizer::from_gguf(file));
  for (const std::string& warning : tokenizer->warnings()) console.note("Note: " + warning);
  if (options.file == "-") tell_if_stdin_is_slow(console);
  ASSIGN_OR_RETURN(const std::string text, read_input(options.file));
  write_ids(tokenizer->encode(text, {.add_special = !options.no_bos}), console);
  return {};
}

}  // namespace

void add_tokenize(CLI::App& app, Console& console, Action& action) {
  CLI::App* command = app.add_subcommand("tokenize", "Print the token ids of a text as a JSON array");
  auto options = std::make_shared<Options>();
  add_model_argument(*command, options->model);
  command->add_option("--file", options->file, "The text (default: stdin)")->type_name("FILE");
  command->add_flag("--no-bos", options->no_bos, "Without the tokens that the model wants around a text");
  command->callback(
      [options, &console, &action] { action = [options, &console] { return tokenize(*options, console); }; });
}

}  // namespace ingle
