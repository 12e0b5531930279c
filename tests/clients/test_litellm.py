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


@pytest.mark.parametrize("provider", ["openai", "ollama"])
def test_embeddings(url, provider):
    base = f"{url}/v1" if provider == "openai" else url
    one, other = litellm.embedding(model=f"{provider}/{MODEL}", api_base=base, input=["red", "blue"]).data
    assert len(one["embedding"]) == len(other["embedding"]) > 0 and one["embedding"] != other["embedding"]


def test_errors(target):
    with pytest.raises(litellm.NotFoundError, match="nobody"):
        litellm.completion(**{**target, "model": target["model"].replace(MODEL, "nobody")})
