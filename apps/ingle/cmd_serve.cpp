#include <fmt/format.h>

#include <algorithm>
#include <memory>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "base/format_units.h"
#include "command.h"
#include "files.h"
#include "format/gguf.h"
#include "model_options.h"
#include "server/server.h"
#include "server/tls.h"
#include "store/files.h"
#include "store_library.h"

namespace ingle {
namespace {

constexpr size_t kMaxKeyFileBytes = size_t{1} << 20;

struct Options {
  ModelOptions model;
  ServerOptions server;
  std::vector<std::string> keys, hosts, origins, aliases;
  std::string key_file, tls_cert, tls_key;
  bool no_auth = false, open_metrics = false;
  uint32_t port = 11434, max_waiting = 256, max_body_mib = 16, drain_seconds = 30, kv_mib = 0;
};

// Checked before a model is loaded, which takes time.
Result<AccessOptions> access_of(const Options& options) {
  AccessOptions access{.keys = {},
                       .hosts = options.hosts,
                       .origins = options.origins,
                       .open_metrics = options.open_metrics,
                       .all_manage = !options.no_auth || is_loopback(options.server.host)};
  for (const std::string& key : options.keys) {
    RETURN_IF_ERROR(check_key(key));
    access.keys.push_back({.key = key, .limits = {}, .manages = false});
  }
  if (!options.key_file.empty()) {
    ASSIGN_OR_RETURN(const std::string text, read_input(options.key_file, kMaxKeyFileBytes));
    ASSIGN_OR_RETURN(const std::vector<ApiKey> more, parse_key_file(text));
    access.keys.insert(access.keys.end(), more.begin(), more.end());
  }
  if (options.no_auth && !access.keys.empty()) {
    return Error{ErrorCode::kInvalidArgument, "--no-auth and API keys exclude each other", ""};
  }
  if (access.keys.empty() && !options.no_auth && !is_loopback(options.server.host)) {
    return Error{ErrorCode::kInvalidArgument, "at " + options.server.host + " others could use this server",
                 "protect it with --api-key-file or --api-key, or say --no-auth"};
  }
  for (const std::string& origin : options.origins) {
    RETURN_IF_ERROR(check_origin(origin));
    if (origin != "*" || options.no_auth || !access.keys.empty()) continue;
    return Error{ErrorCode::kInvalidArgument, "with --cors-origin \"*\" every web page could use this server",
                 "name the origins, protect the server with --api-key-file or --api-key, or say --no-auth"};
  }
  if (!is_ip_address(options.server.host)) access.hosts.push_back(options.server.host);
  return access;
}

bool is_path(const std::string& model) { return model.find('/') != std::string::npos || model.ends_with(".gguf"); }

// SHA-256 of a file, which the store knows of its own.
Result<std::string> digest_of_file(const std::filesystem::path& path, Console& console) {
  constexpr std::string_view kBlob = "sha256-";
  const std::string name = path.filename().string();
  if (name.starts_with(kBlob)) return name.substr(kBlob.size());
  ASSIGN_OR_RETURN(const FileFacts facts, file_facts(path));
  Result<std::string> digest = sha256_of_file(path, [&](uint64_t done) {
    console.progress("checking",
                     static_cast<double>(done) / static_cast<double>(std::max<uint64_t>(facts.size_bytes, 1)));
  });
  console.end_progress();
  return digest;
}

// Of a split model, the digests of all its parts.
Result<std::string> digest_of(const std::filesystem::path& path, Console& console) {
  constexpr std::string_view kFirst = "-00001-of-";
  ASSIGN_OR_RETURN(std::string digest, digest_of_file(path, console));
  const std::string name = path.filename().string();
  const size_t at = name.rfind(kFirst);
  if (at == std::string::npos) return digest;
  ASSIGN_OR_RETURN(const GgufFile file, GgufFile::open(path));
  for (uint32_t part = 2; part <= file.parts(); part++) {
    std::string other = name;
    other.replace(at, kFirst.size(), fmt::format("-{:05}-of-", part));
    ASSIGN_OR_RETURN(const std::string more, digest_of_file(path.parent_path() / other, console));
    digest += more;
  }
  return digest;
}

Result<ServedModelOptions> served_options(const Options& options, const AccessOptions& access, Console& console) {
  ServedModelOptions out;
  const std::string& model = options.model.model;
  out.id = is_path(model) ? valid_utf8(std::filesystem::path(model).stem().string()) : model;
  out.aliases = options.aliases;
  ASSIGN_OR_RETURN(out.file, find_model(model, console));
  ASSIGN_OR_RETURN(out.digest, digest_of(out.file, console));
  out.kv_type = options.model.engine.kv_type;
  out.max_open = options.model.engine.max_sequences + options.max_waiting;
  out.many_owners = access.keys.size() > 1;
  return out;
}

// Null if it is not asked for.
Result<std::shared_ptr<boost::asio::ssl::context>> tls_of(const Options& options) {
  if (options.tls_cert.empty() && options.tls_key.empty()) return std::shared_ptr<boost::asio::ssl::context>();
  if (options.tls_cert.empty() || options.tls_key.empty()) {
    return Error{ErrorCode::kInvalidArgument, "TLS takes a certificate and its key",
                 "give both --tls-cert and --tls-key"};
  }
  ASSIGN_OR_RETURN(const std::string certificates, read_input(options.tls_cert, kMaxKeyFileBytes));
  ASSIGN_OR_RETURN(const std::string key, read_input(options.tls_key, kMaxKeyFileBytes));
  return load_tls(certificates, key);
}

// The C library would have eight pools of memory for each core, and each would keep what the largest answer took that
// was made by one of its threads: slow readers of long answers left 10 to 35 MB behind. Few threads allocate at a time.
void share_memory_between_threads() {
#ifdef __GLIBC__
  ::mallopt(M_ARENA_MAX, 2);
#endif
}

Status serve(const Options& options, Console& console) {
  share_memory_between_threads();
  ASSIGN_OR_RETURN(const AccessOptions access, access_of(options));
  ServerOptions server = options.server;
  ASSIGN_OR_RETURN(server.tls, tls_of(options));
  ASSIGN_OR_RETURN(const LoadedEngine loaded, load_engine(options.model, console));
  ASSIGN_OR_RETURN(ServedModelOptions served, served_options(options, access, console));
  ASSIGN_OR_RETURN(const std::shared_ptr<ServedModel> model, serve_engine(*loaded.engine, std::move(served)));
  const ModelInfo& info = loaded.engine->info();
  console.note(fmt::format("{}: {} {}, {}, context {} tokens, {} of KV pages", printable(model->id, false),
                           info.architecture, info.quantization, info.backend, info.context,
                           format_bytes(info.kv_bytes)));
  if (!info.context_note.empty() && options.model.engine.context == 0) console.note("Note: " + info.context_note);
  if (options.no_auth && !is_loopback(options.server.host)) {
    console.note("Note: without API keys, whoever reaches this machine can use the server.");
  }
  ASSIGN_OR_RETURN(Store store, open_store());
  const Result<ModelRef> ref = ModelRef::parse(options.model.model);
  StoreLibrary library(std::move(store),
                       ref.ok() && !is_path(options.model.model) ? std::optional(*ref) : std::nullopt);
  OneModel models(model, &library);
  Api api(access, models);
  return run_server(server, api, [&](const std::string& url) { console.note("listening on " + url); });
}

void add_access_options(CLI::App& command, Options& options) {
  const std::string group = "Who may ask";
  command.add_option("--api-key", options.keys, "A key that requests must carry (may be given again)")
      ->allow_extra_args(false)
      ->envname("INGLE_API_KEY")
      ->type_name("KEY")
      ->group(group);
  command.add_option("--api-key-file", options.key_file, "A file of such keys, one a line, with their limits")
      ->type_name("FILE")
      ->group(group);
  command.add_flag("--no-auth", options.no_auth, "No keys, even where other machines can reach the server")
      ->group(group);
  command.add_flag("--open-metrics", options.open_metrics, "/metrics needs no key, for scrapers that send none")
      ->group(group);
  command.add_option("--allowed-host", options.hosts, "A name by which clients reach the server (may be given again)")
      ->allow_extra_args(false)
      ->type_name("NAME")
      ->group(group);
}

void add_browser_and_tls_options(CLI::App& command, Options& options) {
  command
      .add_option("--cors-origin", options.origins, "A web page's origin that may use the server (may be given again)")
      ->allow_extra_args(false)
      ->type_name("ORIGIN")
      ->group("Who may ask");
  command.add_option("--tls-cert", options.tls_cert, "Serve https with this certificate (PEM, the chain after it)")
      ->type_name("FILE");
  command.add_option("--tls-key", options.tls_key, "The certificate's private key (PEM)")->type_name("FILE");
}

void add_limit_options(CLI::App& command, Options& options) {
  const std::string group = "Limits";
  add_number(command, "--max-sequences", options.model.engine.max_sequences, 1, 4096,
             "Answers generated at the same time (default: 32)")
      ->group(group);
  add_number(command, "--max-waiting", options.max_waiting, 0, 4000,
             "Answers that may wait beyond those before 429 is sent (default: 256)")
      ->group(group);
  add_number(command, "--max-step-ms", options.model.engine.max_step_ms, 0, 60'000,
             "Longest gap in running answers while prompts of others are computed (default: 100; "
             "0: no limit)")
      ->group(group);
  add_number(command, "--kv-mib", options.kv_mib, 1, 1u << 24,
             "Memory for keys and values of all answers together (default: what --max-sequences takes, if it fits)")
      ->group(group);
  add_number(command, "--max-body-mib", options.max_body_mib, 1, 1024, "Largest request (default: 16)")->group(group);
  add_number(command, "--drain-seconds", options.drain_seconds, 0, 3600,
             "Time to finish answers after SIGTERM (default: 30)")
      ->group(group);
}

}  // namespace

void add_serve(CLI::App& app, Console& console, Action& action) {
  CLI::App* command = app.add_subcommand("serve", "Serve a model over the APIs of OpenAI, Anthropic and Ollama");
  auto options = std::make_shared<Options>();
  add_model_options(*command, options->model);
  add_speculation_option(*command, options->model);
  options->model.engine.max_sequences = 32;
  command->add_option("--host", options->server.host, "Address to listen at (default: 127.0.0.1)")->type_name("HOST");
  add_number(*command, "--port", options->port, 0, 65535, "Port (default: 11434; 0: any that is free)");
  command->add_option("--alias", options->aliases, "Another name of the model (may be given again)")
      ->allow_extra_args(false)
      ->type_name("NAME");
  add_access_options(*command, *options);
  add_browser_and_tls_options(*command, *options);
  add_limit_options(*command, *options);
  command->callback([options, &console, &action] {
    options->server.port = static_cast<uint16_t>(options->port);
    options->model.engine.kv_bytes = uint64_t{options->kv_mib} << 20;
    options->server.max_body_bytes = uint64_t{options->max_body_mib} << 20;
    options->server.max_buffered_bytes =
        std::max(options->server.max_buffered_bytes, 2 * options->server.max_body_bytes);
    options->server.drain_timeout = std::chrono::seconds(options->drain_seconds);
    action = [options, &console] { return serve(*options, console); };
  });
}

}  // namespace ingle
