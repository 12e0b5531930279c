#include "server/ollama_common.h"

#include "server/served_model.h"

namespace ingle {

std::string full_model_name(std::string_view name) {
  std::string out(name);
  if (out.find(':') == std::string::npos) out += kLatestTag;
  return out;
}

std::unique_ptr<Answer> json_answer(const boost::json::object& body) {
  HttpResponse response;
  response.body = boost::json::serialize(body) + "\n";
  return answer_with(std::move(response));
}

}  // namespace ingle
