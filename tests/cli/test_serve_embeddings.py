"""serve: embeddings, of encoders and of language models.

INGLE_MINILM=FILE, all-MiniLM-L6-v2 converted by scripts/convert_bert_to_gguf.py to f32, adds its vectors against those of
sentence-transformers (minilm_embeddings.json, made by scripts/make_embedding_golden.py)."""
import base64
import concurrent.futures
import json
import math
import os
import pathlib
import random
import struct
import subprocess
import unittest

from harness import INGLE, TINY
from server_harness import Server, ServerTest, chat

EMBEDDINGS = "/v1/embeddings"
BERT = TINY.with_name("tiny-bert.gguf")
FOLDER = pathlib.Path(__file__).parent


def floats(text):
    raw = base64.b64decode(text, validate=True)
    return list(struct.unpack(f"<{len(raw) // 4}f", raw))


def as_float32(values):
    return [struct.unpack("<f", struct.pack("<f", v))[0] for v in values]


def length(vector):
    return math.sqrt(sum(v * v for v in vector))


class Embeddings:
    """What holds for every model."""
    WIDTH = 0

    def embed(self, given, **fields):
        return [entry["embedding"] for entry in self.ok(EMBEDDINGS, {"input": given, **fields})["data"]]

    def ids(self, text):
        return self.ok("/tokenize", {"prompt": text})["tokens"]

    def test_the_shape_of_an_answer(self):
        answer = self.ok(EMBEDDINGS, {"input": ["the rain", "stays"], "user": "u", "priority": 3, "model": None})
        self.assertEqual(answer["object"], "list")
        self.assertEqual([(e["object"], e["index"], len(e["embedding"])) for e in answer["data"]],
                         [("embedding", 0, self.WIDTH), ("embedding", 1, self.WIDTH)])
        tokens = len(self.ids("the rain")) + len(self.ids("stays"))
        self.assertEqual(answer["usage"], {"prompt_tokens": tokens, "total_tokens": tokens})
        for entry in answer["data"]:
            self.assertAlmostEqual(length(entry["embedding"]), 1, places=6)

    def test_a_text_has_one_vector_however_it_is_asked_for(self):
        texts = ["the rain", "stays in the plain", "7", "the rain, the rain and the rain" * 4]
        alone = [self.embed(text)[0] for text in texts]
        self.assertEqual(self.embed(texts), alone)
        self.assertEqual(self.embed(texts[::-1])[::-1], alone)
        self.assertEqual(self.embed([self.ids(text) for text in texts]), alone)
        self.assertEqual(self.embed(self.ids(texts[1])), [alone[1]])
        self.assertEqual(len({tuple(vector) for vector in alone}), len(texts))
        coded = self.embed(texts, encoding_format="base64")
        self.assertEqual([floats(text) for text in coded], [as_float32(vector) for vector in alone])
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            for together in pool.map(self.embed, [texts] * 12):
                self.assertEqual(together, alone)

    def test_many_texts_in_one_request(self):
        rng = random.Random(3)
        texts = ["".join(rng.choices("abc the rain, ", k=rng.randrange(1, 60))) + "x" for _ in range(300)]
        vectors = self.embed(texts)
        self.assertEqual(len(vectors), 300)
        for i in rng.sample(range(300), 12):
            self.assertEqual(vectors[i], self.embed(texts[i])[0])

    def test_pooling_and_length(self):
        raw = self.embed("the rain", normalize=False)[0]
        for value, unit in zip(raw, self.embed("the rain")[0]):
            self.assertAlmostEqual(value / length(raw), unit, places=6)
        mean, last = (self.embed("the rain", pooling=pooling)[0] for pooling in ("mean", "last"))
        self.assertNotEqual(mean, last)
        self.assertIn(self.embed("the rain")[0], (mean, last))
        self.assertEqual(len(self.embed("the rain", dimensions=self.WIDTH)[0]), self.WIDTH)

    def test_what_is_refused(self):
        for body, says in (({}, "input"), ({"input": []}, "input"), ({"input": 7}, "input"), ({"input": {}}, "input"),
                           ({"input": [[]]}, "input"), ({"input": ["a", 7]}, "input"), ({"input": [1, "a"]}, "input"),
                           ({"input": [1, 10 ** 9]}, "input"), ({"input": [-1]}, "input"), ({"input": [[1], ["a"]]}, "input"),
                           ({"input": ["a"] * 2049}, "2048"), ({"input": "a", "encoding_format": "int8"}, "encoding_format"),
                           ({"input": "a", "dimensions": 0}, "dimensions"), ({"input": "a", "dimensions": 5}, str(self.WIDTH)),
                           ({"input": "a", "dimensions": 10 ** 6}, "dimensions"), ({"input": "a", "pooling": "max"}, "pooling"),
                           ({"input": "a", "normalize": "yes"}, "normalize"),
                           ({"input": "a", "priority": 1001}, "priority")):
            self.assertTrue(self.refused(400, EMBEDDINGS, body, says)["param"], body)
        self.refused(404, EMBEDDINGS, {"input": "a", "model": "nobody"})
        self.refused(400, EMBEDDINGS, "{")

    def test_a_text_that_is_too_long(self):
        context = self.ok("/tokenize", {"prompt": ""})["max_model_len"]
        long = self.ids("the rain and ") * context
        error = self.refused(400, EMBEDDINGS, {"input": [[1, 2], long]}, str(context))
        self.assertIn(str(len(long)), error["message"])
        self.assertEqual((error["code"], error["param"]), ("context_length_exceeded", "input"))
        self.assertEqual(len(self.embed(long[:context])), 1)
        text = "the rain and " * context
        ids = self.ids(text)
        kept = ids[:context - 1] + ids[-1:] if self.WIDTH == 72 else ids[:context]
        self.assertEqual(self.embed(text, truncate=True), self.embed(kept))


