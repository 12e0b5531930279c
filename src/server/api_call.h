// What the handler of a path gets and gives. Api::route has read the body and found the model before; what a handler
// refuses is said in the words of the API that the path belongs to.
#pragma once

#include <memory>
#include <variant>

#include "server/api_error.h"
#include "server/http.h"
#include "server/request_fields.h"
#include "server/response_store.h"
#include "server/served_model.h"

namespace ingle {

struct ApiCall {
  const HttpRequest& request;
  ServedModels& models;
  RequestFields& fields;  // of the body; of an empty object where the path takes none
  const std::shared_ptr<ResponseStore> responses;
  const std::shared_ptr<ServedModel> model;  // that the body names; null where the path is for none
};

using Reply = std::variant<std::unique_ptr<Answer>, ApiError>;
using Handler = Reply (*)(ApiCall&);

}  // namespace ingle
