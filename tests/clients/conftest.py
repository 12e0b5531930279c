"""A real `ingle serve` for the clients' tests. INGLE names the command, INGLE_CLIENTS_MODEL the model's file (SmolLM2), and
INGLE_QWEN that of Qwen2.5-Coder-1.5B-Instruct, which can call tools: without it, what needs it is skipped."""
import contextlib
import os
import re
import signal
import subprocess
import threading
import time
import urllib.request

import pytest

# Nothing here may ask the network: data sets are local, and no client reports home.
os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", LITELLM_LOCAL_MODEL_COST_MAP="True",
                  OPENAI_API_KEY="none", ANTHROPIC_API_KEY="none", NO_PROXY="127.0.0.1", no_proxy="127.0.0.1")

MODEL, QWEN = "smollm2", "qwen"
TIMEOUT_S = 60


@contextlib.contextmanager
def serving(model, alias, home, *options):
    """The URL of a server of the model."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("INGLE")}
    environ["INGLE_HOME"] = str(home)
    words = [os.environ["INGLE"], "serve", model, "--port", "0", "--alias", alias, *options]
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


def metric(url, name):
    with urllib.request.urlopen(f"{url}/metrics") as page:
        values = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", page.read().decode(), re.MULTILINE)
    assert values, f"there is no metric {name}"
    return sum(map(float, values))


def wait_until_idle(url, seconds=5):
    """Until no answer runs or waits."""
    end = time.monotonic() + seconds
    while metric(url, "vllm:num_requests_running") + metric(url, "vllm:num_requests_waiting") > 0:
        assert time.monotonic() < end, "answers go on"
        time.sleep(0.02)


@pytest.fixture(scope="session")
def url(tmp_path_factory):
    with serving(os.environ["INGLE_CLIENTS_MODEL"], MODEL, tmp_path_factory.mktemp("home")) as url:
        yield url


@pytest.fixture(scope="session")
def qwen_url(tmp_path_factory):
    qwen = os.environ.get("INGLE_QWEN")
    if not qwen:
        pytest.skip("INGLE_QWEN names no Qwen2.5-Coder-1.5B-Instruct in GGUF")
    with serving(qwen, QWEN, tmp_path_factory.mktemp("home")) as url:
        yield url
