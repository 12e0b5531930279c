// Who may ask. With keys, every request but those about health must carry one. Without keys, requests that a web page
// of another site could make a browser send are refused: the Host must be one that DNS rebinding can't give, and an
// Origin must be the server's own. Immutable; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/api_error.h"
#include "server/digest.h"
#include "server/http.h"

namespace ingle {

struct AccessOptions {
  std::vector<std::string> keys;
  std::vector<std::string> hosts;  // names that requests may give as Host, besides IP addresses and localhost
};

class Access {
 public:
  explicit Access(const AccessOptions& options);
  bool needs_key() const { return !keys_.empty(); }
  // Nothing if the request may be answered. `open`: it needs no key.
  std::optional<ApiError> refuse(const HttpRequest& request, bool open) const;

 private:
  bool is_known_key(std::string_view key) const;
  bool is_known_host(std::string_view host) const;

  std::vector<Sha256> keys_;  // not kept as they are, so that they are in no core dump
  std::vector<std::string> hosts_;
};

// Without the port: "[::1]:80" gives "[::1]".
std::string_view host_without_port(std::string_view host);
// "127.0.0.1", "[::1]"
bool is_ip_address(std::string_view host);
// Is an address that only this machine can reach? "localhost" too.
bool is_loopback(std::string_view host);

// The keys of a file: one a line, blank lines and those that begin with # left out. Errors: kInvalidData (a key with
// spaces or control characters, none at all).
Result<std::vector<std::string>> parse_key_file(std::string_view text);
// Errors: kInvalidArgument (empty, spaces, not visible ASCII).
Status check_key(std::string_view key);

}  // namespace ingle
