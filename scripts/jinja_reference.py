"""jinja2, set up as transformers sets it up for chat templates: what the interpreter in src/text is compared with."""
import functools
import json

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment


class Generation(jinja2.ext.Extension):
    """{% generation %} marks what the assistant said and prints it like anything else."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_said"), [], [], body).set_lineno(line)

    @jinja2.pass_eval_context
    def _said(self, context, caller):
        return caller()


class Namespace(jinja2.utils.Namespace):
    def __init__(*args, **kwargs):  # noqa: N805 - `self` may be the name of an attribute
        self, attributes = args[0], dict(*args[1:], **kwargs)
        for name in attributes:
            Namespace.check(name)
        jinja2.utils.Namespace.__init__(self, attributes)

    def __setitem__(self, name, value):
        Namespace.check(name)
        jinja2.utils.Namespace.__setitem__(self, name, value)

    @staticmethod
    def check(name):
        if isinstance(name, str) and name.startswith("_"):
            raise jinja2.exceptions.SecurityError(f"namespace attribute {name!r}")


class Dict:
    def __call__(self, *args, **kwargs):
        return dict(*args, **kwargs)

    def fromkeys(self, *args, **kwargs):
        return dict.fromkeys(*args, **kwargs)


class Reference:
    """Renders templates; `now` is the datetime that strftime_now() tells."""

    def __init__(self, now):
        def raise_exception(message):
            raise jinja2.exceptions.TemplateError(message)

        def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
            return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

        self.env = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
        self.env.filters["tojson"] = tojson
        self.env.globals.update(raise_exception=raise_exception, strftime_now=now.strftime, dict=Dict(), namespace=Namespace)
        self.compiled = functools.lru_cache(256)(self.env.from_string)

    def render(self, template, context):
        """(text, None), or (None, what went wrong)."""
        try:
            text = self.compiled(template).render(**context)
            text.encode("utf-8")  # half a surrogate pair is no text
            return text, None
        except Exception as e:  # noqa: BLE001 - a refusal is a refusal, whatever raised it
            return None, f"{type(e).__name__}: {e}"
