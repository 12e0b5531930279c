#!/usr/bin/env python3
"""What a GGUF model computes, in plain NumPy: the readable definition that the engine is debugged against.

It reads the file with the Python package `gguf`, dequantises every weight, and computes in float64 (or float32) with no
tricks: no cache, no batches, whole sequences. The engine follows the same conventions of the file format but another
(fixed) order of operations, so the two agree to rounding, not to the bit. What the conventions are:

  llama            RoPE turns adjacent pairs (2i, 2i+1); `rope_freqs.weight` divides the frequencies when present
  qwen2, qwen3     RoPE turns the pairs (i, i + head_dim/2); qwen2 has QKV biases, qwen3 RMS norms on each Q and K head
  gemma3           as qwen3, and: embeddings times sqrt(width), norms before and after each half of a block (the file
                   holds 1 + w, so an RMS norm here is the common one), tanh-GELU, sliding-window layers with their own
                   RoPE base, a linear RoPE scaling that only the global layers have
  bert             an encoder: embeddings of token, position and token type 0, layer norms behind each half of a block,
                   erf-GELU, no RoPE, every token sees all; the result is the last hidden states

Use:  reference_forward.py MODEL.gguf --tokens IDS.json [--dump DIR] [--top 5] [--dtype float64]
IDS.json is a JSON array of token ids. `--dump` writes every named value as DIR/NAME.npy, [tokens, ...]; the names are
those of the engine's ops, but for its two "add" of a layer, here add_attention and add_mlp.
"""

import argparse
import json
import math
import os

import gguf
import numpy as np

ARCHITECTURES = ("llama", "qwen2", "qwen3", "gemma3", "bert")


class Model:
    """Metadata and lazily dequantised weights of one GGUF file."""

    def __init__(self, path, dtype=np.float64):
        reader = gguf.GGUFReader(path)
        self.dtype = np.dtype(dtype)
        self.fields = reader.fields
        self.tensors = {t.name: t for t in reader.tensors}
        self.arch = self.fields["general.architecture"].contents()
        if self.arch not in ARCHITECTURES:
            raise SystemExit(f"{path}: architecture '{self.arch}' is not one of {', '.join(ARCHITECTURES)}")
        self.layers = self.get("block_count")
        self.width = self.get("embedding_length")
        self.heads = self.get("attention.head_count")
        self.kv_heads = self.get("attention.head_count_kv", self.heads)
        self.head_dim = self.get("attention.key_length", self.width // self.heads)
        rms = self.arch != "bert"
        self.norm_epsilon = self.get("attention.layer_norm_rms_epsilon" if rms else "attention.layer_norm_epsilon")
        self.rope_dims = self.get("rope.dimension_count", self.head_dim)
        self.adjacent_pairs = self.arch == "llama"

    def get(self, key, default=None):
        field = self.fields.get(f"{self.arch}.{key}")
        if field is not None:
            return field.contents()
        if default is None:
            raise SystemExit(f"the file has no {self.arch}.{key}")
        return default

    def has(self, name):
        return name in self.tensors

    def weight(self, name):
        """The tensor as [rows, columns] (or [n]): GGUF names its dimensions the other way round."""
        tensor = self.tensors[name]
        return gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(self.dtype)

    def is_sliding(self, layer):
        if self.arch != "gemma3" or self.get("attention.sliding_window", 0) == 0:
            return False
        pattern = self.get("attention.sliding_window_pattern", 6)  # files that do not say follow Gemma 3: 5 of 6
        return bool(pattern[layer]) if isinstance(pattern, list) else layer % pattern < pattern - 1

    def attention_scale(self):
        """1/sqrt(head_dim), unless the file says otherwise; Gemma 3 27B files do not, though theirs is another."""
        if self.arch == "gemma3" and self.layers == 62:
            return self.get("attention.scale", (self.width / self.heads) ** -0.5)
        return self.get("attention.scale", self.head_dim**-0.5)

    def rope_frequencies(self, layer):
        """Radians per position of each of the rope_dims/2 pairs."""
        sliding = self.is_sliding(layer)
        base = self.get("rope.freq_base_swa", 10000.0) if sliding else self.get("rope.freq_base", 10000.0)
        frequencies = base ** -(np.arange(0, self.rope_dims, 2, dtype=np.float64) / self.rope_dims)
        if not sliding and self.get("rope.scaling.type", "linear") == "linear":
            frequencies = frequencies / self.get("rope.scaling.factor", 1.0)
        if self.has("rope_freqs.weight"):
            frequencies = frequencies / self.weight("rope_freqs.weight").astype(np.float64)
        return frequencies


def rms_norm(x, weight, epsilon):
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + x.dtype.type(epsilon)) * weight


