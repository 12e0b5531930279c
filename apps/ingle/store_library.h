// The store as the server's library of models. Any thread.
#pragma once

#include <optional>

#include "server/model_library.h"
#include "store/store.h"

namespace ingle {

class StoreLibrary final : public ModelLibrary {
 public:
  // `served`: the name of the model that is being served, which stays.
  StoreLibrary(Store store, std::optional<ModelRef> served) : store_(std::move(store)), served_(std::move(served)) {}

  Result<std::vector<LibraryModel>> list() override;
  Result<LibraryModel> find(const std::string& name) override;
  Result<std::filesystem::path> file(const std::string& name) override;
  Status copy(const std::string& from, const std::string& to) override;
  Status remove(const std::string& name) override;

 private:
  Store store_;  // keeps nothing but its folder's path; the locks are in the file system
  const std::optional<ModelRef> served_;
};

}  // namespace ingle
