"""Label Studio: a real server with real annotators; and, in place of one that fails, a made-up one."""

from __future__ import annotations

import base64
import json
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from label_studio_server import CONFIG, PATIENCE, VARIABLE, Annotator, Server, program
from project_store import add_person
from starlette.testclient import TestClient
from typer.testing import CliRunner

from activelab import InputError
from activelab.cli import app
from activelab.label_studio import (
    Client,
    Link,
    ServerError,
    Watcher,
    add_tasks,
    check_url,
    connect,
    labelling_config,
    labelling_of,
    load_link,
    pull,
    push,
    push_consensus,
    read_token,
)
from activelab.label_studio.listener import HEADER, create_listener, listening, registered
from activelab.project import Project, Settings, create_project
from activelab.project.files.doctor import examine
from activelab.project.files.export import table_of
from activelab.project.labelling import rounds
from activelab.project.labelling.reclassing import Reclass
from activelab.project.training.round import train_round

WORDS = {"pos": "good fine great happy bright", "neg": "bad poor awful sad dark"}


def texts_of(count: int) -> list[str]:
    """Texts a classifier can tell apart, mostly."""
    rng = random.Random(0)
    found = []
    for number in range(count):
        words = WORDS[truth_of(number)].split() if rng.random() < 0.8 else " ".join(WORDS.values()).split()
        found.append(f"{' '.join(rng.choices(words, k=4))} {number}")
    return found


def truth_of(number: int) -> str:
    return "pos" if number % 2 else "neg"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if program() is None:
        pytest.fail(f"Label Studio is missing: `make test` installs it, or set {VARIABLE} to its program")
    one = Server(tmp_path_factory.mktemp("label-studio"))
    try:
        one.start()
        yield one
    finally:
        one.close()


@pytest.fixture(scope="module")
def people(server: Server) -> tuple[Annotator, Annotator]:
    return server.invite("ann"), server.invite("bob")


def linked(place: Path, client: Client, number: int, **settings: Any) -> Project:
    labelling = labelling_of(client.project(number))
    project = create_project(
        place, Settings(**{"classes": labelling.classes, "method": "activelab", **settings})
    )
    connect(project, Link(client.url, number), labelling)
    return project


def order_of(project: Project, tasks: dict[str, int]) -> list[int]:
    """The tasks in the order of the current round."""
    order = project.database.read(lambda c: rounds.load_array(c, rounds.current_round(c), "order"))
    return [tasks[one.name] for one in project.examples(order.tolist())]


def well(project: Project) -> bool:
    return not [one.problem for one in examine(project) if one.problem]


# ---------------------------------------------------------------------- the real server


@pytest.mark.slow
def test_two_annotators_two_rounds_and_a_restart(
    server: Server, people: tuple[Annotator, Annotator], tmp_path: Path
) -> None:
    ann, bob = people
    number, tasks = server.make_project(texts_of(50))
    truth = {task: truth_of(at) for at, task in enumerate(tasks)}
    names = {str(task): task for task in tasks}
    token = server.json("POST", "/api/token/")["token"]
    labelled: dict[str, set[int]] = {ann.email: set(), bob.email: set()}

    with (
        Client(server.url, token) as client,
        linked(tmp_path / "p.db", client, number, batch_size=10) as project,
    ):
        first = push(project, client)
        assert (first.scores, first.opened, first.closed, first.open_tasks) == (50, 0, 0, 50)
        expected = order_of(project, names)

        def serve(person: Annotator) -> int:
            """Serve somebody their next task, which must be the first of the order that is for them."""
            task = person.next_task(number)
            assert task is not None
            assert task["annotations"] == []
            assert task["predictions"] == []
            assert task["id"] not in labelled[person.email]
            return task["id"]

        # The first round: the order of the pool, each task once. Both hold a task at a time.
        for turn in range(7):
            held = {person.email: serve(person) for person in (ann, bob)}
            assert list(held.values()) == expected[2 * turn : 2 * turn + 2]
            for person in (ann, bob):
                task = held[person.email]
                # Bob errs every third time, so that something deserves another opinion.
                wrong = person is bob and turn % 3 == 0
                person.label(task, {"pos": "neg", "neg": "pos"}[truth[task]] if wrong else truth[task])
                labelled[person.email].add(task)
            if turn == 3:
                server.stop()
                down = Client(server.url, token, sleep=lambda _: None)
                with down, pytest.raises(ServerError, match="cannot be reached"):
                    pull(project, down)
                server.start()

        read = pull(project, client)
        assert (read.labels, read.changed, read.deleted) == (14, 0, 0)
        assert project.labels().to_long().groupby("annotator")["label"].count().to_dict() == {
            ann.email: 7,
            bob.email: 7,
        }
        train_round(project)
        nothing = push(project, client, dry_run=True)
        assert nothing.scores == 50
        assert load_link(project).pushed_round == 0
        second = push(project, client)
        assert second.round == 1
        assert second.model_version != first.model_version
        assert server.json("GET", f"/api/projects/{number}/")["model_version"] == second.model_version
        assert second.opened > 0

        # The second round: labelled tasks among the first twenty are open again, to the other.
        order = order_of(project, names)
        seen_before = labelled[ann.email] | labelled[bob.email]
        reopened = [task for task in order[:20] if task in seen_before]
        assert reopened
        available = [task for task in order if task not in seen_before or task in reopened]
        relabels = 0
        for _ in range(8):
            for person in (ann, bob):
                task = serve(person)
                mine = [one for one in available if one not in labelled[person.email]]
                assert task == mine[0]
                relabels += task in seen_before
                person.label(task, truth[task])
                labelled[person.email].add(task)
                available.remove(task)
        assert relabels > 0
        assert pull(project, client).labels == 16
        again = push(project, client)
        assert (again.scores, again.closed) == (0, 0)
        assert push(project, client).changes == []
        for person in (ann, bob):
            assert len(set(person.served)) == len(person.served)
        assert well(project)


