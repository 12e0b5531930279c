"""What the official clients' own types say of our answers: no field is missing, none has another type."""
import anthropic
import openai
import pytest

from conftest import MODEL

ASK = [{"role": "user", "content": "Name three colours."}]
TOOL = {"name": "paint", "description": "Paints", "parameters": {
    "type": "object", "properties": {"colour": {"enum": ["red", "blue"]}}, "required": ["colour"], "additionalProperties": False}}


@pytest.fixture(scope="module")
def openai_client(url):
    return openai.OpenAI(base_url=f"{url}/v1", max_retries=0, _strict_response_validation=True)


@pytest.fixture(scope="module")
def anthropic_client(url):
    return anthropic.Anthropic(base_url=url, max_retries=0, _strict_response_validation=True)


def test_chats(openai_client):
    for more in ({}, {"n": 2, "logprobs": True, "top_logprobs": 3}, {"tools": [{"type": "function", "function": TOOL}], "tool_choice": "required"}):
        fields = {"model": MODEL, "messages": ASK, "max_tokens": 40, "seed": 1, **more}
        answer = openai_client.chat.completions.create(**fields)
        assert answer.usage.completion_tokens_details.reasoning_tokens == 0
        assert answer.usage.prompt_tokens_details.cached_tokens >= 0
        assert list(openai_client.chat.completions.create(**fields, stream=True, stream_options={"include_usage": True}))


def test_completions(openai_client):
    assert openai_client.completions.create(model=MODEL, prompt="The sky is", max_tokens=4, logprobs=2).choices


def test_responses(openai_client):
    fields = {"model": MODEL, "input": "Name three colours.", "max_output_tokens": 40, "extra_body": {"seed": 1}}
    logprobs = {"include": ["message.output_text.logprobs"], "top_logprobs": 2}
    tools = {"tools": [{"type": "function", "strict": True, **TOOL}], "tool_choice": "required"}
    for more in ({}, logprobs, tools, {"reasoning": {"effort": "low"}, "metadata": {"a": "b"}, "truncation": "auto"}):
        whole = openai_client.responses.create(**fields, **more)
        assert whole.usage.output_tokens_details.reasoning_tokens == 0
        events = list(openai_client.responses.create(**fields, **more, stream=True))
        assert events[-1].response.usage.output_tokens == whole.usage.output_tokens
        assert openai_client.responses.retrieve(whole.id).id == whole.id


def test_logprobs_of_responses(openai_client):
    fields = {"model": MODEL, "input": "Name three colours.", "max_output_tokens": 12, "top_logprobs": 2, "extra_body": {"seed": 1}}
    whole = openai_client.responses.create(**fields, include=["message.output_text.logprobs"])
    [part] = whole.output[0].content
    assert "".join(token.token for token in part.logprobs) == part.text
    assert all(len(token.top_logprobs) == 2 and token.logprob <= 0 for token in part.logprobs)
    assert not openai_client.responses.create(**fields).output[0].content[0].logprobs


def test_what_else_openai_has(openai_client):
    count = openai_client.responses.input_tokens.count(model=MODEL, input="Name three colours.")
    assert count.input_tokens == openai_client.responses.create(model=MODEL, input="Name three colours.", max_output_tokens=1).usage.input_tokens
    assert openai_client.embeddings.create(model=MODEL, input=["red", "blue"], encoding_format="float").data[1].index == 1
    assert openai_client.models.retrieve(openai_client.models.list().data[0].id)


def test_messages(anthropic_client):
    tool = {"name": TOOL["name"], "description": TOOL["description"], "input_schema": TOOL["parameters"]}
    for more in ({}, {"tools": [tool], "tool_choice": {"type": "any"}}, {"thinking": {"type": "enabled", "budget_tokens": 1024}}):
        fields = {"model": MODEL, "messages": ASK, "max_tokens": 40, **more}
        assert anthropic_client.messages.create(**fields).usage.output_tokens_details.thinking_tokens == 0
        assert list(anthropic_client.messages.create(**fields, stream=True))


def test_what_else_anthropic_has(anthropic_client):
    assert anthropic_client.messages.count_tokens(model=MODEL, messages=ASK).input_tokens > 0
    model, _ = anthropic_client.models.list().data
    assert anthropic_client.models.retrieve(model.id).max_input_tokens > 0
    with pytest.raises(anthropic.NotFoundError) as missing:
        anthropic_client.models.retrieve("claude")
    assert missing.value.body["error"]["type"] == "not_found_error"
