#!/usr/bin/env python3
"""Golden data for tests/token/test_chat_template.c: what Jinja2, set up as transformers sets it up, makes of templates that are
written here: one-liners for every construct, filter, test and method, and longer ones that use the constructs of
published models' templates together.

usage: pip install jinja2==3.1.6; python generate_templates.py   (in this folder)
"""
import json
import pathlib

import jinja2
import jinja2.ext
from jinja2.nodes import CallBlock
from jinja2.sandbox import ImmutableSandboxedEnvironment

HERE = pathlib.Path(__file__).parent


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return CallBlock(self.call_method("_mark"), [], [], body).set_lineno(line)

    def _mark(self, caller):
        return "\x01" + caller() + "\x02"


def environment():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols, Generation])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    return env


ENV = environment()
CHAT = [{"role": "system", "content": "Be brief. "}, {"role": "user", "content": " Hi <there> & 'you' "}, {"role": "assistant", "content": "Hello!\nSecond  line"},
        {"role": "user", "content": "Bye — 日本"}]
TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": "Weather of a city\nin short", "parameters": {"type": "object", "properties": {
    "city": {"type": "string", "description": "which"}, "days": {"type": "integer"}}, "required": ["city"]}}}]
CALLS = [{"role": "user", "content": "Weather?"},
         {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": {"city": "Zürich", "days": 2}}}]},
         {"role": "tool", "name": "get_weather", "tool_call_id": "c1", "content": "{\"t\": 21.5}"}, {"role": "tool", "content": "again"},
         {"role": "assistant", "content": "<think>\nhm\n</think>\n\n21.5 degrees"}, {"role": "user", "content": [{"type": "text", "text": "thanks"}, {"type": "image"}, {"type": "text", "text": "!"}]}]

EXPRESSIONS = r"""
1 + 2 * 3 - 4
(1 + 2) * 3
7 / 2
7 // 2
-7 // 2
7 % 3
-7 % 3
7 % -3
7.5 // 2
-7.5 % 2
2 ** 10
2 ** -1
2 ** 0.5
-2 ** 2
1_000 + 1
1.5e3
1e100
0.1 + 0.2
1e16
123456789.0
1e-5
10 / 5
3 * 'ab'
[1, 2] * 2
'a' ~ 1 ~ none ~ true
'a' 'b' "c"
'a' + 'b'
[1] + [2, 3]
(1, 2) + (3,)
true
False
None
none
(1,)
()
(1, 2)
[1, 'a', "it's", None, True, 1.0, {'k': (1, 2)}]
{'a': 1, "b": [1, 2], 3: none}
'tab\tnl\nq\'u\"x\x41\u00e9\\ \d'
"a\
b"
1 < 2 < 3
1 < 3 < 2
1 == 1.0
true == 1
'a' < 'b'
[1, 2] < [1, 3]
'a' != 'b'
'b' in 'abc'
1 in [1, 2]
3 not in [1, 2]
'a' in {'a': 1}
not 1 == 2
not true and false
1 and 0 or 5
0 or '' or none or 'x'
1 and 'y'
undefined_name
undefined_name or 'fallback'
undefined_name is defined
undefined_name == none
'x' in undefined_name
'yes' if 1 > 0 else 'no'
'yes' if 0
'a' if 0 else 'b' if 0 else 'c'
[1, 2, 3][0]
[1, 2, 3][-1]
[1, 2, 3][7]
[1, 2, 3].1
'héllo'[1]
'héllo'[-1]
'héllo'[1:3]
'héllo'[::-1]
'héllo'[::2]
'héllo'[-3:]
'héllo'[:-1]
[0, 1, 2, 3, 4][1:]
[0, 1, 2, 3, 4][:2]
[0, 1, 2, 3, 4][::-1]
[0, 1, 2, 3, 4][3:0:-1]
[0, 1, 2, 3, 4][10:]
[0, 1, 2, 3, 4][-2:]
[0, 1, 2, 3, 4][::-2]
(1, 2, 3)[1:]
{'a': {'b': [1, {'c': 'deep'}]}}.a.b[1].c
{'a': 1}.b
{'a': 1}['a']
{'items': 1}['items']
{'a': 1}.items() | list
{'a': 1, 'b': 2}.keys() | list
{'a': 1, 'b': 2}.values() | list
{'a': 1}.get('a')
{'a': 1}.get('z')
{'a': 1}.get('z', 5)
none.foo
messages[0].role
messages[-1]['content']
messages | length
messages[1:] | length
messages | map(attribute='role') | list
messages | map(attribute='nothing', default='-') | join(',')
messages | selectattr('role', 'equalto', 'user') | list | length
messages | selectattr('role', 'eq', 'user') | map(attribute='content') | join('|')
messages | rejectattr('role', 'in', ['user', 'system']) | list
messages | selectattr('content') | list | length
[0, 1, '', 'a', none] | select | list
[1, 2, 3, 4] | select('even') | list
[1, 2, 3, 4] | reject('odd') | list
[1, 2, 3, 4] | select('gt', 2) | list
['a', 'B'] | map('upper') | list
['a', 'B'] | map('replace', 'a', 'x') | list
[3, 1, 2] | sort
[3, 1, 2] | sort(reverse=true)
['b', 'A', 'c'] | sort
['b', 'A', 'c'] | sort(case_sensitive=true)
messages | sort(attribute='role') | map(attribute='role') | list
['a', 'A', 'b', 'a'] | unique | list
['a', 'A', 'b', 'a'] | unique(case_sensitive=true) | list
{'b': 1, 'a': 2} | dictsort
{'b': 1, 'a': 2} | dictsort(by='value')
{'b': 1, 'a': 2} | dictsort(reverse=true)
{'b': 1, 'a': 2} | items | list
[1, 2, 3] | sum
messages | map(attribute='content') | map('length') | sum
[1, 5, 3] | max
[1, 5, 3] | min
['b', 'A'] | min
[1, 2, 3] | first
[1, 2, 3] | last
[] | first
'abc' | first
'abc' | last
'abc' | reverse
[1, 2, 3] | reverse | list
[1, 2, 3] | join
[1, 2, 3] | join(', ')
messages | join('/', attribute='role')
'abc' | list
'abc' | length
'日本' | count
'  x ' | trim
'xxaxx' | trim('x')
'aBc dEf' | upper
'aBc dEf' | lower
'aBc dEf' | capitalize
'hello wORLD-foo (bar)' | title
'ß é' | upper
'a-b-a' | replace('a', 'x')
'a-b-a' | replace('a', 'x', 1)
'ab' | replace('', '.')
'a\nb\n\nc' | indent
'a\nb\n\nc' | indent(2, true)
'a\nb\n\nc' | indent(2, first=true, blank=true)
'a\nb' | indent('> ')
'x' | center(5)
'<a href="x">' | escape
'<&>' | e
'a b  c' | wordcount
'x' | safe
1 | string ~ 'x'
'12' | int + 1
'x' | int
'x' | int(7)
'3.9' | int
3.9 | int
'1.5' | float
'x' | float
'x' | float(2.5)
1 | float
-3 | abs
-3.5 | abs
2.5 | round
3.5 | round
2.675 | round(2)
2.61 | round(1, 'floor')
2.61 | round(1, 'ceil')
1234 | round(-2)
1250 | round(-2)
-1251 | round(-2)
7 | round
undefined_name | default('d')
none | default('d')
'' | default('d', true)
none | d('x', boolean=true)
undefined_name | length
undefined_name | list
undefined_name | join
undefined_name | upper
messages[0] | tojson
messages[0] | tojson(indent=2)
tools | tojson(indent=4)
[1, 1.5, true, none, 'é"\\\n\t\x01', {}, [], {'a': []}] | tojson
{'b': 1, 'a': {'d': 2, 'c': 3}} | tojson(sort_keys=true)
{'a': [1, {'b': 2}]} | tojson(separators=(',', ':'))
'日本😀' | tojson
'日本😀é' | tojson(ensure_ascii=true)
[] | tojson(indent=2)
{'a': {}} | tojson(indent=2)
'x' is string
1 is string
1 is number
true is number
1.5 is number
1 is integer
true is integer
1.5 is float
true is boolean
none is none
none is not none
undefined_name is undefined
undefined_name is not defined
messages is defined
{} is mapping
[] is mapping
[] is sequence
{} is sequence
'x' is sequence
1 is sequence
[] is iterable
'x' is iterable
1 is iterable
undefined_name is iterable
4 is even
4 is odd
6 is divisibleby 3
6 is divisibleby(4)
1 is eq 1
1 is equalto(2)
1 is ne 2
1 is lt 2
2 is ge 2
2 is gt(1)
'a' is in ['a', 'b']
'a' is in 'abc'
true is true
1 is true
false is false
0 is false
'abc' is lower
'ABC' is upper
raise_exception is callable
1 is sameas 1
1 is not eq 2 and true
'  a b '.strip()
'xxabxx'.strip('x')
' a'.lstrip()
'a '.rstrip()
'a\n\n'.rstrip('\n')
'a,b,,c'.split(',')
'a,b,c'.split(',', 1)
' a  b c '.split()
' a  b c '.split(none, 1)
'a,b,c'.rsplit(',', 1)
'a\nb\r\nc'.splitlines()
'abc'.startswith('ab')
'abc'.endswith('bc')
'abc'.startswith(('x', 'a'))
'aBc'.upper()
'aBc'.lower()
"they're bill's".title()
'aBC'.capitalize()
'a-b-a'.replace('a', 'x')
'a-b-a'.replace('a', 'x', 1)
', '.join(['a', 'b'])
'abcabc'.find('c')
'abcabc'.rfind('c')
'abcabc'.find('z')
'日本語'.find('語')
'abcabc'.count('bc')
'abc'.index('b')
'12'.isdigit()
'1a'.isdigit()
'ab'.isalpha()
'a1'.isalnum()
' \n'.isspace()
'AB'.isupper()
'ab'.islower()
'abc'.removeprefix('a')
'abc'.removesuffix('c')
'a=b=c'.partition('=')
'a=b=c'.rpartition('=')
'7'.zfill(3)
'-7'.zfill(3)
[1, 2, 1].count(1)
[1, 2, 1].index(2)
'</think>'.split('</think>')[-1].lstrip('\n')
'a</think>b</think>c'.split('</think>')[0].rstrip('\n').split('<think>')[-1]
range(5) | list
range(2, 8, 3) | list
range(3, 0, -1) | list
dict(a=1, b='x')
dict({'a': 1}, b=2)
namespace(a=1).a
'%s' ~ 5
not messages[0].foo
messages[0].foo is defined
messages[0]['foo'] is not defined and messages
tools[0].function.parameters.properties | items | list | length
tools[0].function.parameters.properties.city.type
tools[0]['function']['name']
extra_flag
extra_list[0]
extra_none is none
date_string is defined
bos_token ~ eos_token
add_generation_prompt
documents is none
1 if true
[1, 2] == [1, 2]
{'a': 1} == {'a': 1}
(1, 2) == [1, 2]
'a' == 1
"x" if messages is iterable and messages is not mapping else "y"
(messages | first).role
-messages | length
""".strip("\n").replace("\\\nb", "\\\x00b").split("\n")

STATEMENTS = [
    "{% if false %}a{% elif messages %}b{% else %}c{% endif %}",
    "{% if not messages %}a{% elif 0 %}b{% else %}c{% endif %}",
    "{% for m in messages %}{{ loop.index }}/{{ loop.length }} {{ loop.index0 }} {{ loop.first }} {{ loop.last }} {{ loop.revindex }} {{ loop.revindex0 }} {{ loop.depth }}{{ m.role }};{% endfor %}",
    "{% for m in messages %}{{ loop.previtem.role if loop.previtem is defined else '-' }}>{{ loop.nextitem.role if not loop.last else '-' }};{% endfor %}",
    "{% for m in messages if m.role != 'user' %}{{ loop.index }}{{ m.role }}{% else %}none{% endfor %}",
    "{% for m in [] %}x{% else %}empty{% endfor %}",
    "{% for m in undefined_name %}x{% else %}empty{% endfor %}",
    "{% for k, v in messages[0].items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for k, v in messages[0] | items %}{{ k }}={{ v }};{% endfor %}",
    "{% for k in messages[0] %}{{ k }};{% endfor %}",
    "{% for c in 'añ日' %}[{{ c }}]{% endfor %}",
    "{% for a, b in [(1, 2), [3, 4]] %}{{ a + b }};{% endfor %}",
    "{% for (a, b) in [(1, 2)] %}{{ a }}{{ b }}{% endfor %}",
    "{% for x in [1, 2, 3, 4] %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 4 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in [1, 2] %}{% for y in [1, 2, 3] %}{% if y == 2 %}{% break %}{% endif %}{{ x }}{{ y }}{{ loop.depth }} {% endfor %}{{ loop.index }}{% endfor %}",
    "{% for x in [1, 2, 3] %}{{ loop.cycle('a', 'b') }}{% endfor %}",
    "{% for x in [1, 1, 2] %}{{ loop.changed(x) }}{% endfor %}",
    "{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}",
    "{% set ns = namespace(x=1, found=false) %}{% for i in [1, 2] %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}{{ ns.found }}",
    "{% if true %}{% set x = 5 %}{% endif %}{{ x }}",
    "{% set a, b = 1, 'z' %}{{ a }}{{ b }}",
    "{% set a = 1, 2 %}{{ a }}",
    "{% set x %}in {{ 1 + 1 }} block{% endset %}[{{ x }}]",
    "{% set x | upper | trim %}  in block {% endset %}[{{ x }}]",
    "{% macro m(a, b='B', c=none) %}<{{ a }}{{ b }}{{ c }}>{% endmacro %}{{ m(1) }}{{ m(1, 2) }}{{ m(1, c=3) }}{{ m(b=5, a=4) }}{{ m() }}",
    "{% macro m(x) -%}\n  {{ x }}\n{%- endmacro -%}\n[{{ m('a') }}]",
    "{% macro fact(n) %}{{ n * (fact(n - 1) | int) if n > 1 else 1 }}{% endmacro %}{{ fact(5) }}",
    "{% set y = 7 %}{% macro m() %}{{ y }}{% endmacro %}{{ m() }}{% set y = 8 %}{{ m() }}",
    "{% macro box(t) %}[{{ t }}:{{ caller() }}]{% endmacro %}{% call box('T') %}body{{ 1 }}{% endcall %}",
    "{% macro each(xs) %}{% for x in xs %}{{ caller(x) }},{% endfor %}{% endmacro %}{% call(v) each([1, 2]) %}<{{ v }}>{% endcall %}",
    "{% filter upper %}abc {{ 'x' }}{% endfilter %}",
    "{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a is defined }}",
    "{% raw %}{{ not }} {% this %}{% endraw %}",
    "a {%- raw -%}  {{ x }}  {%- endraw -%} b",
    "a{# comment {{ x }} #}b\n  {# line #}\nc\n",
    "{#- x -#}  a  {#- y -#}  b",
    "  {% if true %}\n  a\n  {% endif %}\nb",
    "  {%+ if true %}\n  a\n  {%+ endif +%}\nb",
    "x\n  {%- if true -%}\n  a\n  {%- endif -%}\nb",
    "{{ 1 }}\n{{ 2 }}\n",
    "{{- 1 -}}  \n  {{- 2 -}}  x",
    "a\n\n{% if true %}\n\nb\n\n{% endif %}\n\nc\n\n",
    "a\r\nb\r{% if true %}\r\nc{% endif %}",
    "{% for x in [1, 2] -%}\n    {{ x }}\n{%- endfor %}\n\n",
    "\t{% if true %}tab{% endif %}\n \t{% if true %}\n  {{ 1 }}\n{% endif %}",
    "text {% if true %}inline{% endif %} text\n",
    "{{ '{{' }}{{ '%}' }}{{ {'a': {'b': 1}} }}{{ {'a': 1}.a }}",
    "{{ 'a' if true else 'b' }}{{ ('x' if false else 'y') ~ 'z' }}",
    "{{ 1, 2 }}",
    "{{ (messages | first)['role'] }}{{ messages[0]['role'].upper() }}",
    "{% generation %}abc{% endgeneration %}",
    "{% for m in messages %}{% if m.role == 'assistant' %}A:{% generation %}{{ m.content }}{% endgeneration %}\n{% else %}{{ m.role }}\n{% endif %}{% endfor %}",
    "{{ x is defined and x }}{{ y | default(z | default('q')) }}",
    "{% set m = messages[0] %}{{ m.role }}{% set m = messages[1] %}{{ m.role }}",
    "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set sys = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% endif %}{{ sys }}{{ loop_messages | length }}",
    "{{ raise_exception('no: ' ~ messages | length) }}",
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}{% endfor %}",
    "{{ undefined_name.attr }}", "{{ undefined_name['x'] }}", "{{ undefined_name() }}", "{{ undefined_name + 1 }}", "{{ 'a' + 1 }}", "{{ 1 < 'a' }}", "{{ 1 / 0 }}",
    "{{ none | tojson }}{{ undefined_name | tojson }}", "{{ 'a' | nosuchfilter }}", "{{ 'a' is nosuchtest }}", "{% nosuch %}", "{% if true %}", "{{ 1", "{% for x in %}{% endfor %}", "{{ 'abc }}",
    "{% endif %}", "{{ [1, 2 }}", "{{ messages.append(1) }}", "{{ 5() }}", "{{ 1 in 5 }}", "{% set a, b = [1] %}", "{{ none | length }}", "{% for x in 5 %}{% endfor %}", "{{ 'a'.nosuch() }}", "{# open",
    "{{ m(1) }}{% macro m(a) %}{% endmacro %}", "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{% endmacro %}{{ m(z=2) }}", "{{ range(200000) | length }}", "{{ 1 | round(method='x', foo=1) }}",
]

