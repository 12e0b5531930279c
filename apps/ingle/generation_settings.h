// How answers are generated, by the names that users know: the options of `ingle run` and the parameters of /set are
// the same list. Values start from the model's own defaults.
#pragma once

#include <CLI/CLI.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/request.h"

namespace ingle {

struct GenerationSettings {
  SamplingParams sampling;
  uint32_t max_tokens = 0;  // 0: as many as the context holds
  uint32_t min_tokens = 0;
  bool ignore_eos = false;
  std::vector<std::string> stop;

  // A request for an answer to the prompt.
  Request request(std::vector<TokenId> prompt) const;
};

struct GenerationParameter {
  std::string_view name;  // "top_k"; on the command line --top-k
  std::string_view help;
  // kInvalidArgument if the text is no number or out of range; the settings are then as before.
  Status (*set)(GenerationSettings& settings, std::string_view text);
  std::string (*get)(const GenerationSettings& settings);
};

std::span<const GenerationParameter> generation_parameters();

// Sets a parameter by name ('-' is as good as '_'). Errors: kInvalidArgument.
Status set_generation_parameter(GenerationSettings& settings, std::string_view name, std::string_view text);

// What the command line changes, in its order.
class GenerationOptions {
 public:
  // `*this` must live as long as the command.
  void add_to(CLI::App& command);
  // The model's defaults with those changes.
  Result<GenerationSettings> settings(const SamplingParams& defaults) const;

 private:
  std::vector<std::pair<std::string, std::string>> changes_;
  std::vector<std::string> stop_;
  bool ignore_eos_ = false;
};

}  // namespace ingle
