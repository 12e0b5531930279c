#include "server/access.h"

#include <arpa/inet.h>

#include <algorithm>

namespace ingle {
namespace {

constexpr std::string_view kBearer = "Bearer ";

// The key of a request, in the style of OpenAI and Ollama or of Anthropic; empty if there is none.
std::string_view key_of(const HttpRequest& request) {
  const std::string_view authorization = request.header("Authorization");
  if (authorization.size() > kBearer.size() && equal_ignoring_case(authorization.substr(0, kBearer.size()), kBearer)) {
    return authorization.substr(kBearer.size());
  }
  return request.header("x-api-key");
}

std::string_view authority_of_origin(std::string_view origin) {
  const size_t at = origin.find("://");
  return at == std::string_view::npos ? std::string_view() : origin.substr(at + 3);
}

ApiError forbidden(std::string message) {
  return {.status = 403, .message = std::move(message), .param = {}, .code = "forbidden"};
}

}  // namespace

Access::Access(const AccessOptions& options) : hosts_(options.hosts) {
  for (const std::string& key : options.keys) keys_.push_back(sha256(key));
}

bool Access::is_known_key(std::string_view key) const {
  const Sha256 given = sha256(key);
  bool known = false;
  for (const Sha256& one : keys_) known |= equal_in_constant_time(one, given);
  return known;
}

bool Access::is_known_host(std::string_view host) const {
  host = host_without_port(host);
  if (is_ip_address(host) || is_loopback(host)) return true;
  return std::any_of(hosts_.begin(), hosts_.end(),
                     [&](const std::string& name) { return equal_ignoring_case(name, host); });
}

std::optional<ApiError> Access::refuse(const HttpRequest& request, bool open) const {
  if (needs_key()) {
    if (open) return std::nullopt;
    const std::string_view key = key_of(request);
    if (!key.empty() && is_known_key(key)) return std::nullopt;
    return ApiError{.status = 401,
                    .message = key.empty() ? "an API key is needed (send it as Authorization: Bearer KEY)"
                                           : "the API key is not known here",
                    .param = {},
                    .code = "invalid_api_key"};
  }
  const std::string_view host = request.header("Host"), origin = request.header("Origin");
  if (!host.empty() && !is_known_host(host)) {
    return forbidden("the Host of the request is not one of this server's (--allowed-host names more)");
  }
  if (!origin.empty() && (host.empty() || !equal_ignoring_case(authority_of_origin(origin), host))) {
    return forbidden("requests of web pages from other origins are refused");
  }
  return std::nullopt;
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
  constexpr std::string_view kSuffix = ".localhost";
  if (host.size() > kSuffix.size() && equal_ignoring_case(host.substr(host.size() - kSuffix.size()), kSuffix)) {
    return true;
  }
  return is_ip_address(host) && host.starts_with("127.") && host.find(':') == std::string_view::npos;
}

Status check_key(std::string_view key) {
  const auto visible = [](char c) { return c > ' ' && c < '\x7f'; };
  if (!key.empty() && std::all_of(key.begin(), key.end(), visible)) return {};
  return Error{ErrorCode::kInvalidArgument, "an API key must be visible ASCII characters without spaces", ""};
}

Result<std::vector<std::string>> parse_key_file(std::string_view text) {
  std::vector<std::string> keys;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    if (!check_key(line).ok()) {
      return Error{ErrorCode::kInvalidData, "the file of API keys has a line that is no key",
                   "write one key a line, in visible ASCII characters without spaces"};
    }
    keys.emplace_back(line);
  }
  if (keys.empty()) return Error{ErrorCode::kInvalidData, "the file of API keys has no key", "write one key a line"};
  return keys;
}

}  // namespace ingle
