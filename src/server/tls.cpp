#include "server/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509err.h>

#include <boost/asio/buffer.hpp>
#include <string>
#include <utility>

namespace ingle {
namespace {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

constexpr unsigned char kProtocols[] = "\x08http/1.1";

// Without a protocol in common the client's list is passed over: it may speak HTTP/1.1 all the same.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* length, const unsigned char* offered,
                    unsigned int offered_length, void*) {
  unsigned char* found = nullptr;
  const int outcome = SSL_select_next_proto(&found, length, kProtocols, sizeof kProtocols - 1, offered, offered_length);
  *chosen = found;
  return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

Error unfit(std::string message, std::string remedy) {
  ERR_clear_error();
  return {ErrorCode::kInvalidData, std::move(message), std::move(remedy)};
}

void configure(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // Sessions are resumed by tickets, which cost the server no memory.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
}

}  // namespace

Result<std::shared_ptr<ssl::context>> load_tls(std::string_view certificates, std::string_view key) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  configure(context->native_handle());
  error_code error;
  context->use_certificate_chain(boost::asio::buffer(certificates), error);
  if (error) {
    return unfit("there is no certificate in the file of --tls-cert: " + error.message(),
                 "it must be PEM, with the server's own certificate first");
  }
  // Never ask for a passphrase on the terminal.
  context->set_password_callback([](size_t, ssl::context::password_purpose) { return std::string(); }, error);
  context->use_private_key(boost::asio::buffer(key), ssl::context::pem, error);
  if (error && ERR_GET_REASON(static_cast<unsigned long>(error.value())) == X509_R_KEY_VALUES_MISMATCH) {
    return unfit("the key of --tls-key belongs to another certificate than that of --tls-cert",
                 "give the two files that were made together");
  }
  if (error && key.find("ENCRYPTED") != std::string_view::npos) {
    return unfit("the key of --tls-key is locked by a passphrase", "unlock it: openssl pkey -in KEY -out UNLOCKED");
  }
  if (error) {
    return unfit("there is no private key in the file of --tls-key: " + error.message(), "it must be PEM");
  }
  if (SSL_CTX_check_private_key(context->native_handle()) != 1) {
    return unfit("the key of --tls-key does not fit the certificate of --tls-cert",
                 "give the two files that were made together");
  }
  return context;
}

}  // namespace ingle
