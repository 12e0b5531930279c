"""Random chat templates and contexts for comparing the Jinja interpreter with jinja2 (see fuzz_templates.py)."""
import random

STRINGS = ["", "a", "Hello World", "x,y,,z", "  pad  ", "Ünï ß ﬁ", "日本語テキスト", "😀👍", "l1\nl2\r\nl3\n", "'q\"", "A-b_c.D", "12", "-3.5",
           "<b>&</b>", "tab\tx", "ΣΑΣ", "foo bar baz qux", "{}", "%s", "aXbXc", "\u00a0x\u2003", "١٢", "0x1f", "1_000", "true", "ǆabc"]
NUMBERS = ["0", "1", "2", "3", "-1", "7", "10", "255", "1.0", "2.5", "-0.5", "1e3", "0.1", "1e20", "3.14159", "100000000000", "1_000", "0x1F"]
# Expressions that hardly ever fail, so that whole templates get to their end.
EASY = ["s", "t", "n", "f", "l", "e", "b", "x", "y", "u", "z", "d", "msgs", "s|upper", "t|trim", "l|length", "d|tojson", "z|tojson(indent=2)", "s ~ t", "s ~ n ~ l", "n + 1", "n * 2", "f / 2", "l[:2]", "s[::-1]",
        "s[1:]", "msgs[1:]", "l|first", "l|last", "x|default('D')", "x is defined", "u is undefined", "n > 1", "s == t", "'a' in s", "n in [1, 3]", "not b", "b and s", "s or t", "s if b else t", "(s if b)", "l|map('string')|join('+')",
        "msgs|selectattr('a', 'defined')|list", "msgs|map(attribute='b')|list", "msgs|length", "d.items()|list", "d.get('a', 'no')", "d.a", "d['b']", "d.nope", "s.split()", "t.split(',')", "s.strip()", "s|replace('a', 'b')",
        "[s, t]", "(n, f)", "{'k': s, 'l': l}", "range(3)|list", "1", "'lit'", "none", "true", "s|length > 3", "n is odd", "s is string", "l is mapping", "z is iterable", "f|round(1)", "f|int", "s|title", "s.find('o')", "l|string|upper",
        "ns.a", "ns.b", "ns.q", "s.startswith('H')", "t|indent(2)", "s|wordcount", "'%s-%s' % (s, n)", "'{}:{}'.format(s, t)", "x|string", "y|string", "a|string", "k|string", "v|string", "l is defined and l", "loop is defined", "caller is defined"]
NAMES = ["s", "t", "n", "f", "l", "d", "m", "e", "u", "ns", "b", "z", "msgs"]
FILTERS = ["abs", "attr('a')", "batch(2)", "batch(2, 'x')", "capitalize", "center(9)", "count", "default('dd')", "default('dd', true)", "d(1)",
           "dictsort", "dictsort(true, 'value')", "dictsort(reverse=true)", "e", "escape", "filesizeformat", "filesizeformat(true)", "first", "float", "float(9)",
           "forceescape", "format(1, 'b')", "groupby('a')", "groupby(0)", "indent", "indent(2, true)", "indent('> ', blank=true)", "int", "int(5)", "int(0, 16)",
           "items", "join", "join(', ')", "join('-', 'a')", "join(d='+', attribute=0)", "last", "length", "list", "lower", "map('upper')", "map(attribute='a')",
           "map(attribute='a', default='?')", "map('default', 'q')", "map('int')", "max", "min", "max(attribute='a')", "reject('odd')", "reject",
           "rejectattr('a')", "rejectattr('a', 'eq', 1)", "replace('a', 'b')", "replace('', '.')", "replace('l', 'LL', 1)", "reverse", "round", "round(1)",
           "round(1, 'floor')", "round(0, 'ceil')", "round(-1)", "safe", "select", "select('string')", "select('gt', 1)", "selectattr('a')",
           "selectattr('a', 'defined')", "selectattr('a', 'in', [1, 2])", "slice(2)", "slice(3, 0)", "sort", "sort(reverse=true)", "sort(case_sensitive=true)",
           "sort(attribute='a')", "sort(attribute='a,b')", "string", "striptags", "sum", "sum('a')", "sum(start=5)", "title", "tojson", "tojson(indent=2)",
           "tojson(separators=(',', ':'))", "tojson(sort_keys=true)", "tojson(ensure_ascii=true)", "tojson(indent='\t')", "trim", "trim('a ')", "truncate(5)",
           "truncate(5, true)", "truncate(7, false, '..', 0)", "unique", "unique(attribute='a')", "unique(true)", "upper", "urlencode", "wordcount",
           "wordwrap(5)", "wordwrap(7, false)", "wordwrap(6, wrapstring='|')", "wordwrap(8, break_on_hyphens=false)", "xmlattr", "xmlattr(false)", "list|length", "list|tojson", "string|length", "nosuch"]
