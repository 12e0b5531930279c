// What an answer has to look like, as OpenAI's requests say it (response_format) and those of vLLM and llama.cpp
// (structured_outputs, guided_json, guided_regex, guided_grammar, guided_choice, json_schema, grammar). Runs on the
// server's workers.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "grammar/grammar_text.h"
#include "grammar/grammars.h"
#include "server/request_fields.h"

namespace ingle {

struct WantedOutput {
  std::string field;  // that asks for it
  // Compiles it; comes when all that is quick to refuse has been seen to.
  std::function<Grammars::Compiled(Grammars&)> compile;
  // The same as a part of a greater grammar; empty where it can't be one.
  std::function<Result<GrammarText::Expression>(GrammarText&)> write = {};
};

// What the fields ask for, if anything.
std::optional<WantedOutput> read_structured_output(RequestFields& fields);

// The error of compiling: 400 for what can't be had, 429 while too many others are being compiled.
ApiError output_error(const WantedOutput& wanted, const Error& error);

}  // namespace ingle
