"""What error messages mean, and when they say that it goes on."""

from datetime import UTC, datetime, timedelta

import pytest

from perles.agents.failures import classify, reset_time
from perles.engine.setbacks import MOST_SECONDS, backoff

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "status", "kind"),
    [
        ("Prompt is too long · the request is ~200561 tokens", 400, "context_exhausted"),
        ("Your input exceeds the context window of this model", None, "context_exhausted"),
        ("context_length_exceeded", 400, "context_exhausted"),
        ("exceeded retry limit, last status: 429 Too Many Requests", None, "rate_limited"),
        ("", 429, "rate_limited"),
        ("Overloaded", None, "overloaded"),
        ("", 529, "overloaded"),
        ("Claude AI usage limit reached|1772370000", None, "quota_exhausted"),
        ("You've hit your usage limit. Try again in 3 days 4 hours.", None, "quota_exhausted"),
        ("Your quota will reset after 3h12m5s.", 429, "quota_exhausted"),
        ("unexpected status 401 Unauthorized: invalid x-api-key", None, "auth"),
        ("Invalid API key · Fix external API key", 401, "auth"),
        ("No conversation found with session ID: 00", None, "unknown_session"),
        ("There's an issue with the selected model: model not found", 404, "invalid_request"),
        ("segmentation fault", None, "crashed"),
        ("", None, "crashed"),
    ],
)
def test_a_message_has_its_class(said: str, status: int | None, kind: str) -> None:
    assert classify(said, status) == kind


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ("usage limit reached|1772370000", datetime(2026, 3, 1, 13, 0, tzinfo=UTC)),
        ("try again in 3 hours 12 minutes", NOW + timedelta(hours=3, minutes=12)),
        ("quota will reset after 3h12m5s.", NOW + timedelta(hours=3, minutes=12, seconds=5)),
        ("Please retry in 20s", NOW + timedelta(seconds=20)),
        ("resets 3pm (UTC)", datetime(2026, 3, 1, 15, 0, tzinfo=UTC)),
        ("resets at 9:30am (UTC)", datetime(2026, 3, 2, 9, 30, tzinfo=UTC)),
        ("resets 3pm (America/New_York)", datetime(2026, 3, 1, 20, 0, tzinfo=UTC)),
        ("until 2026-03-01T14:00:00Z", datetime(2026, 3, 1, 14, 0, tzinfo=UTC)),
        ("too many requests", None),
        ("resets 99pm (UTC)", None),
        ("try again at 7", None),
        ("2026-99-99T99:99:99Z", None),
    ],
)
def test_a_message_tells_when_it_goes_on(said: str, at: datetime | None) -> None:
    assert reset_time(said, NOW) == at


def test_waits_grow_with_jitter_and_have_an_end() -> None:
    waits = [backoff(tries, seed=7) for tries in range(20)]

    assert waits == sorted(waits)
    assert 2.5 <= waits[0] <= 5
    assert waits[-1] <= MOST_SECONDS
    assert backoff(3, seed=1) != backoff(3, seed=2)
    assert backoff(3, seed=1) == backoff(3, seed=1)
