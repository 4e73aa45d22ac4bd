"""Whether the cost of an agent's turns can be known: without that no budget in USD can be kept.

Perles has no price list of its own: prices differ by contract and change, and a budget that is
kept by a stale list is not kept.
"""

from collections.abc import Iterable, Mapping

from perles.agents.provider import Provider
from perles.config.model import Price
from perles.domain.provider_choice import label


def tells_cost(provider: Provider) -> bool:
    """Whether its CLI reports USD. A provider says so by the capability `cost`."""
    return "cost" in getattr(provider, "capabilities", ())


def model_of(provider: Provider, model: str | None) -> str | None:
    """The model of an agent's turns: its own, else the configured one; None for the CLI's own."""
    settings = getattr(provider, "settings", None)
    configured = getattr(settings, "model", None) or getattr(provider, "default_model", None)
    return model or configured


def price_of(prices: Mapping[str, Price], names: Iterable[str | None]) -> Price | None:
    """The price by the first of these names (models, then the provider) that has one."""
    return next((prices[name] for name in names if name is not None and name in prices), None)


def blind_spot(
    provider: Provider, model: str | None, prices: Mapping[str, Price], *, told_none: bool = False
) -> str | None:
    """Why the cost of its turns is unknown, with what to do; None where it is known.

    `told_none` says that its earlier turns used tokens and reported no cost.
    """
    if not provider.is_ai_call or (tells_cost(provider) and not told_none):
        return None
    used = model_of(provider, model)
    if price_of(prices, (used, provider.name)) is not None:
        return None
    return (
        f"{label(provider.name, used)} reports no cost and has no price; add prices: "
        f"{{{used or provider.name}: {{input: USD, output: USD}}}} to resource_policy, in USD per "
        "million tokens, or limit tokens: --token-budget"
    )