@pytest.mark.slow
def test_edits_skips_deletions_and_duplicates(
    server: Server, people: tuple[Annotator, Annotator], tmp_path: Path
) -> None:
    ann, bob = people
    number, tasks = server.make_project(texts_of(6))
    with Client(server.url, server.token) as client, linked(tmp_path / "p.db", client, number) as project:
        ann.label(tasks[0], "pos")
        edited = bob.label(tasks[0], "neg")
        ann.label(tasks[1], None)
        ann.label(tasks[2], "pos")
        ann.label(tasks[2], "neg")
        gone = ann.label(tasks[3], "pos")
        would = pull(project, client, dry_run=True)
        assert (would.labels, would.skips, would.new_examples) == (4, 1, 6)
        assert project.num_examples == 0
        done = pull(project, client)
        assert (done.labels, done.skips, done.new_examples) == (4, 1, 6)
        push(project, client)

        def answers() -> set[tuple[str, str, str]]:
            return set(project.labels().to_long().astype(object).itertuples(index=False, name=None))

        row = {task: at for at, task in enumerate(tasks)}
        assert {(row[tasks[2]], ann.email, "neg"), (row[tasks[0]], bob.email, "neg")} < answers()
        value = {"from_name": "kind", "to_name": "text", "type": "choices", "value": {"choices": ["pos"]}}
        server.json("PATCH", f"/api/annotations/{edited}/", json={"result": [value]})
        server.json("DELETE", f"/api/annotations/{gone}/")
        ann.label(tasks[1], "pos")
        server.json("DELETE", f"/api/tasks/{tasks[5]}/")
        extra = server.json(
            "POST",
            f"/api/projects/{number}/import?return_task_ids=true",
            json=[{"data": {"text": "one more"}}],
        )["task_ids"]
        done = pull(project, client)
        assert (done.changed, done.deleted, done.new_examples) == (2, 1, 1)
        assert pull(project, client, full=True).news == 0
        assert answers() == {
            (0, ann.email, "pos"), (0, bob.email, "pos"), (1, ann.email, "pos"), (2, ann.email, "neg"),
        }  # fmt: skip
        done = push(project, client)
        assert done.scores == 1
        assert {task["id"]: task["total_predictions"] for task in client.tasks(number, extra)} == {
            extra[0]: 1
        }
        assert push(project, client).changes == []
        assert well(project)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("question", "classes", "tag", "told", "read", "consensus"),
    [
        ("multilabel", ("a", "b", "c"), "choices", [["a", "b"], ["b", "a"], []],
         ["a|b", "a|b", "|"], {"e0": ["a", "b"], "e1": None}),
        ("multilabel", ("Animal/Cat", "Animal/Dog", "Plant"), "taxonomy",
         [[["Plant"], ["Animal", "Cat"]], [["Animal", "Cat"], ["Plant"]], [["Animal"]]],
         ["Animal/Cat|Plant", "Animal/Cat|Plant"], {"e0": [["Animal", "Cat"], ["Plant"]]}),
        ("ordinal", ("1", "2", "3", "4", "5"), "rating", [4, 4, 2], ["4", "4", "2"], {"e0": 4, "e1": 2}),
    ],
)  # fmt: skip
def test_every_kind_of_question(
    server: Server, people: tuple[Annotator, Annotator], tmp_path: Path, question: str,
    classes: tuple[str, ...], tag: str, told: list[Any], read: list[str], consensus: dict[str, Any],
) -> None:  # fmt: skip
    ann, bob = people
    with (
        Client(server.url, server.token) as client,
        create_project(tmp_path / "p.db", Settings(question=question, classes=classes)) as project,
    ):
        project.add_examples((f"e{number}", {"text": f"text {number}"}) for number in range(4))
        number, _ = server.make_project([], labelling_config(project.settings, taxonomy=tag == "taxonomy"))
        connect(project, Link(client.url, number, "ticket"), labelling_of(client.project(number)))
        assert [add_tasks(project, client) for _ in range(2)] == [4, 0]
        exported = server.json(
            "GET", f"/api/projects/{number}/export?exportType=JSON&download_all_tasks=true"
        )
        tasks = {one["data"]["ticket"]: one for one in exported}
        assert tasks["e2"]["data"] == {"ticket": "e2", "text": "text 2"}
        assert push(project, client).open_tasks == 4

        def submit(person: Annotator, name: str, value: Any) -> None:
            one = {"from_name": "label", "to_name": "text", "type": tag, "value": {tag: value}}
            person.submit(tasks[name]["id"], [one] if value else value)

        submit(ann, "e0", told[0])
        submit(bob, "e0", told[1])
        submit(ann, "e1", told[2])
        submit(bob, "e3", None)
        assert pull(project, client, dry_run=True).labels == len(read)
        done = pull(project, client)
        assert (done.labels, done.skips, len(done.notes)) == (len(read), 1, 3 - len(read))
        assert sorted(table_of(project, "labels")[0]["label"].to_pylist()) == sorted(
            [name for name in one.split("|") if name] if question == "multilabel" else one for one in read
        )
        assert pull(project, client, full=True).news == 0
        assert [push_consensus(project, client) for _ in range(2)] == [len(consensus), 0]
        given = {one["task"]: one for one in server.json("GET", f"/api/predictions/?project={number}")
                 if one["model_version"].startswith("activelab-consensus-")}  # fmt: skip
        values = {name: given[tasks[name]["id"]]["result"] for name in consensus}
        assert {name: one[0]["value"][tag] if one else None for name, one in values.items()} == consensus
        served = bob.next_task(number)
        assert served is not None
        assert (served["predictions"], served["annotations"]) == ([], [])
        assert push(project, client).scores == 0
        assert well(project)


