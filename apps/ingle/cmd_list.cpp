#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <memory>

#include "base/format_units.h"
#include "command.h"
#include "files.h"

namespace ingle {
namespace json = boost::json;
namespace {

void write_json(const std::vector<StoredModel>& models, Console& console) {
  json::array out;
  for (const StoredModel& model : models) {
    out.push_back(json::object{{"name", model.ref.to_string()},
                               {"architecture", valid_utf8(model.architecture)},
                               {"quantization", valid_utf8(model.quantization)},
                               {"parameters", model.parameters},
                               {"size_bytes", model.size_bytes()},
                               {"imported_s", model.imported_s}});
  }
  console.write(json::serialize(out) + "\n");
}

void write_table(const std::vector<StoredModel>& models, Console& console) {
  size_t name_width = 4;
  for (const StoredModel& model : models) name_width = std::max(name_width, model.ref.to_string().size());
  const auto row = [&](std::string_view name, std::string_view architecture, std::string_view quantization,
                       std::string_view parameters, std::string_view size) {
    console.write(fmt::format("{:<{}}  {:<12}  {:<8}  {:>10}  {:>9}\n", name, name_width, architecture, quantization,
                              parameters, size));
  };
  row("NAME", "ARCHITECTURE", "TYPE", "PARAMETERS", "SIZE");
  for (const StoredModel& model : models) {
    row(model.ref.to_string(), printable(model.architecture, false), printable(model.quantization, false),
        format_count(model.parameters), format_bytes(model.size_bytes()));
  }
}

Status list(bool as_json, Console& console) {
  ASSIGN_OR_RETURN(Store store, open_store());
  ASSIGN_OR_RETURN(const std::vector<StoredModel> models, store.list());
  if (as_json) {
    write_json(models, console);
  } else if (models.empty()) {
    console.note("The store in " + store.root().string() + " is empty: ingle import FILE.gguf fills it.");
  } else {
    write_table(models, console);
  }
  return {};
}

}  // namespace

void add_list(CLI::App& app, Console& console, Action& action) {
  CLI::App* command = app.add_subcommand("list", "List the models in the store");
  auto as_json = std::make_shared<bool>(false);
  command->add_flag("--json", *as_json, "For programs");
  command->callback([as_json, &console, &action] { action = [as_json, &console] { return list(*as_json, console); }; });
}

}  // namespace ingle
