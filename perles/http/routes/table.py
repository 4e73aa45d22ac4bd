"""All routes, in the order in which the document of the API tells of them."""

from typing import Final

from perles.http.routes import (
    conversation_verbs,
    event_reads,
    home_reads,
    home_verbs,
    workflow_reads,
    workflow_verbs,
)

MODULES: Final = (
    workflow_reads,
    event_reads,
    home_reads,
    workflow_verbs,
    conversation_verbs,
    home_verbs,
)
ROUTES: Final = tuple(route for module in MODULES for route in module.ROUTES)
