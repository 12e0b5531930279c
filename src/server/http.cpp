#include "server/http.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

namespace ingle {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string_view reason(unsigned status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    default:
      return "Unknown";
  }
}

class FixedAnswer final : public Answer {
 public:
  explicit FixedAnswer(HttpResponse response) : response_(std::move(response)) {}
  Part take() override { return {.start = std::move(response_), .more = {}, .last = true}; }
  void stop() override {}

 private:
  HttpResponse response_;
};

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// What is behind the "http://" of a URL; nothing if it is none.
std::optional<std::string_view> behind_scheme(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (equal_ignoring_case(target.substr(0, scheme.size()), scheme)) return target.substr(scheme.size());
  }
  return std::nullopt;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

std::string_view HttpRequest::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (equal_ignoring_case(key, name)) return value;
  }
  return {};
}

void set_target(HttpRequest& request, std::string_view target) {
  if (const std::optional<std::string_view> rest = behind_scheme(target)) {
    const std::string_view authority = rest->substr(0, rest->find_first_of("/?"));
    // A URL that names no host, or a user, leads nowhere: it stays as it is, which is no path.
    if (!authority.empty() && authority.find('@') == std::string_view::npos) {
      request.authority = std::string(authority);
      target = rest->substr(authority.size());
      if (!target.starts_with('/')) target = "/";
    }
  }
  request.path = std::string(target.substr(0, target.find('?')));
  request.query = std::string(target.substr(std::min(target.size(), request.path.size() + 1)));
}

std::string framing_fault(const HttpRequest& request) {
  size_t hosts = 0, lengths = 0, encodings = 0;
  for (const auto& [name, value] : request.headers) {
    hosts += equal_ignoring_case(name, "Host");
    if (equal_ignoring_case(name, "Content-Length") && (++lengths > 1 || !is_number(value))) {
      return "Content-Length must be one number";
    }
    if (!equal_ignoring_case(name, "Transfer-Encoding")) continue;
    if (++encodings > 1 || !equal_ignoring_case(value, "chunked")) return "Transfer-Encoding may only be chunked";
    if (request.version < 11) return "HTTP/1.0 has no Transfer-Encoding";
  }
  if (lengths > 0 && encodings > 0) return "Content-Length and Transfer-Encoding exclude each other";
  if (hosts > 1) return "there is more than one Host header";
  return hosts == 0 && request.version >= 11 ? "the Host header is missing" : "";
}

std::string http_date(std::time_t seconds) { return fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(seconds)); }

std::unique_ptr<Answer> answer_with(HttpResponse response) {
  return std::make_unique<FixedAnswer>(std::move(response));
}

std::string head_text(const HttpResponse& response, std::string_view request_id, const HeadOptions& options) {
  std::string out = fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nx-request-id: {}\r\n", response.status,
                                reason(response.status), response.content_type, request_id);
  // As Anthropic's clients look for it.
  out += fmt::format("request-id: {}\r\n", request_id);
  if (options.length) out += fmt::format("Content-Length: {}\r\n", *options.length);
  if (!options.length && options.chunked) out += "Transfer-Encoding: chunked\r\n";
  for (const auto& [name, value] : response.headers) out += fmt::format("{}: {}\r\n", name, value);
  for (const auto& [name, value] : options.more) out += fmt::format("{}: {}\r\n", name, value);
  out += options.keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  return out;
}

std::string chunk_text(std::string_view bytes) { return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes); }

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

bool is_sane_id(std::string_view id) {
  return !id.empty() && id.size() <= 128 &&
         std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

}  // namespace ingle
