"""Filling in between a prefix and a suffix, as editors ask for it, with a model that can."""
import ollama
import openai

from conftest import QWEN

PREFIX, SUFFIX = "def add(a, b):\n    return ", "\n\nprint(add(1, 2))\n"


def test_openai(qwen_url):
    client = openai.OpenAI(base_url=f"{qwen_url}/v1", max_retries=0)
    fields = {"model": QWEN, "prompt": PREFIX, "suffix": SUFFIX, "max_tokens": 16, "temperature": 0}
    whole = client.completions.create(**fields).choices[0].text
    assert "a + b" in whole
    assert "".join(chunk.choices[0].text for chunk in client.completions.create(**fields, stream=True) if chunk.choices) == whole


def test_ollama(qwen_url):
    options = {"num_predict": 16, "temperature": 0}
    answer = ollama.Client(host=qwen_url).generate(model=QWEN, prompt=PREFIX, suffix=SUFFIX, options=options)
    assert "a + b" in answer.response