@pytest.mark.slow
def test_a_webhook_wakes_and_an_ml_backend_serves(
    server: Server, people: tuple[Annotator, Annotator], tmp_path: Path
) -> None:
    number, tasks = server.make_project(texts_of(8))
    said: list[str] = []
    with Client(server.url, server.token) as client, linked(tmp_path / "p.db", client, number) as project:
        # Without the call it would look again in an hour.
        watcher = Watcher(project, client, every=3600, say=said.append)
        app = create_listener(watcher, "secret", password="word", predict=True)
        with (
            listening(app, "127.0.0.1", 0) as address,
            registered(watcher, f"{address}/webhook", "secret") as called,
        ):
            assert called
            thread = threading.Thread(target=watcher.run)
            thread.start()
            wait_for(lambda: load_link(project).complete)
            people[0].label(tasks[0], "pos")
            wait_for(lambda: project.labels().n_labels == 1)
            backend = {"url": address, "project": number, "title": "ActiveLab", "auth_method": "BASIC_AUTH",
                       "basic_auth_user": "any", "basic_auth_pass": "word"}  # fmt: skip
            made = server.json("POST", "/api/ml/", json=backend)
            assert made["state"] == "CO"
            body = {"tasks": [{"id": task} for task in [*tasks, 10**6]], "project": f"{number}.1"}
            answered = httpx.post(
                f"{address}/predict", json=body, auth=("any", "word"), timeout=PATIENCE
            ).json()
            scores = {task: one["score"] for task, one in zip(tasks, answered["results"], strict=False)}
            assert sorted(tasks, key=scores.__getitem__) == order_of(
                project, {str(task): task for task in tasks}
            )
            assert answered["results"][-1] == {
                "result": [], "score": 1.0, "model_version": load_link(project).model_version
            }  # fmt: skip
            # Connecting it has changed the model version; the next turn puts that right.
            watcher.wake()
            wait_for(
                lambda: (
                    server.json("GET", f"/api/projects/{number}/")["model_version"]
                    == load_link(project).model_version
                )
            )
            watcher.stop()
            thread.join()
        assert client.webhooks(number) == []