TESTS = ["defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "mapping", "iterable", "sequence", "callable", "true", "false",
         "odd", "even", "divisibleby(3)", "divisibleby 2", "lower", "upper", "eq(1)", "equalto 'a'", "ne 2", "lt 3", "gt(0)", "le 2.5", "ge(1)", "in [1, 'a', none]",
         "sameas none", "sameas(true)", "escaped", "filter", "test", "greaterthan 1", "lessthan 4", "in 'abc'"]
METHODS = ["upper()", "lower()", "strip()", "strip('a ')", "lstrip()", "rstrip('\\n')", "split()", "split(',')", "split(' ', 1)", "split(sep='X', maxsplit=1)", "rsplit(' ', 1)",
           "rsplit()", "splitlines()", "splitlines(true)", "startswith('a')", "startswith(('a', 'H'))", "endswith('z')", "endswith('d', 2)", "title()", "capitalize()",
           "replace('a', 'b')", "replace('a', 'b', 1)", "find('l')", "find('l', 3)", "rfind('l')", "index('a')", "count('l')", "count('')", "join(['x', 'y'])", "join(l)",
           "format(1, 'x', a=3)", "isdigit()", "isalpha()", "isalnum()", "isspace()", "isupper()", "islower()", "istitle()", "isnumeric()", "isdecimal()", "isidentifier()",
           "zfill(6)", "ljust(6, '.')", "rjust(6)", "center(7, '*')", "partition(' ')", "rpartition(' ')", "removeprefix('a')", "removesuffix('z')", "swapcase()",
           "casefold()", "expandtabs()", "expandtabs(3)", "isascii()", "isprintable()", "items()", "keys()", "values()", "get('a')", "get('q', 7)", "get(1)", "copy()",
           "append(1)", "pop()", "update({})", "index(1)", "count(1)", "bit_length()", "is_integer()", "a", "b", "q", "items", "upper", "__class__", "_x", "real"]
FORMATS = ["{} {}", "{0}-{1}-{0}", "{a}", "{0!r}", "{:>6}", "{:*^9}", "{:05d}", "{:.2f}", "{:,}", "{:x}", "{0[0]}", "{0.a}", "{{}}", "{:+}", "{:e}", "{:%}", "{:<5}|", "{!s:>4}", "{:#x}", "{:g}", "{:_}", "{:08.3f}", "{:s}", "{:d}"]
PERCENTS = ["%s", "%d", "%5.2f|", "%-5s|", "%05d", "%x", "%r", "%s %s", "%%", "%(a)s", "%+d", "%e", "%g", "%c", "%.3s", "%i%%", "%#o", "% d", "%*d", "%X"]