class LanguageModelTest(Embeddings, ServerTest):
    WIDTH = 64

    def test_the_last_token_counts_unless_told_otherwise(self):
        self.assertEqual(self.embed("the rain"), self.embed("the rain", pooling="last"))
        self.refused(400, EMBEDDINGS, {"input": "a", "pooling": "cls"}, "pooling")

    def test_answers_go_on_beside_embeddings(self):
        alone = self.ok("/v1/chat/completions", chat())["choices"]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            vectors = [pool.submit(self.embed, ["the rain " * n for n in range(1, 30)], pooling="mean") for _ in range(2)]
            answers = [pool.submit(self.ok, "/v1/chat/completions", chat()) for _ in range(6)]
            for answer in answers:
                self.assertEqual(answer.result()["choices"], alone)
            self.assertEqual(vectors[0].result(), vectors[1].result())


class EncoderTest(Embeddings, ServerTest):
    WIDTH = 72

    @classmethod
    def setUpClass(cls):
        cls.server = Server(model=BERT)

    def test_the_mean_counts_unless_told_otherwise(self):
        self.assertEqual(self.embed("the rain"), self.embed("the rain", pooling="mean"))
        self.assertNotEqual(self.embed("the rain", pooling="cls"), self.embed("the rain", pooling="mean"))

    def test_it_generates_nothing(self):
        for path, body in (("/v1/chat/completions", chat()), ("/v1/completions", {"prompt": "a"})):
            self.assertEqual(self.refused(400, path, body, "embeddings")["param"], "model")
        for path in ("/api/generate", "/api/chat", "/v1/messages"):
            status, _, answer = self.server.post(path, {"prompt": "a", "messages": [], "max_tokens": 4})
            self.assertEqual(status, 400)
            self.assertIn("embeddings", json.dumps(answer))
        done = subprocess.run([INGLE, "run", str(BERT), "the rain"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("makes embeddings", done.stderr)


@unittest.skipUnless("INGLE_MINILM" in os.environ, "set INGLE_MINILM to the converted model's file")
class MiniLmTest(ServerTest):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(model=os.environ["INGLE_MINILM"])

    def test_the_vectors_are_those_of_sentence_transformers(self):
        golden = json.loads((FOLDER / "minilm_embeddings.json").read_text(encoding="utf-8"))["texts"]
        for entry in golden:
            self.assertEqual(self.ok("/tokenize", {"prompt": entry["text"]})["tokens"], entry["ids"], entry["text"])
        data = self.ok(EMBEDDINGS, {"input": [entry["text"] for entry in golden], "encoding_format": "base64"})["data"]
        worst = max(max(abs(a - b) for a, b in zip(floats(got["embedding"]), floats(want["vector"]), strict=True))
                    for got, want in zip(data, golden, strict=True))
        print(f"largest difference {worst:.1e}", flush=True)
        self.assertLessEqual(worst, 1e-4)


if __name__ == "__main__":
    unittest.main()
