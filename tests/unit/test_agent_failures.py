"""What error messages mean, and when they say that it goes on."""

from datetime import UTC, datetime, timedelta

import pytest

from perles.agents.clis.errors import classify, reset_time
from perles.engine.turns.retries import MOST_SECONDS, backoff

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
        ("Quota exceeded. Check your plan and billing details.", None, "quota_exhausted"),
        ("Quota exceeded for metric 'requests per minute'", 429, "rate_limited"),
        ("Weekly limit reached ∙ resets Dec 1 at 5pm", None, "quota_exhausted"),
        ("Your credit balance is too low to access the API", 400, "billing"),
        ("unexpected status 402 Payment Required", None, "billing"),
        ("", 402, "billing"),
        ("API Error: Connection error.", None, "offline"),
        ("TypeError: fetch failed", None, "offline"),
        ("Error: Couldn't connect to the Amp server at https://x.", None, "offline"),
        ("No API key found. Starting login flow...", None, "auth"),
        ("connect ECONNREFUSED 127.0.0.1:443", None, "offline"),
        ("getaddrinfo ENOTFOUND api.anthropic.com", None, "offline"),
        ("stream disconnected before completion: error sending request for url", None, "offline"),
        ("stream disconnected before completion: 429 Too Many Requests", None, "rate_limited"),
        ("Unable to connect. Is the computer able to access the url?", None, "offline"),
        ("failed to connect to MCP server perles", None, "crashed"),
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
        ("try again at Mar 2nd, 2026 3:45 PM (UTC)", datetime(2026, 3, 2, 15, 45, tzinfo=UTC)),
        ("resets Mar 5 at 5pm (UTC)", datetime(2026, 3, 5, 17, 0, tzinfo=UTC)),
        ("resets March 5, 5pm (America/New_York)", datetime(2026, 3, 5, 22, 0, tzinfo=UTC)),
        ("resets Apr 1 (UTC)", datetime(2026, 4, 1, 0, 0, tzinfo=UTC)),
        ("resets Jan 3 at 5pm (UTC)", None),  # ten months are not believed
        ("resets Feb 31 at 5pm (UTC)", None),
        ("resets Mar 5 at 13pm (UTC)", None),
        ("resets soon 5", None),
        ("too many requests", None),
        ("resets 99pm (UTC)", None),
        ("try again at 7", None),
        ("2026-99-99T99:99:99Z", None),
    ],
)
def test_a_message_tells_when_it_goes_on(said: str, at: datetime | None) -> None:
    assert reset_time(said, NOW) == at


def test_a_day_of_the_next_year_is_found_in_december() -> None:
    new_years_eve = datetime(2026, 12, 31, 20, 0, tzinfo=UTC)

    assert reset_time("resets Jan 3 at 5pm (UTC)", new_years_eve) == datetime(
        2027, 1, 3, 17, 0, tzinfo=UTC
    )


def test_waits_grow_with_jitter_and_have_an_end() -> None:
    waits = [backoff(tries, seed=7) for tries in range(20)]

    assert waits == sorted(waits)
    assert 2.5 <= waits[0] <= 5
    assert waits[-1] <= MOST_SECONDS
    assert backoff(3, seed=1) != backoff(3, seed=2)
    assert backoff(3, seed=1) == backoff(3, seed=1)
