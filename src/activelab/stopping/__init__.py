"""When to stop asking: about an example, and altogether."""

from activelab.stopping._examples import AMBIGUOUS, OPEN, SETTLED, example_states, states_of
from activelab.stopping._gain import Forecast, errors_removed, forecast

__all__ = [
    "AMBIGUOUS",
    "OPEN",
    "SETTLED",
    "Forecast",
    "errors_removed",
    "example_states",
    "forecast",
    "states_of",
]
