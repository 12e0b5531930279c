"""Tools that the model calls of its own accord, with each of the packages."""
import json

import anthropic
import langchain_ollama
import langchain_openai
import litellm
import ollama
import openai
import pytest

from conftest import QWEN

QUESTION = "What is the weather in Paris right now?"
ASK = [{"role": "user", "content": QUESTION}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "description": "such as Rome"}}, "required": ["city"],
          "additionalProperties": False}
FUNCTION = {"name": "get_weather", "description": "Says what the weather in a city is right now", "parameters": SCHEMA}
TOOLS = [{"type": "function", "function": FUNCTION}]
STRICT = [{"type": "function", "function": {**FUNCTION, "strict": True}}]
FOUND = "17 degrees, light rain"


@pytest.fixture(scope="module")
def openai_client(qwen_url):
    return openai.OpenAI(base_url=f"{qwen_url}/v1", max_retries=0)


def chat(client, messages=ASK, **fields):
    return client.chat.completions.create(**{"model": QWEN, "messages": messages, "tools": TOOLS, "temperature": 0, "max_tokens": 200, **fields})


def test_openai_chats(openai_client):
    first = chat(openai_client).choices[0]
    [call] = first.message.tool_calls
    assert first.finish_reason == "tool_calls" and call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"city": "Paris"}
    result = {"role": "tool", "tool_call_id": call.id, "content": FOUND}
    turns = [*ASK, first.message.model_dump(exclude_none=True), result]
    answer = chat(openai_client, turns, tool_choice="none").choices[0].message
    assert "17" in answer.content and not answer.tool_calls


@pytest.mark.parametrize("tools", [TOOLS, STRICT], ids=["free", "strict"])
def test_openai_streams(openai_client, tools):
    whole = chat(openai_client, tools=tools).choices[0].message.tool_calls[0].function
    deltas = [call for chunk in chat(openai_client, tools=tools, stream=True) if chunk.choices
              for call in chunk.choices[0].delta.tool_calls or []]
    assert deltas[0].id and deltas[0].function.name == whole.name
    pieces = [delta.function.arguments for delta in deltas if delta.function.arguments]
    assert "".join(pieces) == whole.arguments


def test_openai_responses(openai_client):
    fields = {"model": QWEN, "tools": [{"type": "function", **FUNCTION}], "temperature": 0, "max_output_tokens": 200}
    first = openai_client.responses.create(input=QUESTION, **fields)
    [call] = [item for item in first.output if item.type == "function_call"]
    assert call.name == "get_weather" and json.loads(call.arguments) == {"city": "Paris"}
    events = list(openai_client.responses.create(input=QUESTION, stream=True, **fields))
    pieces = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    assert "".join(pieces) == call.arguments
    result = {"type": "function_call_output", "call_id": call.call_id, "output": FOUND}
    second = openai_client.responses.create(input=[result], previous_response_id=first.id, tool_choice="none", **fields)
    assert "17" in second.output_text


def test_anthropic(qwen_url):
    client = anthropic.Anthropic(base_url=qwen_url, max_retries=0)
    tool = {"name": FUNCTION["name"], "description": FUNCTION["description"], "input_schema": SCHEMA}
    fields = {"model": QWEN, "tools": [tool], "max_tokens": 200, "extra_body": {"temperature": 0}}
    first = client.messages.create(messages=ASK, **fields)
    [call] = [block for block in first.content if block.type == "tool_use"]
    assert first.stop_reason == "tool_use" and call.name == "get_weather" and call.input == {"city": "Paris"}
    with client.messages.stream(messages=ASK, **fields) as stream:
        last = stream.get_final_message()
    assert [block.input for block in last.content if block.type == "tool_use"] == [call.input] and last.stop_reason == "tool_use"
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": FOUND}]}
    turn = {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in first.content]}
    second = client.messages.create(messages=[*ASK, turn, result], tool_choice={"type": "none"}, **fields)
    assert "17" in second.content[0].text


def test_ollama(qwen_url):
    client = ollama.Client(host=qwen_url)
    fields = {"model": QWEN, "tools": TOOLS, "options": {"num_predict": 200, "temperature": 0}}
    message = client.chat(messages=ASK, **fields).message
    [call] = message.tool_calls
    assert call.function.name == "get_weather" and call.function.arguments == {"city": "Paris"}
    streamed = [call for part in client.chat(messages=ASK, stream=True, **fields) for call in part.message.tool_calls or []]
    assert [call.function.arguments for call in streamed] == [{"city": "Paris"}]
    result = {"role": "tool", "tool_name": "get_weather", "content": FOUND}
    assert "17" in client.chat(messages=[*ASK, message, result], **{**fields, "tools": None}).message.content


@pytest.mark.parametrize("api", ["openai", "ollama"])
def test_langchain(qwen_url, api):
    model = (langchain_openai.ChatOpenAI(model=QWEN, base_url=f"{qwen_url}/v1", temperature=0, max_tokens=200, max_retries=0)
             if api == "openai" else langchain_ollama.ChatOllama(model=QWEN, base_url=qwen_url, temperature=0, num_predict=200))
    model = model.bind_tools(TOOLS)
    [call] = model.invoke(QUESTION).tool_calls
    assert call["name"] == "get_weather" and call["args"] == {"city": "Paris"}
    first, *rest = model.stream(QUESTION)
    assert [call["args"] for call in sum(rest, first).tool_calls] == [{"city": "Paris"}]


@pytest.mark.parametrize("provider", ["openai", "ollama_chat", "anthropic"])
def test_litellm(qwen_url, provider):
    base = f"{qwen_url}/v1" if provider == "openai" else qwen_url
    answer = litellm.completion(model=f"{provider}/{QWEN}", api_base=base, messages=ASK, tools=TOOLS, temperature=0, max_tokens=200)
    [call] = answer.choices[0].message.tool_calls
    assert call.function.name == "get_weather" and json.loads(call.function.arguments) == {"city": "Paris"}
