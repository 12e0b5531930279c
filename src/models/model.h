// A model family turned into a graph: what the registry gives the engine. Built once at load, immutable.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "format/gguf.h"
#include "graph/graph.h"
#include "models/pooling.h"

namespace ingle {

struct Model {
  Graph graph;
  std::string architecture;
  uint32_t layers = 0;
  uint32_t context_length = 0;  // trained, tokens
  uint32_t embedding_length = 0;
  uint32_t vocab = 0;                // rows of the token embedding
  Pooling pooling = Pooling::kLast;  // the file's; where it names none, the mean in encoders, else the last token's
};

// Records the graph of the file's architecture; the file must outlive the graph's tensors' use (until repacked).
// Errors: kUnsupported names an unknown architecture and lists the known ones, or a variant that we don't compute;
// kInvalidData names a missing weight or a weight of the wrong shape.
Result<std::unique_ptr<Model>> build_model(const GgufFile& file);

// Known architectures, as general.architecture names them.
std::vector<std::string> known_architectures();

}  // namespace ingle
