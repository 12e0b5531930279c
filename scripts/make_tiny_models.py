#!/usr/bin/env python3
"""Makes tests/models/tiny-*.gguf and tests/golden/*: tiny random models of each family and what they should compute.

Each checkpoint is made with Hugging Face transformers, EVERY parameter random (norms and biases too, since defaults of
1 and 0 hide bugs), run by the official implementation in float64 on the CPU, and converted by convert_hf_to_gguf.py.
The NumPy definition (reference_forward.py) then runs the GGUF file and must agree: a mistake of the converter shows.

Needs: torch, transformers, gguf, numpy. Not part of the build or of CI: the results are committed.
Use:  make_tiny_models.py [--only NAME] [--out TESTS_DIR]
"""

import argparse
import json
import pathlib
import tempfile

import numpy as np
import torch
import transformers

import convert_bert_to_gguf
import convert_hf_to_gguf
import reference_forward

# The epsilon is a thousand times the usual one, so that a wrong one shows.
COMMON = {"vocab_size": 288, "max_position_embeddings": 512, "rms_norm_eps": 2e-3, "hidden_act": "silu",
          "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0, "attn_implementation": "eager"}


def checkpoints():
    """name -> configuration; each covers what its comment says."""
    return {
        # Grouped queries, tied embeddings, RoPE divisors of all three regimes (waves of 6 to 20 000 tokens).
        "tiny-llama": transformers.LlamaConfig(**COMMON | {
            "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": 2, "tie_word_embeddings": True,
            "rope_parameters": {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0,
                                "high_freq_factor": 4.0, "original_max_position_embeddings": 64}}),
        # Odd shapes (nothing but ffn is a multiple of 16), every bias, an output matrix of its own, one KV head.
        "tiny-llama-odd": transformers.LlamaConfig(**COMMON | {
            "vocab_size": 307, "hidden_size": 40, "intermediate_size": 104, "num_hidden_layers": 2,
            "num_attention_heads": 5, "num_key_value_heads": 1, "head_dim": 24, "attention_bias": True,
            "mlp_bias": True, "tie_word_embeddings": False,
            "rope_parameters": {"rope_type": "default", "rope_theta": 500.0}}),
        # Heads wider than hidden/heads, as in Mistral Nemo; no sliding window; linear RoPE scaling.
        "tiny-mistral": transformers.MistralConfig(**COMMON | {
            "hidden_size": 48, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 3,
            "num_key_value_heads": 3, "head_dim": 32, "sliding_window": None, "tie_word_embeddings": False,
            "rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}}),
        "tiny-qwen2": transformers.Qwen2Config(**COMMON | {
            "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": 2, "tie_word_embeddings": True,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0}}),
        "tiny-qwen3": transformers.Qwen3Config(**COMMON | {
            "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 3,
            "num_key_value_heads": 1, "head_dim": 32, "tie_word_embeddings": True,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0}}),
        # What published files leave unsaid: the pattern of 6 (so layers 0-4 and 6 slide), local base 10000, the scale.
        "tiny-gemma3": gemma3_config(
            num_hidden_layers=7, query_pre_attn_scalar=16, sliding_window=24,
            layer_types=["full_attention" if i == 5 else "sliding_attention" for i in range(7)],
            rope_parameters={"full_attention": {"rope_type": "default", "rope_theta": 1000000.0},
                             "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}}),
        # The same said otherwise: a pattern of 3, another local base, linear scaling, another scale, capped logits.
        "tiny-gemma3-explicit": gemma3_config(
            num_hidden_layers=4, query_pre_attn_scalar=24, sliding_window=17, final_logit_softcapping=6.0,
            layer_types=["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"],
            rope_parameters={"full_attention": {"rope_type": "linear", "rope_theta": 1000000.0, "factor": 8.0},
                             "sliding_attention": {"rope_type": "default", "rope_theta": 3000.0}}),
        # An encoder: heads of 24, a width that is no multiple of 16. Its hidden states are what is kept.
        "tiny-bert": transformers.BertConfig(
            vocab_size=131, hidden_size=72, intermediate_size=104, num_hidden_layers=2, num_attention_heads=3,
            max_position_embeddings=640, type_vocab_size=2, layer_norm_eps=2e-3, hidden_act="gelu", pad_token_id=0,
            attn_implementation="eager"),
    }


# WordPiece's, as vocab.txt has it: names, letters and digits to begin words with and to go on with, marks and words.
BERT_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz0123456789.,!?-'",
               *("##" + c for c in "abcdefghijklmnopqrstuvwxyz0123456789"), "the", "and", "rain", "is", "in", "to",
               "##ing", "##ed", "##er", "stay", "##ation", "\u4e2d", "\u6587"]


def gemma3_config(**options):
    return transformers.Gemma3TextConfig(**COMMON | {
        "hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 16,
        "hidden_activation": "gelu_pytorch_tanh", "tie_word_embeddings": True,
        "attn_logit_softcapping": None} | options)


def randomise(model, gemma):
    """Every parameter random, of a size that keeps activations near 1 and attention far from uniform."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name or "LayerNorm.weight" in name:
                parameter.copy_(0.3 * torch.randn_like(parameter) + (0.0 if gemma else 1.0))
            elif name.endswith("bias"):
                parameter.copy_(0.5 * torch.randn_like(parameter))
            elif "embed" in name:
                parameter.copy_(0.4 * torch.randn_like(parameter))
            else:
                sharp = any(part in name for part in ("q_proj", "k_proj", "lm_head", "self.query", "self.key"))
                gain = 1.6 if sharp else 1.0
                parameter.copy_(gain * torch.randn_like(parameter) / parameter.shape[1] ** 0.5)


def sequences(vocab, generator):
    """(name, ids, positions whose logits are kept): a short sequence whole; a long one where pages (32 tokens) and
    pieces of attention (256) begin and end."""
    short = generator.integers(0, vocab, 84)
    long = generator.integers(0, vocab, 300)
    kept = [0, 31, 32, 63, 64, 127, 128, 191, 192, *range(252, 262), 287, 288, *range(294, 300)]
    return [("a", short, list(range(84))), ("b", long, kept)]


def nmse(got, want):
    """Normalised mean squared error: that of the rows over their variance."""
    centred = want - want.mean(axis=-1, keepdims=True)
    return float(((got - want) ** 2).sum() / (centred**2).sum())


def write_model(model, name, path):
    with tempfile.TemporaryDirectory() as directory:
        model.save_pretrained(directory)
        if model.config.model_type == "bert":
            tokens = BERT_TOKENS + [f"[unused{i}]" for i in range(model.config.vocab_size - len(BERT_TOKENS))]
            pathlib.Path(directory, "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
            convert_bert_to_gguf.convert(directory, path)
        else:
            convert_hf_to_gguf.convert(directory, path)


def make(name, config, seed, out):
    torch.manual_seed(seed)
    encoder = config.model_type == "bert"
    auto = transformers.AutoModel if encoder else transformers.AutoModelForCausalLM
    model = auto.from_config(config).eval()
    randomise(model, "gemma3" in name)
    path = out / "models" / f"{name}.gguf"
    write_model(model, name, path)
    model = model.double()
    reference = reference_forward.Forward(reference_forward.Model(path, np.float64))
    worst = 0.0
    spread = []
    for suffix, ids, positions in sequences(config.vocab_size, np.random.default_rng(seed)):
        with torch.no_grad():
            result = model(torch.tensor(ids)[None])
            outputs = (result.last_hidden_state if encoder else result.logits)[0].numpy()
        worst = max(worst, nmse(reference.run(ids), outputs))
        spread.append(outputs.std())
        stem = out / "golden" / f"{name}.{suffix}"
        outputs[positions].astype("<f4").tofile(f"{stem}.f32")
        with open(f"{stem}.json", "w", encoding="utf-8") as file:
            width = {"width": config.hidden_size} if encoder else {"vocab": config.vocab_size}
            json.dump(width | {"tokens": ids.tolist(), "positions": positions}, file,
                      separators=(",", ":"))
            file.write("\n")
    print(f"{name}: {path.stat().st_size / 1024:.0f} KiB, outputs' deviation {spread[0]:.2f} {spread[1]:.2f}, "
          f"NumPy against torch: NMSE {worst:.1e}")
    if worst > 1e-10:
        raise SystemExit(f"{name}: the NumPy definition and transformers differ")


def main():
    tests = pathlib.Path(__file__).resolve().parent.parent / "tests"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="make this one alone")
    parser.add_argument("--out", type=pathlib.Path, default=tests, help="where models/ and golden/ are")
    args = parser.parse_args()
    for folder in ("models", "golden"):
        (args.out / folder).mkdir(parents=True, exist_ok=True)
    for seed, (name, config) in enumerate(checkpoints().items(), start=1):
        if args.only in (None, name):
            make(name, config, seed, args.out)


if __name__ == "__main__":
    main()
