#!/usr/bin/env python3
"""Writes src/text/testdata/chat_templates.jsonl: templates that between them use every feature, and what jinja2 makes of
them (null where it refuses).

Usage: scripts/make_template_golden.py > src/text/testdata/chat_templates.jsonl     (needs jinja2 3.1.6)
"""
import datetime
import json
import random
import re
import sys
import warnings

from fuzz_grammar import Generator
from jinja_reference import Reference

NOW = datetime.datetime(2024, 7, 26, 13, 5, 9)  # as kNow of src/text/chat_template_test.cpp

CONTEXT = {
    "s": "Hello World", "u": "Ünï 日本 😀 ß", "n": 7, "f": 2.5, "t": True, "none_": None, "l": [3, 1, 2], "e": [],
    "d": {"b": 2, "a": [1, {"x": "y"}], "items": "shadow", "C": None}, "big": 123456789012345678901234567890,
    "floats": [1e16, 1e15, 123456789.125, 1e-5, 0.0001, -0.0, 1e300, 5e-324, 0.1],
    "msgs": [{"role": "user", "content": "hi <b>"}, {"role": "assistant", "content": None, "n": 2}, {"role": "user", "content": "bye\n", "n": 1}],
}

ONE_LINERS = r"""
{{ s }}|{{ u }}|{{ n }}|{{ f }}|{{ t }}|{{ none_ }}|{{ l }}|{{ d }}|{{ big }}|{{ floats }}|{{ nope }}|
{{ [s, u, 'it\'s', "q\"", 'both\'"', '\n\t\\\x00\x7f\u200b', (1,), (), {1: (2, 3)}] }}
{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % -3 }} {{ -7.5 // 2 }} {{ -7.5 % 2 }} {{ 7 / 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 4 ** 0.5 }} {{ 1_000 }} {{ 0x1f }} {{ 0b11 }} {{ 0o17 }} {{ 1e3 }} {{ 1.5e-3 }}
{{ 'ab' * 3 }} {{ [1] * 2 + [3] }} {{ (1,) + (2,) }} {{ 'a' + 'b' }} {{ 1 ~ 2.0 ~ none ~ 'x' ~ [1] }} {{ -n }} {{ +n }} {{ not n }} {{ -true }} {{ 2 ** 3 ** 2 }} {{ -2 ** 2 }}
{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 == 1.0 == true }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ 'el' in s }} {{ 9 not in l }} {{ 'b' in d }} {{ none == none }} {{ nope == nope2 }} {{ (1, 2) == [1, 2] }}
{{ s[0] }}{{ s[-1] }}{{ s[1:4] }}{{ s[::-1] }}{{ s[::2] }}{{ s[10:2:-3] }}{{ s[-100:100] }}{{ u[1:6] }}{{ u[::-2] }}{{ l[:2] }}{{ l[5:] }}{{ s[99] }}{{ l[-1] }}{{ l.0 }}{{ (1, 2, 3)[1:] }}{{ range(10)[2:8:3] }}
{{ d.b }} {{ d['b'] }} {{ d.a[1].x }} {{ d['items'] }} {{ d.nope }} {{ d.get('q', 5) }} {{ d.get('b') }} {{ d.keys() }} {{ d.values()|list }} {{ d.items()|list }}
{{ nope.x }}
{{ nope['x'] }}
{{ nope + 1 }}
{{ none_.x }}|{{ n.x }}|{{ l.append }}|{{ s.__class__ }}|{{ l.append is defined }}
{{ l.append(1) }}
{{ d.update({}) }}
{{ s.__class__() }}
{{ 'yes' if n > 5 else 'no' }} {{ 'x' if false }} {{ ('a' if t) ~ '!' }} {{ n or 1 }} {{ e or 'empty' }} {{ n and s }} {{ not e and 1 }}
{{ 1 if 0 else 2 if 0 else 3 }}
{% for x in l %}{{ loop.index }}/{{ loop.index0 }}/{{ loop.revindex }}/{{ loop.revindex0 }}/{{ loop.first }}/{{ loop.last }}/{{ loop.length }}/{{ loop.previtem }}/{{ loop.nextitem }}/{{ loop.cycle('a', 'b') }}/{{ loop.depth }}/{{ loop.depth0 }};{% endfor %}
{% for x in e %}never{% else %}nothing{% endfor %}{% for x in l %}{{ x }}{% else %}no{% endfor %}{% for c in u %}[{{ c }}]{% endfor %}{% for k in d %}{{ k }},{% endfor %}{% for x in nope %}x{% else %}undefined is empty{% endfor %}
{% for x in l if x > 1 %}{{ x }}{{ ', ' if not loop.last }}{{ loop.length }}{% endfor %}{% for x in l if x > 9 %}{% else %}none{% endfor %}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for a, (b, c) in [(1, (2, 3)), ['x', 'yz']] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% for a, b in [(1, 2), (3, 4)] if b > 2 %}{{ a }}{{ b }}{% endfor %}{% for x in 'abcabc' %}{% if loop.changed(x) %}!{% endif %}{{ x }}{% endfor %}
{% for x in range(9) %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 5 %}{% break %}{% endif %}{{ x }}{% endfor %}{% for x in [1] %}{% continue %}{% else %}else after continue{% endfor %}{% for x in [1] %}{% break %}{% else %}else after break{% endfor %}
{% for x in l %}{% set y = x %}{% endfor %}{{ y }}|{% set y = 0 %}{% for x in l %}{{ y }}{% set y = y + x %}{{ y }} {% endfor %}{{ y }}
{% set ns = namespace(c=0, q='w') %}{% for x in l %}{% set ns.c = ns.c + x %}{% endfor %}{{ ns.c }}{{ ns.q }}{{ ns.nope }}{{ ns['c'] }}{{ ns }}
{% set ns = namespace() %}{% set ns._x = 1 %}
{% set d.x = 1 %}
{% set a, b = 1, (2, 3) %}{{ a }}{{ b }}{% set (c, d2) = 'xy' %}{{ c }}{{ d2 }}{% set x = 1, %}{{ x }}{% set a, b = b, a %}{{ a }}{{ b }}
{% set a, b = [1] %}
{% set x %}  captured {{ n }} {% endset %}[{{ x }}]{% set x | trim | upper %}  loud {% endset %}[{{ x }}]{% set ns = namespace() %}{% set ns.a = 1 %}{{ ns.a }}
{% if n == 1 %}one{% elif n == 7 %}seven{% elif boom %}x{% else %}other{% endif %}{% if e %}{% else %}empty{% endif %}
{% if n == 7 %}{% set inside = 'kept' %}{% endif %}{{ inside }}
{% macro m(a, b='B', c=a) %}{{ a }}-{{ b }}-{{ c }}{% endmacro %}{{ m() }}|{{ m(1) }}|{{ m(1, 2, 3) }}|{{ m(b=5) }}|{{ m(*[1, 2]) }}|{{ m(**{'c': 9}) }}|{{ m.name }}{{ m.arguments }}
{% macro m(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, k=4) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}
{% macro wrap(tag) %}<{{ tag }}>{{ caller('in', 2) }}</{{ tag }}>{% endmacro %}{% call(x, y) wrap('p') %}{{ x }}{{ y }}{{ s }}{% endcall %}
{% macro m() %}{{ caller() if caller else 'alone' }}{% endmacro %}{{ m() }}{% call m() %}called{% endcall %}
{% macro f(n) %}{{ n }}{% if n > 0 %},{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}
{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}
{% macro show() %}{{ later }}{% endmacro %}{{ show() }}|{% set later = 1 %}{{ show() }}
{% for i in l %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}
{% filter upper %}loud {{ s }}{% endfilter %}{% filter replace('l', 'L') | trim %} hello {% endfilter %}{% with a = 1, b = s %}{{ a }}{{ b }}{% set a = 2 %}{{ a }}{% endwith %}{{ a }}
{% generation %}said {{ s }}{% endgeneration %}{% block b %}in block {{ s }}{% set x = 1 %}{% endblock %}{{ x }}{% print n, s %}
{% raw %}{{ not }} {% run %} {# this #}{% endraw %}{# comment {{ x }} #}.{#- tight -#} .
{{ n is odd }}{{ n is even }}{{ n is divisibleby(7) }}{{ n is divisibleby 2 }}{{ s is string }}{{ n is number }}{{ t is number }}{{ t is integer }}{{ f is float }}{{ t is boolean }}{{ none_ is none }}
{{ d is mapping }}{{ l is sequence }}{{ s is sequence }}{{ nope is sequence }}{{ l is iterable }}{{ n is iterable }}{{ range is callable }}{{ s is callable }}{{ nope is callable }}{{ t is true }}{{ 1 is true }}{{ false is false }}
{{ nope is defined }}{{ nope is undefined }}{{ d.q is not defined }}{{ 'abc' is lower }}{{ 'ABC' is upper }}{{ 3 is in l }}{{ 3 is eq 3 }}{{ 3 is ne(4) }}{{ 3 is lt 4 }}{{ 3 is ge 4 }}{{ none is sameas none }}{{ 'trim' is filter }}{{ 'odd' is test }}{{ 'zz' is filter }}
{{ ' a b '|trim }}|{{ 'xxaxx'|trim('x') }}|{{ s|upper|lower|capitalize }}|{{ 'foo bar-baz (qux)'|title }}|{{ s|replace('o', '0', 1) }}|{{ s|length }}|{{ u|length }}|{{ s|reverse }}|{{ l|reverse|list }}|{{ s|first }}{{ s|last }}{{ e|first }}
{{ l|sort }}{{ l|sort(reverse=true) }}{{ ['b', 'A', 'c', 'B']|sort }}{{ ['b', 'A', 'c', 'B']|sort(case_sensitive=true) }}{{ msgs|sort(attribute='role,content', reverse=true)|map(attribute='role')|list if false else 'skip' }}{{ l|min }}{{ l|max }}{{ l|sum }}{{ e|max }}{{ ['b', 'A']|min }}
{{ msgs|map(attribute='role')|join(', ') }}|{{ msgs|selectattr('role', 'equalto', 'user')|map(attribute='content')|list }}|{{ msgs|rejectattr('content')|list|length }}|{{ msgs|selectattr('n', 'defined')|sort(attribute='n')|map(attribute='n')|list }}|{{ msgs|map(attribute='n', default=0)|sum }}
{{ [1, 2, 3, 4]|select('odd')|list }}{{ [1, 2, 3, 4]|reject('gt', 2)|list }}{{ [0, '', 1]|select|list }}{{ ['a', 'b']|map('upper')|list }}{{ [1, 1, 2, 'A', 'a']|unique|list }}{{ range(7)|batch(3, 'x')|list }}{{ range(7)|slice(3)|list }}{{ msgs|groupby('role') }}{% for g in msgs|groupby('role') %}{{ g.grouper }}:{{ g.list|length }}{% endfor %}
{% set g = l|map('string') %}{{ g|list }}{{ g|list }}{{ [1, 2]|map('nosuch')|first if false }}{{ l|select('odd')|first }}
{{ d|dictsort }}{{ d|dictsort(true) }}{{ {'a': 2, 'b': 1}|dictsort(by='value') }}{{ d|items|list }}{{ nope|items|list }}{{ d|length }}{{ d|list }}{{ d|first }}
{{ nope|default('D') }}{{ ''|default('D') }}{{ ''|default('D', true) }}{{ none|d(1, boolean=true) }}{{ '12'|int }}{{ 'x'|int }}{{ 'x'|int(5) }}{{ '0x1f'|int(base=16) }}{{ '42.7'|int }}{{ 3.9|int }}{{ '1.5'|float }}{{ 'q'|float(2) }}{{ -3|abs }}{{ 2.5|round }}{{ 2.675|round(2) }}{{ 3.14159|round(3, 'floor') }}{{ 2.1|round(0, 'ceil') }}{{ 1234|round(-2) }}
{{ d|tojson }}|{{ d|tojson(indent=2) }}|{{ [1, 2.0, none, true, 'é"\n</'] | tojson }}|{{ u|tojson(ensure_ascii=true) }}|{{ d|tojson(sort_keys=true, separators=(',', ':')) }}|{{ {1: 2, none: 3, true: 4, 2.5: 5}|tojson }}|{{ (1, 2)|tojson }}|{{ e|tojson(indent=4) }}{{ {}|tojson(indent=4) }}|{{ big|tojson }}{{ floats|tojson }}
{{ nope|tojson }}
{{ {(1, 2): 3}|tojson }}
{{ range(3)|tojson }}
{{ 'a\nb\n\nc'|indent }}|{{ 'a\nb\n\nc'|indent(2, true, true) }}|{{ 'a\nb'|indent('> ', first=true) }}|{{ 'foo bar baz qux'|truncate(9) }}|{{ 'foo bar baz qux'|truncate(9, true) }}|{{ 'foo bar baz qux'|truncate(11) }}|{{ 'foo bar baz qux'|truncate(11, false, '..', 0) }}|{{ 'a'|center(5) }}|{{ 'a b  c'|wordcount }}
{{ 'The quick-brown fox--jumped over supercalifragilistic things'|wordwrap(12) }}|{{ 'aaa bbb'|wordwrap(2, false) }}|{{ 'a b c'|wordwrap(3, wrapstring='/') }}
{{ '<a href="x">T & \'</a>'|e }}|{{ '<b>'|safe }}|{{ '<b>'|safe|e }}|{{ '<b>'|safe|forceescape }}|{{ ('<b>'|e) + '<i>' }}|{{ '<p>x <!-- c --> <b>y</b>&amp;z'|striptags }}|{{ 'a b/c?é'|urlencode }}|{{ {'a b': 'c&d', 'e': 1}|urlencode }}|{{ {'class': 'x', 'id': none, 'data': '<'}|xmlattr }}|{{ 13000|filesizeformat }}|{{ 1|filesizeformat }}|{{ 1048576|filesizeformat(true) }}
{{ '%s is %d years, %.2f%% %5s|%-5s|%05d %x %r' % ('A', 3.7, 99.5, 'r', 'l', 42, 255, 'q') }}|{{ '%(a)s' % {'a': 1} }}|{{ '%s'|format(s) }}|{{ '%s' % none }}|{{ 100 % 7 }}
{{ '%s %s' % 'x' }}
{{ '%d' % 'x' }}
{{ '{} {}'.format(1, 'a') }}|{{ '{1}{0}{a}'.format(1, 2, a=3) }}|{{ '{:>5}|{:<5}|{:^5}|{:05d}|{:.3f}|{:,}|{:x}|{:e}|{:%}|{!r}'.format('r', 'l', 'c', 42, 3.14159, 1234567, 255, 12345.678, 0.25, 'q') }}|{{ '{0[0]}{1.b}{{}}'.format(l, d) }}
{{ ' x '.strip() }}|{{ 'xxaxx'.strip('x') }}{{ 'a,b,,c'.split(',') }}{{ ' a  b '.split() }}{{ 'a b c'.split(' ', 1) }}{{ 'a b c'.rsplit(' ', 1) }}{{ 'a\nb\r\nc'.splitlines() }}{{ 'abc'.startswith('ab') }}{{ 'abc'.endswith(('x', 'c')) }}{{ 'abcabc'.find('c') }}{{ 'abcabc'.rfind('c') }}{{ 'abc'.find('z') }}{{ 'aXbX'.count('X') }}{{ 'a-b-c'.partition('-') }}{{ 'a-b-c'.rpartition('-') }}
{{ 'abc'.index('z') }}
{{ 'abc'.title() }}{{ 'they\'re BILL\'s'.title() }}{{ 'aBc'.swapcase() }}{{ 'ß'.upper() }}{{ 'ΑΣ'.lower() }}{{ 'ﬁ'.capitalize() }}{{ 'Straße'.casefold() }}{{ '7'.zfill(3) }}{{ '-7'.zfill(4) }}{{ 'a'.ljust(3, '.') }}{{ 'a'.rjust(3) }}{{ 'ab'.center(5, '*') }}{{ '-'.join(['a', 'b']) }}{{ 'prefix-x'.removeprefix('prefix-') }}{{ 'x.py'.removesuffix('.py') }}{{ '12'.isdigit() }}{{ '²'.isdigit() }}{{ 'ab1'.isalnum() }}{{ 'ab'.isalpha() }}{{ ' '.isspace() }}{{ 'A'.isupper() }}{{ 'a\tb'.expandtabs(4) }}
{{ range(5)|list }}{{ range(1, 10, 3) }}{{ range(3, 0, -1)|list }}{{ range(5)|length }}{{ 3 in range(5) }}{{ dict(a=1, b=2) }}{{ dict([('x', 1)]) }}{{ dict({'a': 1}, b=2) }}{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{% set j = joiner('|') %}{{ j() }}x{{ j() }}y{{ j() }}z
{{ range(100001)|length }}
{{ raise_exception('No ' ~ s) }}
{% if false %}{{ x|nosuch }}{% endif %}fine
{{ x|nosuch }}
{{ x is nosuch }}
{{ 1 / 0 }}
{{ 'a' + 1 }}
{{ 1 < 'a' }}
{{ none|length }}
{{ s.nope() }}
{% for x in 5 %}{% endfor %}
{% include 'x' %}
{{ strftime_now('%Y-%m-%d %H:%M:%S %d %b %Y %A %j') }}
{% for x in [[1, [2, [3]]], [4]] recursive %}{{ loop.depth }}{% if x is iterable %}[{{ loop(x) }}]{% else %}{{ x }}{% endif %}{% endfor %}
{% for m in msgs %}{{ '<|' + m['role'] + '|>\n' + (m.content or '') | trim + '<|end|>\n' }}{% endfor %}{% if add_generation_prompt %}x{% endif %}
{{ {'a': 1, 'a': 2} }}{{ {1: 'x', 1.0: 'y', true: 'z'} }}{{ {'a': 1} == {'a': 1.0} }}{{ [d, d] == [d, d] }}
{{ s.split('o')[0] }}{{ (s|list)[0] }}{{ s|list|join('.') }}{{ [1, [2, 3]]|tojson|length }}{{ [1,2,]|length }}{{ (1)|string ~ (1,)|string }}
{% set x = 'outer' %}{% macro m() %}{{ x }}{% set x = 'inner' %}{{ x }}{% endmacro %}{{ m() }}{{ x }}
{% for x in l %}{% for y in l %}{{ loop.index }}{{ x }}{{ y }} {% endfor %}{{ loop.index }};{% endfor %}
{% for m in msgs %}{% if loop.index0 == 0 %}{% set first = true %}{% else %}{% set first = false %}{% endif %}{{ first }}{% endfor %}{{ first }}
{{ '\ud83d' }}
{{ "unterminated }}
{% if t %}open
{% endfor %}
{{ (1 }}
{{ 1 2 }}
{% set 1 = 2 %}
{% for loop in l %}{% endfor %}
{% break %}
{{ a.b.c }}
{% unknown %}
{{ '{' }}{{ '}}' }}{{ {'a': {'b': 1}}['a']['b'] }}{{ {'a':{}}}}
{#{ x }#}{{ '{#' }}{% raw %}{#{% endraw %}
{{ '٣'|int }}{{ '१२'|int }}{{ ' -４２ '|int }}{{ '𝟙𝟚.𝟝'|float }}{{ '１_０'|int }}{{ '²'|int(7) }}{{ '٠x1f'|int(9, 16) }}{{ '١e٢'|float }}
{% for a, in [(1,), (2,)] %}{{ a }}{% endfor %}{% for (a, b), in [((1, 2),)] %}{{ a }}{{ b }}{% endfor %}
{% for x, y, in [(1, 2)] %}{{ x }}{{ y }}{% endfor %}{% for x in 1, 2 %}{{ x }}{% endfor %}{% for x in 1, %}{{ x }}{% endfor %}
{% for in in l %}{{ in }}{% endfor %}
{% for x in recursive %}{{ x }}{% endfor %}
{% for x in l, recursive %}{{ x }}{% endfor %}
{% for x in l if x recursive %}{{ x }}{% endfor %}
{{ dict(nope) }}
{{ namespace(nope).x }}
open {#
open {# x
open {% raw %}
open {% raw %} x
open {% raw %}{{ x
""".strip("\n").split("\n")

