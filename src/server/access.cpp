#include "server/access.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace ingle {
namespace {

constexpr std::string_view kBearer = "Bearer ", kManage = "manage";

// The key of a request, in the style of OpenAI and Ollama, of Anthropic or of Azure; empty if there is none.
std::string_view key_of(const HttpRequest& request) {
  const std::string_view authorization = request.header("Authorization");
  if (authorization.size() > kBearer.size() && equal_ignoring_case(authorization.substr(0, kBearer.size()), kBearer)) {
    return authorization.substr(kBearer.size());
  }
  const std::string_view key = request.header("x-api-key");
  return key.empty() ? request.header("api-key") : key;
}

bool ends_with_ignoring_case(std::string_view text, std::string_view end) {
  return text.size() > end.size() && equal_ignoring_case(text.substr(text.size() - end.size()), end);
}

// As others on its network call it; empty if it has none.
std::string own_host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "";
  return name.data();
}

constexpr size_t kMaxHeaderList = 1024;

// "authorization, content-type", as browsers send it.
bool is_header_list(std::string_view text) {
  constexpr std::string_view kOthers = "-_, ";
  return !text.empty() && text.size() <= kMaxHeaderList && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kOthers.find(c) != std::string_view::npos;
  });
}

std::string_view authority_of_origin(std::string_view origin) {
  const size_t at = origin.find("://");
  return at == std::string_view::npos ? std::string_view() : origin.substr(at + 3);
}

// RFC 3986, 3.1, as browsers write it.
bool is_scheme(std::string_view text) {
  constexpr std::string_view kOthers = "+.-";
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  return !text.empty() && is_letter(text.front()) && std::all_of(text.begin(), text.end(), [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || kOthers.find(c) != std::string_view::npos;
  });
}

std::vector<std::string_view> words_of(std::string_view line) {
  constexpr std::string_view kSpaces = " \t\r";
  std::vector<std::string_view> words;
  for (size_t begin = 0; (begin = line.find_first_not_of(kSpaces, begin)) != std::string_view::npos;) {
    const size_t end = std::min(line.find_first_of(kSpaces, begin), line.size());
    words.push_back(line.substr(begin, end - begin));
    begin = end;
  }
  return words;
}

// "answers=4" and its like.
bool read_limit(std::string_view word, KeyLimits& limits) {
  constexpr std::pair<std::string_view, uint32_t KeyLimits::*> kNames[] = {
      {"answers=", &KeyLimits::answers}, {"requests=", &KeyLimits::requests}, {"tokens=", &KeyLimits::tokens}};
  for (const auto& [name, limit] : kNames) {
    if (!word.starts_with(name)) continue;
    const char* end = word.data() + word.size();
    const auto [read, code] = std::from_chars(word.data() + name.size(), end, limits.*limit);
    return code == std::errc() && read == end && limits.*limit > 0;
  }
  return false;
}

std::optional<ApiKey> parse_key(const std::vector<std::string_view>& words) {
  ApiKey out{.key = std::string(words.front()), .limits = {}, .manages = false};
  if (!check_key(out.key).ok()) return std::nullopt;
  for (size_t i = 1; i < words.size(); i++) {
    if (words[i] == kManage) {
      out.manages = true;
    } else if (!read_limit(words[i], out.limits)) {
      return std::nullopt;
    }
  }
  return out;
}

Error bad_line(size_t line, const char* what) {
  return {ErrorCode::kInvalidData, fmt::format("line {} of the file of API keys {}", line, what),
          "write one key a line, and its limits after it: KEY answers=4 requests=60 tokens=100000"};
}

ApiError forbidden(std::string message) {
  return {.status = 403, .message = std::move(message), .param = {}, .code = "forbidden"};
}

}  // namespace

Access::Access(const AccessOptions& options)
    : hosts_(options.hosts),
      origins_(options.origins),
      any_origin_(std::find(origins_.begin(), origins_.end(), "*") != origins_.end()),
      all_manage_(options.all_manage) {
  if (const std::string own = own_host_name(); !own.empty()) {
    hosts_.push_back(own);
    hosts_.push_back(own + ".local");
  }
  for (const ApiKey& key : options.keys) {
    keys_.push_back({.digest = sha256(key.key),
                     .account = key.limits.any() ? std::make_shared<KeyAccount>(key.limits) : nullptr,
                     .manages = key.manages});
  }
}

// Looks at every key, so that the time it takes tells nothing.
const Access::Known* Access::find_key(std::string_view key) const {
  const Sha256 given = sha256(key);
  const Known* found = nullptr;
  for (const Known& known : keys_) found = equal_in_constant_time(known.digest, given) ? &known : found;
  return found;
}

std::optional<ApiError> Access::refuse_by_key(HttpRequest& request) const {
  const std::string_view key = key_of(request);
  const Known* known = key.empty() ? nullptr : find_key(key);
  if (known == nullptr) {
    // Clients know OpenAI's words for a wrong key (LiteLLM: as no fault of the request's).
    return ApiError{.status = 401,
                    .message = key.empty() ? "an API key is needed (send it as Authorization: Bearer KEY)"
                                           : "Incorrect API key provided: it is not known here",
                    .param = {},
                    .code = "invalid_api_key"};
  }
  request.account = known->account;
  request.cache_owner = static_cast<uint64_t>(known - keys_.data());
  request.may_manage = known->manages;
  request.has_key = true;
  return std::nullopt;
}

