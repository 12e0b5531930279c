// The models that are kept on this machine, as Ollama's API lists, shows, copies and deletes them. The server knows no
// store: who starts it gives one. Any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace ingle {

struct LibraryModel {
  std::string name;    // "smollm2:latest"
  std::string digest;  // SHA-256 of its file, as hexadecimal digits
  uint64_t size_bytes = 0;
  int64_t modified_s = 0;  // since 1970
  std::string architecture, quantization;
  uint64_t parameters = 0;
};

// Names are those of the store: "smollm2" and "smollm2:latest" are the same.
class ModelLibrary {
 public:
  virtual ~ModelLibrary() = default;
  virtual Result<std::vector<LibraryModel>> list() = 0;
  // Errors: kNotFound.
  virtual Result<LibraryModel> find(const std::string& name) = 0;
  // The GGUF file to open, the first of a split model. Errors: those of find(), kInvalidData (it was changed).
  virtual Result<std::filesystem::path> file(const std::string& name) = 0;
  // Another name for a model. Errors: those of find(), kInvalidArgument (it can be no name, or stands for another
  // model).
  virtual Status copy(const std::string& from, const std::string& to) = 0;
  // Forgets a name, and the files that no other name needs. Errors: those of find(), kInvalidArgument (it is served).
  virtual Status remove(const std::string& name) = 0;
};

}  // namespace ingle