def wait_for(condition: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
def test_the_commands(server: Server, tmp_path: Path) -> None:
    number, _ = server.make_project(texts_of(5))
    token = tmp_path / "token"
    token.write_text(server.token)
    place = tmp_path / "tickets.db"

    def run(*arguments: Any) -> Any:
        command = ["label-studio", *map(str, arguments), "--token-file", str(token)]
        return CliRunner().invoke(app, command)

    to = ("--url", server.url, "--project", number)
    refused = run("connect", place, *to)
    assert refused.exit_code == 2
    assert "chmod 600" in refused.stderr
    assert not place.exists()
    token.chmod(0o600)
    done = run("connect", place, *to)
    assert done.exit_code == 0, done.stderr
    assert f"Made and connected {place} with project {number}" in done.stdout
    assert "Pulled 0 labels, 0 changed, 0 skips, 0 deleted, 5 new examples" in run("pull", place).stdout
    would = run("push", place, "--dry-run")
    assert "give 5 tasks a score" in would.stdout
    assert "set sampling = 'Uncertainty sampling'" in would.stdout
    assert "5 scores, 0 tasks opened, 0 closed; 5 wait for a label." in run("push", place).stdout
    state = json.loads(run("status", place, "--json").stdout)
    assert (state["to_push"], state["to_pull"], state["round_there"], state["open_tasks"]) == (0, 0, 0, 5)
    topics, (empty, _) = tmp_path / "topics.db", server.make_project([], "<View></View>")
    with create_project(topics, Settings(question="multilabel", classes=("a", "b"))) as project:
        project.add_examples([("one", {"text": "x"})])
    done = run("connect", topics, "--url", server.url, "--project", empty, "--example-field", "ticket")
    assert done.exit_code == 0, done.stderr
    assert 'choice="multiple"' in server.json("GET", f"/api/projects/{empty}/")["label_config"]
    pushed = run("push", topics, "--tasks", "--consensus").stdout
    assert "Made 1 tasks." in pushed
    assert "Wrote the consensus of 0 tasks." in pushed
    for said in (done.stdout, would.stdout):
        assert server.token not in said


# ---------------------------------------------------------------------- refusals


def parsed(config: str, **controls: str) -> dict[str, Any]:
    inputs = [{"type": "Text", "value": "text"}]
    return {
        "id": 7,
        "label_config": config,
        "parsed_label_config": {
            name: {"type": kind, "inputs": inputs, "labels": ["a", "b"]} for name, kind in controls.items()
        },
    }


TREE = """<View><Text name="text" value="$text"/><Taxonomy name="kind" toName="text"><Choice value="Animal">
<Choice value="Cat"/><Choice value="Dog"/></Choice><Choice value="Plant"/></Taxonomy></View>"""
RATING = '<View><Text name="text" value="$text"/><Rating name="kind" toName="text" maxRating="5"/></View>'


def asking(config: str) -> dict[str, Any]:
    """A project with one tag that asks."""
    return parsed(config, kind=next(tag for tag in ("Choices", "Taxonomy", "Rating") if f"<{tag}" in config))


@pytest.mark.parametrize(
    ("config", "asks", "classes"),
    [
        (CONFIG.replace("single", "multiple"), "multilabel", ("a", "b")),
        (TREE, "multilabel", ("Animal/Cat", "Animal/Dog", "Plant")),
        (
            TREE.replace("<Taxonomy ", '<Taxonomy maxUsages="1" '),
            "single",
            ("Animal/Cat", "Animal/Dog", "Plant"),
        ),
        (RATING, "ordinal", ("1", "2", "3", "4", "5")),
    ],
)
def test_what_a_page_asks(config: str, asks: str, classes: tuple[str, ...]) -> None:
    found = labelling_of(asking(config))
    assert (found.asks, found.classes, found.field, found.shown) == (asks, classes, "text", "text")
    # A configuration made for such a project asks the same.
    own = labelling_config(Settings(question=asks, classes=classes), taxonomy="<Taxonomy" in config)
    again = labelling_of(asking(own.replace('"label"', '"kind"')))
    assert again.asks == asks
    assert again.tag == found.tag
    assert again.tag == "choices" or again.classes == classes


def test_a_configuration_is_of_what_can_be_chosen() -> None:
    words = labelling_config(Settings(question="ordinal", classes=("bad", "fair", "good")))
    assert '<Choice value="fair" />' in words
    with pytest.raises(InputError, match="no tree has the classes 'Animal', 'Animal/Cat' as leaves"):
        labelling_config(Settings(classes=("Animal", "Animal/Cat")), taxonomy=True)
    with pytest.raises(InputError, match="fewer than two classes"):
        labelling_config(Settings(classes=("a",)))


@pytest.mark.parametrize(
    ("about", "message"),
    [
        (parsed("<View/>", box="RectangleLabels"), r"<RectangleLabels name='box'> asks for something else"),
        (parsed("<View/>", kind="Choices", why="TextArea"), r"<TextArea name='why'>"),
        (parsed("<View/>", one="Choices", two="Choices"), r"asks several questions: one, two"),
        (
            parsed(TREE.replace("<Taxonomy ", '<Taxonomy apiUrl="http://x" '), kind="Taxonomy"),
            "from elsewhere",
        ),
        (parsed(TREE.replace("Plant", "Plant/Fungus"), kind="Taxonomy"), r"'Plant/Fungus' holds '/'"),
        (parsed(RATING.replace("5", "1"), kind="Rating"), "fewer than two classes"),
        (parsed(CONFIG.replace('choice="single"', 'perRegion="true"'), kind="Choices"), r"perRegion='true'"),
        (parsed("<View>", kind="Choices"), "is no XML"),
        ({"id": 7, "parsed_label_config": {}}, "has no labelling configuration yet"),
    ],
)
def test_a_project_that_asks_for_something_else_is_refused(about: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        labelling_of(about)


def test_tokens_and_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LABEL_STUDIO_API_KEY", raising=False)
    with pytest.raises(InputError, match="LABEL_STUDIO_API_KEY is not set"):
        read_token()
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "abc")
    assert read_token() == "abc"
    file = tmp_path / "token"
    file.write_text("abc\n")
    file.chmod(0o640)
    with pytest.raises(InputError, match="chmod 600"):
        read_token(file)
    file.chmod(0o600)
    assert read_token(file) == "abc"
    for bad in ("ftp://host", "labels.example.org", "http://", "http://me:word@host", "http://host/?a=b"):
        with pytest.raises(InputError):
            check_url(bad)
    with Client("http://host", "very-secret") as client:
        assert "very-secret" not in repr(client)


# ---------------------------------------------------------------------- a made-up server, which fails


class Fake:
    """Answers like Label Studio, from memory; ``failures`` are given first."""

    def __init__(self, count: int) -> None:
        self.tasks = {
            n: {"id": n, "data": {"text": f"text {n}"}, "updated_at": self._moment(n), "overlap": 1,
                "is_labeled": False, "annotations": [], "score": {}}
            for n in range(1, count + 1)
        }  # fmt: skip
        self.project = {**parsed(CONFIG, kind="Choices"), "maximum_annotations": 1, "task_number": count}
        self.project["parsed_label_config"]["kind"]["labels"] = ["neg", "pos"]
        self.failures: list[Any] = []
        self.predicted: dict[int, dict[str, Any]] = {}  # the last prediction of each task
        self.seen: list[httpx.Request] = []
        self.clock = count

    def _moment(self, second: int) -> str:
        return f"2024-05-01T10:{second // 60:02}:{second % 60:02}.000000Z"

    def label(self, task: int, user: int, label: str | list[str] | None) -> None:
        chosen = label if isinstance(label, list) else [label]
        value = {"from_name": "kind", "type": "choices", "value": {"choices": chosen}}
        self.clock += 1
        one = self.tasks[task]
        one["updated_at"] = self._moment(self.clock)
        one["annotations"].append({"id": self.clock, "completed_by": user, "was_cancelled": label is None,
                                   "result": [value] if label else [], "updated_at": one["updated_at"]})  # fmt: skip

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, Exception):
                raise failure
            if failure is not None:
                return failure
        path, body = request.url.path, json.loads(request.content or b"null")
        if path == "/api/token/refresh/":
            return httpx.Response(200, json={"access": f"access-{len(self.seen)}"})
        if path == "/api/users":
            return httpx.Response(200, json=[{"id": 1, "email": "ann@example.com"}])
        if path == "/api/projects/7/":
            self.project.update(body or {})
            return httpx.Response(200, json=self.project)
        if path == "/api/tasks":
            since = json.loads(request.url.params["query"])["filters"]["items"][0]["value"]
            found = sorted(
                (t for t in self.tasks.values() if t["updated_at"] >= since), key=lambda t: t["updated_at"]
            )
            page, size = int(request.url.params["page"]), int(request.url.params["page_size"])
            return httpx.Response(200, json={"tasks": found[(page - 1) * size : page * size]})
        if path.endswith("/export"):
            ids = request.url.params.get_list("ids[]")
            chosen = [t for n, t in self.tasks.items() if not ids or str(n) in ids]
            return httpx.Response(200, json=chosen)
        if path.endswith("/import/predictions"):
            for one in body:
                self.tasks[one["task"]]["score"][one["model_version"]] = one["score"]
                self.predicted[one["task"]] = one
            return httpx.Response(201, json={"created": len(body)})
        if path.startswith("/api/tasks/") and request.method == "PATCH":
            self.tasks[int(path.split("/")[3])].update(body)
            return httpx.Response(200, json={})
        return httpx.Response(404)

    def client(self, token: str = "legacy") -> Client:
        return Client(
            "http://labels.test", token, transport=httpx.MockTransport(self), sleep=lambda seconds: None
        )

    def written(self) -> list[str]:
        return [
            f"{r.method} {r.url.path}" for r in self.seen if r.method != "GET" and "token" not in r.url.path
        ]


