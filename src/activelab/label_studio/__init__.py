"""A Label Studio server, live: what people label there comes in, the order of the rounds goes out."""

from activelab.label_studio._client import Client, ServerError, check_url, read_token
from activelab.label_studio._config import Labelling, labelling_config, labelling_of
from activelab.label_studio._link import Link, connect, load_link
from activelab.label_studio._pull import Pulled, pull
from activelab.label_studio._push import Pushed, push
from activelab.label_studio._send import add_tasks, push_consensus
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
    "add_tasks",
    "check_url",
    "connect",
    "labelling_config",
    "labelling_of",
    "load_link",
    "pull",
    "push",
    "push_consensus",
    "read_token",
]
