"""What answers from the workers make of the state."""

from __future__ import annotations

from dataclasses import replace

from perles.dashboard.jobs.pool import Answer
from perles.dashboard.model.editor import Editor, of
from perles.dashboard.model.form import Preview, choose
from perles.dashboard.model.state import Notice, Result, State
from perles.dashboard.update import diff, search
from perles.dashboard.update.form import with_preview


def take(state: State, answer: Answer) -> Result:
    """The state after an answer, and what follows from it."""
    if answer.kind == "templates":
        return _templates(state, answer), ()
    if answer.kind == "providers":
        return _providers(state, answer), ()
    if answer.kind == "create":
        return _created(state, answer)
    if answer.kind == "preview":
        return _previewed(state, answer)
    if answer.kind == "find":
        return search.take(state, answer)
    if answer.kind == "diff":
        return diff.take(state, answer)
    if answer.error is not None:
        return _failed(state, answer), ()
    if answer.kind == "read":
        return state, ()
    if answer.kind == "do":
        return _done(state, answer), ()
    if answer.kind == "engine":
        if not (answer.value or answer.args["asked"]):
            return state, ()
        said = "started an engine" if answer.value else "an engine runs"
        return replace(state, notice=Notice(said, "good")), ()
    return replace(state, notice=Notice(str(answer.value), "good")), ()


def _failed(state: State, answer: Answer) -> State:
    """Say why; a text that could not be sent is put back where it was typed."""
    state = replace(state, notice=Notice(str(answer.error), "bad"))
    if answer.kind in ("send", "post"):
        return _put_back(state, answer.args["id"], answer.args["to"], answer.args["text"])
    return state


def _put_back(state: State, workflow_id: str, to: str, text: str) -> State:
    detail = state.detail
    if detail is None or (detail.workflow_id, detail.to) != (workflow_id, to):
        begun = state.drafts.get((workflow_id, to))
        return replace(state, drafts={**state.drafts, (workflow_id, to): begun or text})
    return state if detail.input.text else replace(state, detail=replace(detail, input=of(text)))


def _done(state: State, answer: Answer) -> State:
    """How a verb went; what it made is selected, so that the next key starts it."""
    state = replace(state, notice=_summary(answer))
    made = answer.value["made"]
    return replace(state, table=replace(state.table, cursor_id=made[0])) if made else state


def _summary(answer: Answer) -> Notice:
    said, failed = answer.value["said"], answer.value["failed"]
    if not failed:
        text = said[0] if len(said) == 1 else f"{answer.args['verb']}: {len(said)} workflows"
        return Notice(text, "good")
    if len(said) + len(failed) == 1:
        return Notice(failed[0], "bad")
    return Notice(f"{len(said)} done, {len(failed)} not: {failed[0]}", "bad")


def _templates(state: State, answer: Answer) -> State:
    if state.form is None:
        return state
    if answer.error is not None:
        return replace(state, form=replace(state.form, templates=(), error=answer.error))
    known = replace(state.form, templates=tuple(answer.value), wanted="")
    if state.form.template is None:
        wanted = [one for one in answer.value if one["key"] == state.form.wanted]
        known = choose(known, wanted[0], "") if wanted else known
    return replace(state, form=known)


def _providers(state: State, answer: Answer) -> State:
    """What is not known is not checked here: creating checks it again."""
    if state.form is None or answer.error is not None:
        return state
    return replace(state, form=replace(state.form, providers=answer.value))


def _previewed(state: State, answer: Answer) -> Result:
    """The tasks of the form that was asked about; another one by now asks anew."""
    form = state.form
    if form is None or not form.preview.asking or form.preview.of != answer.args["spec"]:
        return state, ()  # the form is another one by now
    told = Preview(answer.args["spec"], answer.value, answer.error or "")
    return with_preview(replace(state, form=replace(form, preview=told)))


def _created(state: State, answer: Answer) -> Result:
    """The form closes on the new row; who left it meanwhile is only told."""
    waits = state.form is not None and state.form.busy
    if answer.error is not None:
        if state.form is None or not waits:
            return replace(state, notice=Notice(answer.error, "bad")), ()
        return replace(state, form=replace(state.form, busy=False, error=answer.error)), ()
    notice = Notice(answer.value["said"], "good")
    if not waits:
        return replace(state, notice=notice), ()
    table = replace(state.table, cursor_id=answer.value["id"], filter=Editor(), cursor=0)
    return replace(state, screen="table", form=None, table=table, notice=notice), ()