@pytest.fixture
def fake() -> Fake:
    return Fake(12)


def test_what_fails_in_passing_is_tried_again(fake: Fake) -> None:
    fake.failures = [
        httpx.Response(503), httpx.ConnectError("refused"), httpx.Response(429, headers={"Retry-After": "3"}),
        httpx.ReadTimeout("slow"),
    ]  # fmt: skip
    with fake.client() as client:
        assert client.project(7)["maximum_annotations"] == 1
        fake.failures = [httpx.ConnectError("refused")] * 6
        with pytest.raises(ServerError, match="cannot be reached: refused"):
            client.project(7)
        fake.failures = [httpx.Response(500, text="boom")] * 6
        with pytest.raises(ServerError, match="status 500: boom"):
            client.project(7)
        fake.failures = [
            httpx.Response(403, json={"detail": "legacy token authentication has been disabled"})
        ]
        with pytest.raises(InputError, match="refuses the token: legacy token"):
            client.project(7)
        fake.failures = [httpx.Response(200, text="<html>")]
        with pytest.raises(ServerError, match="does not answer in JSON"):
            client.project(7)
        with pytest.raises(InputError, match="no such project or task"):
            client.project(8)


def test_a_personal_token_is_exchanged_and_refreshed_when_it_is_refused(fake: Fake) -> None:
    with fake.client("head.body.tail") as client:
        client.project(7)
        fake.failures = [httpx.Response(401)]
        client.project(7)
    sent = [(r.url.path, r.headers.get("Authorization")) for r in fake.seen]
    assert [path for path, _ in sent].count("/api/token/refresh/") == 2
    assert not any("head.body.tail" in (header or "") for _, header in sent)
    assert sent[1][1] != sent[-1][1]
    fake.failures = [httpx.Response(401, json={"detail": "expired"})]
    with fake.client("old.personal.token") as client, pytest.raises(InputError, match="does not accept"):
        client.project(7)


