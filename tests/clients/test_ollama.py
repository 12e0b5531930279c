"""The package `ollama`."""
import ollama
import pytest

from conftest import MODEL

ASK = {"model": MODEL, "messages": [{"role": "user", "content": "Name three colours."}], "options": {"num_predict": 24, "seed": 1}}


@pytest.fixture(scope="module")
def client(url):
    return ollama.Client(host=url)


def test_chat_and_its_stream_say_the_same(client):
    whole = client.chat(**ASK)
    assert whole.message.content and whole.done and whole.eval_count <= 24 and whole.total_duration > 0
    assert "".join(part.message.content for part in client.chat(**ASK, stream=True)) == whole.message.content


def test_generate(client):
    whole = client.generate(model=MODEL, prompt="The sky is", options=ASK["options"])
    assert whole.response
    parts = client.generate(model=MODEL, prompt="The sky is", options=ASK["options"], stream=True)
    assert "".join(part.response for part in parts) == whole.response


def test_models(client):
    assert client.ps().models
    assert client.show(MODEL).details.family == "llama"


def test_errors(client):
    with pytest.raises(ollama.ResponseError) as missing:
        client.chat(**{**ASK, "model": "nobody"})
    assert missing.value.status_code == 404