def layer_norm(x, weight, bias, epsilon):
    centred = x - np.mean(x, axis=-1, keepdims=True)
    variance = np.mean(centred * centred, axis=-1, keepdims=True)
    return centred / np.sqrt(variance + x.dtype.type(epsilon)) * weight + bias


def rope(x, frequencies, adjacent_pairs):
    """x: [tokens, heads, head_dim]; position = row. Dimensions beyond 2 * len(frequencies) stay as they are."""
    angle = np.arange(x.shape[0], dtype=np.float64)[:, None] * frequencies[None, :]
    cos, sin = np.cos(angle)[:, None, :].astype(x.dtype), np.sin(angle)[:, None, :].astype(x.dtype)
    pairs = len(frequencies)
    first, second = (slice(0, 2 * pairs, 2), slice(1, 2 * pairs, 2)) if adjacent_pairs else (
        slice(0, pairs), slice(pairs, 2 * pairs))
    out = x.copy()
    out[..., first] = x[..., first] * cos - x[..., second] * sin
    out[..., second] = x[..., first] * sin + x[..., second] * cos
    return out


def attention(q, k, v, scale, window, causal=True):
    """Query head h reads KV head h // group. window: keys that a query sees, itself included; 0 for all."""
    tokens, heads, _ = q.shape
    group = heads // k.shape[1]
    distance = np.arange(tokens)[:, None] - np.arange(tokens)[None, :]
    visible = ((distance >= 0) | (not causal)) & ((distance < window) if window else True)
    out = np.empty((tokens, heads, v.shape[2]), q.dtype)
    for head in range(heads):
        scores = (q[:, head] @ k[:, head // group].T) * q.dtype.type(scale)
        scores = np.where(visible, scores, -np.inf)
        p = np.exp(scores - scores.max(axis=-1, keepdims=True))
        out[:, head] = (p / p.sum(axis=-1, keepdims=True)) @ v[:, head // group]
    return out


def silu(x):
    return x / (1 + np.exp(-x))


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def gelu_erf(x):
    return 0.5 * x * (1 + np.vectorize(math.erf)(x / np.sqrt(2)))


def op_name(name):
    """The engine names an op after its weight, with "layers.3." for "blk.3."."""
    return "layers." + name[4:] if name.startswith("blk.") else name


class Forward:
    """One forward pass. `linear(name, x, w)` may be replaced to study an approximate matmul, `cache(x)` an approximate
    K or V, and `dump(name, value)` sees every named value."""

    def __init__(self, model, linear=None, cache=None, dump=None):
        self.model = model
        self.linear_fn = linear or (lambda name, x, w: x @ w.T)
        self.cache = cache or (lambda x: x)
        self.dump = dump or (lambda name, value: None)

    def seen(self, name, value):
        self.dump(name, value)
        return value

    def norm(self, name, x):
        return self.seen(op_name(name), rms_norm(x, self.model.weight(name + ".weight"), self.model.norm_epsilon))

    def linear(self, name, x, weight=None):
        y = self.linear_fn(name, x, self.model.weight(f"{weight or name}.weight"))
        if self.model.has(name + ".bias"):
            y = y + self.model.weight(name + ".bias")
        return self.seen(op_name(name), y)

    def embed(self, ids):
        x = self.model.weight("token_embd.weight")[ids]
        if self.model.arch == "gemma3":
            x = x * x.dtype.type(np.float32(self.model.width) ** 0.5)
        return self.seen("embed", x)

    def attention_half(self, layer, x):
        model, prefix = self.model, f"blk.{layer}."
        tokens = x.shape[0]
        h = self.norm(prefix + "attn_norm", x)
        q = self.linear(prefix + "attn_q", h).reshape(tokens, model.heads, -1)
        k = self.linear(prefix + "attn_k", h).reshape(tokens, model.kv_heads, -1)
        v = self.linear(prefix + "attn_v", h).reshape(tokens, model.kv_heads, -1)
        if model.has(prefix + "attn_q_norm.weight"):
            q = self.norm(prefix + "attn_q_norm", q)
            k = self.norm(prefix + "attn_k_norm", k)
        frequencies = model.rope_frequencies(layer)
        q = self.seen(op_name(prefix + "rope_q"), rope(q, frequencies, model.adjacent_pairs))
        k = self.seen(op_name(prefix + "rope_k"), rope(k, frequencies, model.adjacent_pairs))
        window = model.get("attention.sliding_window") if model.is_sliding(layer) else 0
        a = attention(q, self.cache(k), self.cache(v), model.attention_scale(), window).reshape(tokens, -1)
        a = self.linear(prefix + "attn_output", self.seen(op_name(prefix + "attention"), a))
        if model.has(prefix + "post_attention_norm.weight"):
            a = self.norm(prefix + "post_attention_norm", a)
        return self.seen(op_name(prefix + "add_attention"), x + a)

    def mlp_half(self, layer, x):
        model, prefix = self.model, f"blk.{layer}."
        h = self.norm(prefix + "ffn_norm", x)
        activation = gelu_tanh if model.arch == "gemma3" else silu
        gate, up = self.linear(prefix + "ffn_gate", h), self.linear(prefix + "ffn_up", h)
        m = self.linear(prefix + "ffn_down", self.seen(op_name(prefix + "gated"), activation(gate) * up))
        if model.has(prefix + "post_ffw_norm.weight"):
            m = self.norm(prefix + "post_ffw_norm", m)
        return self.seen(op_name(prefix + "add_mlp"), x + m)

    def head(self, x):
        x = self.norm("output_norm", x)
        logits = self.linear("output", x, "output" if self.model.has("output.weight") else "token_embd")
        cap = self.model.get("final_logit_softcapping", 0.0)
        return self.seen("softcap", np.tanh(logits / cap) * cap) if cap else logits

    def layer_norm(self, name, x):
        model = self.model
        weight, bias = model.weight(name + ".weight"), model.weight(name + ".bias")
        return self.seen(op_name(name), layer_norm(x, weight, bias, model.norm_epsilon))

    def encode(self, ids):
        """Of an encoder: the last hidden states, [tokens, width]."""
        model, tokens = self.model, len(ids)
        x = model.weight("token_embd.weight")[ids] + model.weight("token_types.weight")[0]
        x = self.layer_norm("token_embd_norm", x + model.weight("position_embd.weight")[:tokens])
        for layer in range(model.layers):
            prefix = f"blk.{layer}."
            q, k, v = (self.linear(prefix + name, x).reshape(tokens, model.heads, -1)
                       for name in ("attn_q", "attn_k", "attn_v"))
            a = attention(q, self.cache(k), self.cache(v), model.attention_scale(), 0, causal=False)
            a = self.linear(prefix + "attn_output", self.seen(op_name(prefix + "attention"), a.reshape(tokens, -1)))
            x = self.layer_norm(prefix + "attn_output_norm", x + a)
            h = self.seen(op_name(prefix + "activate"), gelu_erf(self.linear(prefix + "ffn_up", x)))
            x = self.layer_norm(prefix + "layer_output_norm", x + self.linear(prefix + "ffn_down", h))
        return x

    def run(self, ids):
        """ids: token ids of one sequence, from position 0. Returns logits, [tokens, vocabulary]; of an encoder, the last
        hidden states."""
        if self.model.arch == "bert":
            return self.encode(ids)
        x = self.embed(ids)
        for layer in range(self.model.layers):
            x = self.mlp_half(layer, self.attention_half(layer, x))
        return self.head(x)


def log_softmax(logits):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--tokens", required=True, help="file with a JSON array of token ids")
    parser.add_argument("--dump", metavar="DIR", help="write every named value as DIR/NAME.npy")
    parser.add_argument("--top", type=int, default=5, help="most likely tokens to print per position")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float64")
    args = parser.parse_args()

    def dump(name, value):
        np.save(os.path.join(args.dump, name + ".npy"), value)

    if args.dump:
        os.makedirs(args.dump, exist_ok=True)
    with open(args.tokens, encoding="utf-8") as file:
        ids = json.load(file)
    forward = Forward(Model(args.model, args.dtype), dump=dump if args.dump else None)
    for position, row in enumerate(log_softmax(forward.run(ids))):
        top = np.argsort(-row, kind="stable")[: args.top]
        logprobs = [round(float(row[i]), 6) for i in top]
        print(json.dumps({"position": position, "ids": top.tolist(), "logprobs": logprobs}))


if __name__ == "__main__":
    main()
