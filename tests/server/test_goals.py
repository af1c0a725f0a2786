"""The list of goals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from .conftest import NOW, Rig, Serve


def add(rig: Rig, number: int, *, name: str | None = "same") -> list[int]:
    return [
        rig.store.add_goal(
            rig.site,
            "path",
            {"pathPattern": f"/{at}"},
            name=name,
            created_at=NOW + timedelta(seconds=at),
        )
        for at in range(number)
    ]


async def ids(rig: Rig, **query: object) -> list[int]:
    reply = await rig.get(rig.goals(), query)
    assert reply.status == 200
    return [goal["goalId"] for goal in reply.json["data"]]


async def test_the_shape_of_a_response(rig: Rig) -> None:
    goal = rig.store.add_goal(
        rig.site,
        "path",
        {"pathPattern": "/404"},
        name="404",
        created_at=datetime(2026, 11, 24, 8, 13, 46, 605470, tzinfo=UTC),
    )
    rows = [
        {"timestamp": NOW, "session_id": f"s{at}", "user_id": "u", "pathname": "/"}
        for at in range(17)
    ]
    rig.store.add_events(rig.site, [{**rows[0], "pathname": "/404"}, *rows[1:]])
    assert (await rig.get(rig.goals(), {"page_size": 2})).json == {
        "data": [
            {
                "goalId": goal,
                "siteId": rig.site.site_id,
                "name": "404",
                "goalType": "path",
                "config": {"pathPattern": "/404"},
                "createdAt": "2026-11-24 08:13:46.60547",
                "total_conversions": 1,
                "total_sessions": 17,
                "conversion_rate": 0.058823529411764705,
            }
        ],
        "meta": {"total": "1", "page": 1, "pageSize": 2, "totalPages": 1},
    }


async def test_a_site_without_goals(rig: Rig) -> None:
    meta = {"total": "0", "page": 1, "pageSize": 10, "totalPages": 0}
    assert (await rig.get(rig.goals())).json == {"data": [], "meta": meta}


async def test_created_at_has_0_to_6_fraction_digits(rig: Rig) -> None:
    digits = {0: "", 500_000: ".5", 120_000: ".12", 1: ".000001", 605_470: ".60547"}
    for microsecond in digits:
        created = NOW.replace(microsecond=microsecond)
        rig.store.add_goal(rig.site, "path", {"pathPattern": "/"}, created_at=created)
    goals = (await rig.get(rig.goals(), {"sort": "goalId", "order": "asc"})).json["data"]
    assert [goal["createdAt"] for goal in goals] == [
        f"2026-11-24 12:00:00{fraction}" for fraction in digits.values()
    ]


async def test_name_may_be_null_and_rate_an_integer(rig: Rig) -> None:
    rig.store.add_goal(rig.site, "path", {"pathPattern": "/"})
    rig.store.add_session(rig.site, start=NOW)
    reply = await rig.get(rig.goals())
    assert reply.json["data"][0]["name"] is None
    assert b'"conversion_rate":1}' in reply.body


async def test_a_bad_page_size_is_400(rig: Rig) -> None:
    for size in ("0", "101", "-1", "abc", ""):
        reply = await rig.get(rig.goals(), {"page_size": size})
        assert reply.status == 400, size
        assert reply.json == {"error": "Invalid page size, must be between 1 and 100"}


async def test_a_bad_page_is_400(rig: Rig) -> None:
    for page in ("0", "abc", ""):
        reply = await rig.get(rig.goals(), {"page": page})
        assert (reply.status, reply.json) == (400, {"error": "Invalid page number"}), page


async def test_a_page_beyond_the_end_has_meta(rig: Rig) -> None:
    add(rig, 3)
    reply = await rig.get(rig.goals(), {"page": 9, "page_size": 2})
    meta = {"total": "3", "page": 9, "pageSize": 2, "totalPages": 2}
    assert (reply.status, reply.json) == (200, {"data": [], "meta": meta})


async def test_paging_defaults(rig: Rig) -> None:
    made = add(rig, 12)
    assert await ids(rig) == made[:1:-1]
    assert await ids(rig, page=2) == made[1::-1]
    assert len(await ids(rig, page_size=100)) == 12


async def test_an_unknown_sort_or_order_falls_back(rig: Rig) -> None:
    made = add(rig, 5)
    for name, value in (("sort", "colour"), ("order", "up"), ("order", "ASC")):
        assert await ids(rig, **{name: value}) == made[::-1], (name, value)


async def test_sorts(rig: Rig) -> None:
    kinds = ("event", {"eventName": "x"}), ("path", {"pathPattern": "/"})
    made = [
        rig.store.add_goal(
            rig.site,
            *kinds[at % 2],
            name=name,
            created_at=NOW - timedelta(seconds=at),
        )
        for at, name in enumerate(["b", "c", "a"])
    ]
    b, c, a = made
    assert await ids(rig, sort="goalId", order="asc") == [b, c, a]
    assert await ids(rig, sort="createdAt", order="asc") == [a, c, b]
    assert await ids(rig, sort="name", order="asc") == [a, b, c]
    assert await ids(rig, sort="name") == [c, b, a]
    assert (await ids(rig, sort="goalType"))[0] == c


async def test_equal_rows_come_in_another_order_on_each_page(rig: Rig) -> None:
    made = add(rig, 40)
    for sort in ("name", "goalType"):
        rig.server.shuffle_ties = True
        pages = [await ids(rig, sort=sort, page=page) for page in range(1, 5)]
        seen = [goal for page in pages for goal in page]
        assert len(seen) == 40, sort
        assert len(set(seen)) < 40, sort
        assert await ids(rig, sort=sort, page=2) == pages[1], sort
        rig.server.shuffle_ties = False
        seen = [goal for page in range(1, 5) for goal in await ids(rig, sort=sort, page=page)]
        assert sorted(seen) == made, sort


async def test_goal_id_and_created_at_are_stable(rig: Rig) -> None:
    made = add(rig, 40)
    for sort in ("goalId", "createdAt"):
        seen = [goal for page in range(1, 5) for goal in await ids(rig, sort=sort, page=page)]
        assert seen == made[::-1], sort


async def test_goals_created_or_deleted_between_two_pages_shift_later_rows(rig: Rig) -> None:
    made = add(rig, 6)
    assert await ids(rig, sort="goalId", order="asc", page_size=2) == made[:2]
    rig.store.delete_goal(made[0])
    assert await ids(rig, sort="goalId", order="asc", page_size=2, page=2) == made[3:5]
    (newest,) = add(rig, 1)
    assert (await ids(rig, sort="goalId", page_size=2))[0] == newest


@pytest.mark.parametrize("value", [5, 1.5, True])
async def test_native_numbers_in_events_break_the_whole_page_on_2_2(
    rig: Rig, value: object
) -> None:
    site = rig.store.add_site("native", events_native_numbers=True)
    rig.store.add_session(site, start=NOW, events=(("buy", {"n": value}),))
    config = {"eventName": "buy", "eventPropertyKey": "n", "eventPropertyValue": value}
    rig.store.add_goal(site, "event", config)
    rig.store.add_goal(site, "path", {"pathPattern": "/"})
    reply = await rig.get(rig.goals(site.site_id))
    if rig.server.release == "2.8":
        assert [goal["total_conversions"] for goal in reply.json["data"]] == [1, 1]
    else:
        assert (reply.status, reply.json) == (500, {"error": "Failed to fetch goals data"})


@pytest.mark.parametrize(
    ("held", "fails"),
    [
        ((5, "x"), True),
        ((True, "x"), True),
        ((2.5, "5"), True),
        ((5, 6.5), False),
        (("5", "x"), False),
    ],
)
async def test_values_of_several_types_break_the_whole_page_on_2_8(
    serve: Serve, held: tuple[object, object], fails: bool
) -> None:
    rig = await serve("2.8")
    site = rig.store.add_site("native", events_native_numbers=True)
    for day, value in enumerate(held):
        events = (("buy", {"n": value}), ("other", {"n": "text"}))
        rig.store.add_session(site, start=NOW - timedelta(days=day), events=events)
    config = {"eventName": "buy", "eventPropertyKey": "n", "eventPropertyValue": 5}
    rig.store.add_goal(site, "event", config)
    reply = await rig.get(rig.goals(site.site_id))
    assert reply.status == (500 if fails else 200)
    # What is outside the window does not count.
    day = str(NOW.date())
    window = {"start_date": day, "end_date": day, "time_zone": "UTC"}
    assert (await rig.get(rig.goals(site.site_id), window)).status == 200


async def test_path_wildcards(rig: Rig) -> None:
    rows = [
        {"timestamp": NOW, "session_id": path, "user_id": "u", "pathname": path}
        for path in ("/", "/blog", "/blog/a", "/blog/b.c", "/blog/bxc", "/blog/a/b")
    ]
    rig.store.add_events(rig.site, rows)
    for pattern, paths in (
        ("/blog", {"/blog"}),
        ("/blog/*", {"/blog/a", "/blog/b.c", "/blog/bxc"}),
        ("/blog/**", {"/blog/a", "/blog/b.c", "/blog/bxc", "/blog/a/b"}),
        ("/*/a", {"/blog/a"}),
        ("**/b", {"/blog/a/b"}),
        ("/blog/b.c", {"/blog/b.c"}),
        ("/blog/b?c*", set[str]()),
        ("/**", {"/", "/blog", "/blog/a", "/blog/b.c", "/blog/bxc", "/blog/a/b"}),
    ):
        goal = rig.store.add_goal(rig.site, "path", {"pathPattern": pattern})
        found = (await rig.get(rig.sessions(goal), {"page": 1})).json["data"]
        assert {row["entry_page"] for row in found} == paths, pattern
        newest = (await rig.get(rig.goals(), {"sort": "goalId"})).json["data"][0]
        assert (newest["goalId"], newest["total_conversions"]) == (goal, len(found)), pattern


async def test_event_properties(rig: Rig) -> None:
    for at, (held, wanted, matches) in enumerate(
        (
            ("pro", "pro", True),
            ("pro", "team", False),
            (5, 5, True),
            (5, "5", True),
            (1.0, 1, True),
            (True, True, True),
            (True, False, False),
            ("true", True, True),
        )
    ):
        name = f"signup{at}"
        rig.store.add_session(rig.site, start=NOW, events=((name, {"a/b": held}),))
        config = {"eventName": name, "eventPropertyKey": "a/b", "eventPropertyValue": wanted}
        rig.store.add_goal(rig.site, "event", config)
        goal = (await rig.get(rig.goals(), {"sort": "goalId"})).json["data"][0]
        assert goal["total_conversions"] == int(matches), (held, wanted)
        assert goal["config"] == config


async def test_property_filters_and_newer_types(serve: Serve) -> None:
    rig = await serve("2.8")
    props = {"plan": "pro", "seats": 5}
    rig.store.add_session(rig.site, start=NOW, events=(("signup", props),))
    rig.store.add_events(
        rig.site,
        [
            {
                "timestamp": NOW,
                "session_id": "s",
                "user_id": "u",
                "type": "outbound",
                "props": {"url": "https://example.org/a"},
            }
        ],
    )
    pairs = [{"key": "plan", "value": "pro"}, {"key": "seats", "value": 5}]
    rig.store.add_goal(rig.site, "event", {"eventName": "signup", "propertyFilters": pairs})
    rig.store.add_goal(rig.site, "outbound", {"valuePattern": "https://example.org/*"})
    rig.store.add_goal(rig.site, "outbound", {"valuePattern": "https://example.com/*"})
    rig.store.add_goal(rig.site, "button_click", {})
    reply = await rig.get(rig.goals(), {"sort": "goalId", "order": "asc"})
    assert [goal["total_conversions"] for goal in reply.json["data"]] == [1, 1, 0, 0]


async def test_a_capped_page_size_is_echoed(rig: Rig) -> None:
    add(rig, 7)
    rig.server.cap_page_size = 3
    reply = await rig.get(rig.goals(), {"page_size": 100})
    assert len(reply.json["data"]) == 3
    assert reply.json["meta"] == {"total": "7", "page": 1, "pageSize": 3, "totalPages": 3}