bool Access::is_known_host(std::string_view host) const {
  host = host_without_port(host);
  if (is_ip_address(host) || is_loopback(host)) return true;
  // As containers call the machine that they run on (host.docker.internal). ICANN has reserved the ending for private
  // use: no public DNS has such a name, so no site can have one and make it lead here.
  if (ends_with_ignoring_case(host, ".internal")) return true;
  return std::any_of(hosts_.begin(), hosts_.end(),
                     [&](const std::string& name) { return equal_ignoring_case(name, host); });
}

std::optional<ApiError> Access::refuse(HttpRequest& request, bool open) const {
  if (needs_key()) return open ? std::nullopt : refuse_by_key(request);
  const std::string_view host = request.host(), origin = request.header("Origin");
  if (!host.empty() && !is_known_host(host)) {
    return forbidden("the Host of the request is not one of this server's (--allowed-host names more)");
  }
  const bool own = origin.empty() || (!host.empty() && equal_ignoring_case(authority_of_origin(origin), host));
  if (!own && !is_known_origin(origin)) {
    return forbidden("requests of web pages from other origins are refused (--cors-origin names those that may)");
  }
  // Other sites' pages may ask for answers, and no more.
  request.may_manage = all_manage_ && own;
  return std::nullopt;
}

bool Access::is_known_origin(std::string_view origin) const {
  if (origin.empty()) return false;
  return any_origin_ || std::any_of(origins_.begin(), origins_.end(),
                                    [&](const std::string& name) { return equal_ignoring_case(name, origin); });
}

HttpHeaders Access::cors_headers(const HttpRequest& request) const {
  if (origins_.empty()) return {};
  HttpHeaders headers;
  // Caches must not give one page's answer to another.
  if (!any_origin_) headers.emplace_back("Vary", "Origin");
  const std::string_view origin = request.header("Origin");
  if (!is_known_origin(origin)) return headers;
  headers.emplace_back("Access-Control-Allow-Origin", any_origin_ ? "*" : std::string(origin));
  headers.emplace_back("Access-Control-Expose-Headers", "x-request-id, request-id, Retry-After");
  return headers;
}

std::optional<HttpResponse> Access::preflight(const HttpRequest& request, std::string_view methods) const {
  if (request.method != "OPTIONS" || request.header("Access-Control-Request-Method").empty()) return std::nullopt;
  if (methods.empty() || !is_known_origin(request.header("Origin"))) return std::nullopt;
  HttpResponse response;
  response.content_type = "text/plain";
  response.headers.emplace_back("Access-Control-Allow-Methods", methods);
  const std::string_view wanted = request.header("Access-Control-Request-Headers");
  if (is_header_list(wanted)) response.headers.emplace_back("Access-Control-Allow-Headers", wanted);
  response.headers.emplace_back("Access-Control-Max-Age", "600");
  // The page of a public site asks for a machine of the visitor's own network: only where the owner has named it.
  if (!any_origin_ && request.header("Access-Control-Request-Private-Network") == "true") {
    response.headers.emplace_back("Access-Control-Allow-Private-Network", "true");
  }
  return response;
}

std::string_view host_without_port(std::string_view host) {
  const size_t colon = host.rfind(':'), bracket = host.rfind(']');
  if (colon == std::string_view::npos) return host;
  if (bracket != std::string_view::npos && colon < bracket) return host;
  // An IPv6 address without brackets has no port.
  if (bracket == std::string_view::npos && host.find(':') != colon) return host;
  return host.substr(0, colon);
}

bool is_ip_address(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const std::string text(host);
  unsigned char address[16];
  return inet_pton(AF_INET, text.c_str(), address) == 1 || inet_pton(AF_INET6, text.c_str(), address) == 1;
}

bool is_loopback(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (equal_ignoring_case(host, "localhost") || host == "::1") return true;
  if (ends_with_ignoring_case(host, ".localhost")) return true;
  return is_ip_address(host) && host.starts_with("127.") && host.find(':') == std::string_view::npos;
}

Status check_origin(std::string_view origin) {
  const std::string_view authority = authority_of_origin(origin);
  const auto fits = [](char c) { return c > ' ' && c < '\x7f' && c != '/' && c != '*' && c != ','; };
  const bool is_origin = is_scheme(origin.substr(0, origin.find("://"))) && !authority.empty() &&
                         std::all_of(authority.begin(), authority.end(), fits);
  if (origin == "*" || is_origin) return {};
  return Error{ErrorCode::kInvalidArgument, "--cors-origin must be an origin as browsers send it, or *",
               "such as https://app.example, http://localhost:3000 or app://obsidian.md, without a path"};
}

Status check_key(std::string_view key) {
  const auto visible = [](char c) { return c > ' ' && c < '\x7f'; };
  if (!key.empty() && std::all_of(key.begin(), key.end(), visible)) return {};
  return Error{ErrorCode::kInvalidArgument, "an API key must be visible ASCII characters without spaces", ""};
}

Result<std::vector<ApiKey>> parse_key_file(std::string_view text) {
  std::vector<ApiKey> keys;
  for (size_t line = 1; !text.empty(); line++) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::vector<std::string_view> words = words_of(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (words.empty() || words.front().starts_with('#')) continue;
    const std::optional<ApiKey> key = parse_key(words);
    if (!key) return bad_line(line, "is no key with its limits");
    for (const ApiKey& other : keys) {
      if (other.key == key->key) return bad_line(line, "has the key of another line");
    }
    keys.push_back(*key);
  }
  if (keys.empty()) return Error{ErrorCode::kInvalidData, "the file of API keys has no key", "write one key a line"};
  return keys;
}

}  // namespace ingle
