"""``activelab init``, ``import`` and ``settings``: a project is made, filled and changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from activelab._errors import InputError, counted, first
from activelab._set_text import names_in
from activelab.cli._inputs import class_names, listed_words, read_lines
from activelab.cli._options import Fold, Json, Missing
from activelab.cli._output import progress_bar, say
from activelab.cli._place import Place, place_of, project_at, project_errors, split_place
from activelab.cli._streams import source, target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from activelab.project.fields import FieldView
    from activelab.project.files.importing import Imported
    from activelab.project.files.proposal import Proposal


def init(
    place: Place = None,
    title: Annotated[str | None, typer.Option(help="What annotators read above the page.")] = None,
    from_: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="EXAMPLES",
            help="Import this, as `import` does; kind, columns and classes are guessed and said.",
            readable=False,
        ),
    ] = None,
    about: Annotated[
        str | None,
        typer.Option(
            metavar="PROJECT",
            help="Ask another question about the examples of a project in the same folder or database.",
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(help="What the examples are: text, image, audio, video or table.", show_default="text"),
    ] = None,
    question: Annotated[
        str | None,
        typer.Option(
            help="What is asked: single, one of the classes; ordinal, a point of a scale, the classes.",
            show_default="single",
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="LIST|FILE", help="a,b,c or a text file with one class a line (@FILE if in doubt)."
        ),
    ] = None,
    guidelines: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Text file that annotators can read beside the example.", readable=False
        ),
    ] = None,
    method: Annotated[str | None, typer.Option(help="Acquisition method.")] = None,
    models: Annotated[
        list[str] | None,
        typer.Option("--model", help="Classifier by name or import path; repeat for an ensemble."),
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Labels of a round.")] = None,
    labels_per_round: Annotated[
        int | None,
        typer.Option(help="How many people may label one example in the same round."),
    ] = None,
    max_labels: Annotated[int | None, typer.Option(help="Labels an example may have.")] = None,
    budget: Annotated[int | None, typer.Option(help="Labels to collect in all.")] = None,
    gold_rate: Annotated[
        float | None,
        typer.Option(help="Share of served examples whose right answer is known."),
    ] = None,
    images_root: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the images, audio and video.", readable=False),
    ] = None,
    rejected: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With --from, leave bad rows out and list them there. Without it no project is made.",
            readable=False,
        ),
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Any other setting; `activelab settings --explain` lists them.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a project: a file, or the tables in an empty PostgreSQL database.

    \b
    Examples:
      activelab init tickets.db --from tickets.csv
      activelab init photos.db --from photos --classes cat,dog
      activelab init tickets.db --classes bug,question,praise --title "Support tickets" --budget 5000
      activelab init photos.db --kind image --images-root photos --classes classes.txt
      activelab init reviews.db --question ordinal --classes 1,2,3,4,5 --set "scale_ends=hate it,love it"
      activelab init stars.db --about reviews.db --question ordinal --classes 1,2,3,4,5 --title Stars
      activelab init postgresql://lead@db.example.org/tickets --classes @classes.txt --labels-per-round 2
    """
    named = {
        "title": title,
        "kind": kind,
        "question": question,
        "classes": None if classes is None else class_names(classes),
        "guidelines": None if guidelines is None else _text(guidelines),
        "method": method,
        "models": models,
        "batch_size": batch_size,
        "labels_per_round": labels_per_round,
        "max_labels": max_labels,
        "budget": budget,
        "gold_rate": gold_rate,
        "image_root": None if images_root is None else _folder(images_root),
    }
    changes = {name: value for name, value in named.items() if value is not None} | _changes(options or [])
    where = place_of(place)
    if about is not None:
        if from_ is not None or "kind" in changes or "image_root" in changes:
            raise InputError("with --about the examples are those of that project, shown as they are there.")
        _init_about(where, about, changes, as_json)
        return
    if from_ is not None:
        _init_from(where, source(from_), changes, rejected, as_json)
        return
    if rejected is not None:
        raise InputError("--rejected goes with --from.")
    with project_errors():
        from activelab.project import Settings, create_project

        settings = Settings(kind=changes.pop("kind", "text")).changed(changes)
        with create_project(where, settings) as project:
            shown = project.database.name if "://" in where else where
            values = project.settings.to_dict()
    said = f"Made {shown}. Next: activelab import {shown} EXAMPLES"
    if not settings.classes:
        said += f"\nIt has no classes yet: activelab settings {shown} classes=a,b,c"
    say(said, {"project": shown, **values}, as_json)


