import json
import subprocess
import sys
from pathlib import Path

import console_samples as samples
import msgspec
import pytest
from console_daemon import FakeDaemon

from console import acting, cli
from syncd.control import messages as m

RECORD = samples.record_id(1)


@pytest.fixture
def syncctl(daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs a verb; returns the exit code, standard output and standard error."""
    monkeypatch.setenv("SYNCD_SOCKET", str(daemon.socket))

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.run(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


READING = [
    ("status",), ("queue",), ("queues",), ("failures",), ("failures", "list"), ("failure", "list"), ("failures", "show", samples.BAD_MAIL),
    ("records",), ("records", "list", "ada"), ("record", "show", RECORD), ("records", "diff", RECORD), ("records", "history", RECORD),
    ("records", "attempts", RECORD), ("budgets",), ("budget",), ("runs",), ("run", "list"), ("tail", "--no-follow"),
]  # fmt: skip


@pytest.mark.parametrize("verb", READING, ids=" ".join)
def test_verbs_that_look_succeed_in_words_and_in_json(syncctl, verb: tuple[str, ...]) -> None:
    code, out, err = syncctl(*verb)
    assert (code, err) == (0, "")
    assert out.strip()
    assert "\x1b" not in out
    code, out, err = syncctl(*verb, "--json")
    assert (code, err) == (0, "")
    for text in out.splitlines():
        envelope = json.loads(text)
        assert set(envelope) == {"command", "ok", "summary", "result", "error"}
        assert envelope["ok"] is True
        assert envelope["error"] is None


def test_a_diff_shows_only_what_is_not_in_step(syncctl) -> None:
    _, out, _ = syncctl("records", "diff", RECORD, "--json")
    assert [x["field"] for x in json.loads(out)["result"]["fields"]] == ["last_name", "company", "price_tier"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("nonsense",), 2), (("records", "show"), 2), (("replay",), 2), (("replay", "1", "--all"), 2), (("discard", "1"), 2),
        (("flows",), 2), (("queue", "--limit", "0"), 2), (("failures", "show", "zz"), 2), (("status", "--socket", "/none/c.sock"), 3),
        (("replay", "--all"), 2), (("replay", "1", "2", "--set", "email=a@b.org"), 2), (("runs", "now", "shop.carts"), 1),
        ((), 2), (("--help",), 0),
    ],
)  # fmt: skip
def test_exit_codes_are_those_of_the_manual_and_errors_are_one_line(
    syncctl, arguments: tuple[str, ...], code: int
) -> None:
    got, _, err = syncctl(*arguments)
    assert got == code, err
    assert err.count("\n") <= 1
    assert "Traceback" not in err


def test_usage_errors_come_as_an_envelope_too(syncctl) -> None:
    code, out, err = syncctl("replay", "--json")
    assert (code, err) == (2, "")
    assert json.loads(out)["error"]["code"] == "usage"


@pytest.mark.parametrize(("status", "code"), [(400, 2), (404, 2), (409, 1), (503, 3)])
def test_problems_of_the_daemon_give_the_exit_code_of_their_kind(
    syncctl, daemon: FakeDaemon, status: int, code: int
) -> None:
    daemon.world.refuse["/v1/failures"] = (status, m.Problem(code="some-code", message="what, where"))
    got, out, _ = syncctl("failures", "--json")
    assert got == code
    assert json.loads(out)["error"] == {"code": "some-code", "message": "what, where"}


def test_replay_of_ids_goes_at_once_and_says_who_and_why(syncctl, daemon: FakeDaemon) -> None:
    code, out, _ = syncctl("replay", "1", "2", "--why", "mended at the vendor", "--json")
    assert code == 0
    assert json.loads(out)["result"] == {"matched": 2, "replayed": 2, "refused": []}
    closed = daemon.world.letters[1]
    assert (closed.state, closed.closed_by, closed.closed_why) == (
        "replayed",
        acting.operator(),
        "mended at the vendor",
    )


def test_replay_with_an_edited_value_sends_it_in_canonical_form(syncctl, daemon: FakeDaemon) -> None:
    code, _, _ = syncctl(
        "replay", "3", "--set", "email=Ada@Example.org", "--set", "credit_limit=99.5 eur", "--set", "company="
    )
    assert code == 0
    sent = daemon.world.commands[-1]
    assert isinstance(sent, m.ReplayRequest)
    assert sent.edits == {
        "email": "ada@example.org",
        "credit_limit": {"amount": "99.5", "currency": "EUR"},
        "company": None,
    }


@pytest.mark.parametrize("edit", ["email=a@@b", "customer_number=1", "nonsense=1", "email"])
def test_a_bad_edit_changes_nothing(syncctl, daemon: FakeDaemon, edit: str) -> None:
    code, _, err = syncctl("replay", "3", "--set", edit)
    assert code == 2
    assert edit.partition("=")[0] in err
    assert daemon.world.commands == []


def test_a_preview_says_what_would_be_written_and_writes_nothing(syncctl, daemon: FakeDaemon) -> None:
    code, out, _ = syncctl("replay", "3", "--set", "email=new@example.org", "--preview")
    assert code == 0
    assert "email: edsger.dijkstra@example.org -> new@example.org (edited)" in out
    assert "1 dead letter would be replayed" in out
    assert daemon.world.commands == []


async def test_a_filter_is_counted_and_asked_about(daemon: FakeDaemon) -> None:
    from console.client import Client

    asked: list[str] = []

    def no(question: str) -> bool:
        asked.append(question)
        return False

    async with Client(daemon.socket) as client:
        which = m.Selection(fingerprint=samples.BAD_MAIL)
        refused = await acting.replay(client, which, edits=[], why="", preview=False, yes=False, asked=no)
        kept = await acting.discard(client, which, why="old", yes=False, asked=no)
    assert asked == ["8 dead letters will be replayed", "8 dead letters will be discarded"]
    assert not refused.ok
    assert not kept.ok
    assert daemon.world.commands == []


def test_yes_replays_all_that_match(syncctl, daemon: FakeDaemon) -> None:
    code, out, err = syncctl("replay", "--fingerprint", samples.BAD_MAIL, "--yes")
    assert (code, out) == (0, "8 of 8 dead letters replayed\n")
    assert "8 dead letters will be replayed" in err
    assert len(daemon.world.open_letters()) == 4


def test_what_was_closed_already_is_refused_with_a_reason(syncctl) -> None:
    syncctl("discard", "1", "--why", "old")
    code, out, _ = syncctl("replay", "1")
    assert code == 1
    assert "1 is discarded" in out


def test_flows_pause_and_resume(syncctl, daemon: FakeDaemon) -> None:
    assert syncctl("flow", "pause", "crm")[1] == "crm is paused\n"
    assert daemon.world.paused == {"crm"}
    assert syncctl("flows", "resume", "crm")[1] == "crm is flowing\n"
    assert syncctl("flows", "resume", "crm")[1] == "crm was already flowing\n"


@pytest.mark.parametrize(
    "verb",
    [("replay", "1"), ("discard", "1", "--why", "x"), ("runs", "now", "shop.customers"), ("flows", "pause", "crm")],
)
def test_read_only_changes_nothing(
    syncctl, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...]
) -> None:
    assert syncctl("--read-only", *verb)[0] == 2
    monkeypatch.setenv("SYNCD_READONLY", "1")
    assert syncctl(*verb)[0] == 2
    assert daemon.world.commands == []


def test_hostile_values_reach_neither_words_nor_json_as_they_are(syncctl, daemon: FakeDaemon) -> None:
    evil = "\x1b]52;c;ZXZpbA==\x07\x9b31m\u202e\x7f\n"
    daemon.world.records = [msgspec.structs.replace(samples.record_line(0), title=evil)]
    _, out, _ = syncctl("records")
    assert not any(x in out for x in "\x1b\x07\x9b\u202e\x7f")
    _, out, _ = syncctl("records", "--json")
    assert all(" " <= x <= "~" for x in out.rstrip("\n"))
    assert json.loads(out)["result"]["items"][0]["title"] == evil


def test_a_verb_starts_without_the_terminal_application(daemon: FakeDaemon) -> None:
    code = (
        "import sys\nfrom console.cli import run\n"
        f"assert run(['status', '--socket', {str(daemon.socket)!r}]) == 0\n"
        "loaded = [x for x in sys.modules if x.split('.')[0] in ('textual', 'plotext') or x.startswith('console.app')]\n"
        "assert not loaded, loaded\n"
        "assert not [x for x in sys.modules if x.startswith('syncd.') and not x.startswith('syncd.control')]\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 0, done.stderr


def test_a_picture_is_written_without_a_terminal(syncctl, daemon: FakeDaemon, tmp_path: Path) -> None:
    for screen in ("overview", "record", "letter"):
        target = tmp_path / f"{screen}.svg"
        code, _, err = syncctl("--screenshot", str(target), "--screen", screen, "--size", "100x30")
        assert (code, err) == (0, "")
        assert "<svg" in target.read_text()
        assert "@font-face" not in target.read_text()
    assert syncctl("--screenshot", str(tmp_path / "x.svg"), "--screen", "nothing")[0] == 2


def test_a_merge_is_shown_asked_about_and_followed_to_its_end(syncctl, daemon: FakeDaemon) -> None:
    code, out, err = syncctl("records", "merge", "customer-a", "customer-b", "--preview")
    assert (code, daemon.world.commands) == (0, [])
    assert "crm.contacts: 2 is merged into 1 there, for good" in out
    code, out, err = syncctl("records", "merge", "customer-a", "customer-b")
    assert (code, daemon.world.commands) == (2, []), "without a terminal nobody can be asked"
    code, out, err = syncctl("records", "merge", "customer-a", "customer-b", "--yes", "--why", "twice")
    assert code == 0
    assert "customer-b is merged into customer-a" in out
    assert "for good" in err
    first, second = daemon.world.commands
    assert first == second, "asked again how far it is, with the same command"
    assert (first.survivor, first.absorbed, first.why) == ("customer-a", "customer-b", "twice")
