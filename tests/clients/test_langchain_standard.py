"""LangChain's standard suite for chat models, with Qwen2.5-Coder-1.5B, which can call tools."""
import langchain_openai
import pytest
from langchain_tests.integration_tests import ChatModelIntegrationTests

from conftest import QWEN


class TestChatOpenAI(ChatModelIntegrationTests):
    @pytest.fixture(autouse=True)
    def server(self, qwen_url):
        self.url = qwen_url

    @property
    def chat_model_class(self):
        return langchain_openai.ChatOpenAI

    @property
    def chat_model_params(self):
        return {"model": QWEN, "base_url": f"{self.url}/v1", "temperature": 0, "max_tokens": 300, "stream_usage": True}

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
