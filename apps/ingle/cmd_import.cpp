#include <fmt/format.h>

#include <memory>

#include "base/format_units.h"
#include "command.h"
#include "files.h"

namespace ingle {
namespace {

struct Options {
  std::string file, name;
  bool copy = false;
};

Status import(const Options& options, Console& console) {
  std::optional<ModelRef> ref;
  if (!options.name.empty()) {
    ASSIGN_OR_RETURN(ref, ModelRef::parse(options.name));
  }
  ASSIGN_OR_RETURN(Store store, open_store());
  const StoreProgress progress = [&](std::string_view what, uint64_t done, uint64_t total) {
    console.progress(what, static_cast<double>(done) / static_cast<double>(total));
  };
  Result<Store::ImportResult> imported = store.import(options.file, ref, options.copy, progress);
  console.end_progress();
  if (!imported.ok()) return imported.error();
  const StoredModel& model = imported->model;
  if (imported->was_there) {
    console.note("The store has it already.");
  } else {
    const size_t parts = model.parts.size();
    console.note(fmt::format("{} {}{} into {}.", placement_name(imported->placement), format_bytes(model.size_bytes()),
                             parts > 1 ? fmt::format(" in {} files", parts) : "", store.root().string()));
  }
  if (imported->placement == Placement::kLinked) {
    console.note("The store shares the file's bytes: don't change the file in place (--copy keeps them apart).");
  }
  console.write(model.ref.to_string() + "\n");
  return {};
}

}  // namespace

void add_import(CLI::App& app, Console& console, Action& action) {
  CLI::App* command = app.add_subcommand("import", "Take a GGUF file into the store and print its name");
  auto options = std::make_shared<Options>();
  command->add_option("FILE", options->file, "GGUF file; of a split model, the first part")->required();
  command->add_option("--name", options->name, "NAME or NAME:TAG (default: made from the file's name)")
      ->type_name("")
      ->check([](const std::string& text) {
        const Result<ModelRef> ref = ModelRef::parse(text);
        return ref.ok() ? std::string() : ref.error().to_string();
      });
  command->add_flag("--copy", options->copy, "Never share bytes with the file by a hard link");
  command->callback(
      [options, &console, &action] { action = [options, &console] { return import(*options, console); }; });
}

}  // namespace ingle
