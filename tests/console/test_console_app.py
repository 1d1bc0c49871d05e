"""Every action of the terminal application, driven by keys against a daemon on a real socket."""

import asyncio

import console_samples as samples
import msgspec
import pytest
from console_daemon import FakeDaemon
from textual.widgets import Button, DataTable, Input

from console.link import Phase
from console.screens.discard import DiscardDialog
from console.screens.edit import EditDialog
from console.screens.failures import FailuresScreen
from console.screens.flow import FlowDialog
from console.screens.group import GroupScreen
from console.screens.help import HelpDialog
from console.screens.letter import LetterScreen
from console.screens.merge import MergeDialog
from console.screens.overview import OverviewScreen
from console.screens.record import RecordScreen
from console.screens.records import RecordsScreen
from console.screens.replay import ReplayDialog
from console.widgets.table import KeyedTable
from syncd.control import messages as m

# --- everywhere -----------------------------------------------------------------------------------------------------


async def test_the_overview_tells_depth_age_latency_throughput_failures_and_budgets(attached) -> None:
    async with attached() as driver:
        await driver.sees(
            "Work waiting",
            "oldest",
            "p50  p95  p99",
            "12 open",
            "INVALID",
            "181k/250k",
            "runs out in 6h",
            "▲ degraded",
            "live",
        )


async def test_the_numbers_are_live(attached, daemon: FakeDaemon) -> None:
    async with attached() as driver:
        before = driver.app.status
        await driver.until(lambda: driver.app.status is not before)
        assert isinstance(driver.app.screen, OverviewScreen)


async def test_digits_switch_screens_and_the_same_digit_goes_back_to_the_top(attached) -> None:
    async with attached() as driver:
        await driver.open(RecordsScreen, "2")
        await driver.open(FailuresScreen, "3")
        await driver.open(GroupScreen, "enter")
        await driver.open(OverviewScreen, "1")
        await driver.open(GroupScreen, "3")
        await driver.open(FailuresScreen, "3")


async def test_pausing_freezes_what_is_painted_while_the_line_stays_open(attached) -> None:
    async with attached() as driver:
        await driver.press("p")
        await driver.sees("paused")
        painted, heard = driver.app.status, driver.app.newest
        await driver.until(lambda: driver.app.newest is not heard)
        assert driver.app.status is painted
        await driver.press("3", "1")
        await driver.sees("paused")
        await driver.press("p")
        await driver.until(lambda: driver.app.status is not painted)
        await driver.sees("live")


@pytest.mark.parametrize("keys", [(), ("2",), ("2", "enter"), ("3",), ("3", "enter"), ("3", "enter", "enter")], ids=str)
async def test_help_opens_and_closes_on_every_screen(attached, keys: tuple[str, ...]) -> None:
    async with attached() as driver:
        for key in keys:
            before = driver.app.screen
            await driver.press(key)
            await driver.until(lambda before=before: driver.app.screen is not before)
            await driver.until(driver.app.screen.picture_ready)
        below = driver.app.screen
        for key in ("?", "f1"):
            await driver.press(key)
            await driver.until(lambda: isinstance(driver.app.screen, HelpDialog))
            await driver.sees("Help:")
            await driver.press("escape")
            await driver.until(lambda: driver.app.screen is below)


async def test_the_palette_offers_what_makes_sense_here(attached, daemon: FakeDaemon) -> None:
    async with attached(size=(100, 50)) as driver:
        await driver.open(GroupScreen, "enter")
        await driver.press(":")
        await driver.sees("Edit", "Replay", "Discard", "Go to Records", "Pause flow crm", "Run now shop.customers")
        await driver.press(*"Run", "enter")
        await driver.until(lambda: daemon.world.commands)
        assert daemon.world.commands == [m.RunNowRequest(mapping="shop.customers", who="jo")]
        await driver.sees("shop.customers is being polled")


async def test_colours_change_between_dark_and_light(attached) -> None:
    async with attached() as driver:
        dark = driver.app.theme
        await driver.press("ctrl+t")
        assert driver.app.theme != dark
        await driver.sees("Work waiting")
        await driver.press("ctrl+t")
        assert driver.app.theme == dark


async def test_q_leaves(attached) -> None:
    async with attached() as driver:
        await driver.press("q")
        await driver.until(lambda: not driver.app.is_running)


