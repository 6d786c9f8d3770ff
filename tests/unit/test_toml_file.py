"""TOML with line numbers: every key is found where it stands, every error says where it is."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools import toml_file
from tools.toml_file import NEVER, FileError, Table, load, parse
from tools.toml_lines import key_lines

TEXT = '''\
a = 1 # [no] = "table"
b.c = """
many "lines" # no
x = 3
"""
[plant]
fill = "40 # mL"
drugs = [ # a comment
  { name = "x,}]", concentration = "3" },

  { name = 'y', deep = { z = [1,
      2] } },
]
"quoted \\u0041.b".plain = 2
[[step]]
at = "1d"
[step.sub]
k = 2027-01-04 09:00:00
[[step]]
at = """2d"""
[[step.inner]]
v = 1
[[step.inner]]
v = 2
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a",), 1),
        (("b", "c"), 2),
        (("plant",), 6),
        (("plant", "fill"), 7),
        (("plant", "drugs", 0, "concentration"), 9),
        (("plant", "drugs", 1), 11),
        (("plant", "drugs", 1, "deep", "z", 1), 12),
        (("plant", "quoted A.b", "plain"), 14),
        (("step", 0), 15),
        (("step", 0, "at"), 16),
        (("step", 0, "sub", "k"), 18),
        (("step", 1, "at"), 20),
        (("step", 1, "inner", 0, "v"), 22),
        (("step", 1, "inner", 1, "v"), 24),
    ],
)
def test_every_key_has_its_line(path: tuple[str | int, ...], line: int) -> None:
    assert key_lines(TEXT)[path] == line


def paths(value: Any, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    found = {path}
    pairs = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, item in pairs:
        found |= paths(item, (*path, key))
    return found


def test_the_scanner_finds_exactly_the_keys_that_the_parser_finds() -> None:
    assert set(key_lines(TEXT)) == paths(tomllib.loads(TEXT))


NAMES = st.sampled_from(["a", "b-1", '"c d"', "'e.f'", '"\\""'])
SCALARS = st.sampled_from(
    ['"#[]{}=,"', "'\\'", "1", "true", "07:00:00", '"""\n"x"\n"""', "'''\n'''"]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[\n" + ",\n".join(items) + " # ]\n]"),
        st.lists(st.tuples(NAMES, inner), max_size=3, unique_by=lambda pair: pair[0]).map(
            lambda pairs: "{ " + ", ".join(f"{key} = {value}" for key, value in pairs) + " }"
        ),
    ),
    max_leaves=8,
)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=4, unique_by=lambda pair: pair[0]))
def test_the_scanner_and_the_parser_agree_on_any_nesting(pairs: list[tuple[str, str]]) -> None:
    text = "".join(f"{key} = {value} # end\n" for key, value in pairs)
    text += "".join(f"[[list]]\n{key} = {value}\n" for key, value in pairs)
    assert set(key_lines(text)) == paths(tomllib.loads(text))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\nb c = 2\n", 2),
        ("a = 1\n\n[x\n", 3),
        ("a = ", 1),
        ("a = 1\na = 2\nb = 3\n", 2),
        ("a = [1,\n2\n", 2),
        ('a = "x\n', 1),
        ("a = " + "[" * 5000, 1),
    ],
)
def test_a_syntax_error_is_one_line_with_file_and_line(text: str, line: int) -> None:
    message = error_of(lambda: parse("f.toml", text))
    assert message.startswith(f"f.toml:{line}: ")
    assert "\n" not in message
    assert "at line" not in message  # said once, where editors look for it


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"none\.toml: cannot be read: No such file or directory$"):
        load(str(tmp_path / "none.toml"))
    (tmp_path / "latin.toml").write_bytes(b"a = 1\nb = '\xe4'\n")
    with pytest.raises(FileError, match=r"latin\.toml:2: not UTF-8 text$"):
        load(str(tmp_path / "latin.toml"))
    (tmp_path / "huge.toml").write_bytes(b"#" * (toml_file.MAX_BYTES + 1))
    with pytest.raises(FileError, match=r"huge\.toml: larger than 1 MiB"):
        load(str(tmp_path / "huge.toml"))


def table(text: str) -> Table:
    return parse("f.toml", text)


def error_of(act: Any) -> str:
    with pytest.raises(FileError) as caught:
        act()
    return str(caught.value)


def test_an_unknown_key_is_refused_with_the_closest_known_one() -> None:
    one = table("seed = 1\nduratoin = 2\n")
    assert error_of(lambda: one.only(("seed", "duration", "start"))) == (
        'f.toml:2: unknown key "duratoin"; did you mean "duration"?'
    )
    assert error_of(lambda: one.only(("seed",))) == (
        'f.toml:2: unknown key "duratoin"; known are seed'
    )


def test_a_key_of_a_later_version_is_refused_unless_it_asks_for_nothing() -> None:
    one = table("noise = 0\n")
    one.only((), {"noise": 0})
    for later in ({"noise": 1}, {"noise": NEVER}):
        assert error_of(lambda later=later: one.only((), later)) == (
            "f.toml:1: noise: this version of itpump does not deliver it yet"
        )


def test_a_missing_key_is_told_at_its_table() -> None:
    step = table("\n[[step]]\n").tables("step")[0]
    assert error_of(lambda: step.take("do", toml_file.text)) == 'f.toml:2: key "do" is missing'


@pytest.mark.parametrize(
    ("text", "reader", "message"),
    [
        ("k = 1", toml_file.text, "f.toml:1: k: 1: a text in quotes is needed"),
        (
            'k = "true"',
            toml_file.boolean,
            'f.toml:1: k: "true": true or false is needed, without quotes',
        ),
        ("k = true", toml_file.integer(0, 9), "f.toml:1: k: true: a whole number is needed"),
        ("k = 10", toml_file.integer(0, 9), "f.toml:1: k: 10: must be 0 to 9"),
        ("k = 1.5", toml_file.integer(0, 9), "f.toml:1: k: 1.5: a whole number is needed"),
        (
            'k = "stopp"',
            toml_file.choice({"stop": 1, "resume": 2}),
            'f.toml:1: k: "stopp": not one of stop, resume; did you mean "stop"?',
        ),
        (
            'k = "wake"',
            toml_file.choice({"stop": 1}, ("wake",)),
            'f.toml:1: k: "wake": this version of itpump does not deliver it yet',
        ),
        (
            'k = "2027-01-04"',
            toml_file.local_time,
            'f.toml:1: k: "2027-01-04": a time is needed, without quotes: 2027-01-04T09:00:00',
        ),
        (
            "k = 2027-01-04T09:00:00Z",
            toml_file.local_time,
            "f.toml:1: k: 2027-01-04T09:00:00+00:00: the pump keeps local time; leave out the zone",
        ),
    ],
)
def test_a_value_of_the_wrong_type_says_what_is_needed(
    text: str, reader: Any, message: str
) -> None:
    assert error_of(lambda: table(text).take("k", reader)) == message


def test_tables_of_the_wrong_shape_say_how_they_are_written() -> None:
    assert error_of(lambda: table("[step]").tables("step")) == (
        "f.toml:1: step: a list of tables is needed, not a table: [[step]]"
    )
    assert error_of(lambda: table("[[plant]]").table("plant")) == (
        "f.toml:1: plant: a table is needed, not a list"
    )


def test_numbers_with_a_point_are_not_rounded() -> None:
    assert str(table("k = 0.1000000000000000055").values["k"]) == "0.1000000000000000055"
