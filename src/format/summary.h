// What a GGUF file says of itself in a line: for lists, `ingle show` and the engine's model information.
// Pure function of an open file, any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "format/gguf.h"

namespace ingle {

struct ModelSummary {
  std::string name;          // general.name; may be empty
  std::string architecture;  // general.architecture; "unknown" if the file names none
  std::string
      quantization;  // "Q4_K_M" by general.file_type, else the type that holds most values; "none" without tensors
  uint64_t file_bytes = 0;  // all parts together
  uint64_t parameters = 0;
  uint64_t trained_context = 0;                // tokens; 0 if the file does not say
  std::map<std::string, uint64_t> type_bytes;  // tensor bytes per type name
};

ModelSummary summarize(const GgufFile& file);

}  // namespace ingle