def _init_about(where: str, about: str, changes: dict[str, Any], as_json: bool) -> None:
    """Make a project that asks another question about the examples of one."""
    with project_at(about) as lead:
        from activelab.project.questions import add_question
        from activelab.project.store.database import Database

        name = Database(where).short_name
        with add_question(lead, changes, where, name=name) as project:
            shown = project.database.name if "://" in where else where
            values, size = project.settings.to_dict(), project.num_examples
            home = lead.database.name if "://" in about else str(Path(about).parent)
    said = f"Made {shown}: another question about the {size:,} examples of {lead.database.short_name}."
    said += f"\nNext: activelab serve {'--workspace ' if '://' in about else ''}{home}"
    if not values["classes"]:
        said += f"\nIt has no classes yet: activelab settings {shown} classes=a,b,c"
    say(said, {"project": shown, **values, "about": lead.database.short_name, "examples": size}, as_json)


def _init_from(
    where: str, from_: Path, changes: dict[str, Any], rejected: Path | None, as_json: bool
) -> None:
    """Make a project of a file, or none if something in it is bad."""
    rejected = target(rejected, inputs=[str(from_)])
    with project_errors(), progress_bar() as progress:
        from activelab.project import Settings, create_project
        from activelab.project.files.columns import one_annotator
        from activelab.project.files.importing import import_files
        from activelab.project.files.proposal import propose
        from activelab.project.store.upgrades import discard

        found = propose(from_, kind=changes.pop("kind", None), media_folder=changes.get("image_root"))
        guessed = {
            "classes": _classes_of(found.classes, changes.get("question", "single"))
            if "classes" not in changes
            else [],
            "image_root": found.media_folder,
        }
        changes = {name: value for name, value in guessed.items() if value} | changes
        root = changes.pop("image_root", None) or _beside(where, from_, found.kind)
        settings = Settings(kind=found.kind).changed(changes)
        labelled = found.num_labels and settings.classes
        project = create_project(where, settings)
        shown = project.database.name if "://" in where else where
        try:
            done = import_files(
                project,
                from_,
                labels=from_ if labelled else None,
                columns=found.columns,
                image_root=root,
                leave_out=rejected is not None,
                progress=progress,
            )
            values = project.settings.to_dict()
        except BaseException:
            discard(project.database)
            raise
        project.close()
    if rejected is not None:
        _write_rejected(rejected, done.rejected)
    said, notes = _proposed(found, settings.classes, bool(labelled))
    said += f"\nMade {shown}. {_imported(done, rejected)}"
    said += f"\nNext: activelab serve {shown}"
    if not settings.classes:
        said += f"\nIt has no classes yet: activelab settings {shown} classes=a,b,c"
    told = one_annotator("imported")  # in a line of its own
    notes += [note for note in found.notes if note != told]
    notes = [*dict.fromkeys([*notes, *(note for note in done.notes if note != f"{from_}: {told}")])]
    say(said, {"project": shown, **values, "examples": done.examples, "labels": done.labels, "notes": notes},
        as_json, notes=notes)  # fmt: skip


def _classes_of(labels: Sequence[str], question: str) -> list[str]:
    """The classes that labels name, as a question has them."""
    if question == "multilabel":
        return [*dict.fromkeys(name for label in labels for name in names_in(label))]
    if question == "ordinal":
        try:
            return sorted(labels, key=float)
        except ValueError:
            raise InputError(
                "the points of a scale have an order; name them from the lowest with --classes: "
                f"{first(labels)}."
            ) from None
    return [*labels]


def _proposed(found: Proposal, classes: Sequence[str], labelled: bool) -> tuple[str, list[str]]:
    """What was guessed, a line each, and notes."""
    roles = found.columns
    lines = [f"kind: {found.kind}"]
    if found.names:
        parts = {part: getattr(roles, part) for part in ("text", "image", "audio", "video")}
        lines += [f"{part}: column {name!r}" for part, name in parts.items() if name]
        lines += [f"shown beside it: {', '.join(map(repr, roles.show))}"] if roles.show else []
        lines.append(f"ids: column {roles.example!r}" if roles.example else "ids: made of the content")
    if roles.label:
        by = f"column {roles.annotator!r}" if roles.annotator else "one annotator, 'imported'"
        lines.append(f"labels: column {roles.label!r}, given by {by}")
    if classes:
        lines.append(f"classes: {', '.join(classes)}")
    notes = [f"{one} Name it with import otherwise." for one in found.problems if "not clear" in one]
    if found.num_labels and not labelled:
        notes.append("the labels are not imported, as there are no classes; name --classes.")
    return "\n".join(lines), notes


