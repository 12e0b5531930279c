"""Requests as agents, editors and chat front ends send them, by their documentation: requests/*.json."""
import http.client
import json
import pathlib
import urllib.parse

import pytest

from conftest import MODEL, TIMEOUT_S

FILES = sorted((pathlib.Path(__file__).parent / "requests").glob("*.json"))
# How a stream of each API ends.
ENDS = {"/v1/chat/completions": "data: [DONE]", "/v1/completions": "data: [DONE]", "/v1/responses": '"response.',
        "/v1/messages": "event: message_stop", "/api/chat": '"done":true'}


def send(url, request):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=TIMEOUT_S)
    try:
        body = json.dumps({**request["body"], "model": MODEL})
        connection.request("POST", request["path"], body, {"Content-Type": "application/json", **request["headers"]})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_replay(url, file):
    request = json.loads(file.read_text())
    status, said = send(url, request)
    assert status == 200, said
    path = request["path"].partition("?")[0]
    if request["body"].get("stream"):
        lines = [line for line in said.splitlines() if line]
        assert any(ENDS[path] in line for line in lines[-2:]), said[-500:]
        assert '"error":{' not in said
    else:
        json.loads(said)
