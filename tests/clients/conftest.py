"""A real `ingle serve` for the clients' tests. INGLE names the command, INGLE_CLIENTS_MODEL the model's file (SmolLM2)."""
import contextlib
import os
import re
import signal
import subprocess
import threading

import pytest

# Nothing here may ask the network: data sets are local, and no client reports home.
os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", LITELLM_LOCAL_MODEL_COST_MAP="True",
                  OPENAI_API_KEY="none", ANTHROPIC_API_KEY="none", NO_PROXY="127.0.0.1", no_proxy="127.0.0.1")

MODEL = "smollm2"
TIMEOUT_S = 60


@contextlib.contextmanager
def serving(model, alias, home):
    """The URL of a server of the model."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("INGLE")}
    environ["INGLE_HOME"] = str(home)
    words = [os.environ["INGLE"], "serve", model, "--port", "0", "--alias", alias]
    server = subprocess.Popen(words, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=environ, text=True)
    said = ""
    for line in server.stderr:
        said += line
        if found := re.search(r"listening on (http://127\.0\.0\.1:\d+)", line):
            break
    else:
        raise AssertionError(f"the server did not start: {said}")
    threading.Thread(target=server.stderr.read, daemon=True).start()
    yield found.group(1)
    server.send_signal(signal.SIGTERM)
    assert server.wait(TIMEOUT_S) == 0


@pytest.fixture(scope="session")
def url(tmp_path_factory):
    with serving(os.environ["INGLE_CLIENTS_MODEL"], MODEL, tmp_path_factory.mktemp("home")) as url:
        yield url