def _beside(place: str, path: Path, kind: str) -> str | None:
    """Where an archive is unpacked to if nothing else is said: a folder beside the project's file."""
    from activelab.project.content import MEDIA
    from activelab.project.media import folder_beside

    if path.suffix.lower() != ".zip" or "://" in place or kind not in MEDIA:
        return None
    return str(folder_beside(place))


def _imported(done: Imported, rejected: Path | None) -> str:
    words = {"examples": "examples", "labels": "labels", "abstentions": "abstentions", "gold": "gold answers"}
    new = [f"{getattr(done, name):,} {what}" for name, what in words.items() if getattr(done, name)]
    said = f"Imported {', '.join(new)}." if new else "Nothing new."
    if done.skipped:
        said += f" Passed over {counted(done.skipped, 'example')} that {'is' if done.skipped == 1 else 'are'}"
        said += " in the project already."
    if done.rejected:
        said += f" Left out {len(done.rejected):,} bad rows, listed in {rejected}."
    return said


def _write_rejected(path: Path, rejected: Sequence[tuple[str, int, str]]) -> None:
    import pyarrow as pa

    from activelab.tables import write_table

    columns = zip(*rejected, strict=True) if rejected else [()] * 3
    arrays = [pa.array(c, t) for c, t in zip(columns, (pa.string(), pa.int64(), pa.string()), strict=True)]
    write_table(path, pa.Table.from_arrays(arrays, names=["file", "line", "reason"]))


def import_(
    given: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PLACE] [EXAMPLES]",
            help="The project, and a table with one row an example (CSV, TSV, Parquet, JSON, JSON lines), a "
            ".txt with a text a line, a folder of images, audio or video, or a .zip of them.",
            show_default=False,
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Labels there are: example, annotator, label.", readable=False),
    ] = None,
    gold: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Right answers: example, label.", readable=False)
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Features or embeddings: .npy with a row for each of EXAMPLES, or a table with the ids.",
            readable=False,
        ),
    ] = None,
    example: Annotated[
        str | None, typer.Option("--example", "--example-column", metavar="COL", help="Column of the ids.")
    ] = None,
    text: Annotated[str | None, typer.Option(metavar="COL", help="Column of the texts.")] = None,
    image: Annotated[str | None, typer.Option(metavar="COL", help="Column of the image files.")] = None,
    audio: Annotated[str | None, typer.Option(metavar="COL", help="Column of the audio files.")] = None,
    video: Annotated[str | None, typer.Option(metavar="COL", help="Column of the video files.")] = None,
    show: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COL", help="A column that is shown in a table beside that; repeat for several."
        ),
    ] = None,
    annotator: Annotated[
        str | None, typer.Option("--annotator-column", metavar="COL", help="Column of the annotators.")
    ] = None,
    label: Annotated[
        str | None, typer.Option("--label-column", metavar="COL", help="Column of the classes.")
    ] = None,
    images_root: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder that images, audio and video are named from.", readable=False
        ),
    ] = None,
    skip_known: Annotated[
        bool, typer.Option("--skip-known", help="Pass over examples that are in the project already.")
    ] = False,
    label_as: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Annotator of the labels of EXAMPLES where no column says who gave them."
        ),
    ] = "imported",
    missing: Missing = None,
    fold: Fold = False,
    rejected: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Leave bad rows out and list them there. Without it nothing is imported.",
            readable=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Put examples into a project, and labels and right answers there are already.

    \b
    Examples:
      activelab import tickets.db tickets.csv --text body
      activelab import tickets.db --labels old_labels.csv --gold checked.csv
      activelab import photos.db photos.csv --images-root photos --features embeddings.npy
      activelab import tickets.db tickets.csv --image screenshot --show product --images-root shots
      activelab import tickets.db labelled.csv --labels labelled.csv --skip-known
      activelab import photos.db photos.zip
      activelab import tickets.db more.jsonl --rejected bad_rows.csv

    All files are checked before anything is stored; bad rows are named by their lines. Examples show up
    all at once when the last is stored; labelling goes on meanwhile.
    """
    place, rest = split_place(given or [])
    if len(rest) > 1:
        raise InputError(f"one file of examples at a time; got {', '.join(rest)}.")
    if not rest and labels is None and gold is None:
        raise InputError("name a file: EXAMPLES, --labels FILE or --gold FILE.")
    rest = [source(one) for one in rest]
    labels, gold, features = (None if one is None else source(one) for one in (labels, gold, features))
    rejected = target(
        rejected, inputs=[str(one) for one in (*rest, labels, gold, features) if one is not None]
    )
    with project_at(place) as project, progress_bar() as progress:
        from activelab.project.files.importing import Columns, import_files

        if images_root is None and project.settings.image_root is None and rest:
            into = _beside(place, Path(rest[0]), project.settings.kind)
            images_root = None if into is None else Path(into)
        done = import_files(
            project,
            rest[0] if rest else None,
            labels=labels,
            gold=gold,
            features=features,
            columns=Columns(example, text, image, annotator, label, audio, video, show or ()),
            image_root=images_root,
            leave_out=rejected is not None,
            skip_known=skip_known,
            label_as=label_as,
            missing=listed_words(missing),
            fold=fold,
            progress=progress,
        )
    if rejected is not None:
        _write_rejected(rejected, done.rejected)
    counts = {
        "examples": done.examples,
        "labels": done.labels,
        "abstentions": done.abstentions,
        "gold": done.gold,
        "skipped": done.skipped,
        "rejected": len(done.rejected),
    }
    say(_imported(done, rejected), counts | {"notes": done.notes}, as_json, notes=done.notes)


def settings(
    given: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PLACE] [NAME=VALUE]...", help="The project, and what to change.", show_default=False
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what each setting is; change nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the settings of a project, or change some.

    \b
    Examples:
      activelab settings tickets.db
      activelab settings tickets.db budget=8000 max_labels=5 gold_rate=0.05
      activelab settings tickets.db classes=bug,question,praise,spam models=logistic-regression,extra-trees
      activelab settings tickets.db budget=none guidelines=@guidelines.txt
      activelab settings --explain

    Values are numbers, texts, lists with commas, yes or no, none; @FILE is the text of a file. Classes can be
    added at the end, not removed. A server that runs follows within seconds.
    """
    words = given or []
    if explain:
        said, rows = _explained()
        typer.echo(json.dumps(rows, ensure_ascii=False) if as_json else said)
        return
    if words and "=" in words[0] and "://" not in words[0]:
        place, rest = place_of(None), words
    else:
        place, rest = split_place(words)
    changes = _changes(rest)
    with project_at(place) as project:
        views = project.settings.views()
        if changes:
            project.change_settings(changes)
        values = project.settings.to_dict()
    say(
        "\n".join(f"{name} = {_shown(value, views[name])}" for name, value in values.items()), values, as_json
    )


