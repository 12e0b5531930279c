"""LangChain's standard suite for chat models, with Qwen2.5-Coder-1.5B, which can call tools. INGLE_QWEN names its file."""
import os

import langchain_openai
import pytest
from langchain_tests.integration_tests import ChatModelIntegrationTests

from conftest import serving

QWEN = os.environ.get("INGLE_QWEN", "")
pytestmark = pytest.mark.skipif(not QWEN, reason="INGLE_QWEN names no Qwen2.5-Coder-1.5B-Instruct in GGUF")


@pytest.fixture(scope="module")
def qwen_url(tmp_path_factory):
    with serving(QWEN, "qwen", tmp_path_factory.mktemp("home")) as url:
        yield url


class TestChatOpenAI(ChatModelIntegrationTests):
    @pytest.fixture(autouse=True)
    def server(self, qwen_url):
        self.url = qwen_url

    @property
    def chat_model_class(self):
        return langchain_openai.ChatOpenAI

    @property
    def chat_model_params(self):
        return {"model": "qwen", "base_url": f"{self.url}/v1", "temperature": 0, "max_tokens": 300, "stream_usage": True}

    @property
    def supports_json_mode(self):
        return True

    @property
    def supported_usage_metadata_details(self):
        return {"invoke": ["cache_read_input"], "stream": ["cache_read_input"]}

    def invoke_with_cache_read_input(self, *, stream=False):
        model = self.chat_model_class(**{**self.chat_model_params, "max_tokens": 2})
        prompt = "Say yes. " * 40
        model.invoke(prompt)
        if not stream:
            answer = model.invoke(prompt)
        else:
            first, *rest = model.stream(prompt)
            answer = sum(rest, first)
        assert answer.usage_metadata["input_token_details"]["cache_read"] > 0
        return answer