# --- the line ---------------------------------------------------------------------------------------------------------


async def test_a_killed_daemon_shows_as_reconnecting_and_comes_back_within_three_seconds(
    attached, daemon: FakeDaemon
) -> None:
    async with attached() as driver:
        await driver.open(FailuresScreen, "3")
        await asyncio.to_thread(daemon.kill)
        await driver.sees("reconnecting")
        daemon.world.letters[99] = msgspec.structs.replace(samples.letter(1), id=99)
        await asyncio.to_thread(daemon.start)
        async with asyncio.timeout(3):
            await driver.until(lambda: driver.app.link.phase(driver.app.clock()) is Phase.LIVE)
        await driver.sees("live", "13 open in 3 causes", "The daemon was restarted")


async def test_without_a_daemon_the_screen_says_so_and_how_to_start_it(attached, daemon: FakeDaemon) -> None:
    async with attached() as driver:
        await asyncio.to_thread(daemon.kill)
        await driver.open(RecordsScreen, "2")
        await driver.sees("no daemon", "does not exist")
        await asyncio.to_thread(daemon.start)
        await driver.sees("200 of 450")


async def test_a_silent_line_is_stale(attached, daemon: FakeDaemon) -> None:
    moment = [100.0]
    async with attached(clock=lambda: moment[0]) as driver:
        daemon.world.interval = 30.0
        await driver.pilot.pause(0.1)
        moment[0] += 5.0
        driver.app._paint_bars()
        await driver.sees("stale 5s")


async def test_a_command_pressed_while_the_daemon_restarts_has_one_effect(attached, daemon: FakeDaemon) -> None:
    async with attached() as driver:
        await driver.open(GroupScreen, "enter")
        await driver.press("r")
        await driver.sees("1 dead letter would be replayed")
        await asyncio.to_thread(daemon.kill)
        await driver.press("enter", "enter", "enter")
        await asyncio.to_thread(daemon.start)
        await driver.sees("1 of 1 dead letter replayed")
        assert len(daemon.world.effects) == 1


async def test_a_lost_answer_is_asked_for_again_under_the_same_command_id(attached, daemon: FakeDaemon) -> None:
    daemon.world.drop_replies = 1
    async with attached() as driver:
        await driver.open(GroupScreen, "enter")
        await driver.press("r")
        await driver.sees("would be replayed")
        await driver.press("enter")
        await driver.sees("1 of 1 dead letter replayed")
    assert len(daemon.world.commands) == 2
    assert len(daemon.world.effects) == 1


# --- records ------------------------------------------------------------------------------------------------------------


async def test_search_finds_and_escape_brings_all_back(attached) -> None:
    async with attached() as driver:
        await driver.open(RecordsScreen, "2")
        await driver.sees("200 of 450")
        await driver.press("/", *"hopper16@", "enter")
        await driver.sees("1 of 1")
        assert isinstance(driver.app.focused, DataTable)
        await driver.press("escape")
        await driver.sees("200 of 450")


async def test_the_list_fetches_the_next_page_at_its_end_only(attached) -> None:
    async with attached() as driver:
        await driver.open(RecordsScreen, "2")
        table = driver.app.screen.query_one("#records", KeyedTable)
        assert table.row_count == 200
        await driver.press("G")
        await driver.until(lambda: table.row_count == 400)
        await driver.press("G")
        await driver.until(lambda: table.row_count == 450)
        await driver.sees("450 of 450")


async def test_a_record_shows_what_each_system_holds_and_marks_differences_with_signs(attached) -> None:
    async with attached(size=(120, 30)) as driver:
        await driver.open(RecordsScreen, "2")
        await driver.open(RecordScreen, "enter")
        await driver.sees(
            "golden record",
            "crm.contacts",
            "shop.customers",
            "= Ada",
            "≠ Lovelace",
            "≠ (empty)",
            "≠ silver",
            "· not known",
            "≠ 3 differ",
        )
        await driver.press("j", "j")
        await driver.sees("last_name = Lovelace-Byron because theirs is newer, from shop")


async def test_history_says_which_rule_decided_over_what(attached) -> None:
    async with attached(size=(140, 30)) as driver:
        await driver.open(RecordsScreen, "2")
        await driver.open(RecordScreen, "enter")
        await driver.press("h")
        await driver.sees(
            "last_name = Lovelace-Byron because theirs is newer, over Lovelace from shop at 12:42:23",
            "price_tier stays gold because they do not own the field, over silver from shop",
            "jo (operator)",
            "customer rang about the invoice",
        )


