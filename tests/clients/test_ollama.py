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


def test_embeddings(client):
    one, other, again = client.embed(model=MODEL, input=["red", "blue", "red"]).embeddings
    assert one == again != other and sum(x * x for x in one) == pytest.approx(1)
    single = client.embed(model=MODEL, input="red", keep_alive="5m")
    assert single.embeddings == [one] and single.total_duration > 0 and single.prompt_eval_count > 0
    plain = client.embeddings(model=MODEL, prompt="red").embedding
    length = sum(x * x for x in plain) ** 0.5
    assert [x / length for x in plain] == pytest.approx(one, abs=1e-5)
    with pytest.raises(ollama.ResponseError) as refused:
        client.embed(model=MODEL, input="red " * 20_000, truncate=False)
    assert refused.value.status_code == 400


def test_models(client):
    [running] = client.ps().models
    assert running.name == running.model and running.name.endswith(":latest") and running.context_length > 0 and running.expires_at
    listed = {model.model: model for model in client.list().models}[running.model]
    assert listed.digest == running.digest and listed.size == running.size and listed.modified_at
    shown = client.show(MODEL)
    assert shown.details == listed.details and shown.details.family == "llama" and "completion" in shown.capabilities
    assert shown.modelinfo["general.architecture"] == "llama" and shown.template and shown.parameters
    assert client.show(running.model).details == client.show(f"{MODEL}:latest").details == shown.details


def test_errors(client):
    with pytest.raises(ollama.ResponseError) as missing:
        client.chat(**{**ASK, "model": "nobody"})
    assert missing.value.status_code == 404
    with pytest.raises(ollama.ResponseError) as wrong:
        client.chat(**ASK, keep_alive="soon")
    assert wrong.value.status_code == 400
