"""When to stop asking: about an example, and altogether."""

from activelab.stopping._examples import AMBIGUOUS, OPEN, SETTLED, example_states, states_of
from activelab.stopping._gain import (
    DEPTH,
    Forecast,
    Outlook,
    best_rate,
    errors_removed,
    forecast,
    forecast_of,
    loss_gains,
    outlook,
)

__all__ = [
    "AMBIGUOUS",
    "DEPTH",
    "OPEN",
    "SETTLED",
    "Forecast",
    "Outlook",
    "best_rate",
    "errors_removed",
    "example_states",
    "forecast",
    "forecast_of",
    "loss_gains",
    "outlook",
    "states_of",
]