def test_no_other_host_is_asked(fake: Fake) -> None:
    fake.failures = [httpx.Response(302, headers={"Location": "http://elsewhere.test/api/projects/7/"})]
    with fake.client() as client, pytest.raises(ServerError, match="wants to send us elsewhere"):
        client.project(7)
    assert {request.url.host for request in fake.seen} == {"labels.test"}


def test_only_what_changed_is_written(fake: Fake, tmp_path: Path) -> None:
    with fake.client() as client, linked(tmp_path / "p.db", client, 7) as project:
        done = push(project, client, dry_run=True) if project.num_examples else None
        assert done is None
        assert push(project, client).scores == 12
        fake.seen.clear()
        assert push(project, client).changes == []
        assert fake.written() == []
        for task in range(1, 7):
            fake.label(task, 1, "pos" if task % 2 else "neg")
        fake.tasks[1]["is_labeled"] = True
        fake.seen.clear()
        done = push(project, client)
        # One that the server has closed itself is left alone.
        assert (done.scores, done.opened, done.closed) == (0, 0, 5)
        assert fake.written() == [
            f"PATCH /api/tasks/{task}/" for task in sorted(range(2, 7), key=fake_order(done))
        ]
        read = [r.url.params.get_list("ids[]") for r in fake.seen if r.url.path.endswith("/export")]
        assert sorted(int(n) for ids in read for n in ids) == list(range(1, 7))


def fake_order(done: Any) -> Any:
    """The tasks in the order in which they were written."""
    order = [int(line.split()[1].rstrip(":")) for line in done.changes if line.startswith("task ")]
    return order.index


