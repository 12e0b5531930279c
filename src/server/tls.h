// The server's certificate and key, and what TLS it speaks: 1.2 and 1.3, HTTP/1.1 alone. Immutable once loaded.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string_view>

#include "base/result.h"

namespace ingle {

// Both in PEM; the certificate first, then those that sign it. Errors: kInvalidData (there is no certificate or no key
// in it, the key is locked by a passphrase, or belongs to another certificate).
Result<std::shared_ptr<boost::asio::ssl::context>> load_tls(std::string_view certificates, std::string_view key);

}  // namespace ingle