async def test_attempts_show_what_was_sent_and_answered(attached) -> None:
    async with attached(size=(120, 30)) as driver:
        await driver.open(RecordsScreen, "2")
        await driver.open(RecordScreen, "enter")
        await driver.press("t")
        await driver.sees("✕ failed", "502 bad-gateway", "lastname", "✓ applied", "= unchanged")
        await driver.press("left")
        await driver.sees("History")
        await driver.press("escape")
        await driver.until(lambda: isinstance(driver.app.screen, RecordsScreen))


async def test_a_failed_record_leads_to_its_dead_letter_in_one_key(attached, daemon: FakeDaemon) -> None:
    async with attached() as driver:
        await driver.open(RecordsScreen, "2")
        await driver.press("j", "j", "j", "j", "j")
        await driver.open(RecordScreen, "enter")
        await driver.open(LetterScreen, "x")
        await driver.sees("Dead letter 5")


async def test_a_wide_terminal_shows_the_selected_record_beside_the_list(attached) -> None:
    async with attached(size=(160, 48)) as driver:
        await driver.open(RecordsScreen, "2")
        await driver.sees("golden record", "Ada Lovelace", "because only they changed it")
        await driver.press("j")
        await driver.sees("grace.hopper@example.org because")


# --- failures -------------------------------------------------------------------------------------------------------------


async def test_failures_are_grouped_by_cause_with_count_trend_first_and_last(attached) -> None:
    async with attached() as driver:
        await driver.open(FailuresScreen, "3")
        await driver.sees("12 open in 3 causes", "INVALID_EMAIL", "PROPERTY_DOESNT", "1h 3", "█")
        await driver.press("/", *"deals", "enter")
        await driver.sees("2 filtered out")
        await driver.press("escape")
        await driver.until(lambda: "filtered" not in driver.text())


async def test_one_is_replayed_with_a_reason_after_a_preview(attached, daemon: FakeDaemon) -> None:
    async with attached() as driver:
        await driver.open(FailuresScreen, "3")
        await driver.open(GroupScreen, "enter")
        await driver.press("r")
        await driver.until(lambda: isinstance(driver.app.screen, ReplayDialog))
        await driver.sees("1 dead letter would be replayed", "crm holds", "a replay writes", "ada.lovelace@@example")
        assert daemon.world.commands == []
        await driver.press(*"mended", "enter")
        await driver.sees("1 of 1 dead letter replayed")
        await driver.press("enter")
        await driver.until(lambda: isinstance(driver.app.screen, GroupScreen))
        await driver.sees("7 open")
    closed = daemon.world.letters[0]
    assert (closed.state, closed.closed_by, closed.closed_why) == ("replayed", "jo", "mended")


async def test_some_are_selected_with_space_and_replayed_together(attached, daemon: FakeDaemon) -> None:
    async with attached() as driver:
        await driver.open(GroupScreen, "enter")
        await driver.press("space", "space", "j", "space")
        await driver.sees("3 selected", "●")
        await driver.press("r")
        await driver.sees("3 dead letters would be replayed")
        await driver.press("ctrl+s")
        await driver.sees("3 of 3 dead letters replayed")
    command = daemon.world.commands[-1]
    assert isinstance(command, m.ReplayRequest)
    assert command.selection == m.Selection(ids=[0, 1, 3])


async def test_all_of_a_cause_are_selected_by_its_fingerprint_and_a_second_time_none(
    attached, daemon: FakeDaemon
) -> None:
    async with attached() as driver:
        await driver.open(GroupScreen, "enter")
        await driver.press("a")
        await driver.sees("8 selected")
        await driver.press("a")
        await driver.until(lambda: "selected" not in driver.text())
        await driver.press("a", "r")
        await driver.sees("8 dead letters would be replayed")
        await driver.press("enter")
        await driver.sees("8 of 8 dead letters replayed")
        await driver.press("enter")
        await driver.sees("no dead letter of this cause is open any more")
    command = daemon.world.commands[-1]
    assert isinstance(command, m.ReplayRequest)
    assert command.selection == m.Selection(fingerprint=samples.BAD_MAIL)


