#include "graph/graph.h"

#include <algorithm>

#include "base/check.h"

namespace ingle {

uint32_t Value::width() const { return graph->widths()[id]; }

Graph::Scope::Scope(Graph& graph, const std::string& name) : graph_(graph), length_(graph.scope_.size()) {
  graph_.scope_ += name + ".";
}

Graph::Scope::~Scope() { graph_.scope_.resize(length_); }

Op& Graph::record(OpKind kind, const std::string& name, uint32_t width, std::initializer_list<Value> in) {
  Op op;
  op.kind = kind;
  op.name = scope_ + name;
  for (const Value value : in) {
    CHECK(value.graph == this);
    op.in[op.inputs++] = value.id;
  }
  if (width > 0) {
    op.out = static_cast<uint32_t>(widths_.size());
    widths_.push_back(width);
  }
  return ops_.emplace_back(std::move(op));
}

Value Graph::embed(const Tensor& weight, float factor, EmbedBy by, const std::string& name) {
  Op& op = record(OpKind::kEmbed, name, weight.cols, {});
  op.weight = weight;
  op.factor = factor;
  op.embed_by = by;
  return {this, op.out};
}

Value Graph::rms_norm(Value x, const Tensor& weight, float epsilon, const std::string& name) {
  CHECK(x.width() % weight.cols == 0);
  Op& op = record(OpKind::kRmsNorm, name, x.width(), {x});
  op.weight = weight;
  op.factor = epsilon;
  op.group = weight.cols;
  return {this, op.out};
}

Value Graph::layer_norm(Value x, const Tensor& weight, const Tensor& bias, float epsilon, const std::string& name) {
  CHECK(x.width() == weight.cols && x.width() == bias.cols);
  Op& op = record(OpKind::kLayerNorm, name, x.width(), {x});
  op.weight = weight;
  op.bias = bias;
  op.factor = epsilon;
  return {this, op.out};
}

Value Graph::linear(Value x, const Tensor& weight, const Tensor& bias, const std::string& name) {
  CHECK(x.width() == weight.cols);
  Op& op = record(OpKind::kLinear, name, weight.rows, {x});
  op.weight = weight;
  op.bias = bias;
  return {this, op.out};
}

Value Graph::rope(Value x, uint32_t head_dim, const RopeSpec& spec, const std::string& name) {
  CHECK(x.width() % head_dim == 0 && spec.dims % 2 == 0 && spec.dims <= head_dim);
  Op& op = record(OpKind::kRope, name, x.width(), {x});
  op.group = head_dim;
  op.rope = spec;
  return {this, op.out};
}

void Graph::store_kv(Value k, Value v, const AttentionSpec& spec) {
  CHECK(k.width() == spec.kv_heads * spec.head_dim && v.width() == k.width());
  CHECK(spec.causal || spec.window == 0);
  record(OpKind::kStoreKv, "store_kv", 0, {k, v}).attention = spec;
  layers_ = std::max(layers_, spec.layer + 1);
}

Value Graph::attention(Value q, const AttentionSpec& spec) {
  CHECK(q.width() == spec.heads * spec.head_dim && spec.heads % spec.kv_heads == 0);
  Op& op = record(OpKind::kAttention, "attention", q.width(), {q});
  op.attention = spec;
  causal_ = causal_ && spec.causal;
  return {this, op.out};
}

Value Graph::add(Value a, Value b) {
  CHECK(a.width() == b.width());
  return {this, record(OpKind::kAdd, "add", a.width(), {a, b}).out};
}

Value Graph::gated(Value gate, Value up, ActivationKind activation) {
  CHECK(gate.width() == up.width());
  Op& op = record(OpKind::kGated, "gated", gate.width(), {gate, up});
  op.activation = activation;
  return {this, op.out};
}

Value Graph::activate(Value x, ActivationKind activation) {
  Op& op = record(OpKind::kActivate, "activate", x.width(), {x});
  op.activation = activation;
  return {this, op.out};
}

void Graph::set_hidden(Value hidden) {
  hidden_ = hidden.id;
  hidden_ops_ = ops_.size();
}

Value Graph::select_outputs(Value x) {
  return {this, record(OpKind::kSelectOutputs, "select_outputs", x.width(), {x}).out};
}

Value Graph::softcap(Value x, float cap) {
  Op& op = record(OpKind::kSoftcap, "softcap", x.width(), {x});
  op.factor = cap;
  return {this, op.out};
}

Value Graph::scale(Value x, float factor) {
  Op& op = record(OpKind::kScale, "scale", x.width(), {x});
  op.factor = factor;
  return {this, op.out};
}

}  // namespace ingle
