from hypothesis import given
from hypothesis import strategies as st

from console.glyphs import ASCII, UNICODE, chosen
from console.link import Link, Phase
from console.text import hung, prose, said
from console.widgets.meter import bar, forecast, level
from console.widgets.plot import area, sampled, spark
from console.widgets.topbar import badge
from syncd.control.messages import WindowLine


def window(**more: object) -> WindowLine:
    return WindowLine(
        **{"connection": "crm", "window": "10 s", "limit": 100, "used": 0, "own": 0, "resets_in_seconds": 5.0} | more
    )  # type: ignore[arg-type]


def test_an_area_reaches_its_peak_and_leaves_gaps_empty() -> None:
    text = area([0.0, 8.0, None, 8.0], width=2, height=1, glyphs=UNICODE).plain
    assert text == "⢸⢸"
    assert area([0.0, 4.0, None, 8.0], width=4, height=2, glyphs=ASCII).plain.count("\n") == 1


def test_something_is_never_drawn_as_nothing() -> None:
    assert area([0.001, 1000.0], width=1, height=1, glyphs=UNICODE).plain == "⣸"
    assert bar(window(used=1, own=1, limit=1_000_000), width=10, glyphs=UNICODE).plain[0] != UNICODE.bar_free


@given(st.lists(st.one_of(st.none(), st.floats(0, 1e9)), max_size=300), st.integers(1, 60), st.integers(1, 8))
def test_a_plot_has_exactly_the_size_it_was_given(values: list[float | None], width: int, height: int) -> None:
    for glyphs in (UNICODE, ASCII):
        rows = area(values, width=width, height=height, glyphs=glyphs).plain.split("\n")
        assert len(rows) == height
        assert all(len(row) == width for row in rows)


def test_a_peak_survives_when_many_points_become_few() -> None:
    values: list[float | None] = [0.0] * 1000
    values[501] = 7.0
    assert max(x or 0 for x in sampled(values, 10)) == 7.0


def test_a_spark_tells_zero_from_something() -> None:
    assert spark([0, 1, 8], glyphs=UNICODE).plain == "·▂█"


def test_the_bar_marks_where_each_lane_must_stop() -> None:
    text = bar(window(used=40, own=20, reserves={"live": 0.3, "operator": 0.05}), width=20, glyphs=UNICODE).plain
    assert text == "████▓▓▓▓──────│────│"


def test_the_worry_follows_forecast_and_reserve() -> None:
    assert level(window(used=10)) == "ok"
    assert level(window(used=80, reserves={"live": 0.3})) == "warn"
    assert level(window(used=10, exhausted_in_seconds=60.0)) == "bad"
    assert forecast(window(used=100)).plain == "spent, resets in 5s"
    assert forecast(window(exhausted_in_seconds=60.0)).plain == "runs out in 1m, resets in 5s"


def test_the_badge_always_says_state_and_age() -> None:
    def say(link: Link, now: float, paused: float | None = None) -> str:
        return badge(link, now, paused_for=paused, glyphs=UNICODE).plain.strip()

    heard = Link().heard(10.0)
    assert say(Link(), 0.0) == "◌ connecting"
    assert say(heard, 11.0) == "● live 1s"
    assert say(heard, 20.0) == "◌ stale 10s"
    assert say(heard.lost(12.0, "gone").lost(13.0, "gone"), 15.0) == "✕ reconnecting 5s (try 2)"
    assert say(heard, 11.0, 8.0) == "‖ paused 8s"
    assert say(heard.lost(12.0, "gone"), 15.0, 8.0) == "‖ paused 8s   ✕ reconnecting"
    assert heard.lost(12.0, "gone").heard(16.0).phase(16.0) is Phase.LIVE


def test_wrapped_sentences_hang_below_their_start_and_lose_no_word() -> None:
    words = "email = ada because only they changed it, over nothing from shop"
    rows = hung(prose((words, "value")), 24, indent=4).plain.split("\n")
    assert all(len(row.rstrip()) <= 24 for row in rows)
    assert all(row.startswith("    ") for row in rows[1:])
    assert " ".join(" ".join(rows).split()) == words
    assert hung(said("short"), 24, indent=4).plain == "short"


def test_poor_terminals_get_plain_signs() -> None:
    assert chosen({"TERM": "linux"}) is ASCII
    assert chosen({"SYNCD_ASCII": "1", "TERM": "xterm"}) is ASCII
    assert all(ord(x) < 128 for name in ASCII.__slots__ if name != "braille" for x in getattr(ASCII, name))
