"""Answers of a given form, as each client asks for them. The model is too small to be asked nicely: the form is enforced."""
import json
from typing import Literal

import anthropic
import langchain_ollama
import langchain_openai
import ollama
import openai
import pydantic
import pytest

from conftest import MODEL

ASK = [{"role": "user", "content": "Which car do you see? Answer in JSON."}]
# A schema that is refused: no answer can be held to "not".
BAD = {"type": "object", "properties": {"a": {"not": {"type": "string"}}}, "required": ["a"], "additionalProperties": False}


class Car(pydantic.BaseModel):
    """A car that was seen."""
    colour: Literal["red", "green", "blue"]
    doors: int = pydantic.Field(ge=2, le=5)
    used: bool
    owner: Literal["Ann", "Bo"] | None


class Paint(pydantic.BaseModel):
    """Without limits on numbers, which Anthropic's client leaves out of the schema."""
    colour: Literal["red", "green", "blue"]
    glossy: bool


@pytest.fixture(scope="module")
def openai_client(url):
    return openai.OpenAI(base_url=f"{url}/v1", max_retries=0)


@pytest.fixture(scope="module")
def anthropic_client(url):
    return anthropic.Anthropic(base_url=url, max_retries=0)


def openai_chat(url, method):
    return langchain_openai.ChatOpenAI(model=MODEL, base_url=f"{url}/v1", max_tokens=200, max_retries=0, temperature=0,
                                       use_responses_api=method == "responses")


def test_openai_chats(openai_client):
    fields = {"model": MODEL, "messages": ASK, "response_format": Car, "seed": 1, "max_tokens": 200}
    whole = openai_client.chat.completions.parse(**fields).choices[0].message
    assert isinstance(whole.parsed, Car) and not whole.refusal
    with openai_client.chat.completions.stream(**fields) as stream:
        for _ in stream:
            pass
        assert stream.get_final_completion().choices[0].message.parsed == whole.parsed


def test_openai_tools(openai_client):
    answer = openai_client.chat.completions.parse(model=MODEL, messages=ASK, tools=[openai.pydantic_function_tool(Car)],
                                                  tool_choice="required", seed=1, max_tokens=200, parallel_tool_calls=False)
    [call] = answer.choices[0].message.tool_calls
    assert isinstance(call.function.parsed_arguments, Car)


def test_openai_responses(openai_client):
    fields = {"model": MODEL, "input": ASK, "text_format": Car, "max_output_tokens": 200, "extra_body": {"seed": 1}}
    whole = openai_client.responses.parse(**fields)
    assert isinstance(whole.output_parsed, Car)
    with openai_client.responses.stream(**fields) as stream:
        for _ in stream:
            pass
        assert stream.get_final_response().output_parsed == whole.output_parsed


def test_anthropic(anthropic_client):
    answer = anthropic_client.messages.parse(model=MODEL, messages=ASK, output_format=Paint, max_tokens=200)
    assert isinstance(answer.parsed_output, Paint)


def test_ollama(url):
    client = ollama.Client(host=url)
    fields = {"model": MODEL, "format": Car.model_json_schema(), "options": {"seed": 1, "num_predict": 200}}
    Car.model_validate_json(client.chat(messages=ASK, **fields).message.content)
    Car.model_validate_json(client.generate(prompt="A car:", **fields).response)
    assert isinstance(json.loads(client.chat(messages=ASK, **{**fields, "format": "json"}).message.content), dict)


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "responses"])
def test_langchain_openai(url, method):
    model = openai_chat(url, method)
    kind = {} if method == "responses" else {"method": method}
    assert isinstance(model.with_structured_output(Car, **kind).invoke("Which car do you see?"), Car)


def test_langchain_ollama(url):
    model = langchain_ollama.ChatOllama(model=MODEL, base_url=url, num_predict=200, seed=1)
    assert isinstance(model.with_structured_output(Car, method="json_schema").invoke("Which car do you see?"), Car)


def test_schemas_that_can_not_be_honoured(url, openai_client, anthropic_client):
    named = {"type": "json_schema", "json_schema": {"name": "bad", "schema": BAD, "strict": True}}
    with pytest.raises(openai.BadRequestError) as chat:
        openai_client.chat.completions.create(model=MODEL, messages=ASK, response_format=named)
    assert chat.value.param == "response_format.json_schema.schema" and "#/properties/a/not" in chat.value.message
    with pytest.raises(openai.BadRequestError) as response:
        openai_client.responses.create(model=MODEL, input=ASK, text={"format": {"type": "json_schema", "name": "bad", "schema": BAD}})
    assert response.value.param == "text.format.schema"
    with pytest.raises(openai.BadRequestError):
        openai_client.chat.completions.create(model=MODEL, messages=ASK, tool_choice="required",
                                              tools=[{"type": "function", "function": {"name": "f", "parameters": BAD}}])
    with pytest.raises(anthropic.BadRequestError):
        anthropic_client.messages.create(model=MODEL, messages=ASK, max_tokens=9,
                                         output_config={"format": {"type": "json_schema", "schema": BAD}})
    with pytest.raises(ollama.ResponseError) as answer:
        ollama.Client(host=url).chat(model=MODEL, messages=ASK, format=BAD)
    assert answer.value.status_code == 400 and answer.value.error.startswith("format")
    with pytest.raises(openai.BadRequestError):
        openai_chat(url, "json_schema").with_structured_output({**BAD, "title": "bad"}, method="json_schema").invoke("x")