TEMPLATES = {
    "chatml": "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nDefault.<|im_end|>\n' }}{% endif %}"
              "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "headers, tools in the first user turn": """{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not date is defined %}
    {%- set date = "1 Jan 2025" %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}

{#- The system text is taken out. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_text = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_text = "" %}
{%- endif %}

{{- "<|head|>system<|/head|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Functions:\\n\\n" }}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- "Date: " + date + "\\n" + system_text + "<|eot|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|head|>' + message['role'] + '<|/head|>\\n\\n' }}
        {%- if message.content is string %}{{- message['content'] | trim + '<|eot|>' }}
        {%- else %}{%- for part in message.content %}{%- if part.type == 'text' %}{{- part.text }}{%- elif part.type == 'image' %}{{- '<image>' }}{%- endif %}{%- endfor %}{{- '<|eot|>' }}{%- endif %}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("one call at a time") }}
        {%- endif %}
        {%- set call = message.tool_calls[0].function %}
        {{- '<|head|>assistant<|/head|>\\n\\n{"name": "' + call.name + '", "parameters": ' + (call.arguments | tojson) + "}" }}
        {%- for name, value in call.arguments | items %}{{- name + '="' + value | string + '"' }}{%- if not loop.last %}{{- ", " }}{%- endif %}{%- endfor %}
        {{- "<|eot|>" }}
    {%- else %}
        {{- "<|head|>tool<|/head|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable and message.content is not string %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|head|>assistant<|/head|>\\n\\n' }}
{%- endif %}
""",
    "reasoning, reversed search": """{%- if tools %}
    {{- '<|s|>system\\n' }}
    {%- if messages[0].role == 'system' %}
        {{- messages[0].content + '\\n\\n' }}
    {%- endif %}
    {{- "<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools><|e|>\\n" }}
{%- else %}
    {%- if messages[0].role == 'system' %}
        {{- '<|s|>system\\n' + messages[0].content + '<|e|>\\n' }}
    {%- endif %}
{%- endif %}
{%- set ns = namespace(searching=true, last=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.searching and message.role == "user" and message.content is string and not(message.content.startswith('<r>') and message.content.endswith('</r>')) %}
        {%- set ns.searching = false %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|s|>' + message.role + '\\n' + content + '<|e|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning = message.reasoning_content %}
        {%- else %}
            {%- if '</think>' in content %}
                {%- set reasoning = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
                {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
            {%- endif %}
        {%- endif %}
        {%- if loop.index0 > ns.last or loop.last or (not loop.last and reasoning) %}
            {{- '<|s|>' + message.role + '\\n<think>\\n' + reasoning.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
        {%- else %}
            {{- '<|s|>' + message.role + '\\n' + content }}
        {%- endif %}
        {%- if message.tool_calls %}
            {%- for tool_call in message.tool_calls %}
                {%- if (loop.first and content) or (not loop.first) %}
                    {{- '\\n' }}
                {%- endif %}
                {%- if tool_call.function %}
                    {%- set tool_call = tool_call.function %}
                {%- endif %}
                {{- '<call>\\n{"name": "' }}
                {{- tool_call.name }}
                {{- '", "arguments": ' }}
                {%- if tool_call.arguments is string %}
                    {{- tool_call.arguments }}
                {%- else %}
                    {{- tool_call.arguments | tojson }}
                {%- endif %}
                {{- '}\\n</call>' }}
            {%- endfor %}
        {%- endif %}
        {{- '<|e|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|s|>user' }}
        {%- endif %}
        {{- '\\n<r>\\n' }}
        {{- content }}
        {{- '\\n</r>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|e|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|s|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}""",
    "instructions, alternation": """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}
{%- set ns = namespace() %}
{%- set ns.index = 0 %}
{%- for message in loop_messages %}
    {%- if not (message.role == "tool" or message.role == "tool_results" or (message.tool_calls is defined and message.tool_calls is not none)) %}
        {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
            {{- raise_exception("user and assistant must alternate") }}
        {%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if tools is not none and (message == user_messages[-1]) %}
            {{- "[TOOLS] [" }}
            {%- for tool in tools %}
                {%- set tool = tool.function %}
                {{- '{"type": "function", "function": {' }}
                {%- for key, val in tool.items() if key != "return" %}
                    {%- if val is string %}
                        {{- '"' + key + '": "' + val + '"' }}
                    {%- else %}
                        {{- '"' + key + '": ' + val|tojson }}
                    {%- endif %}
                    {%- if not loop.last %}
                        {{- ", " }}
                    {%- endif %}
                {%- endfor %}
                {{- "}}" }}
                {%- if not loop.last %}
                    {{- ", " }}
                {%- else %}
                    {{- "]" }}
                {%- endif %}
            {%- endfor %}
            {{- "[/TOOLS]" }}
        {%- endif %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + (message["content"] if message.content is string else message.content[0].text) + "[/INST]" }}
        {%- endif %}
    {%- elif message.tool_calls is defined and message.tool_calls is not none %}
        {{- "[CALLS] [" }}
        {%- for tool_call in message.tool_calls %}
            {%- set out = tool_call.function|tojson %}
            {{- out[:-1] }}
            {%- if not tool_call.id is defined or tool_call.id|length < 2 %}
                {{- raise_exception("ids need two characters") }}
            {%- endif %}
            {{- ', "id": "' + tool_call.id + '"}' }}
        {%- endfor %}
        {{- "]" + eos_token }}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token}}
    {%- elif message["role"] in ["tool_results", "tool"] %}
        {{- '[RESULT] {"content": ' + message.content|string + "}" }}
    {%- else %}
        {{- raise_exception("unknown role " + message.role) }}
    {%- endif %}
{%- endfor %}
""",
    "turns with a renamed role": "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}"
                                 "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate') }}{% endif %}{% if (message['role'] == 'assistant') %}"
                                 "{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
                                 "{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}",
    "state in a namespace": "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{% set ns = namespace(is_first=false, is_tool=false, system='') %}"
                            "{%- for message in messages %}{%- if message['role'] == 'system' %}{% set ns.system = message['content'] %}{%- endif %}{%- endfor %}{{bos_token}}{{ns.system}}"
                            "{%- for message in messages %}{%- if message['role'] == 'user' %}{%- set ns.is_tool = false -%}{{'<|User|>' + (message['content'] | string)}}{%- endif %}"
                            "{%- if message['role'] == 'assistant' and message['content'] is none %}{%- set ns.is_tool = false -%}{%- for tool in message['tool_calls']%}{%- if not ns.is_first %}"
                            "{{'<|Assistant|>' + tool['type'] + '<sep>' + tool['function']['name'] + '\n' + '```json' + '\n' + tool['function']['arguments'] | tojson + '\n' + '```'}}{%- set ns.is_first = true -%}{%- endif %}{%- endfor %}"
                            "{%- endif %}{%- if message['role'] == 'assistant' and message['content'] is not none %}{% set content = message['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}"
                            "{{'<|Assistant|>' + content + eos_token}}{%- endif %}{%- if message['role'] == 'tool' %}{%- set ns.is_tool = true -%}{{'\n<out>' + message['content'] + '</out>'}}{%- endif %}{%- endfor -%}"
                            "{% if add_generation_prompt and not ns.is_tool %}{{'<|Assistant|>'}}{% endif %}",
    "typed parameters by macro": """{%- macro type_of(p) -%}
    {%- if p.type is defined and p.type is string -%}{{- {"string": "str", "integer": "int", "number": "float"}.get(p.type, "any") -}}
    {%- elif p.enum -%}{{- p.enum | map('tojson') | join(' | ') -}}
    {%- else -%}any{%- endif -%}
{%- endmacro -%}
{%- macro render(t) -%}
{{- "// " + (t.description | replace('\\n', '\\n// ')) + "\\n" -}}
type {{ t.name }} = (_: {
{%- for name, p in t.parameters.properties.items() %}
  {{ name }}{{ "?" if name not in (t.parameters.required or []) }}: {{ type_of(p) }}{{ "," if not loop.last }}
{%- endfor %}
}) => any;
{%- endmacro -%}
{%- for t in tools or [] %}{{ render(t.function) }}
{% endfor -%}
{%- for m in messages %}<|{{ m.role | capitalize }}|>{% generation %}{{ m.content if m.content is string else (m.content | default([], true) | selectattr('type', 'equalto', 'text') | map(attribute='text') | join(' ')) }}{% endgeneration %}

{% endfor -%}
{{ '<|Assistant|>' if add_generation_prompt }}""",
}


def case(template, **kw):
    context = {"messages": CHAT, "tools": None, "documents": None, "add_generation_prompt": True, "bos_token": "<s>", "eos_token": "</s>"}
    record = {"template": template}
    for key in ("messages", "tools", "add_generation_prompt"):
        if key in kw:
            record[key] = context[key] = kw[key]
    if "extra" in kw:
        record["extra"] = kw["extra"]
        context.update(kw["extra"])
    try:
        text = ENV.from_string(template).render(**context)
    except jinja2.exceptions.TemplateSyntaxError:
        record["error"] = "syntax"
        return record
    except jinja2.exceptions.TemplateError as e:
        record["error"] = str(e) if type(e) is jinja2.exceptions.TemplateError else "runtime"
        return record
    except Exception:
        record["error"] = "runtime"
        return record
    spans, plain = [], ""
    for ch in text:
        if ch == "\x01":
            spans.append([len(plain.encode())])
        elif ch == "\x02":
            spans[-1].append(len(plain.encode()))
        else:
            plain += ch
    record["text"] = plain
    if spans:
        record["spans"] = spans
    return record


def main():
    extra = {"extra_flag": True, "extra_list": [1, "x"], "extra_none": None}
    out = [case("{{ " + e.replace("\x00", "\n") + " }}", tools=TOOLS, extra=extra) for e in EXPRESSIONS if "\\x01" not in e] + [case(s) for s in STATEMENTS]
    # \x01 marks generation blocks, so the one line with it is expected by hand.
    out.append({"template": "{{ 'a\\x01' | tojson }}", "text": '"a\\u0001"'})
    for template in TEMPLATES.values():
        for messages in (CHAT, CHAT[1:], CHAT[1:2], CALLS, [{"role": "user", "content": "x"}, {"role": "user", "content": "y"}], []):
            for tools in (None, TOOLS):
                for prompt in (True, False):
                    out.append(case(template, messages=messages, tools=tools, add_generation_prompt=prompt))
        out.append(case(template, messages=CHAT[1:], tools=None, add_generation_prompt=True, extra={"enable_thinking": False, "date": "26 Jul 2024", "custom_tools": TOOLS}))
    # Most long templates repeat: keep each text once and refer to it.
    texts = []
    for record in out:
        if len(record["template"]) > 300:
            if record["template"] not in texts:
                texts.append(record["template"])
            record["template"] = texts.index(record["template"])
    (HERE / "templates.json").write_text(json.dumps({"messages": CHAT, "templates": texts, "cases": out}, ensure_ascii=False, separators=(",", ":")) + "\n")
    print(len(out), "cases,", sum("error" in r for r in out), "errors", {r["error"] for r in out if "error" in r})


if __name__ == "__main__":
    main()
