"""LiteLLM, over each of the APIs."""
import litellm
import pytest

from conftest import MODEL

ASK = [{"role": "user", "content": "Name three colours."}]


@pytest.fixture(params=["openai", "ollama_chat", "anthropic"])
def target(request, url):
    return {"model": f"{request.param}/{MODEL}", "api_base": f"{url}/v1" if request.param == "openai" else url,
            "messages": ASK, "max_tokens": 24, "temperature": 0}


def test_completion_and_its_stream_say_the_same(target):
    whole = litellm.completion(**target).choices[0].message.content
    assert whole
    assert "".join(part.choices[0].delta.content or "" for part in litellm.completion(**target, stream=True)) == whole


def test_errors(target):
    with pytest.raises((litellm.NotFoundError, litellm.APIConnectionError, litellm.BadRequestError)):
        litellm.completion(**{**target, "model": target["model"].replace(MODEL, "nobody")})
