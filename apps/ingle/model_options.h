// The options of every command that runs a model, once: MODEL, --threads, --isa, --kv, --prefill-chunk, --context.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "console.h"
#include "engine/engine.h"

namespace ingle {

struct ModelOptions {
  std::string model;
  EngineOptions engine;  // for one sequence at a time, unless the command says otherwise
};

// `options` must live as long as the command.
void add_model_options(CLI::App& command, ModelOptions& options);
// For commands whose answers are read.
void add_speculation_option(CLI::App& command, ModelOptions& options);
// An option that takes a whole number between these.
CLI::Option* add_number(CLI::App& command, const std::string& name, uint32_t& value, uint32_t min, uint32_t max,
                        const std::string& help);
// MODEL alone, for commands that read a model without running it.
void add_model_argument(CLI::App& command, std::string& model);

struct LoadedEngine {
  std::unique_ptr<Engine> engine;
  double load_ms = 0;
};

Result<LoadedEngine> load_engine(const ModelOptions& options, Console& console);

}  // namespace ingle