MULTILINE = [
    r"""{{ 'a\x41\u00e9\U0001F600\101\q\
b' }}|{{ 'one' "two" 'three' }}|{{ '\é' }}""",
    """a
  {% if t %}
    b
  {% endif %}
c {%- if t -%} d {%- endif -%} e
  {%+ if t %}f{% endif +%}
g
""",
    """{{ 'x' -}}   y   {{- 'z' }}

  {%- set q = 1 %}

{{ q }}
{# a comment
   of two lines #}
end
\n""",
    """{%- for m in msgs if m.role == 'user' -%}
    {%- set content = m.content if m.content is string else '' -%}
    {{ content | trim }}{% if not loop.last %};{% endif %}
{%- endfor %}
""",
    "line\r\nends\r{{ n }}\r\n",
]


def main():
    warnings.simplefilter("ignore")
    reference = Reference(NOW)

    def write(name, template, context):
        text, _ = reference.render(template, context)
        used = {k: v for k, v in context.items() if re.search(rf"\b{k}\b", template)}
        print(json.dumps({"name": name, "template": template, "context": used, "expected": text}, ensure_ascii=False))

    for i, template in enumerate(ONE_LINERS + MULTILINE):
        write(f"written {i}", template, CONTEXT)
    generator = Generator(random.Random(2024))
    n = 0
    while n < 150:
        template, context = generator.template(), generator.context()
        text, _ = reference.render(template, context)
        if text is not None and len(template) < 600 and not re.search(r"0x[0-9a-f]{6}|generator|iterator", text, re.IGNORECASE):
            write(f"random {n}", template, context)
            n += 1


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    main()
