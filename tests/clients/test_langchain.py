"""LangChain's packages for OpenAI and Ollama."""
import langchain_ollama
import langchain_openai
import ollama
import openai
import pytest

from conftest import MODEL

ASK = [("system", "You answer briefly."), ("human", "Name three colours.")]


@pytest.fixture(params=["openai", "openai-responses", "ollama"])
def model(request, url):
    if request.param == "ollama":
        return langchain_ollama.ChatOllama(model=MODEL, base_url=url, num_predict=24, seed=1)
    responses = request.param == "openai-responses"
    return langchain_openai.ChatOpenAI(model=MODEL, base_url=f"{url}/v1", max_tokens=24, temperature=0, max_retries=0,
                                       use_responses_api=responses, **({} if responses else {"seed": 1}))


def test_invoke_and_stream_say_the_same(model):
    whole = model.invoke(ASK)
    assert whole.text and whole.usage_metadata["output_tokens"] <= 24
    assert "".join(part.text for part in model.stream(ASK)) == whole.text


def test_batches(model):
    batch = model.batch([ASK, [("human", "Say hello.")], ASK])
    assert batch[0].text == batch[2].text == model.invoke(ASK).text


@pytest.mark.parametrize("api", ["openai", "ollama"])
def test_embeddings(url, api):
    # What OpenAI's tokenizer makes of a text (the default) are no tokens of another model.
    model = (langchain_openai.OpenAIEmbeddings(model=MODEL, base_url=f"{url}/v1", check_embedding_ctx_length=False)
             if api == "openai" else langchain_ollama.OllamaEmbeddings(model=MODEL, base_url=url))
    one, other, again = model.embed_documents(["red", "blue", "red"])
    assert one == again == model.embed_query("red") and one != other


def test_errors(url):
    with pytest.raises(ollama.ResponseError) as missing:
        langchain_ollama.ChatOllama(model="nobody", base_url=url).invoke(ASK)
    assert missing.value.status_code == 404
    with pytest.raises(openai.NotFoundError):
        langchain_openai.ChatOpenAI(model="nobody", base_url=f"{url}/v1", max_retries=0).invoke(ASK)
