// The model families: each records its graph from a file's weights. One file per family; registry.cpp names them.
#pragma once

#include "format/weights.h"
#include "graph/graph.h"
#include "nn/config.h"

namespace ingle::models {

void record_llama(Graph& graph, const Weights& w, const nn::Config& c);
void record_qwen2(Graph& graph, const Weights& w, const nn::Config& c);
void record_qwen3(Graph& graph, const Weights& w, const nn::Config& c);
void record_bert(Graph& graph, const Weights& w, const nn::Config& c);
void record_gemma3(Graph& graph, const Weights& w, const nn::Config& c);

}  // namespace ingle::models
