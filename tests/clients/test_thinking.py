"""A model that thinks first, as each of the packages tells its thoughts from its answer."""
import pathlib
import sys

import anthropic
import langchain_ollama
import ollama
import openai
import pytest

from conftest import serving

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "cli"))
from test_reasoning import thinking_model  # noqa: E402  (of the CLI's tests)

THINKER = "thinker"
ASK = [{"role": "user", "content": "the rain"}]
# The model never ends its thoughts of its own accord.
BUDGET = {"thinking_budget": 6, "ignore_eos": True, "seed": 1}


@pytest.fixture(scope="module")
def thinker_url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("thinker")
    with serving(str(thinking_model(folder)), THINKER, folder) as url:
        yield url


def test_openai_chats(thinker_url):
    client = openai.OpenAI(base_url=f"{thinker_url}/v1", max_retries=0)
    fields = {"model": THINKER, "messages": ASK, "max_tokens": 30, "extra_body": BUDGET}
    whole = client.chat.completions.create(**fields)
    message = whole.choices[0].message
    assert message.reasoning_content and message.content and whole.usage.completion_tokens_details.reasoning_tokens > 6
    deltas = [chunk.choices[0].delta for chunk in client.chat.completions.create(**fields, stream=True) if chunk.choices]
    assert "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas) == message.reasoning_content
    assert "".join(delta.content or "" for delta in deltas) == message.content


def test_openai_responses(thinker_url):
    client = openai.OpenAI(base_url=f"{thinker_url}/v1", max_retries=0)
    fields = {"model": THINKER, "input": ASK, "max_output_tokens": 30, "extra_body": BUDGET}
    whole = client.responses.create(**fields)
    assert [item.type for item in whole.output] == ["reasoning", "message"] and whole.output_text
    events = list(client.responses.create(**fields, stream=True))
    assert "".join(e.delta for e in events if e.type == "response.reasoning_text.delta") == whole.output[0].content[0].text
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == whole.output_text


def test_anthropic(thinker_url):
    client = anthropic.Anthropic(base_url=thinker_url, max_retries=0)
    fields = {"model": THINKER, "messages": ASK, "max_tokens": 1100, "thinking": {"type": "enabled", "budget_tokens": 1024},
              "extra_body": {"seed": 1}}
    whole = client.messages.create(**fields)
    assert whole.content[0].type == "thinking" and whole.content[0].thinking
    with client.messages.stream(**fields) as stream:
        last = stream.get_final_message()
    assert [block.type for block in last.content] == [block.type for block in whole.content]
    assert last.content[0].thinking == whole.content[0].thinking


def test_ollama(thinker_url):
    client = ollama.Client(host=thinker_url)
    fields = {"model": THINKER, "messages": ASK, "think": True, "options": {"num_predict": 30, "seed": 1}}
    whole = client.chat(**fields).message
    assert whole.thinking
    parts = [part.message for part in client.chat(**fields, stream=True)]
    assert "".join(part.thinking or "" for part in parts) == whole.thinking
    assert "".join(part.content or "" for part in parts) == (whole.content or "")


def test_langchain_ollama(thinker_url):
    model = langchain_ollama.ChatOllama(model=THINKER, base_url=thinker_url, num_predict=30, seed=1, reasoning=True)
    assert model.invoke("the rain").additional_kwargs["reasoning_content"]