def _changes(words: list[str]) -> dict[str, Any]:
    """NAME=VALUE as values of the types the settings have."""
    if not words:
        return {}
    with project_errors():
        from activelab.project import Settings
    views = Settings.views()
    changes = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise InputError(f"{word!r} should be NAME=VALUE, as in budget=5000.")
        name = name.strip().replace("-", "_")
        view = views.get(name)
        changes[name] = value if view is None else _value(value.strip(), view)
    return changes


def _value(text: str, view: FieldView) -> Any:
    """A text as a value of a field; what cannot be one stays as it is, to be refused by name."""
    if view.shown.whole_lines and text.casefold() != "none":
        return (
            read_lines(text[1:])
            if text.startswith("@")
            else [one for one in text.splitlines() if one.strip()]
        )
    if view.kind == "list":
        return class_names(text) if text and text.casefold() != "none" else []
    if view.optional and text.casefold() == "none":
        return None
    if view.kind == "switch":
        known = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
        return known.get(text.casefold(), text)
    if view.kind in ("whole", "number"):
        try:
            return {"whole": int, "number": float}[view.kind](text.replace("_", ""))
        except ValueError:
            return text
    return _text(Path(text[1:])) if text.startswith("@") else text


def _explained() -> tuple[str, list[dict[str, Any]]]:
    """What each setting is, for people and for programs."""
    with project_errors():
        from activelab.project import Settings
    lines, rows = [], []
    for view in Settings.views().values():
        default = _shown(list(view.default) if isinstance(view.default, tuple) else view.default, view)
        lines += [
            view.name,
            f"    {view.title}. {view.help}",
            f"    {view.words}; {default or 'empty'} if not set",
        ]
        rows.append(
            {name: getattr(view, name) for name in ("name", "title", "help", "words", "default", "choices")}
        )
    return "\n".join(lines), rows


def _shown(value: Any, view: FieldView) -> str:
    if isinstance(value, list):
        return ("\n" if view.shown.whole_lines else ",").join(value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _text(path: Path) -> str:
    from activelab.tables import naming

    with naming(path):
        if not path.is_file():
            raise InputError("is a folder, not a file." if path.is_dir() else "no such file.")
        try:
            return path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            raise InputError("is not UTF-8 text. Save it in the encoding UTF-8.") from None


def _folder(path: Path) -> str:
    if not path.is_dir():
        raise InputError(f"{path} is not a folder.")
    return str(path.resolve())
