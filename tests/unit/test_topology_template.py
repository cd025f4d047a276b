"""Templates: what they render to, and which lines their errors have."""

from pathlib import Path

import pytest

from vnetlab.errors import TopologyError
from vnetlab.topology.template import render

BAD = "@"


def positions(template: str, **variables: object) -> list[tuple[int, int]]:
    """Line and column, in `template`, of every `@` that it renders to."""
    source = render("lab.yaml", template, variables)
    return [source.position(at) for at, sign in enumerate(source.text) if sign == BAD]


def error_of(template: str, **variables: object) -> str:
    """What rendering complains about."""
    with pytest.raises(TopologyError) as caught:
        render("lab.yaml", template, variables)
    return str(caught.value)


@pytest.mark.parametrize(
    "template",
    [
        "a: 1\nb: {{ x }}\n",
        "{% for i in range(2) %}\n  a{{ i }}: {{ x }}\n{% endfor %}\n",
        "a:\n    {%- if x %}\n  b{% endif -%}\n\n  c",
        "{# two\n lines #}\na: {{ x\n }}{{- x -}}  b",
        "{% set y %}one\ntwo{% endset %}{% if y == 'one\ntwo' %}same{% endif %}{{ y | length }}",
        "{% macro m(a) %}\n  {{ a }}\n{% endmacro %}{{ m(x) | trim | upper }}",
        "{% filter upper %}text\n{% endfilter %}{% raw %}{{ no }}{% endraw %}{{ x }}",
        "{% set a, b = 1, 2 %}{{ a }}{% set c | upper %}d{% endset %}{{ c == 'D' }}{{ x }}",
        "{% macro m() %}({{ caller() }}){% endmacro %}{% call m() %}a\n{{ x }}{% endcall %}",
        "{% block b %}a\n{{ x }}{% endblock %}{{ self.b() | length }}",
        "{% for i in [1, [2]] recursive %}{{ loop([]) | length }}{% endfor %}{{ x ~ '\\n' }}",
    ],
)
def test_markers_change_nothing(template: str) -> None:
    """A template renders to what Jinja2 without our markers renders."""
    from jinja2 import Environment

    plain = Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    expected = plain.from_string(template).render(x="x")
    used = {"x": "x"} if "x" in template else {}
    assert render("lab.yaml", template, used).text == expected


def test_text_keeps_its_place_in_a_loop() -> None:
    """Each round of a loop points to the same line and column."""
    template = "vms:\n{% for i in range(3) %}\n  a{{ i }}:\n    on: @\n{% endfor %}\nb: @\n"
    assert positions(template) == [(4, 9), (4, 9), (4, 9), (6, 4)]


def test_text_after_an_expression_keeps_its_column() -> None:
    """What an expression renders to does not shift what follows in its line."""
    assert positions("a: {{ 'long text' }} @ {{- 1 }} @\n@") == [(1, 22), (1, 33), (2, 1)]


def test_what_an_expression_makes_is_where_the_expression_is() -> None:
    """All of it, even where it has several lines."""
    assert positions("a:\n  b: {{ '@\n@' }}\n  c: {{ x }}", x="@@") == [(2, 6)] * 2 + [(4, 6)] * 2


def test_comments_blocks_and_raw_text_count_their_lines() -> None:
    """Whatever renders to nothing still has its lines."""
    template = "{# a\nb #}\n{% set y = [1,\n 2] %}\n@\n{% raw %}\n{{ @\n{% endraw %}\n@"
    assert positions(template) == [(5, 1), (7, 4), (9, 1)]


def test_block_scalars_keep_their_lines() -> None:
    """The markers leave no trace in the text of a block scalar."""
    source = render("lab.yaml", "a: |\n  one {{ 1 }}\n  two @\nb: @\n", {})
    assert source.text == "a: |\n  one 1\n  two @\nb: @\n"
    assert positions("a: |\n  one {{ 1 }}\n  two @\nb: @\n") == [(3, 7), (4, 4)]


def test_captured_text_is_where_it_is_output() -> None:
    """Text that a macro or a block makes counts as written by the tag that outputs it."""
    assert positions("{% macro m() %}\n@\n{% endmacro %}\n\na: {{ m() }}\n") == [(5, 4)]
    assert positions("{% set y %}\n@\n{% endset %}\na: {{ y }}@\n") == [(4, 4), (4, 11)]
    assert positions("a\n{% filter upper %}\nb\n@{% endfilter %}\n@") == [(2, 1), (5, 1)]


def test_an_undefined_variable_is_an_error_with_its_line() -> None:
    """It is named, with how to set it, or the variable that was probably meant."""
    template = "a: 1\n{% for i in [1] %}\nb: {{ vlan }}\n{% endfor %}\n{{ vlans }}"
    assert error_of("a:\n{{ vlan }}") == (
        "lab.yaml:2 template: 'vlan' is undefined; set it: --set vlan=VALUE"
    )
    assert error_of(template, vlans=[1]) == (
        "lab.yaml:3 template: 'vlan' is undefined; did you mean 'vlans'? (vlans)"
    )


@pytest.mark.parametrize(
    ("template", "error"),
    [
        ("a:\n{% for %}", "lab.yaml:2 template: "),
        ("a:\n{{ 1 +", "lab.yaml:2 template: "),
        ("a:\n\n{{ [][1] }}", "lab.yaml:3 template: "),
        ("a:\n\n{{ 'x' | nosuch }}", "lab.yaml:3 template: No filter named 'nosuch'"),
        ("{{ 1 }}\n{{ range(10 ** 9) }}", "lab.yaml:2 template: "),
        ("{{ 1 }}\n{% include 'x' %}", "lab.yaml:2 template: "),
        ("{{ 1 }}\n{{ [1] | random }}", "lab.yaml:2 template: No filter named 'random'"),
        ("{{ 1 }}\n{{ ''.__class__ }}", "lab.yaml:2 template: "),
        ("{% macro m() %}\n{{ m() }}{% endmacro %}\n{{ m() }}", "lab.yaml:"),
    ],
)
def test_a_template_that_fails_is_an_error_with_its_line(template: str, error: str) -> None:
    """Syntax, run-time and sandbox errors point into the template."""
    assert error_of(template).startswith(error)


def test_markers_in_the_users_own_text_do_no_harm() -> None:
    """Text that looks like a marker neither crashes nor moves anything out of the file."""
    source = render("lab.yaml", "a: {{ '\\0' ~ '99999m' ~ '\\0' }}@", {})
    line, column = source.position(source.text.index("@"))
    assert (line, column) >= (1, 1)


def test_rendering_opens_no_file(tmp_path: Path) -> None:
    """A template cannot read other files."""
    (tmp_path / "other").write_text("x")
    assert "template" in error_of(f"{{% include '{tmp_path}/other' %}}")
