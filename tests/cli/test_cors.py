"""serve: which web pages may use the server from a browser."""
import unittest

from harness import TINY, CliTest
from server_harness import Server, ServerTest, chat

CHAT, PAGE = "/v1/chat/completions", "https://app.example:8443"


class CorsTest(ServerTest):
    ARGS = ("--cors-origin", PAGE, "--cors-origin", "http://localhost:3000", "--cors-origin", "app://obsidian.md")

    def preflight(self, origin, path=CHAT, **headers):
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST",
                   "Access-Control-Request-Headers": "authorization,content-type", **headers}
        status, answer, _ = self.server.request("OPTIONS", path, headers=headers)
        return status, answer

    def test_browsers_are_told_what_named_pages_may_send(self):
        for origin in (PAGE, "http://localhost:3000", "app://obsidian.md"):
            status, headers = self.preflight(origin)
            self.assertEqual(status, 200)
            self.assertEqual(headers["Access-Control-Allow-Origin"], origin)
            self.assertIn("POST", headers["Access-Control-Allow-Methods"])
            self.assertEqual(headers["Access-Control-Allow-Headers"], "authorization,content-type")
            self.assertIn("Origin", headers["Vary"])
            self.assertIsNone(headers["Access-Control-Allow-Credentials"])
            self.assertIsNone(headers["Access-Control-Allow-Private-Network"])
        _, headers = self.preflight(PAGE, **{"Access-Control-Request-Private-Network": "true"})
        self.assertEqual(headers["Access-Control-Allow-Private-Network"], "true")

    def test_other_pages_get_nothing(self):
        for origin in ("https://evil.example", "https://app.example", PAGE + "0", "http://app.example:8443", "null", "*",
                       "https://app.example:8443.evil.example", "https://obsidian.md", "app://obsidian.mdx"):
            status, headers = self.preflight(origin)
            self.assertEqual(status, 403, origin)
            self.assertIsNone(headers["Access-Control-Allow-Origin"])
            status, headers, _ = self.server.request("GET", "/v1/models", headers={"Origin": origin})
            self.assertEqual(status, 403, origin)
            self.assertIsNone(headers["Access-Control-Allow-Origin"])

    def test_every_answer_to_a_named_page_can_be_read_by_it(self):
        for method, path, body, status in (("GET", "/v1/models", None, 200), ("GET", "/nothing", None, 404), ("GET", CHAT, None, 405),
                                           ("POST", CHAT, chat(), 200), ("POST", CHAT, chat(stream=True), 200), ("POST", CHAT, {}, 400)):
            headers = {"Origin": PAGE, **({"Content-Type": "application/json"} if body is not None else {})}
            got, answer, _ = self.server.request(method, path, body, headers)
            self.assertEqual(got, status)
            self.assertEqual(answer.get_all("Access-Control-Allow-Origin"), [PAGE])
            self.assertIn("x-request-id", answer["Access-Control-Expose-Headers"])
        _, answer, _ = self.server.request("GET", "/v1/models")
        self.assertIsNone(answer["Access-Control-Allow-Origin"])
        self.assertEqual(answer["Vary"], "Origin")

    def test_what_is_no_preflight_is_none(self):
        self.assertEqual(self.server.request("OPTIONS", CHAT, headers={"Origin": PAGE})[0], 405)
        self.assertEqual(self.preflight(PAGE, "/nothing")[0], 404)
        for words in ("x\ty", "a" * 2000, "a:b", "<x>"):
            self.assertIsNone(self.preflight(PAGE, **{"Access-Control-Request-Headers": words})[1]["Access-Control-Allow-Headers"])
        # The host still has to be the server's.
        status, _, _ = self.server.request("GET", "/v1/models", headers={"Origin": PAGE, "Host": "evil.example"})
        self.assertEqual(status, 403)


class OptionsTest(CliTest):
    def test_without_the_option_there_is_no_cors(self):
        server = Server()
        self.addCleanup(server.stop)
        status, headers, _ = server.request("OPTIONS", CHAT, headers={"Origin": PAGE, "Access-Control-Request-Method": "POST"})
        self.assertEqual(status, 403)
        self.assertIsNone(headers["Access-Control-Allow-Origin"])
        self.assertIsNone(server.request("GET", "/health")[1]["Vary"])
        self.assertEqual(server.stop(), 0)

    def test_every_page_where_there_are_keys(self):
        server = Server("--api-key", "secret", "--cors-origin", "*")
        self.addCleanup(server.stop)
        status, headers, _ = server.request("OPTIONS", CHAT, headers={"Origin": "https://any.example", "Access-Control-Request-Method": "POST"})
        self.assertEqual((status, headers["Access-Control-Allow-Origin"]), (200, "*"))
        self.assertIsNone(headers["Access-Control-Allow-Credentials"])
        status, headers, _ = server.request("GET", "/v1/models", headers={"Origin": "https://any.example"})
        self.assertEqual((status, headers["Access-Control-Allow-Origin"]), (401, "*"))
        status, _, _ = server.request("GET", "/v1/models", headers={"Origin": "https://any.example", "Authorization": "Bearer secret"})
        self.assertEqual(status, 200)
        self.assertEqual(server.stop(), 0)

    def test_origins_that_are_none(self):
        for origin in ("app.example", "https://app.example/", "https://*.example", "1ftp://x", "https://", "null", "https://a,https://b"):
            self.fails("serve", TINY, "--port", "0", "--cors-origin", origin, says="--cors-origin")
        self.fails("serve", TINY, "--port", "0", "--cors-origin", "*", says="every web page")


if __name__ == "__main__":
    unittest.main()
