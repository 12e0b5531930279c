#include <memory>

#include "base/format_units.h"
#include "command.h"
#include "files.h"

namespace ingle {
namespace {

Status remove(const std::vector<std::string>& names, Console& console) {
  ASSIGN_OR_RETURN(Store store, open_store());
  // All of the names before any of the models: a mistyped one removes nothing.
  std::vector<ModelRef> refs;
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(ModelRef ref, ModelRef::parse(name));
    const Result<StoredModel> model = store.find(ref);
    if (!model.ok() && model.error().code == ErrorCode::kNotFound) return model.error();
    refs.push_back(std::move(ref));
  }
  for (const ModelRef& ref : refs) {
    ASSIGN_OR_RETURN(const uint64_t freed_bytes, store.remove(ref));
    console.note("Removed " + ref.to_string() +
                 (freed_bytes > 0 ? " (" + format_bytes(freed_bytes) + ")." : "; other names keep its bytes."));
  }
  return {};
}

}  // namespace

void add_rm(CLI::App& app, Console& console, Action& action) {
  CLI::App* command = app.add_subcommand("rm", "Remove models from the store");
  auto names = std::make_shared<std::vector<std::string>>();
  command->add_option("NAME", *names, "Names in the store")->type_name("")->required();
  command->callback([names, &console, &action] { action = [names, &console] { return remove(*names, console); }; });
}

}  // namespace ingle
