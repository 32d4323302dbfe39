"""A Label Studio server, live: what people label there comes in, the order of the rounds goes out."""

from activelab.label_studio._client import Client, ServerError, check_url, read_token
from activelab.label_studio._config import Labelling, labelling_of
from activelab.label_studio._link import Link, connect, load_link
from activelab.label_studio._pull import Pulled, pull
from activelab.label_studio._push import Pushed, push
from activelab.label_studio._watch import Step, Watcher

__all__ = [
    "Client",
    "Labelling",
    "Link",
    "Pulled",
    "Pushed",
    "ServerError",
    "Step",
    "Watcher",
    "check_url",
    "connect",
    "labelling_of",
    "load_link",
    "pull",
    "push",
    "read_token",
]
