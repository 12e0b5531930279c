// Who may ask, and how much. With keys, every request but those about health must carry one. Without keys, requests
// that a web page of another site could make a browser send are refused: the Host must be one that DNS rebinding can't
// give, and an Origin must be the server's own or one that was named. Immutable but for the keys' accounts; any thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/api_error.h"
#include "server/digest.h"
#include "server/http.h"
#include "server/key_account.h"

namespace ingle {

struct ApiKey {
  std::string key;
  KeyLimits limits = {};
  bool manages = false;  // may copy and delete models
};

struct AccessOptions {
  std::vector<ApiKey> keys = {};
  std::vector<std::string> hosts = {};    // names that requests may give as Host, besides those below
  std::vector<std::string> origins = {};  // of web pages that may use the server; "*": all
  bool open_metrics = false;              // /metrics needs no key
  bool all_manage = false;                // without keys: whoever reaches the server may copy and delete models
};

class Access {
 public:
  explicit Access(const AccessOptions& options);
  bool needs_key() const { return !keys_.empty(); }
  // Nothing if the request may be answered; then it is noted in it whose it is: its account, the owner of what it
  // leaves in the prefix cache, and what it may do. `open`: it needs no key.
  std::optional<ApiError> refuse(HttpRequest& request, bool open) const;

  // What lets the request's page read the answer (CORS); empty if it may not, or no page has asked. Credentials that
  // the browser adds by itself are never asked for: a page has to have a key of its own.
  HttpHeaders cors_headers(const HttpRequest& request) const;
  // A browser asks by OPTIONS whether a page may send its request, which takes one of the methods: yes. Nothing if it
  // is no such question, or the page is not one that was named.
  std::optional<HttpResponse> preflight(const HttpRequest& request, std::string_view methods) const;

 private:
  struct Known {
    Sha256 digest;  // the key is not kept as it is, so that it is in no core dump
    std::shared_ptr<KeyAccount> account;
    bool manages = false;
  };
  std::optional<ApiError> refuse_by_key(HttpRequest& request) const;
  const Known* find_key(std::string_view key) const;
  // IP addresses, localhost, this machine's name, names that no public DNS has, and those of the options.
  bool is_known_host(std::string_view host) const;
  bool is_known_origin(std::string_view origin) const;

  std::vector<Known> keys_;
  std::vector<std::string> hosts_, origins_;
  bool any_origin_ = false;
  bool all_manage_;
};

// Without the port: "[::1]:80" gives "[::1]".
std::string_view host_without_port(std::string_view host);
// "127.0.0.1", "[::1]"
bool is_ip_address(std::string_view host);
// Is an address that only this machine can reach? "localhost" too.
bool is_loopback(std::string_view host);

// The keys of a file: one a line, with its limits, as in "KEY answers=4 requests=60 tokens=100000", and the word
// "manage" if it may copy and delete models; blank lines and those that begin with # are left out. Errors: kInvalidData
// names the line (not such a one, the key of another line), or says that there is none.
Result<std::vector<ApiKey>> parse_key_file(std::string_view text);
// "https://app.example:8080", "chrome-extension://ID", or "*". Errors: kInvalidArgument.
Status check_origin(std::string_view origin);
// Errors: kInvalidArgument (empty, spaces, not visible ASCII).
Status check_key(std::string_view key);

}  // namespace ingle
