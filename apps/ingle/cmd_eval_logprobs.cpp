#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <bit>
#include <charconv>
#include <limits>
#include <memory>

#include "base/hex.h"
#include "command.h"
#include "engine/sampler.h"
#include "files.h"
#include "model_options.h"
#include "prompt_logits.h"

namespace ingle {
namespace {

struct Options {
  ModelOptions model;
  std::string tokens_file;
  uint32_t top = 10;
  bool digest = false;
};

Result<std::vector<TokenId>> read_token_ids(const std::string& path) {
  ASSIGN_OR_RETURN(const boost::json::value value, read_json(path));
  const auto bad = [&](const std::string& what) {
    return Error{ErrorCode::kInvalidData, path + ": " + what, "`ingle tokenize` prints what is wanted here"};
  };
  if (!value.is_array()) return bad("token ids are a JSON array of integers");
  std::vector<TokenId> ids;
  for (const boost::json::value& item : value.get_array()) {
    const int64_t* id = item.if_int64();
    if (id == nullptr || *id < 0 || *id > std::numeric_limits<TokenId>::max()) {
      return bad(fmt::format("element {} is not a token id", ids.size()));
    }
    ids.push_back(static_cast<TokenId>(*id));
  }
  if (ids.empty()) return bad("there are no token ids");
  return ids;
}

template <typename Number>
void append_number(std::string& out, Number number) {
  char digits[32];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

// {"position":0,"ids":[...],"logprobs":[...]}, the shortest decimals that give the same floats again.
void write_position(uint32_t position, const std::vector<std::pair<TokenId, float>>& top, std::string& line,
                    Console& console) {
  line = "{\"position\":";
  append_number(line, position);
  line += ",\"ids\":[";
  for (const auto& [id, logprob] : top) {
    append_number(line, id);
    line += ',';
  }
  line.back() = ']';
  line += ",\"logprobs\":[";
  for (const auto& [id, logprob] : top) {
    append_number(line, logprob);
    line += ',';
  }
  line.back() = ']';
  line += "}\n";
  console.write(line);
}

Status write_logprobs(Engine& engine, std::vector<TokenId> ids, uint32_t top, Console& console) {
  Sampler sampler(engine.info().vocab);
  std::string line;
  return for_each_prompt_logits(engine, std::move(ids),
                                [&](uint32_t position, std::span<const float> logits) -> Status {
                                  const uint32_t n = std::min<uint32_t>(top, static_cast<uint32_t>(logits.size()));
                                  write_position(position, sampler.logprobs(logits, 0, n).top, line, console);
                                  return console.failed() ? console.flush() : Status();
                                });
}

Status write_digest(Engine& engine, std::vector<TokenId> ids, Console& console) {
  static_assert(std::endian::native == std::endian::little, "the digest is over little-endian floats");
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  CHECK(context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1);
  RETURN_IF_ERROR(
      for_each_prompt_logits(engine, std::move(ids), [&](uint32_t, std::span<const float> logits) -> Status {
        CHECK(EVP_DigestUpdate(context.get(), logits.data(), logits.size_bytes()) == 1);
        return {};
      }));
  std::array<uint8_t, 32> digest{};
  CHECK(EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1);
  console.write(to_hex(digest) + "\n");
  return {};
}

Status run(const Options& options, Console& console) {
  ASSIGN_OR_RETURN(std::vector<TokenId> ids, read_token_ids(options.tokens_file));
  ASSIGN_OR_RETURN(const LoadedEngine loaded, load_engine(options.model, console));
  if (options.digest) return write_digest(*loaded.engine, std::move(ids), console);
  return write_logprobs(*loaded.engine, std::move(ids), options.top, console);
}

}  // namespace

void add_eval_logprobs(CLI::App& eval, Console& console, Action& action) {
  CLI::App* command = eval.add_subcommand("logprobs", "Print the most likely next tokens at every position");
  auto options = std::make_shared<Options>();
  add_model_options(*command, options->model);
  command->add_option("--tokens", options->tokens_file, "JSON array of token ids, as `ingle tokenize` prints it")
      ->type_name("FILE")
      ->required();
  CLI::Option* top = add_number(*command, "--top", options->top, 1, std::numeric_limits<uint32_t>::max(),
                                "Tokens per position, up to the vocabulary (default: 10)");
  command->add_flag("--digest", options->digest, "Print only the SHA-256 over the raw f32 logits of all positions")
      ->excludes(top);
  command->callback([options, &console, &action] { action = [options, &console] { return run(*options, console); }; });
}

}  // namespace ingle