def test_an_interrupted_push_goes_on(fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from activelab.label_studio import _push

    monkeypatch.setattr(_push, "_BLOCK", 5)
    with fake.client() as client, linked(tmp_path / "p.db", client, 7) as project:
        pull(project, client)
        sent = client.add_predictions
        calls = []

        def broken(number: int, predictions: Any) -> None:
            calls.append(len(predictions))
            if len(calls) == 2:
                raise ServerError("gone")
            sent(number, predictions)

        monkeypatch.setattr(client, "add_predictions", broken)
        with pytest.raises(ServerError, match="gone"):
            push(project, client)
        version = load_link(project).model_version
        # The server goes on with what it had until the last score is there.
        assert fake.project.get("model_version") is None
        done = push(project, client)
        assert (done.model_version, done.scores, calls) == (version, 7, [5, 5, 5, 2])
        assert fake.project["model_version"] == version
        scores = {n: one["score"][version] for n, one in fake.tasks.items()}
        names = {str(n): n for n in fake.tasks}
        assert sorted(scores, key=scores.__getitem__) == order_of(project, names)


def test_a_budget_that_is_spent_closes_all(fake: Fake, tmp_path: Path) -> None:
    with fake.client() as client, linked(tmp_path / "p.db", client, 7, budget=2) as project:
        fake.label(1, 1, "pos")
        push(project, client)
        assert fake.tasks[2]["is_labeled"] is False
        for task in (2, 3):
            fake.label(task, 1, "neg")
        done = push(project, client)
        assert done.open_tasks == 0
        assert all(one["is_labeled"] for one in fake.tasks.values())


def test_a_decision_closes_its_task_and_outlives_what_annotators_say_there(fake: Fake, place: str) -> None:
    with fake.client() as client, linked(place, client, 7) as project:
        fake.label(1, 1, "pos")
        push(project, client)
        boss = add_person(project, "boss", role="adjudicator")
        codes = project.example_codes(["1", "2", "3"])
        project.decide(boss, codes["1"], "neg")
        project.decide(boss, codes["2"], "pos")
        project.set_gold({"3": "pos"})
        push(project, client)
        assert [fake.tasks[task]["is_labeled"] for task in (1, 2, 3, 4)] == [True, True, True, False]
        fake.label(1, 2, "pos")
        fake.label(2, 1, "neg")
        fake.label(3, 1, "neg")
        push(project, client)
        table, _ = table_of(project, "consensus")
        assert [
            (row["example"], row["consensus_label"], row["source"], row["num_labels"])
            for row in table.to_pylist()
        ] == [("1", "neg", "adjudicated", 2), ("2", "pos", "adjudicated", 1), ("3", "pos", "gold", 1)]
        assert pull(project, client, full=True).news == 0
        project.decide(boss, project.example_codes(["5"])["5"], "pos")
        push(project, client)
        assert fake.tasks[5]["is_labeled"]
        project.undo_decision(boss, project.example_codes(["5"])["5"])
        push(project, client)
        assert not fake.tasks[5]["is_labeled"]
        assert well(project)


def test_the_listener_lets_nobody_else_in(fake: Fake, tmp_path: Path) -> None:
    with fake.client() as client, linked(tmp_path / "p.db", client, 7) as project:
        watcher = Watcher(project, client)
        plain = TestClient(create_listener(watcher, "secret"))
        assert plain.get("/health").json()["status"] == "UP"
        assert plain.post("/webhook", json={}).status_code == 401
        assert plain.post("/webhook", json={}, headers={HEADER: "wrong"}).status_code == 401
        assert not watcher._wake.is_set()
        for body in (
            b"",
            b"[",
            b"[1]",
            b'{"action": "ANNOTATION_CREATED"}',
            b'{"action": "ANNOTATION_CREATED"}',
        ):
            assert plain.post("/webhook", content=body, headers={HEADER: "secret"}).status_code == 201
        assert watcher._wake.is_set()
        assert plain.post("/predict", json={"tasks": []}).status_code == 404
        backend = TestClient(create_listener(watcher, "secret", password="word", predict=True))
        basic = {"Authorization": "Basic " + base64.b64encode(b"any:word").decode()}
        for path in ("/setup", "/predict", "/webhook"):
            assert backend.post(path, json={"tasks": []}).status_code == 401
            assert (
                backend.post(path, json={"tasks": []}, headers={"Authorization": "Basic x"}).status_code
                == 401
            )
        assert backend.get("/versions").status_code == 401
        assert backend.get("/versions", headers=basic).json() == {"versions": ["activelab"]}
        assert backend.post("/setup", json={"access_token": "t"}, headers=basic).json() == {
            "model_version": "activelab"
        }
        assert backend.post("/predict", json={"tasks": 3}, headers=basic).status_code == 400
        strange = [{"id": "x"}, {"id": None}, {"id": 10**30}, {}, {"id": True}]
        found = backend.post("/predict", json={"tasks": strange}, headers=basic).json()["results"]
        assert [one["score"] for one in found] == [1.0] * 5
        assert backend.post("/webhook", json={"action": "START_TRAINING"}, headers=basic).status_code == 201
        assert watcher._wanted


def test_rounds_of_sets(fake: Fake, tmp_path: Path) -> None:
    fake.project["label_config"] = CONFIG.replace("single", "multiple")
    with fake.client() as client:
        project = create_project(
            tmp_path / "p.db", Settings(question="multilabel", classes=("neg", "pos"), train_every=8)
        )
        connect(project, Link(client.url, 7), labelling_of(client.project(7)))
        watcher = Watcher(project, client, consensus=True)
        with project:
            assert watcher.step().trained is None
            for task in range(1, 9):
                fake.label(task, 1, [["neg"], ["pos"], ["neg", "pos"], []][task % 4])
            step = watcher.step()
            assert (step.pulled.labels, step.pushed.round, step.pushed.scores) == (8, 1, 12)
            assert [one["label"] for one in table_of(project, "labels")[0].to_pylist()[:4]] == [
                ["pos"], ["neg", "pos"], [], ["neg"],
            ]  # fmt: skip
            told = [one for one in fake.predicted.values() if "consensus" in one["model_version"]]
            assert sorted(one["task"] for one in told) == [*range(1, 9)]
            assert fake.predicted[1]["result"][0]["value"] == {"choices": ["pos"]}
            assert 0.5 < fake.predicted[1]["score"] <= 1
            fake.project["label_config"] = CONFIG
            with pytest.raises(InputError, match="asks for one class, this project for any number"):
                watcher.step()


def test_classes_that_were_changed_here_stay_changed(fake: Fake, tmp_path: Path) -> None:
    with fake.client() as client, linked(tmp_path / "p.db", client, 7) as project:
        fake.label(1, 1, "pos")
        fake.label(2, 1, "neg")
        pull(project, client)
        project.change_settings({"classes": [*project.settings.classes, "mixed", "none"]})
        project.change_classes(Reclass("rename", ("neg",), ("bad",)))
        project.change_classes(Reclass("merge", ("pos",), ("mixed",)))
        fake.label(3, 1, "pos")
        done = pull(project, client, full=True)
        assert (done.labels, done.changed, done.deleted) == (1, 0, 0)
        assert "'neg' counts as 'bad', 'pos' counts as 'mixed'" in done.notes[0]
        assert project.settings.classes == ("bad", "mixed", "none")
        said = [one["label"] for one in table_of(project, "labels")[0].to_pylist()]
        assert said == ["mixed", "bad", "mixed"]
        project.change_classes(Reclass("split", ("mixed",), ("x", "y")))
        done = pull(project, client, full=True)
        assert (done.labels, done.changed, done.deleted) == (0, 0, 0)
        assert any("'pos' was split into 'x', 'y'" in note for note in done.notes)
        assert project.labels().n_labels == 1
        assert well(project)


def test_a_watcher_outlives_a_server_that_is_down(fake: Fake, tmp_path: Path) -> None:
    said: list[str] = []
    with fake.client() as client, linked(tmp_path / "p.db", client, 7) as project:
        fake.failures = [httpx.ConnectError("refused")] * 6
        watcher = Watcher(project, client, every=0.01, say=said.append)
        thread = threading.Thread(target=watcher.run)
        thread.start()
        wait_for(lambda: load_link(project).complete)
        fake.label(3, 1, "pos")
        wait_for(lambda: project.labels().n_labels == 1)
        watcher.stop()
        thread.join()
    assert said[0] == "http://labels.test cannot be reached: refused. It is tried again."


def test_a_project_is_connected_once(fake: Fake, tmp_path: Path) -> None:
    with fake.client() as client, linked(tmp_path / "p.db", client, 7) as project:
        page = labelling_of(client.project(7))
        connect(project, Link(client.url, 7), page)
        with pytest.raises(InputError, match="connected with project 7"):
            connect(project, Link(client.url, 8), page)
    with create_project(tmp_path / "q.db", Settings(classes=("neg",))) as project:
        with pytest.raises(InputError, match="is not connected"):
            load_link(project)
        project.add_examples([("a", {"text": "x"})])
        with pytest.raises(InputError, match="example_field"):
            connect(project, Link("http://labels.test", 7), page)
        connect(project, Link("http://labels.test", 7, "text"), page)
        assert project.settings.classes == ("neg", "pos")
        several = labelling_of(asking(CONFIG.replace("single", "multiple")))
        with pytest.raises(InputError, match=r"asks for any number of classes, this project for one class"):
            connect(project, Link("http://labels.test", 7, "text"), several)
