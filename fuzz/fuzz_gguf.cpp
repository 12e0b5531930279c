// Any bytes as a GGUF file: refused with one line, or every key and tensor of it can be asked for.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "format/gguf.h"

using namespace ingle;

namespace {

template <typename T>
void check_error(const Result<T>& result) {
  if (result.ok()) return;
  CHECK(!result.error().message.empty());
  CHECK(result.error().to_string().find('\n') == std::string::npos);
}

void ask_for_keys(const GgufFile& file) {
  for (const GgufEntry& entry : file.metadata()) {
    CHECK(file.find(entry.key) == &entry.value);
    CHECK(!gguf_type_name(entry.value).empty());
    check_error(file.get<uint8_t>(entry.key));
    check_error(file.get<int64_t>(entry.key));
    check_error(file.get<uint64_t>(entry.key));
    check_error(file.get<float>(entry.key));
    check_error(file.get_or<double>(entry.key, 0));
    check_error(file.get_or<bool>(entry.key, false));
    check_error(file.get<std::string>(entry.key));
    check_error(file.strings(entry.key));
    check_error(file.bools(entry.key));
    check_error(file.floats(entry.key));
    check_error(file.ints(entry.key));
  }
}

void ask_for_tensors(const GgufFile& file, const uint8_t* data, size_t size) {
  for (const GgufTensor& tensor : file.tensors()) {
    CHECK(file.find_tensor(tensor.name) == &tensor);
    CHECK(tensor.data >= data && tensor.size_bytes <= size);
    CHECK(tensor.data + tensor.size_bytes <= data + size);
    CHECK(dtype_bytes(tensor.type, tensor.values()) == tensor.size_bytes);
    const DTypeInfo& info = dtype_info(tensor.type);
    if (info.dequantizable) {
      // The last block, where a wrong size would read past the end.
      std::vector<float> values(info.block_values);
      dequantize(tensor.type, tensor.data + tensor.size_bytes - info.block_bytes, values.data(), values.size());
    }
    file.release(tensor, 0, tensor.size_bytes);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Result<GgufFile> file = GgufFile::parse({data, size});
  check_error(file);
  if (file.ok()) {
    ask_for_keys(*file);
    ask_for_tensors(*file, data, size);
  }
  return 0;
}
