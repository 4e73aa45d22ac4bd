"""The whole screen out of its parts, at any size."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from perles.dashboard.frames import detail as details
from perles.dashboard.frames import diff as diffs
from perles.dashboard.frames import form as forms
from perles.dashboard.frames import inbox as inboxes
from perles.dashboard.frames import jump as jumps
from perles.dashboard.frames import nodes as nodes_frame
from perles.dashboard.frames import table as tables
from perles.dashboard.frames.chips import chips, filter_line
from perles.dashboard.frames.parts import ends, footer, typed
from perles.dashboard.model import key_help, seen
from perles.dashboard.model import verbs as model_verbs
from perles.dashboard.model.state import (
    MOST,
    MOST_AT_ONCE,
    SHALLOW,
    Detail,
    Seek,
    State,
    View,
    offered,
    scrolled,
)
from perles.dashboard.terminal.segments import (
    Frame,
    Line,
    Segment,
    box,
    cell,
    columns_of,
    fit,
    line,
    over,
    stack,
    wrap,
)
from perles.domain.cluster_words import standing
from perles.domain.text import clean, cut, width

LEAST: Final = (24, 5)
"""The smallest screen that something can be shown on."""


class Composer:
    """Makes frames; `compose` also gives back the state with its scrolling kept within bounds."""

    def compose(self, state: State, view: View) -> tuple[State, Frame]:
        """The screen for a state, and the state as the screen has it."""
        columns, rows = view.size
        if columns < LEAST[0] or rows < LEAST[1]:
            text = cut(f"{columns}x{rows} is too small", columns)
            return state, Frame(stack([line(text)], columns, rows))
        lines, cursor, state = _main(state, view)
        status, at = _status(state, view)
        if at is not None:
            cursor = (at, rows - 2)
        bar = footer(_bindings(state), columns)
        body = [*stack(lines, columns, rows - 2), fit(status, columns), bar]
        laid, over_cursor = _overlay(state, view, body)
        boxes = (state.question, state.form, state.jump)
        covered = state.help or any(one is not None for one in boxes)
        return state, Frame(laid, over_cursor if covered else cursor)


def _main(state: State, view: View) -> tuple[list[Line], tuple[int, int] | None, State]:
    state = seen.on_screen(state, view)
    if state.screen == "detail" and state.detail is not None:
        new = seen.new_tabs(state, view.inside) if view.inside is not None else frozenset()
        drawn, lines, reach, cursor = details.draw(state.detail, view, new)
        return lines, cursor, replace(state, detail=_bounded(drawn, view, reach))
    if state.screen == "inbox":
        lines, cursor = inboxes.draw(state, view)
        return lines, cursor, state
    if state.screen == "nodes":
        return nodes_frame.draw(state, view), None, state
    if state.screen == "diff" and state.diff is not None:
        diff, lines, cursor = diffs.draw(state.diff, view)
        return lines, cursor, replace(state, diff=diff)
    return tables.draw(state, view), None, state


def _bounded(detail: Detail, view: View, reach: int) -> Detail:
    """Scrolled no further than there is; who wants beyond it has more read."""
    bounded = scrolled(detail, min(detail.up, reach), view.inside)
    if bounded.at_top != (detail.up >= reach):
        bounded = replace(bounded, at_top=detail.up >= reach)
    if detail.up > reach and view.inside is not None and view.inside.more:
        most = MOST if detail.tab in SHALLOW else MOST_AT_ONCE
        return replace(bounded, limit=max(detail.limit, min(detail.limit + 500, most)))
    return bounded


def _status(state: State, view: View) -> tuple[Line, int | None]:
    """The line above the footer: a field that is typed in, a banner, a notice, or the filter."""
    columns = view.size[0]
    if state.screen == "table" and state.table.typing:
        field, at = typed("/", state.table.filter.text, state.table.filter.at, columns)
        count = line(Segment(f" {len(view.ids)} of {view.total}", "muted"))
        return ends(field, count, columns), at
    if state.screen == "diff" and state.diff is not None and state.diff.searching:
        return typed("/", state.diff.search.text, state.diff.search.at, columns)
    if state.detail is not None and state.detail.seek is not None and state.detail.seek.text:
        return _seeking(state.detail.seek, columns), None
    if state.detail is not None and state.detail.searching:
        return typed("/", state.detail.search.text, state.detail.search.at, columns)
    warning = _warning(state, view, columns)
    notice = line(Segment(cut(clean(state.notice.text), columns), state.notice.style))
    if warning and (not state.notice.text or state.notice.style in ("good", "muted")):
        return ends(
            warning, notice if state.notice.text else filter_line(state, view), columns
        ), None
    if state.notice.text:
        return notice, None
    left = filter_line(state, view)
    if state.screen == "table":
        left = (*left, *chips(state, view, columns - columns_of(left)))
    return ends(left, _place(state, view), columns), None


def _seeking(seek: Seek, columns: int) -> Line:
    where = "older" if seek.step > 0 else "newer"
    text = f"searching what is {where} … {seek.share:.0%} · Esc ends it · {seek.text}"
    return line(Segment(cut(clean(text), columns), "focus"))


def _warning(state: State, view: View, columns: int) -> Line:
    """What is wrong with the database or the engine, for as long as it is."""
    if view.banner:
        return line(Segment(cut(clean(f"▲ {view.banner}"), columns), "bad"))
    if view.trouble:
        return line(Segment(cut(clean(f"▲ {view.trouble}"), columns), "bad"))
    if view.engine and view.cluster is not None and view.cluster["state"] == "unreachable":
        words = standing(view.cluster, datetime.fromtimestamp(view.now, UTC))
        return line(Segment(cut(clean(f"▲ the cluster is {words}"), columns), "bad"))
    if view.engine or not view.work:
        return ()
    text = "nothing goes on" if state.engine_wanted else "looking only"
    return line(Segment(cut(f"▲ no engine runs: {text}; E starts one", columns), "warn"))


def _place(state: State, view: View) -> Line:
    if state.detail is not None:
        return _elsewhere(state.detail, view)
    if state.screen != "table" or not view.ids:
        return ()
    return line(Segment(f"{state.table.cursor + 1}/{len(view.ids)} by {state.table.sort}", "muted"))


def _elsewhere(detail: Detail, view: View) -> Line:
    """That other workflows want attention too: their table is not in sight."""
    newest = view.attention.newest
    count = len(newest) - (detail.workflow_id in newest)
    if not count:
        return ()
    who = "another workflow needs" if count == 1 else f"{count} other workflows need"
    return line(Segment(f"▲ {who} you: ! goes there", "warn"))


def _bindings(state: State) -> tuple[key_help.Binding, ...]:
    if state.question is not None:
        return key_help.ASKED
    if state.jump is not None:
        return key_help.JUMP
    if state.form is not None:
        return key_help.FIND if state.form.template is None else key_help.FORM
    if state.screen == "inbox":
        return key_help.INBOX if state.inbox.answer is None else key_help.ANSWER
    if state.screen == "nodes":
        return key_help.NODES
    if state.screen == "diff" and state.diff is not None:
        if state.diff.searching:
            return key_help.SEARCH
        return key_help.DIFF if state.diff.comment is None else key_help.COMMENT
    if state.detail is not None:
        if state.detail.searching:
            return key_help.SEARCH
        return key_help.CHAT if state.detail.typing else key_help.DETAIL
    return key_help.FILTER if state.table.typing else key_help.TABLE


def _overlay(
    state: State, view: View, body: list[Line]
) -> tuple[tuple[Line, ...], tuple[int, int] | None]:
    columns, rows = view.size
    cursor = None
    if state.help:
        return over(body, _help(state, columns, rows), columns), None
    if state.question is not None:
        drawn = _question(state, view)
        return over(body, drawn, columns), None
    if state.jump is not None:
        drawn, spot = jumps.draw(state.jump, offered(state, view), view.size)
        left = max(0, (columns - columns_of(drawn[0])) // 2)
        top = max(0, (rows - len(drawn)) // 2)
        return over(body, drawn, columns), (left + spot[0], top + spot[1])
    if state.form is not None:
        drawn, at = forms.draw(state.form, view.size)
        if at is not None:
            left = max(0, (columns - columns_of(drawn[0])) // 2)
            cursor = (left + at[0], max(0, (rows - len(drawn)) // 2) + at[1])
        return over(body, drawn, columns), cursor
    return tuple(body), None


def _question(state: State, view: View) -> list[Line]:
    assert state.question is not None
    inner = max(10, min(60, view.size[0] - 4))
    ended = model_verbs.already_ended(state.question.ids, view)
    keys = line(
        Segment("y", "key"),
        " stop   ",
        Segment("f", "key"),
        " kill at once   ",
        Segment("any other key", "key"),
        " no",
    )
    lines = [line(part) for part in wrap(state.question.text, inner)]
    if ended is not None:
        lines += [line(Segment(part, ended.style)) for part in wrap(ended.text, inner)]
    return box("Stop", [*lines, (), keys], inner, style="bad")


def _help(state: State, columns: int, rows: int) -> list[Line]:
    inner = max(10, min(74, columns - 2))
    keys = 22 if inner > 50 else 12
    lines: list[Line] = []
    here = {"detail": "One workflow", "inbox": "Inbox", "nodes": "Nodes", "diff": "Diff"}.get(
        state.screen
    )
    for title, bindings in sorted(key_help.GROUPS, key=lambda group: group[0] != here):
        lines.append(line(Segment(title, "title")))
        for binding in bindings:
            parts = wrap(binding.text, max(8, inner - keys - 1))
            lead = binding.keys if width(binding.keys) <= keys else cut(binding.keys, keys)
            lines.append(line(Segment(cell(lead, keys) + " ", "key"), parts[0]))
            lines += [line(" " * (keys + 1), part) for part in parts[1:]]
        lines.append(())
    room = max(1, rows - 2)
    top = max(0, min(state.help_top, len(lines) - room))
    more = len(lines) - room - top
    title = f"Keys · j k scroll · ? closes{' ▼' if more > 0 else ''}"
    return box(title, lines[top : top + room], inner)
