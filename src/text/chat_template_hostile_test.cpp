// Templates made to exhaust the stack, the memory or the time, or to leak.
#include <gtest/gtest.h>

#include <optional>
#include <ostream>
#include <string>

#include "text/chat_template.h"

namespace ingle {
namespace {

using jinja::Value;

// What a hostile template or conversation may try; each must end soon, with an error or a text.
struct Hostile {
  std::string name, source;
};

void PrintTo(const Hostile& h, std::ostream* out) { *out << h.name; }

Result<std::string> render(const std::string& source) {
  ASSIGN_OR_RETURN(const ChatTemplate chat_template, ChatTemplate::parse(source));
  return chat_template.render(Value::dict({}), std::nullopt);
}

std::string repeated(const std::string& s, int n) {
  std::string out;
  for (int i = 0; i < n; ++i) out += s;
  return out;
}

class HostileTemplates : public testing::TestWithParam<Hostile> {};

TEST_P(HostileTemplates, IsRefused) {
  const auto result = render(GetParam().source);
  ASSERT_FALSE(result.ok()) << result->substr(0, 100);
  EXPECT_LT(result.error().message.size(), 3000u);
  EXPECT_EQ(result.error().message.find('\n'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    All, HostileTemplates,
    testing::Values(
        Hostile{"parentheses", "{{ " + repeated("(", 100000)},
        Hostile{"closed_parentheses", "{{ " + repeated("(", 100000) + "1" + repeated(")", 100000) + " }}"},
        Hostile{"brackets", "{{ " + repeated("[", 100000) + repeated("]", 100000) + " }}"},
        Hostile{"braces", "{{ " + repeated("{1:", 100000)}, Hostile{"nots", "{{ " + repeated("not ", 100000) + "1 }}"},
        Hostile{"minuses", "{{ " + repeated("-", 100000) + "1 }}"},
        Hostile{"sum", "{{ 1" + repeated("+1", 100000) + " }}"},
        Hostile{"filters", "{{ 1" + repeated("|string", 100000) + " }}"},
        Hostile{"calls", "{{ x" + repeated("()", 100000) + " }}"},
        Hostile{"attributes", "{{ x" + repeated(".y", 100000) + " }}"},
        Hostile{"conditions", "{{ 1" + repeated(" if 1 else 1", 100000) + " }}"},
        Hostile{"blocks", repeated("{% if 1 %}", 100000)},
        Hostile{"loops", repeated("{% for x in y %}", 50000) + repeated("{% endfor %}", 50000)},
        Hostile{"target", "{% set " + repeated("(", 100000) + " = 1 %}"},
        Hostile{"recursion", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"},
        Hostile{"mutual",
                "{% macro a() %}{% if 1 %}{{ [b()]|map('string')|join }}{% endif %}{% endmacro %}{% macro b() %}{{ a() "
                "}}{% endmacro %}{{ a() }}"},
        Hostile{"loop_recursion", "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}"},
        Hostile{"caller_recursion", "{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}"},
        Hostile{"repetition", "{{ 'a' * 100000000000 }}"},
        Hostile{"repetition_overflow", "{{ 'abcdefgh' * 9223372036854775807 }}"},
        Hostile{"list_repetition", "{{ [1] * 100000000000 }}"},
        Hostile{"doubling",
                "{% set ns = namespace(x='a') %}{% for i in range(100) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ "
                "ns.x }}"},
        Hostile{"list_doubling",
                "{% set ns = namespace(x=[1]) %}{% for i in range(100) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ "
                "ns.x }}"},
        Hostile{
            "deep_list",
            "{% set ns = namespace(x=[]) %}{% for i in range(100000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}"},
        Hostile{"deep_dict",
                "{% set ns = namespace(x={}) %}{% for i in range(100000) %}{% set ns.x = {'x': ns.x} %}{% endfor %}{{ "
                "ns.x|tojson }}"},
        Hostile{"deep_generators",
                "{% set ns = namespace(x=[1]) %}{% for i in range(100000) %}{% set ns.x = ns.x|map('int') %}{% endfor "
                "%}{{ ns.x|list }}"},
        Hostile{"deep_namespaces",
                "{% set ns = namespace() %}{% for i in range(100000) %}{% set ns.x = namespace(x=ns.x) %}{% endfor "
                "%}{{ ns.x }}"},
        Hostile{"steps", "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}"},
        Hostile{"output", "{% for a in range(100000) %}{{ 'x' * 10000 }}{% endfor %}"},
        Hostile{"width", "{{ '%1000000000000d' % 1 }}"}, Hostile{"star_width", "{{ '%*d' % (1000000000, 1) }}"},
        Hostile{"precision", "{{ '%.999999999f' % 1 }}"}, Hostile{"format_width", "{{ '{:999999999}'.format(1) }}"},
        Hostile{"format_nesting", "{{ '" + repeated("{:", 10000) + "'.format(1) }}"},
        Hostile{"center", "{{ 'a'|center(10000000000) }}"}, Hostile{"ljust", "{{ 'a'.ljust(9223372036854775807) }}"},
        Hostile{"zfill", "{{ 'a'.zfill(9223372036854775807) }}"},
        Hostile{"indent", "{{ 'a'|indent(9223372036854775807, true) }}"},
        Hostile{"batch", "{{ [1]|batch(9223372036854775807, 0)|list }}"},
        Hostile{"slices", "{{ [1]|slice(9223372036854775807)|list }}"},
        Hostile{"json_indent", "{{ [[1]]|tojson(indent=9223372036854775807) }}"},
        Hostile{"expandtabs", "{{ 'a\t'.expandtabs(9223372036854775807) }}"},
        Hostile{"range", "{{ range(9223372036854775807) }}"},
        Hostile{"negative_range", "{{ range(-9223372036854775807, 9223372036854775807, 1) }}"},
        // Keys that hash functions of little care would send to one place.
        Hostile{"nan_keys", "{{ {}.fromkeys(['nan'|float] * 200000)|length }}"},
        Hostile{"long_name", "{{ " + repeated("n", 5000) + " }}"}, Hostile{"power", "{{ 2 ** 9223372036854775807 }}"},
        Hostile{"overflow", "{{ 9223372036854775807 + 1 }}"},
        Hostile{"least_quotient", "{{ (-9223372036854775807 - 1) // -1 }}"},
        Hostile{"least_negated", "{{ -(-9223372036854775807 - 1) }}"}, Hostile{"var_keywords", "{{ dict(**{1: 2}) }}"},
        Hostile{"unclosed", "{{ x"}, Hostile{"unclosed_comment", "{# x"}, Hostile{"unclosed_raw", "{% raw %} x"},
        Hostile{"unclosed_string", "{{ 'x }}"}, Hostile{"escape", "{{ '\\x4' }}"}),
    [](const auto& test) { return test.param.name; });

// Each of these rounds does much with few nodes of the template, and must cost as many steps as it takes time.
class HostileRounds : public testing::TestWithParam<Hostile> {};

TEST_P(HostileRounds, CostSteps) {
  const std::string source =
      "{% set s = 'a' * 8000000 %}{% set t = 'a' * 8000000 %}{% set few = {s: 1} %}{% set l = [1] * 1000000 %}"
      "{% set ns = namespace(t=(1,)) %}{% for i in range(20) %}{% set ns.t = (ns.t, ns.t) %}{% endfor %}"
      "{% set many = {}.fromkeys(range(1000)) %}"
      "{% for i in range(1000) %}{% set x = " +
      GetParam().source + " %}{% endfor %}";
  TemplateLimits limits;
  limits.max_steps = 20'000'000;
  const auto chat_template = ChatTemplate::parse(source, limits);
  ASSERT_TRUE(chat_template.ok()) << chat_template.error().message;
  const auto result = chat_template->render(Value::dict({}), std::nullopt);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kResourceExhausted) << result.error().message;
  EXPECT_NE(result.error().message.find("more steps"), std::string::npos) << result.error().message;
}

INSTANTIATE_TEST_SUITE_P(
    All, HostileRounds,
    testing::Values(Hostile{"key_of_few", "few[t]"}, Hostile{"key_of_many", "many[t]"}, Hostile{"get", "few.get(t)"},
                    Hostile{"key_in", "t in many"}, Hostile{"shared_tuple_key", "many[ns.t]"},
                    Hostile{"shared_tuple_hashed", "ns.t is filter"}, Hostile{"new_keys", "{s: 1, t: 2}"},
                    Hostile{"dict_of_dict", "dict({}.fromkeys(range(100000)))"}, Hostile{"same", "s is sameas t"},
                    Hostile{"methods_equal", "s.strip == t.strip"}, Hostile{"starts", "s.startswith(t)"},
                    Hostile{"ends", "s.endswith((t, t))"}, Hostile{"without_prefix", "s.removeprefix(t)"},
                    Hostile{"identifier", "s.isidentifier()"}, Hostile{"joined", "s.join(['', '', ''])"},
                    Hostile{"stripped_of", "'b'.strip(s)"}, Hostile{"indent", "'a'|indent(30000000)"},
                    Hostile{"attribute", "(1)[s]"}, Hostile{"repeat", "'ab' * 10000000"}, Hostile{"list", "l + l"},
                    Hostile{"arguments", "cycler(*l)"},
                    Hostile{"path", "[1]|map(attribute='1.' * 1000000, default='x')|list"}, Hostile{"concat", "s ~ t"},
                    Hostile{"digits", "('1' * 1000000)|int"}, Hostile{"wrap", "'a b'|wordwrap(1, true, s)"}),
    [](const auto& test) { return test.param.name; });

class HarmlessTemplates : public testing::TestWithParam<Hostile> {};

TEST_P(HarmlessTemplates, IsRendered) {
  const auto result = render(GetParam().source);
  EXPECT_TRUE(result.ok()) << result.error().message;
}

INSTANTIATE_TEST_SUITE_P(
    All, HarmlessTemplates,
    testing::Values(
        // Circles and long chains of what can change: nothing may leak, and no destructor may run deep.
        Hostile{"own_namespace", "{% set ns = namespace() %}{% set ns.x = ns %}{% set ns.y = [ns] %}{{ ns.x.y }}"},
        Hostile{"namespace_chain",
                "{% set ns = namespace() %}{% for i in range(100000) %}{% set ns.x = namespace(x=ns.x) %}{% endfor "
                "%}{% set ns.x = 0 %}"},
        Hostile{"kept_loop",
                "{% set ns = namespace() %}{% for x in [1, 2] %}{% set ns.l = loop %}{% if loop.changed(loop) %}{% "
                "endif %}{% endfor %}"},
        Hostile{"kept_macro",
                "{% set ns = namespace() %}{% macro m() %}{% set y = ns %}{% macro i() %}{{ y }}{% endmacro %}{% set "
                "ns.m = i %}{% endmacro %}{{ m() }}"},
        Hostile{"self_generator",
                "{% set ns = namespace() %}{% set ns.g = [1, ns]|map(attribute='g')|batch(3) %}{% for x in ns.g %}{% "
                "endfor %}"},
        Hostile{"generator_chain",
                "{% set ns = namespace() %}{% for i in range(30000) %}{% set ns.g = [ns, "
                "ns]|map(attribute='g')|batch(1) %}{{ '' if ns.g|first }}{% endfor %}"},
        Hostile{"long_text", repeated("word ", 200000)}, Hostile{"many_tags", repeated("{{ 1 }}", 100000)},
        Hostile{"long_list", "{{ [" + repeated("1,", 100000) + "]|length }}"},
        Hostile{"long_concat", "{{ 1" + repeated("~1", 100000) + " }}"},
        Hostile{"many_elifs", "{% if 0 %}" + repeated("{% elif 0 %}", 2000) + "{% endif %}"},
        Hostile{"slow_find",
                "{% set a = 'a' * 200000 %}{{ (a ~ 'b') in (a * 20) }}{{ (a * 20).count(a ~ 'b') }}{{ (a * "
                "20).rfind('b' ~ a) }}"},
        Hostile{"slow_replace", "{{ ('a' * 1000000)|replace('a' * 500 ~ 'b', 'c')|length }}"},
        Hostile{"brace_run", repeated("{ ", 100000)},
        // Templates that look for the next or last message of a kind do this for each message.
        Hostile{
            "all_pairs_of_2001_messages",
            "{% set ms = [{'role': 'user', 'content': 'x'}] * 2001 %}{% for m in ms %}{% for n in ms %}{% if n.role "
            "== 'tool' %}{% endif %}{% endfor %}{% endfor %}"},
        Hostile{"spaced_keys", "{{ {}.fromkeys(range(0, 109951162777600000, 1099511627776))|length }}"},
        Hostile{"range_keys",
                "{% set ns = namespace(l=[]) %}{% for i in range(3000) %}{% set ns.l = ns.l + [range(i, i + 5)] %}{% "
                "endfor %}{{ {}.fromkeys(ns.l)|length }}"},
        Hostile{"function_keys",
                "{% set ns = namespace(l=[]) %}{% for i in range(3000) %}{% set ns.l = ns.l + [('a' ~ i).strip] %}{% "
                "endfor %}{{ {}.fromkeys(ns.l)|length }}"},
        Hostile{
            "slice_steps",
            "{{ 'abc'[::9223372036854775807] }}{{ 'abc'[::-9223372036854775807] }}{{ [1][9223372036854775807:] }}"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace ingle