async def test_a_cause_and_everything_can_be_replayed_from_the_list(attached, daemon: FakeDaemon) -> None:
    async with attached() as driver:
        await driver.open(FailuresScreen, "3")
        await driver.press("r")
        await driver.sees("8 dead letters would be replayed")
        await driver.press("escape")
        await driver.until(lambda: isinstance(driver.app.screen, FailuresScreen))
        assert daemon.world.commands == []
        await driver.press("R")
        await driver.sees("12 dead letters would be replayed")
        await driver.press("enter")
        await driver.sees("12 of 12 dead letters replayed")
        await driver.press("enter")
        await driver.sees("nothing has failed, or all of it is mended")


async def test_a_value_is_edited_under_its_type_and_replayed(attached, daemon: FakeDaemon) -> None:
    async with attached() as driver:
        await driver.open(GroupScreen, "enter")
        await driver.press("e")
        await driver.until(lambda: isinstance(driver.app.screen, EditDialog))
        await driver.sees("the vendor named this field")
        field = driver.app.screen.query_one("#field-0", Input)
        assert driver.app.focused is field
        assert driver.app.screen.query_one("#go", Button).disabled
        await driver.press("end", "x")
        await driver.sees("an e-mail address looks like", "1 value to correct")
        field.value = "Ada@Example.org"
        await driver.sees("becomes ada@example.org", "1 field edited; the original is kept")
        await driver.press("ctrl+s")
        await driver.until(lambda: isinstance(driver.app.screen, ReplayDialog))
        await driver.sees(
            "Replay with edits", "ada@example.org", "edited; it was ada.lovelace@@example", "would be replayed"
        )
        await driver.press(*"typo", "enter")
        await driver.sees("1 of 1 dead letter replayed")
    command = daemon.world.commands[-1]
    assert isinstance(command, m.ReplayRequest)
    assert (command.edits, command.why, command.who) == ({"email": "ada@example.org"}, "typo", "jo")


async def test_an_edit_that_is_left_changes_nothing(attached, daemon: FakeDaemon) -> None:
    async with attached() as driver:
        await driver.open(GroupScreen, "enter")
        await driver.press("e")
        await driver.until(lambda: isinstance(driver.app.screen, EditDialog))
        await driver.press("x", "escape")
        await driver.until(lambda: isinstance(driver.app.screen, GroupScreen))
    assert daemon.world.commands == []


async def test_discarding_requires_a_reason(attached, daemon: FakeDaemon) -> None:
    async with attached() as driver:
        await driver.open(GroupScreen, "enter")
        await driver.press("d")
        await driver.until(lambda: isinstance(driver.app.screen, DiscardDialog))
        assert driver.app.screen.query_one("#go", Button).disabled
        await driver.press("enter")
        await driver.sees("a reason is required")
        assert daemon.world.commands == []
        await driver.press(*"test order", "enter")
        await driver.sees("1 of 1 dead letter discarded")
        await driver.press("enter")
        await driver.sees("7 open")
    assert daemon.world.letters[0].closed_why == "test order"


async def test_a_refusal_is_shown_and_can_be_tried_again(attached, daemon: FakeDaemon) -> None:
    async with attached() as driver:
        await driver.open(GroupScreen, "enter")
        await driver.press("d")
        await driver.until(lambda: isinstance(driver.app.screen, DiscardDialog))
        daemon.world.refuse["/v1/discard"] = (
            409,
            m.Problem(code="busy", message="another replay is running; wait for it"),
        )
        await driver.press(*"old", "enter")
        await driver.sees("another replay is running; wait for it")
        daemon.world.refuse.clear()
        await driver.press("ctrl+s")
        await driver.sees("1 of 1 dead letter discarded")
    assert len(daemon.world.effects) == 1


async def test_a_whole_letter_shows_what_was_sent_and_replied_and_leads_to_its_record(attached) -> None:
    async with attached(size=(120, 48)) as driver:
        await driver.open(GroupScreen, "enter")
        await driver.open(LetterScreen, "enter")
        await driver.sees(
            "What helps",
            "The last attempt sent",
            "The vendor replied",
            "VALIDATION_ERROR",
            "the same already: first_name",
        )
        await driver.open(RecordScreen, "o")
        await driver.sees("golden record")
        await driver.press("escape", "escape", "escape")
        await driver.until(lambda: isinstance(driver.app.screen, FailuresScreen))


