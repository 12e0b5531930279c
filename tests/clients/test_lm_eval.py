"""lm-eval over /v1/completions, on data that is here: the same scores with one request at a time and with sixteen."""
import json

import lm_eval
import pytest

from conftest import MODEL

QUESTIONS = [("The capital of France is", ["Paris", "Berlin", "Rome"], 0), ("Two plus two is", ["five", "four", "ten"], 1),
             ("Grass is", ["blue", "red", "green"], 2), ("A dog is an", ["animal", "number", "colour"], 0),
             ("Water freezes to", ["ice", "fire", "sand"], 0), ("The opposite of hot is", ["warm", "cold", "big"], 1),
             ("A week has", ["ten days", "seven days", "two days"], 1), ("Birds can", ["fly", "melt", "rust"], 0)]


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    data = tmp_path_factory.mktemp("data") / "questions.jsonl"
    data.write_text("".join(json.dumps({"question": q, "choices": c, "answer": a, "text": f"{q} {c[a]}."}) + "\n"
                            for q, c, a in QUESTIONS))
    common = {"dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(data)}}, "test_split": "test"}
    return [
        {"task": "choose", **common, "output_type": "multiple_choice", "doc_to_text": "{{question}}", "doc_to_target": "answer",
         "doc_to_choice": "choices", "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}]},
        {"task": "perplexity", **common, "output_type": "loglikelihood_rolling", "doc_to_text": "", "doc_to_target": "text",
         "metric_list": [{"metric": "word_perplexity"}, {"metric": "bits_per_byte"}]},
        {"task": "write", **common, "output_type": "generate_until", "doc_to_text": "{{question}}", "doc_to_target": "{{choices[answer]}}",
         "generation_kwargs": {"until": ["."], "max_gen_toks": 8}, "metric_list": [{"metric": "exact_match"}]},
    ]


def evaluate(url, tasks, concurrent):
    out = lm_eval.simple_evaluate(model="local-completions", tasks=tasks, bootstrap_iters=0, log_samples=True,
                                  model_args={"base_url": f"{url}/v1/completions", "model": MODEL, "num_concurrent": concurrent})
    answers = {name: [(sample["doc_id"], sample["resps"]) for sample in samples] for name, samples in out["samples"].items()}
    return out["results"], answers


def test_scores_do_not_depend_on_how_many_ask_at_once(url, tasks):
    results, answers = evaluate(url, tasks, 1)
    again, answers_again = evaluate(url, tasks, 16)
    assert again == results
    assert answers_again == answers
    assert results["choose"]["acc,none"] > 1 / 3, "no better than chance"
    assert 1 < results["perplexity"]["word_perplexity,none"] < 10_000
