#include "generation_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace ingle {
namespace {

Error bad_number(std::string_view text) {
  return {ErrorCode::kInvalidArgument, "\"" + std::string(text) + "\" is not a number that fits here", ""};
}

template <typename T>
Status parse(std::string_view text, T& out) {
  T value{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return bad_number(text);
  out = value;
  return {};
}

// Sets through a copy, so that a value out of range changes nothing.
template <auto Member>
Status set_sampling(GenerationSettings& settings, std::string_view text) {
  SamplingParams changed = settings.sampling;
  RETURN_IF_ERROR(parse(text, changed.*Member));
  RETURN_IF_ERROR(changed.validate());
  settings.sampling = changed;
  return {};
}
template <auto Member>
std::string get_sampling(const GenerationSettings& settings) {
  return fmt::format("{}", settings.sampling.*Member);
}
template <auto Member>
Status set_own(GenerationSettings& settings, std::string_view text) {
  return parse(text, settings.*Member);
}
template <auto Member>
std::string get_own(const GenerationSettings& settings) {
  return fmt::format("{}", settings.*Member);
}

// One text, in quotes if it has spaces at its ends; "" for none.
Status set_stop(GenerationSettings& settings, std::string_view text) {
  if (text.size() >= 2 && text.starts_with('"') && text.ends_with('"')) text = text.substr(1, text.size() - 2);
  settings.stop.clear();
  if (!text.empty()) settings.stop.emplace_back(text);
  return {};
}
std::string get_stop(const GenerationSettings& settings) {
  std::string out;
  for (const std::string& text : settings.stop) out += (out.empty() ? "\"" : " \"") + text + "\"";
  return out.empty() ? "\"\"" : out;
}

Status set_ignore_eos(GenerationSettings& settings, std::string_view text) {
  if (text != "on" && text != "off") return Error{ErrorCode::kInvalidArgument, "ignore_eos is on or off", ""};
  settings.ignore_eos = text == "on";
  return {};
}
std::string get_ignore_eos(const GenerationSettings& settings) { return settings.ignore_eos ? "on" : "off"; }

template <auto Member>
constexpr GenerationParameter sampling(std::string_view name, std::string_view help) {
  return {name, help, set_sampling<Member>, get_sampling<Member>};
}
template <auto Member>
constexpr GenerationParameter own(std::string_view name, std::string_view help) {
  return {name, help, set_own<Member>, get_own<Member>};
}

constexpr std::array kParameters{
    sampling<&SamplingParams::temperature>("temperature", "How freely tokens are drawn; 0 takes the most likely"),
    sampling<&SamplingParams::top_k>("top_k", "Draw from the K most likely tokens; 0: all"),
    sampling<&SamplingParams::top_p>("top_p", "Draw from the most likely tokens that together have this probability"),
    sampling<&SamplingParams::min_p>("min_p", "Drop tokens below this part of the most likely one's probability"),
    sampling<&SamplingParams::typical_p>("typical_p", "Keep the tokens of typical information; 1: off"),
    sampling<&SamplingParams::repeat_penalty>("repeat_penalty", "Make recent tokens less likely; 1: off"),
    sampling<&SamplingParams::repeat_last_n>("repeat_last_n", "How many tokens are recent; -1: the whole context"),
    sampling<&SamplingParams::presence_penalty>("presence_penalty", "Taken from the logits of recent tokens"),
    sampling<&SamplingParams::frequency_penalty>("frequency_penalty", "The same, times how often they came"),
    sampling<&SamplingParams::seed>("seed", "The same seed and prompt give the same answer"),
    own<&GenerationSettings::max_tokens>("max_tokens", "Longest answer in tokens; 0: what the context holds"),
    own<&GenerationSettings::min_tokens>("min_tokens", "Shortest answer in tokens"),
    GenerationParameter{"stop", "Text that ends the answer", set_stop, get_stop},
    GenerationParameter{"ignore_eos", "Go on after the model's end of text", set_ignore_eos, get_ignore_eos},
};
// The others are written otherwise on the command line: --stop may be given again, --ignore-eos has no value.
constexpr std::span kNumbers = std::span(kParameters).first<kParameters.size() - 2>();

std::string with(std::string_view name, char from, char to) {
  std::string out(name);
  std::replace(out.begin(), out.end(), from, to);
  return out;
}

}  // namespace

Request GenerationSettings::request(std::vector<TokenId> prompt) const {
  Request request;
  request.prompt = std::move(prompt);
  request.sampling = sampling;
  request.max_tokens = max_tokens;
  request.min_tokens = min_tokens;
  request.ignore_eos = ignore_eos;
  request.stop = stop;
  return request;
}

std::span<const GenerationParameter> generation_parameters() { return kParameters; }

Status set_generation_parameter(GenerationSettings& settings, std::string_view name, std::string_view text) {
  const std::string wanted = with(name, '-', '_');
  for (const GenerationParameter& parameter : kParameters) {
    if (parameter.name == wanted) return parameter.set(settings, text);
  }
  std::string known;
  for (const GenerationParameter& parameter : kParameters) {
    known += (known.empty() ? "" : ", ") + std::string(parameter.name);
  }
  return Error{ErrorCode::kInvalidArgument, "there is no parameter \"" + std::string(name) + "\"",
               "there are: " + known};
}

void GenerationOptions::add_to(CLI::App& command) {
  const std::string group = "How answers are generated (defaults: the model's own)";
  for (const GenerationParameter& parameter : kNumbers) {
    command
        .add_option_function<std::string>(
            "--" + with(parameter.name, '_', '-'),
            [this, &parameter](const std::string& text) { changes_.emplace_back(parameter.name, text); },
            std::string(parameter.help))
        ->check([&parameter](const std::string& text) {
          GenerationSettings settings;
          const Status status = parameter.set(settings, text);
          return status.ok() ? std::string() : status.error().to_string();
        })
        ->type_name("NUMBER")
        ->group(group);
  }
  command.add_option("--stop", stop_, "Text that ends the answer (may be given again)")
      ->allow_extra_args(false)
      ->type_name("TEXT")
      ->group(group);
  command.add_flag("--ignore-eos", ignore_eos_, "Go on after the model's end of text")->group(group);
}

Result<GenerationSettings> GenerationOptions::settings(const SamplingParams& defaults) const {
  GenerationSettings settings;
  settings.sampling = defaults;
  for (const auto& [name, text] : changes_) RETURN_IF_ERROR(set_generation_parameter(settings, name, text));
  settings.stop = stop_;
  settings.ignore_eos = ignore_eos_;
  return settings;
}

}  // namespace ingle