class Generator:
    def __init__(self, rng):
        self.r = rng
        self.depth = 0
        self.easy = False
        self.macros = []

    def pick(self, options):
        return self.r.choice(options)

    def literal(self):
        k = self.r.random()
        if k < 0.4:
            return self.quote(self.pick(STRINGS))
        if k < 0.75:
            return self.pick(NUMBERS)
        return self.pick(["true", "false", "none", "True", "None", "[]", "{}", "()"])

    def quote(self, s):
        q = self.pick("'\"")
        out = s.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace(q, "\\" + q)
        return q + out + q

    def expression(self):
        self.easy = False
        return self.expr()

    def expr(self):
        if self.easy and self.r.random() < 0.97:
            return self.pick(EASY)
        self.depth += 1
        try:
            if self.depth > 4:
                return self.pick([self.literal, lambda: self.pick(NAMES)])()
            k = self.r.random()
            if k < 0.13:
                return self.literal()
            if k < 0.30:
                return self.pick(NAMES)
            if k < 0.45:
                return f"{self.atom()}|{self.pick(FILTERS)}"
            if k < 0.54:
                return f"{self.atom()}.{self.pick(METHODS)}"
            if k < 0.60:
                return f"{self.atom()} is {self.pick(['', 'not '])}{self.pick(TESTS)}"
            if k < 0.70:
                op = self.pick(["+", "-", "*", "/", "//", "%", "**", "~", "and", "or"])
                if op == "**":
                    return f"({self.atom()} ** {self.pick(['2', '0', '3', '-1', '0.5'])})"
                return f"({self.atom()} {op} {self.atom()})"
            if k < 0.77:
                op = self.pick(["==", "!=", "<", "<=", ">", ">=", "in", "not in"])
                extra = f" {self.pick(['<', '==', 'in'])} {self.atom()}" if self.r.random() < 0.2 else ""
                return f"({self.atom()} {op} {self.atom()}{extra})"
            if k < 0.80:
                return f"({self.pick(['not ', '-', '+'])}{self.atom()})"
            if k < 0.84:
                return f"({self.expr()} if {self.expr()} else {self.expr()})" if self.r.random() < 0.8 else f"({self.expr()} if {self.expr()})"
            if k < 0.87:
                return "[" + ", ".join(self.expr() for _ in range(self.r.randint(0, 3))) + "]"
            if k < 0.89:
                return "(" + ", ".join(self.expr() for _ in range(self.r.randint(2, 3))) + ")"
            if k < 0.92:
                return "{" + ", ".join(f"{self.pick([self.quote(self.pick(STRINGS)), '1', '2.0', 'true', 'none', 's'])}: {self.expr()}" for _ in range(self.r.randint(0, 3))) + "}"
            if k < 0.96:
                # jinja2 folds a literal's failing slice to undefined as it compiles; a variable's slice fails.
                return f"{self.pick(NAMES)}[{self.subscript()}]"
            if k < 0.975:
                return self.pick([f"range({self.r.randint(-3, 9)})", f"range({self.r.randint(-3, 5)}, {self.r.randint(-3, 9)}, {self.pick(['1', '2', '-1'])})",
                                  "dict(a=1, b=s)", "dict([('k', 1)])", "namespace(a=1)", "dict(d, a=2)"])
            if k < 0.985:
                return f"{self.quote(self.pick(FORMATS))}.format({self.expr()}, {self.expr()}, a={self.expr()})"
            if k < 0.995:
                return f"{self.quote(self.pick(PERCENTS))} % {self.pick([self.atom(), '(' + self.expr() + ', ' + self.expr() + ')', '{' + repr('a') + ': ' + self.expr() + '}'])}"
            return f"{self.pick(self.macros)}({self.expr()})" if self.macros else self.literal()
        finally:
            self.depth -= 1

    def atom(self):
        k = self.r.random()
        if k < 0.5:
            return self.pick(NAMES)
        if k < 0.7:
            return self.literal()
        return f"({self.expr()})"

    def subscript(self):
        part = lambda: self.pick(["", "0", "1", "-1", "2", "-3", "5", "100", "-100", "none"])
        k = self.r.random()
        if k < 0.4:
            return self.pick(["0", "1", "-1", "5", "'a'", "'b'", "'items'", "n", "s", "true", "1.0", "none"])
        if k < 0.8:
            a, b = part(), part()
            return f"{a}:{b}"
        return f"{part()}:{part()}:{self.pick(['', '1', '2', '-1', '-2', '0', '3'])}"

    def tag(self, text):
        return "{%" + self.pick(["", "", "-", "+"]) + " " + text + " " + self.pick(["", "", "-", "+"]) + "%}"

    def data(self):
        return self.pick(["", " ", "\n", "text", "  \n  ", "x\n", "\n\n", " {# c #} ", "{#- c -#}", "\t", "{ }", "line\n  ", "{% raw %}{{ x }}{% endraw %}", "{%- raw -%} {% r %} {%- endraw -%}"])

    def out(self):
        v = self.pick(["", "", "-"])
        w = self.pick(["", "", "-"])
        return "{{" + v + " " + self.expr() + " " + w + "}}"

    def body(self, level, in_loop=False):
        return "".join(self.stmt(level + 1, in_loop) for _ in range(self.r.randint(1, 3)))

    def stmt(self, level=0, in_loop=False):
        k = self.r.random()
        if level > 3 or k < 0.28:
            return self.data() + self.out()
        if k < 0.36:
            return self.data()
        if k < 0.50:
            target = self.pick(["x", "y", "s", "n", "l", "a, b", "(a, b)", "ns.a", "ns.b", "ns.a, x", "z.q" if self.r.random() < 0.2 else "x"])
            if "ns" in target and not self.has_ns:
                target = "x"
            value = f"{self.expr()}, {self.expr()}" if "," in target and self.r.random() < 0.95 else self.expr()
            return self.tag(f"set {target} = {value}")
        if k < 0.64:
            out = self.tag(f"if {self.expr()}") + self.body(level, in_loop)
            if self.r.random() < 0.3:
                out += self.tag(f"elif {self.expr()}") + self.body(level, in_loop)
            if self.r.random() < 0.5:
                out += self.tag("else") + self.body(level, in_loop)
            return out + self.tag("endif")
        if k < 0.82:
            target = self.pick(["x", "y", "m", "k, v", "(a, b)", "s"])
            test = f" if {self.pick([self.expr(), 'x', 'loop', 'x != s', 'k is defined'])}" if self.r.random() < 0.25 else ""
            over = self.pick(["l", "d.items()", "s", "range(4)", "msgs", "t.split()", "d", "[1, 2, 3]", "l|reverse", "msgs|map(attribute='a')", self.expr(), "e", "u"])
            if "," in target and self.r.random() < 0.95:
                over = self.pick(["d.items()", "d|items", "[[1, 2], [3, 4]]", "[(s, t)]", "msgs|groupby('b')", "d|dictsort", "['ab', 'cd']"])
            inner = self.body(level, True)
            if self.r.random() < 0.6:
                inner += "{{ " + self.pick(["loop.index", "loop.index0", "loop.first", "loop.last", "loop.length", "loop.revindex", "loop.revindex0", "loop.previtem",
                                            "loop.nextitem", "loop.cycle('o', 'e')", "loop.changed(x)", "loop.depth", "x", "loop"]) + " }}"
            if self.r.random() < 0.15:
                inner += self.tag(f"if {self.expr()}") + self.tag(self.pick(["break", "continue"])) + self.tag("endif")
            other = self.tag("else") + self.body(level, in_loop) if self.r.random() < 0.2 else ""
            return self.tag(f"for {target} in {over}{test}") + inner + other + self.tag("endfor")
        if k < 0.86:
            return self.tag(f"set {self.pick(['x', 's', 'ns.a'])}{self.pick(['', ' | upper', ' | trim | length'])}") + self.body(level) + self.tag("endset")
        if k < 0.91:
            name = f"mac{len(self.macros)}"
            params = self.pick(["", "p", "p, q=2", "p=s, q=p", "p, s='dflt'"])
            inner = self.body(level) + self.pick(["", "{{ p }}", "{{ q }}", "{{ varargs }}", "{{ kwargs }}", "{{ caller() if caller else '-' }}", "{{ x }}"])
            text = self.tag(f"macro {name}({params})") + inner + self.tag("endmacro")
            self.macros.append(name)
            return text + "{{ " + name + self.pick((["()", "()", "(1)", "(s)", "(1)", "(p=s)", ".name", "(*[1])", "(**{'p': 4})", "(1, 2)", "(q=3)"] if params else ["()", "()", "()", "(1)"]) + (["(zz=1)", "(1, 2, 3)"] if self.r.random() < 0.3 else [])) + " }}"
        if k < 0.93 and self.macros:
            return self.tag(f"call{self.pick(['', '(w)'])} {self.pick(self.macros)}({self.pick(['', '1'])})") + self.body(level) + self.tag("endcall")
        if k < 0.95:
            return self.tag(f"filter {self.pick(['upper', 'trim', 'replace(s, t)', 'indent(2)', 'length', 'upper|trim'])}") + self.body(level) + self.tag("endfilter")
        if k < 0.97:
            return self.tag(f"with {self.pick(['x = ' + self.expr(), 's = 1, y = s', 'a = l'])}") + self.body(level) + self.tag("endwith")
        if k < 0.98:
            return self.tag("generation") + self.body(level) + self.tag("endgeneration")
        if k < 0.985:
            return self.tag("block blk" + str(self.r.randint(0, 99))) + self.body(level) + self.tag("endblock")
        if in_loop:
            return self.tag(self.pick(["break", "continue"]))
        return "{% for x in [[1, [2]], [3]] recursive %}{{ loop.depth }}:{{ x }}{% if x is sequence and x is not string %}{{ loop(x) }}{% endif %}{% endfor %}"

    def template(self):
        self.macros = []
        self.easy = self.r.random() < 0.8
        self.has_ns = self.r.random() < 0.8
        start = "{% set ns = namespace(a=1, q='w') %}" if self.has_ns else ""
        return start + "".join(self.stmt() for _ in range(self.r.randint(1, 4))) + self.pick(["", "\n", "\n\n"])

    def value(self, depth=0):
        k = self.r.random()
        if depth > 2 or k < 0.35:
            return self.pick(STRINGS)
        if k < 0.6:
            return self.pick([0, 1, -1, 2, 3, 10, 255, 1.5, -0.25, 1e100, 0.1, 12345678901, True, False, None])
        if k < 0.8:
            return [self.value(depth + 1) for _ in range(self.r.randint(0, 4))]
        return {self.pick(["a", "b", "c", "items", "B", "1", "é"]): self.value(depth + 1) for _ in range(self.r.randint(0, 4))}

    def context(self):
        ctx = {
            "s": self.pick(STRINGS), "t": self.pick(STRINGS), "n": self.pick([0, 1, 3, -7, 42]), "f": self.pick([0.5, 2.0, -1.25, 1e22, 1e-7, 123456.789]),
            "l": self.pick([[1, 2, 3], ["b", "A", "c"], [3, 1, 2, 1], [], self.value(1), [[1, 2], [3, 4]], ["x", 1, None]]),
            "d": self.pick([{"a": 1, "b": "two"}, {}, {"b": 2, "a": 1, "C": 3}, {"items": "i", "a": [1]}, self.value(0)]),
            "e": self.pick([[], "", {}, None]), "b": self.pick([True, False]), "z": self.value(0),
            "msgs": [{"a": self.pick([1, 2, 3, "x", None]), "b": self.pick(STRINGS)} for _ in range(self.r.randint(0, 4))],
        }
        if self.r.random() < 0.3:
            ctx["x"] = self.value(1)
        return ctx
