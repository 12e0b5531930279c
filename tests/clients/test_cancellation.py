"""Clients that leave in the midst of an answer: it ends there, with each of the packages."""
import anthropic
import langchain_ollama
import langchain_openai
import litellm
import ollama
import openai
import pytest

from conftest import MODEL, metric, wait_until_idle

ASK = [{"role": "user", "content": "Write an essay on the history of Rome."}]
LONG = 600  # tokens: seconds
SOON = 200  # of them, if the answer ends when its client has left


def openai_chat(url):
    client = openai.OpenAI(base_url=f"{url}/v1", max_retries=0)
    stream = client.chat.completions.create(model=MODEL, messages=ASK, max_tokens=LONG, temperature=0, stream=True)
    next(iter(stream))
    stream.close()


def openai_responses(url):
    client = openai.OpenAI(base_url=f"{url}/v1", max_retries=0)
    stream = client.responses.create(model=MODEL, input=ASK, max_output_tokens=LONG, temperature=0, stream=True)
    next(event for event in stream if event.type == "response.output_text.delta")
    stream.close()


def anthropic_messages(url):
    client = anthropic.Anthropic(base_url=url, max_retries=0)
    with client.messages.stream(model=MODEL, messages=ASK, max_tokens=LONG) as stream:
        next(iter(stream.text_stream))


def ollama_chat(url):
    stream = ollama.Client(host=url).chat(model=MODEL, messages=ASK, options={"num_predict": LONG, "temperature": 0}, stream=True)
    next(stream)
    stream.close()


def langchain_openai_chat(url):
    model = langchain_openai.ChatOpenAI(model=MODEL, base_url=f"{url}/v1", max_tokens=LONG, temperature=0)
    stream = model.stream("Write an essay on the history of Rome.")
    next(stream)
    stream.close()


def langchain_ollama_chat(url):
    model = langchain_ollama.ChatOllama(model=MODEL, base_url=url, num_predict=LONG, temperature=0)
    stream = model.stream("Write an essay on the history of Rome.")
    next(stream)
    stream.close()


def litellm_chat(url):
    stream = litellm.completion(model=f"openai/{MODEL}", api_base=f"{url}/v1", messages=ASK, max_tokens=LONG, temperature=0, stream=True)
    next(iter(stream))
    stream.completion_stream.close()


def test_the_answer_is_long(url):
    client = openai.OpenAI(base_url=f"{url}/v1", max_retries=0)
    whole = client.chat.completions.create(model=MODEL, messages=ASK, max_tokens=LONG, temperature=0)
    assert whole.usage.completion_tokens > 2 * SOON


@pytest.mark.parametrize("leave", [openai_chat, openai_responses, anthropic_messages, ollama_chat, langchain_openai_chat,
                                   langchain_ollama_chat, litellm_chat], ids=lambda leave: leave.__name__)
def test_an_answer_ends_when_its_client_leaves(url, leave):
    before = metric(url, "vllm:generation_tokens_total")
    leave(url)
    wait_until_idle(url)
    assert metric(url, "vllm:generation_tokens_total") - before < SOON
