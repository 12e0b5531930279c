"""The package `openai`."""
import asyncio
import concurrent.futures

import openai
import pytest

from conftest import MODEL

ASK = [{"role": "system", "content": "You answer briefly."}, {"role": "user", "content": "Name three colours."}]


@pytest.fixture(scope="module")
def client(url):
    return openai.OpenAI(base_url=f"{url}/v1", max_retries=0)


def chat(client, **fields):
    return client.chat.completions.create(**{"model": MODEL, "messages": ASK, "max_tokens": 24, "seed": 1, **fields})


def test_chat_and_its_stream_say_the_same(client):
    whole = chat(client)
    text = whole.choices[0].message.content
    assert text and whole.usage.completion_tokens <= 24 and whole.system_fingerprint
    chunks = list(chat(client, stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == text
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert client.chat.completions.with_raw_response.create(model=MODEL, messages=ASK, max_tokens=1).request_id


def test_choices_and_logprobs(client):
    answer = chat(client, n=3, logprobs=True, top_logprobs=2, temperature=1.0)
    assert [c.index for c in answer.choices] == [0, 1, 2]
    for choice in answer.choices:
        assert all(len(t.top_logprobs) == 2 and t.logprob <= 0 for t in choice.logprobs.content)


def test_completions(client):
    fields = {"model": MODEL, "prompt": "The sky is", "max_tokens": 8, "temperature": 0}
    answer = client.completions.create(**fields, echo=True, logprobs=2).choices[0]
    assert answer.text.startswith("The sky is")
    assert answer.logprobs.token_logprobs[0] is None and all(x <= 0 for x in answer.logprobs.token_logprobs[1:])
    assert "".join(c.choices[0].text for c in client.completions.create(**fields, stream=True)) == answer.text[len("The sky is"):]
    both = client.completions.create(**{**fields, "prompt": ["The sky is", "Rain is"]})
    assert both.choices[0].text == answer.text[len("The sky is"):]


def test_responses(client):
    fields = {"model": MODEL, "input": "Name a colour.", "instructions": "You answer briefly.", "max_output_tokens": 16,
              "extra_body": {"seed": 1}}
    first = client.responses.create(**fields)
    assert first.output_text
    events = list(client.responses.create(**fields, stream=True))
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == first.output_text
    assert events[-1].response.output_text == first.output_text
    with client.responses.stream(**fields) as stream:
        for _ in stream:
            pass
    second = client.responses.create(model=MODEL, input="And another.", previous_response_id=first.id, max_output_tokens=8)
    assert second.usage.input_tokens > 0 and second.previous_response_id == first.id
    assert client.responses.retrieve(first.id).output_text == first.output_text
    items = list(client.responses.input_items.list(second.id))
    assert [item.content[0].text for item in items] == ["And another."] and items[0].role == "user"
    with pytest.raises(openai.BadRequestError):
        client.responses.retrieve(first.id, stream=True)
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)


def test_embeddings(client):
    vectors = [one.embedding for one in client.embeddings.create(model=MODEL, input=["red", "blue", "red"]).data]
    assert vectors[0] == vectors[2] != vectors[1]
    assert client.embeddings.create(model=MODEL, input="red", encoding_format="float").data[0].embedding == pytest.approx(vectors[0])


def test_models(client):
    own, alias = client.models.list().data
    assert alias.id == MODEL and client.models.retrieve(MODEL).id == MODEL
    assert client.models.retrieve(own.id).id == own.id != MODEL


def test_errors(client):
    with pytest.raises(openai.BadRequestError) as wrong:
        chat(client, temperature=-1)
    assert wrong.value.param == "temperature" and wrong.value.request_id
    with pytest.raises(openai.NotFoundError) as missing:
        chat(client, model="gpt-4o")
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as long:
        client.completions.create(model=MODEL, prompt="x " * 100_000, max_tokens=1)
    assert long.value.code == "context_length_exceeded"


def test_streams_that_are_given_up_make_room(client):
    for _ in range(20):
        stream = chat(client, stream=True, max_tokens=2000, extra_body={"ignore_eos": True})
        next(iter(stream))
        stream.close()
    assert chat(client).choices[0].message.content


def test_many_at_once_say_what_each_says_alone(client, url):
    bodies = [{"messages": [{"role": "user", "content": f"{'Tell me more. ' * i}What is {i} plus {i}?"}], "seed": i,
               "temperature": 1.0} for i in range(12)]
    alone = [chat(client, **body).choices[0].message.content for body in bodies]
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        together = list(pool.map(lambda body: chat(client, **body).choices[0].message.content, bodies))
    assert together == alone

    async def all_at_once():
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", max_retries=0) as one:
            return await asyncio.gather(*(chat(one, **body) for body in bodies))

    assert [answer.choices[0].message.content for answer in asyncio.run(all_at_once())] == alone
