"""API keys, as each of the packages sends them."""
import os

import anthropic
import langchain_ollama
import langchain_openai
import litellm
import ollama
import openai
import pytest

from conftest import MODEL, serving

ASK = [{"role": "user", "content": "Name a colour."}]


@pytest.fixture(scope="module")
def keyed_url(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    (home / "keys").write_text("right\nslow requests=1\n")
    with serving(os.environ["INGLE_CLIENTS_MODEL"], MODEL, home, "--api-key-file", str(home / "keys")) as url:
        yield url


def openai_chat(url, key):
    client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)
    return client.chat.completions.create(model=MODEL, messages=ASK, max_tokens=2)


def anthropic_messages(url, key):
    return anthropic.Anthropic(base_url=url, api_key=key, max_retries=0).messages.create(model=MODEL, messages=ASK, max_tokens=2)


def ollama_chat(url, key):
    return ollama.Client(host=url, headers={"Authorization": f"Bearer {key}"}).chat(MODEL, ASK, options={"num_predict": 2})


def langchain_openai_chat(url, key):
    return langchain_openai.ChatOpenAI(model=MODEL, base_url=f"{url}/v1", api_key=key, max_tokens=2, max_retries=0).invoke("Hi")


def langchain_ollama_chat(url, key):
    headers = {"headers": {"Authorization": f"Bearer {key}"}}
    return langchain_ollama.ChatOllama(model=MODEL, base_url=url, num_predict=2, client_kwargs=headers).invoke("Hi")


def litellm_chat(url, key):
    return litellm.completion(model=f"openai/{MODEL}", api_base=f"{url}/v1", api_key=key, messages=ASK, max_tokens=2, max_retries=0)


UNKNOWN = {openai_chat: openai.AuthenticationError, anthropic_messages: anthropic.AuthenticationError, ollama_chat: ollama.ResponseError,
           langchain_openai_chat: openai.AuthenticationError, langchain_ollama_chat: ollama.ResponseError,
           litellm_chat: litellm.AuthenticationError}


@pytest.mark.parametrize("ask", UNKNOWN, ids=lambda ask: ask.__name__)
def test_a_key_is_needed(keyed_url, ask):
    assert ask(keyed_url, "right")
    with pytest.raises(UNKNOWN[ask]) as refused:
        ask(keyed_url, "wrong")
    assert refused.value.status_code == 401


def test_a_key_has_limits(keyed_url):
    assert openai_chat(keyed_url, "slow")
    with pytest.raises(openai.RateLimitError) as refused:
        openai_chat(keyed_url, "slow")
    assert int(refused.value.response.headers["retry-after"]) > 0
    with pytest.raises(anthropic.RateLimitError):
        anthropic_messages(keyed_url, "slow")
