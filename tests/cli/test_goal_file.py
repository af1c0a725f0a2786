"""Goal files without a server: what they say, what is wrong in them, and which goal is which."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rybbit_async.cli.exits import CommandError, Exit
from rybbit_async.cli.goal_file.content import Content
from rybbit_async.cli.goal_file.dump import to_yaml
from rybbit_async.cli.goal_file.entry import FileGoal
from rybbit_async.cli.goal_file.file import doubts, parse
from rybbit_async.cli.goal_file.matching import StoredGoal, match

from ..strategies import configs


def only(goal: str) -> FileGoal:
    """The goal of a file that has one, as YAML in one line."""
    ((site,),) = [parse(f"site: 1\ngoals: [{goal}]", "goals.yaml")]
    return site.goals[0]


def refusal(text: str, name: str = "goals.yaml") -> str:
    """What is said of a file that is wrong."""
    with pytest.raises(CommandError) as caught:
        parse(text, name)
    assert caught.value.exit == Exit.USAGE
    assert "\n" not in caught.value.message
    return caught.value.message


# --- what a file says --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("goal", "kind", "config"),
    [
        ("{name: a, path: /x/**}", "path", {"pathPattern": "/x/**"}),
        ("{name: a, event: buy}", "event", {"eventName": "buy"}),
        (
            '{name: a, event: buy, property: {n: "1"}}',
            "event",
            {"eventName": "buy", "eventPropertyKey": "n", "eventPropertyValue": "1"},
        ),
        (
            "{name: a, event: buy, property: {n: true}}",
            "event",
            {"eventName": "buy", "eventPropertyKey": "n", "eventPropertyValue": True},
        ),
        (
            "{name: a, path: /x, properties: {a: 1, b: no, c: 1.5}}",
            "path",
            {
                "pathPattern": "/x",
                "propertyFilters": [
                    {"key": "a", "value": 1},
                    {"key": "b", "value": "no"},
                    {"key": "c", "value": 1.5},
                ],
            },
        ),
        (
            "{name: a, event: x, properties: [{key: a, value: 1}, {key: a, value: 2, new: [1]}]}",
            "event",
            {
                "eventName": "x",
                "propertyFilters": [
                    {"key": "a", "value": 1},
                    {"key": "a", "value": 2, "new": [1]},
                ],
            },
        ),
        ("{name: a, outbound: true}", "outbound", {}),
        ('{name: a, button_click: "true"}', "button_click", {"valuePattern": "true"}),
        ("{name: a, copy: SAVE*, extra: {later: {a: 1}}}", "copy",
         {"later": {"a": 1}, "valuePattern": "SAVE*"}),
        ("{name: a, type: scroll, config: {depth: [1]}}", "scroll", {"depth": [1]}),
    ],
)  # fmt: skip
def test_what_a_goal_counts(goal: str, kind: str, config: dict[str, Any]) -> None:
    content = only(goal).content
    assert content.key == Content(kind, config).key
    assert content.kind == kind


@pytest.mark.parametrize("digits", [400, 5000])
def test_numbers_that_are_too_large(digits: int) -> None:
    number = "9" * digits
    goal = "name: a, event: x, property: {{n: {}}}"
    for text in (
        f"site: {number}\ngoals: []",
        f"site: 1\ngoals: [{{id: {number}, name: a, path: /x}}]",
        f"site: 1\ngoals: [{{{goal.format(number)}}}]",
    ):
        assert len(refusal(text)) < 300
    for text in (f"site = {number}\ngoals = []", f"site = 0x{number}\ngoals = []"):
        assert refusal(text, "goals.toml").endswith("must be at most 1.8e308, got a larger one")


def test_no_properties_are_none() -> None:
    stored = Content.of("path", {"pathPattern": "/x", "propertyFilters": []})
    assert only("{name: a, path: /x}").content.key == stored.key


def test_text_and_numbers_differ_and_equal_numbers_do_not() -> None:
    def key(value: str) -> str:
        return only(f"{{name: a, event: x, property: {{p: {value}}}}}").content.key

    assert key("1") == key("1.0")
    assert len({key("1"), key('"1"'), key("true"), key('"true"')}) == 4


def test_toml_says_the_same() -> None:
    toml = """
        [[sites.123.goals]]
        name = "Bought"
        event = "purchase"
        property = { plan = "pro" }

        [[sites.a0b1c2d3e4f5.goals]]
        id = 7
        name = ""
        outbound = true
    """
    yaml = """
        sites:
          123: {goals: [{name: Bought, event: purchase, property: {plan: pro}}]}
          a0b1c2d3e4f5: {goals: [{id: 7, name: null, outbound: true}]}
    """

    def said(text: str, name: str) -> list[Any]:
        return [
            (site.site, [(one.goal_id, one.name, one.content.key) for one in site.goals])
            for site in parse(text, name)
        ]

    assert said(toml, "goals.toml") == said(yaml, "goals.yml")


def test_an_identifier_that_looks_like_a_number() -> None:
    (site,) = parse("sites: {12e456789012: {goals: []}}", "goals.yaml")
    assert site.site == "12e456789012"


def test_an_alias_stands_for_what_it_names() -> None:
    one, two = parse("sites: {1: &a {goals: [{name: a, path: /x}]}, 2: *a}", "goals.yaml")
    assert [site.goals[0].content.key for site in (one, two)] == ['path {"pathPattern": "/x"}'] * 2


# --- what is wrong in a file -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("goal", "said"),
    [
        (
            "{name: 123, path: /x}",
            'name, got the number 123: put it in quotes, "123"',
        ),
        ("{name: 2024-01-01, path: /x}", "name, got the date 2024-01-01: put it in quotes"),
        ("{name: true, path: /x}", 'name, got true: put it in quotes, "true"'),
        ("{name: , path: /x}", "name must be text, or null for a goal without a name, got nothing"),
        ("{name: &A, path: /x}", "got nothing: write it after the colon, in quotes if it begins"),
        ("name = A", "a goal must be lines of the form key: value, got text ('name = A')"),
        ("{path: /x}", 'a goal must have "name"'),
        ("{name: a}", "got none of them"),
        ("{name: a, path: /x, event: y}", 'got "path" and "event"'),
        ("{name: a, pth: /x}", "did you mean 'path'?"),
        ("{name: a, path: }", "path must be text, got nothing"),
        ('{name: a, path: ""}', "path must not be empty"),
        ("{name: a, outbound: 5}", "outbound must be text, or true for every event"),
        ('{name: a, copy: " "}', "the pattern must not be blank"),
        ("{name: a, path: /x, id: '7'}", "id must be the number of a goal"),
        ("{name: a, path: /x, id: true}", "id must be the number of a goal"),
        ("{name: a, path: /x, id: 0}", "id must be the number of a goal"),
        ("{name: a, path: /x, property: {a: 1}}", '"property" must stand beside "event" only'),
        ("{name: a, event: x, property: {a: 1, b: 2}}", "property must be one key with one value"),
        ("{name: a, event: x, property: {a: 2024-01-01}}", "text, a number or a boolean, got the"),
        ("{name: a, event: x, property: {a: 0123}}", 'if it is text, put it in quotes, "0123"'),
        ("{name: a, event: x, property: {a: 1_000}}", "a number must be written as in 12 or 0.5"),
        ("{name: a, event: x, property: {a: 1e999}}", "a number must be written as in 12 or 0.5"),
        ("{name: a, event: x, property: {1: a}}", "a key in property must be text, got the number"),
        ("{name: a, event: x, properties: [{key: a}]}", 'must have "key" and "value"'),
        ("{name: a, event: x, property: {a: 1}, properties: {b: 1}}", '"property" must be among'),
        ("{name: a, event: x, extra: {eventName: y}}", "extra must not have 'eventName'"),
        ("{name: a, type: path}", "write path: ... in place of type"),
        ("{name: a, type: path, config: [1]}", "config must be keys with values, got a list"),
        ("{name: a, path: /x, config: {}}", '"config" must stand beside "type" only'),
        ("{name: a, name: b, path: /x}", "'name' must stand here once"),
        ('{name: a, path: "/\\0"}', "NUL"),
        ("{<<: {a: 1}, name: a, path: /x}", '"<<" must not be used'),
        ("{name: !x a, path: /x}", "text that begins with ! must stand in quotes, got '!x'"),
    ],
)
def test_a_goal_that_is_wrong(goal: str, said: str) -> None:
    message = refusal(f"site: 1\ngoals:\n- {{name: right, path: /right}}\n- {goal}\n")
    assert message.startswith("goals.yaml, line 4: ")
    assert said in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "goals.yaml: the file is empty"),
        ("- 1", "line 1: the file must be lines of the form key: value, got a list"),
        ("a: [", "line 1: 'a: [' cannot be read as YAML: close the [ with a ]"),
        ("a: \x01", "goals.yaml: this is not YAML"),
        ("sites: &a {1: *a}", "line 1: a value must not contain itself"),
        ("sites: " + "[" * 50 + "]" * 50, "line 1: it must not be nested so deeply"),
        ("sites: " + "[" * 400 + "]" * 400, "it must not be nested so deeply"),
        ("goals: []", 'the file must have "sites", or "site" and "goals"'),
        ("sites: {}", '"sites" must be sites with their goals, such as 123'),
        ("sites:\n  1:\n    goals:", "line 3: \"goals\" must be a list with a - before each goal"),
        ("sites: {1: {}}", 'a site must have "goals"'),
        ("site: shop\ngoals: []", "line 1: site must be a numeric id"),
        ("sites: {1: {goals: []}}\nsite: 1", '"site" must not stand beside "sites"'),
        ("sites: {1: {goals: []}, '1': {goals: []}}", "'1' must stand here once"),
        (
            "sites: {1: {goals: &a [{id: 7, name: a, copy: x}]},\n2: {goals: *a}}",
            "line 1: id 7 must stand once in the file, and is in line 1, too",
        ),
        (
            "site: 1\ngoals:\n- {name: a, path: /x}\n- {name: a, path: /x, id: 7}",
            "line 4: this goal has the name of the one in line 3 and counts the same: remove one",
        ),
        ("%YAML 1.1\n---\nsite: 1\ngoals: [{name: no, path: /x}]", "put text in quotes, \"no\""),
    ],
)  # fmt: skip
def test_a_file_that_is_wrong(text: str, said: str) -> None:
    assert said in refusal(text)


@pytest.mark.parametrize(
    ("goals", "line", "shown", "cure"),
    [
        # Without the colon: the parser fails in the line after it.
        ("- name A\n  path: /a", 3, "'- name A'", "put a colon and a space after the key"),
        ("- name:A\n  path: /a", 3, "'- name:A'", "put a colon and a space after the key"),
        ("- name: A\n  path /a\n\n# B\n- name: B", 4, "'path /a'", "put a colon and a space"),
        ("- name: A\n  path /a", 4, "'path /a'", "put a colon and a space after the key"),
        ("- path /a\n  # c\n  name: A", 3, "'- path /a'", "put a colon and a space after the key"),
        ("-name: A\n path: /a", 3, "'-name: A'", "put a space after the -"),
        ("- name: A\n\tpath: /a", 4, r"'\tpath: /a'", "use spaces, not tabs"),
        ("-\tname: A", 3, r"'-\tname: A'", "use spaces, not tabs"),
        ("- name:\tA", 3, r"'- name:\tA'", "use spaces, not tabs"),
        ("- name: A: b\n  path: /a", 3, "'- name: A: b'", "put text with ': ' in quotes"),
        ("- {name: A: b, path: /a}", 3, "'- {name: A: b, path: /a}'", "put text with ': '"),
        ("- path: *\n  name: A", 3, "'- path: *'", "put text that begins with * in quotes"),
        ("- path: **/a\n  name: A", 3, "'- path: **/a'", "put text that begins with * in quotes"),
        ("- {path: *.html}", 3, "'- {path: *.html}'", "put text that begins with * in quotes"),
        ("- name: @A\n  path: /a", 3, "'- name: @A'", "put text that begins with @ in quotes"),
        ("- name: - A", 3, "'- name: - A'", "put text that begins with - in quotes"),
        ("- name: [A] b\n  path: /a", 3, "'- name: [A] b'", "put text that begins with ["),
        ("- name: [A\n  path: /a", 3, "'- name: [A'", "close the [ with a ]"),
        ("- event: x\n  property: {a: 1\n- name: B", 4, "'property: {a: 1'", "close the {"),
        ("- name: \"A\n  path: /a\n- name: B", 3, "'- name: \"A'", "close the quote"),
        ("- name: \"A\n  path: /a\n- name: \"B\"", 3, "'- name: \"A'", "close the quote"),
        ("- name: 'A's'", 3, '"- name: \'A\'s\'"', "put the whole text in quotes, in \""),
        ('- name: "A\\d"', 3, r"""'- name: "A\\d"'""", r"put text with \ in single quotes"),
        ("- name: A\n   path: /a", 4, "'   path: /a'", "indent the lines of one goal alike"),
        ("- name: A\n path: /a", 4, "' path: /a'", "indent the lines of one goal alike"),
        ("  - name: A\n - name: B", 4, "' - name: B'", "indent the lines of one goal alike"),
        ("- name: A\n---\nsite: 2", 4, "'---'", "remove this line"),
        ("- name: A\n}", 4, "'}'", "expected <block end>"),
    ],
)  # fmt: skip
def test_a_slip_is_shown_with_its_cure(goals: str, line: int, shown: str, cure: str) -> None:
    said = f"goals.yaml, line {line}: {shown} cannot be read as YAML: {cure}"
    assert refusal(f"site: 1\ngoals:\n{goals}").startswith(said)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("site 1\ngoals: []", 1, "'site 1' cannot be read as YAML: put a colon"),
        ("site: 1\ngoals\n- name: A\n  path: /a", 2, "'goals' cannot be read as YAML: put a colon"),
        (" site: 1\ngoals: []", 1, "' site: 1' cannot be read as YAML: indent"),
        ("site: 1\ngoals:\n- name: A\npath: /a", 4, "got 'path': indent this line like the other"),
        ("\n\n]", 3, "']' cannot be read as YAML"),
    ],
)  # fmt: skip
def test_slips_around_the_goals(text: str, line: int, said: str) -> None:
    message = refusal(text)
    assert message.startswith(f"goals.yaml, line {line}: ")
    assert said in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = y", "goals.toml: this is not TOML: Invalid value (at line 1"),
        ('site = 1\n[[goals]]\nname = 5\npath = "/x"', "goals.toml, goals[0].name: name must be"),
        ('site = 1\n[[goals]]\nname = "a"\npath = 2024-01-01', "goals[0].path: path must be text"),
        ('site = 1\n[[goals]]\nname="a"\nevent="x"\nproperty.p = inf', "must be finite, got inf"),
        ("sites.x.goals = []", "goals.toml, sites.x: site must be a numeric id"),
        ("site = " + "[" * 60 + "]" * 60, "it must not be nested so deeply"),
    ],
)
def test_toml_that_is_wrong(text: str, said: str) -> None:
    assert said in refusal(text, "goals.toml")


def test_goals_that_may_be_one_by_mistake() -> None:
    goals = [
        "{name: A, path: /a}",
        "{name: A, path: /b}",  # the name of the first
        "{name: B, path: /a}",  # what the first counts
        "{name: null, path: /c}",
        "{name: null, path: /d}",  # no name is no name that they share
        "{id: 1, name: C, path: /e}",
        "{id: 2, name: C, path: /e}",  # their ids say that they are two
    ]
    first = "".join(f"  - {goal}\n" for goal in goals)
    text = f"sites:\n 1:\n  goals:\n{first} 2:\n  goals:\n  - {goals[0]}\n"
    assert [*doubts(parse(text, "g.yaml"))] == [
        "g.yaml, line 5: the name 'A' is also that of the goal in line 4",
        "g.yaml, line 6: this goal counts the same as the one in line 4",
    ]


# --- what is dumped ----------------------------------------------------------------------------

NO_NUL = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
names = (
    st.none()
    | st.text(NO_NUL, min_size=1, max_size=12)
    | st.sampled_from(["no", "1", "~", "a: b #", "a\u3164", "\u202ea", "\U000e0101"])
)


@st.composite
def stored_goals(draw: st.DrawFn) -> StoredGoal:
    """A goal as any server may send it; some could not be written to a server like that."""
    kind, config, _ = draw(configs())
    return StoredGoal(draw(st.integers(1, 2**31)), draw(names), Content.of(kind, config))


@given(st.lists(stored_goals(), max_size=4, unique_by=lambda goal: goal.goal_id), st.booleans())
def test_a_dump_says_what_the_server_has(goals: list[StoredGoal], ids: bool) -> None:
    if not ids:  # goals that are equal can then not be told apart
        goals = list({(one.name, one.content.key): one for one in goals}.values())
    text = to_yaml({5: goals}, {5: "shop\n.example"}, ids=ids)
    (site,) = parse(text, "goals.yaml")
    found = match(site.goals, goals)
    assert not found.problems
    assert (found.new, found.left, found.doubles) == ([], [], [])
    assert len(found.pairs) == len(goals)
    for wanted, old in found.pairs:
        assert wanted.name == (old.name or None)
        assert wanted.content.key == old.content.key


def test_a_dump_reads_well() -> None:
    goals = [
        StoredGoal(1, "Signup", Content("path", {"pathPattern": "/signup/**"})),
        StoredGoal(2, "no", Content("event", {"eventName": "buy", "eventPropertyKey": "n",
                                              "eventPropertyValue": "1"})),
        StoredGoal(3, None, Content("outbound", {})),
    ]  # fmt: skip
    text = to_yaml({5: goals}, {5: "shop.example"}, ids=True)
    assert text.partition("sites:\n")[2] == (
        "  # shop.example\n"
        "  5:\n"
        "    goals:\n"
        "      - id: 1\n"
        "        name: Signup\n"
        "        path: /signup/**\n"
        "      - id: 2\n"
        '        name: "no"\n'
        "        event: buy\n"
        "        property:\n"
        '          "n": "1"\n'
        "      - id: 3\n"
        "        name: null\n"
        "        outbound: true\n"
    )


# --- which goal is which -----------------------------------------------------------------------


def wanted(text: str) -> list[FileGoal]:
    """Goals such as ``"7 a /x"``, with ``-`` for no id."""
    return [
        FileGoal("here", int(one[0]) if one[0] != "-" else None, *_rest(one[1:]))
        for one in map(str.split, text.split(","))
    ]


def stored(text: str) -> list[StoredGoal]:
    """Goals such as ``"7 a /x"``."""
    return [StoredGoal(int(one[0]), *_rest(one[1:])) for one in map(str.split, text.split(","))]


def _rest(words: list[str]) -> tuple[str | None, Content]:
    name, path = words
    return None if name == "-" else name, Content("path", {"pathPattern": path})


@pytest.mark.parametrize(
    ("file", "server", "pairs", "new", "left", "doubles", "problems"),
    [
        ("7 new /new", "7 a /x, 8 new /new", [7], 0, [8], [], 0),  # by id first
        ("- a /y", "7 a /x, 8 b /y", [7], 0, [8], [], 0),  # then by name
        ("- b /x", "7 a /x, 8 c /z", [7], 0, [8], [], 0),  # then by what it counts
        ("9 a /x", "7 a /x", [7], 0, [], [], 0),  # an id that is no more
        ("- a /x", "7 b /y", [], 1, [7], [], 0),
        ("- a /x, - a /y", "7 a /x, 8 a /y", [7, 8], 0, [], [], 0),  # by both
        ("- a /x, - a /z", "7 a /x, 8 a /y", [7, 8], 0, [], [], 0),  # what remains of a name
        ("- a /x", "7 a /y, 8 a /z", [], 0, [], [], 1),  # which one?
        ("- a /x, - a /y", "7 a /z", [], 0, [], [], 2),
        ("- a /x, - b /x", "7 c /x", [], 0, [], [], 2),
        ("- a /x", "7 b /x, 8 c /x", [], 0, [], [], 1),
        ("- a /x", "7 a /x, 8 a /x, 9 a /x", [7], 0, [], [8, 9], 0),
        ("8 a /x", "7 a /x, 8 a /x", [8], 0, [7], [], 0),
        ("7 a /x, 8 a /x", "7 a /x, 8 a /x", [7, 8], 0, [], [], 0),
        ("5 a /x, 6 a /x", "7 a /x, 8 a /x", [], 0, [], [], 2),  # ids of another server
        ("- - /x", "7 - /x, 8 b /x", [7], 0, [8], [], 0),  # without a name
        ("- - /x, - - /y", "7 - /z", [], 2, [7], [], 0),  # which is no name that they share
        ("- a /y, - b /x", "7 a /x, 8 b /y", [7, 8], 0, [], [], 0),  # swapped
    ],
)
def test_matching(
    file: str, server: str, pairs: list[int], new: int, left: list[int], doubles: list[int],
    problems: int,
) -> None:  # fmt: skip
    found = match(wanted(file), stored(server))
    assert sorted(old.goal_id for _, old in found.pairs) == pairs
    assert len(found.new) == new
    assert [old.goal_id for old in found.left] == left
    assert [old.goal_id for double in found.doubles for old in double.surplus] == doubles
    assert len(found.problems) == problems