# --- flows, rights, mouse ---------------------------------------------------------------------------------------------------


async def test_a_flow_is_paused_from_its_connection(attached, daemon: FakeDaemon) -> None:
    async with attached() as driver:
        driver.app.screen.query_one("#connections").focus()
        await driver.press("P")
        await driver.until(lambda: isinstance(driver.app.screen, FlowDialog))
        await driver.press(*"vendor is down", "enter")
        await driver.sees("crm is paused")
    command = daemon.world.commands[-1]
    assert isinstance(command, m.FlowRequest)
    assert (command.target, command.paused, command.why) == ("crm", True, "vendor is down")


async def test_read_only_offers_no_action_that_changes_something(attached, daemon: FakeDaemon) -> None:
    async with attached(read_only=True, size=(120, 30)) as driver:
        await driver.sees("READ-ONLY")
        driver.app.screen.query_one("#connections").focus()
        await driver.press("P")
        await driver.open(FailuresScreen, "3")
        await driver.press("r", "R", "d")
        await driver.open(GroupScreen, "enter")
        await driver.press("a", "r", "d", "e")
        await driver.pilot.pause(0.1)
        assert isinstance(driver.app.screen, GroupScreen)
        assert "Replay" not in driver.text().splitlines()[-1]
    assert daemon.world.commands == []


async def test_the_mouse_reaches_tabs_rows_and_keys_of_the_footer(attached) -> None:
    async with attached() as driver:
        await driver.pilot.click("#tab-failures")
        await driver.until(lambda: isinstance(driver.app.screen, FailuresScreen) and driver.app.screen.picture_ready())
        await driver.pilot.click("#groups", offset=(20, 3))
        await driver.until(lambda: driver.app.screen.query_one("#groups", KeyedTable).cursor_row == 1)
        await driver.pilot.click("#groups", offset=(20, 3))
        await driver.until(lambda: isinstance(driver.app.screen, GroupScreen))


async def test_rows_are_updated_by_key_and_the_cursor_stays_where_it_was(attached, daemon: FakeDaemon) -> None:
    async with attached() as driver:
        await driver.open(GroupScreen, "enter")
        table = driver.app.screen.query_one("#letters", KeyedTable)
        await driver.press("j", "j")
        assert table.current_key == "2"
        cleared: list[int] = []
        original, table.clear = table.clear, lambda *a, **k: cleared.append(1) or original(*a, **k)  # type: ignore[method-assign]
        daemon.world.letters[50] = msgspec.structs.replace(samples.letter(1), id=50)
        await driver.until(lambda: table.row_count == 9)
        assert (table.current_key, cleared) == ("2", [])
        daemon.world.letters[0] = msgspec.structs.replace(daemon.world.letters[0], state="resolved")
        await driver.until(lambda: table.row_count == 8)
        assert table.current_key == "2"


async def test_a_resize_lays_everything_out_anew(attached) -> None:
    async with attached(size=(80, 24)) as driver:
        await driver.open(RecordsScreen, "2")
        assert "golden record" not in driver.text()
        await driver.pilot.resize_terminal(160, 48)
        await driver.press("j")
        await driver.sees("golden record")
        await driver.pilot.resize_terminal(80, 24)
        await driver.until(lambda: "golden record" not in driver.text())


async def test_two_records_that_are_one_are_merged_after_a_look_at_what_that_means(
    attached, daemon: FakeDaemon
) -> None:
    for number in range(8):
        detail = samples.letter_detail(number, samples.BAD_MAIL)
        daemon.world.details[number] = msgspec.structs.replace(detail, candidates=["customer-a", "customer-b"])
    async with attached() as driver:
        await driver.open(GroupScreen, "enter")
        await driver.until(lambda: driver.app.screen.detail is not None)
        await driver.press("m")
        await driver.until(lambda: isinstance(driver.app.screen, MergeDialog))
        await driver.sees("crm.contacts: 2 is merged into 1 there, for good")
        await driver.sees("This cannot be undone.")
        assert daemon.world.commands == []
        await driver.press(*"same", "enter")
        await driver.sees("✓ merged")
        await driver.press("enter")
        await driver.until(lambda: isinstance(driver.app.screen, GroupScreen))
    first, second = daemon.world.commands
    assert first == second
    assert (first.survivor, first.absorbed, first.why) == ("customer-a", "customer-b", "same")
