"""The package `anthropic`."""
import anthropic
import pytest

from conftest import MODEL

ASK = {"model": MODEL, "max_tokens": 24, "messages": [{"role": "user", "content": "Name three colours."}],
       "system": [{"type": "text", "text": "You answer briefly.", "cache_control": {"type": "ephemeral"}}], "extra_body": {"seed": 1}}


@pytest.fixture(scope="module")
def client(url):
    return anthropic.Anthropic(base_url=url, max_retries=0)


def test_messages_and_their_stream_say_the_same(client):
    whole = client.messages.create(**ASK)
    assert whole.content[0].text and whole.role == "assistant" and whole.stop_reason in ("end_turn", "max_tokens")
    with client.messages.stream(**ASK) as stream:
        text = "".join(stream.text_stream)
        last = stream.get_final_message()
    assert text == whole.content[0].text == last.content[0].text
    assert last.usage.output_tokens == whole.usage.output_tokens


def test_tokens_are_counted(client):
    whole = client.messages.create(**ASK)
    count = client.messages.count_tokens(model=MODEL, messages=ASK["messages"], system=ASK["system"])
    usage = whole.usage
    assert count.input_tokens == usage.input_tokens + usage.cache_read_input_tokens


def test_errors(client):
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(**{**ASK, "model": "claude"})
    with pytest.raises(anthropic.BadRequestError):
        client.messages.create(**{**ASK, "messages": []})
