"""What a project's classifiers see of its examples, and which classifiers it has by default."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sqlalchemy import Connection, select

from activelab._errors import InputError
from activelab._extras import MissingPackageError, needs
from activelab._typing import Floats
from activelab.project._project import Project
from activelab.project.content import MEDIA, TURNS, words_of
from activelab.project.settings import EMBEDDINGS, Settings, load_value
from activelab.project.store.schema import example
from activelab.simulation import make_model

PIXELS = 32
"""Side in pixels that images are scaled to for the default classifier."""

_DEFAULT = {
    "features": "logistic-regression",
    "text": "logistic-regression",
    "image": "logistic-regression",
    "audio": "logistic-regression",
    "video": "logistic-regression",
    "table": "extra-trees",
}
_SENTENCES = "all-MiniLM-L6-v2"
_HASHES = 2**16
_CATEGORIES = 50
_COMPONENTS = 64
_SAMPLE = 5_000
_AT_A_TIME = 20_000


def make_classifier(settings: Settings, has_features: bool) -> Any:
    """The classifier of a project, over what `load_pool` returns.

    Parameters
    ----------
    settings : Settings
        ``models`` are names (see `activelab.simulation.make_model`), import paths, or
        "sentence-embeddings"; several are an ensemble. None is the default for the kind of data.
    has_features : bool
        Whether the project has features or embeddings of its examples.

    Returns
    -------
    classifier or list of classifiers

    Raises
    ------
    InputError
        If a name is unknown, nothing can be imported, or the extra for sentence embeddings is missing.
    """
    made: list[Any] = []
    for name in model_names(settings, has_features):
        found = make_model("logistic-regression" if _is_embedding(name) else name)
        several = found if isinstance(found, list) else [found]
        made += [one if has_features else _with_encoder(one, name, settings) for one in several]
    return made[0] if len(made) == 1 else made


def model_names(settings: Settings, has_features: bool) -> list[str]:
    """Names of the models of a project: those of its settings, or the default."""
    return list(settings.models) or [_DEFAULT["features" if has_features else settings.kind]]


def load_pool(project: Project, size: int) -> Any:
    """What the classifiers see: one row for each of the first ``size`` examples.

    Features if there are some. Else what the encoder makes of the contents, or the contents themselves
    where a model of the user's own wants to see them: a list of texts, a dataframe, or images as an array of
    shape (n, 32, 32, 3).
    """
    if _wants_raw(project.settings) and not has_features(project):
        return _RAW[project.settings.kind](project, size)
    return load_numbers(project, size)


def has_features(project: Project) -> bool:
    """Whether the examples have features or embeddings of their own."""
    return project.database.read(lambda c: load_value(c, "num_features")) is not None


def load_numbers(project: Project, size: int) -> Any:
    """`load_pool` as numbers, whatever the models want to see."""
    features = project.features()
    if features is not None:
        return features[:size]
    kind = project.settings.kind
    contents = _RAW[kind](project, size)
    if kind in _IN_WORDS and not any(contents):
        return np.zeros((size, 1), dtype=np.float32)  # nothing is known of audio and video without a text
    return make_encoder(kind).fit_transform(contents)


def make_encoder(kind: str) -> Any:
    """Contents to numbers, without looking at labels: TF-IDF, columns made numeric, or pixels.

    Of audio and video there is only what can be read beside them.
    """
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
    from sklearn.pipeline import make_pipeline

    if kind in _IN_WORDS:
        # Words are hashed: a dictionary of the words of a million texts would fill the memory.
        words = HashingVectorizer(
            ngram_range=(1, 2), n_features=_HASHES, norm=None, alternate_sign=False, dtype=np.float32
        )
        return make_pipeline(words, TfidfTransformer(sublinear_tf=True))
    return ColumnEncoder() if kind == "table" else PixelEncoder()


def _is_embedding(name: str) -> bool:
    return name.partition("/")[0] == EMBEDDINGS


def _wants_raw(settings: Settings) -> bool:
    return any(":" in name or _is_embedding(name) for name in settings.models)


def _with_encoder(model: Any, name: str, settings: Settings) -> Any:
    """A model that can be fitted on what `load_pool` returns."""
    from sklearn.pipeline import Pipeline, make_pipeline

    if _is_embedding(name):
        if settings.kind != "text":
            raise InputError(
                f"{EMBEDDINGS} are for projects of texts; this one is of kind {settings.kind!r}."
            )
        return make_pipeline(SentenceEncoder(name.partition("/")[2] or _SENTENCES), model)
    if ":" in name:
        return model
    if settings.kind != "table" and isinstance(model, Pipeline) and "standardscaler" in model.named_steps:
        # TF-IDF and components say by their size what matters; scaled alike, the noise would drown it.
        model.set_params(standardscaler="passthrough", logisticregression__C=10.0)
    return make_pipeline(make_encoder(settings.kind), model) if _wants_raw(settings) else model


# ------------------------------------------------------------------ contents


def _contents(project: Project, size: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Names and contents of the pool, read in parts so that no transaction lasts."""
    for start in range(0, size, _AT_A_TIME):
        end = min(start + _AT_A_TIME, size)

        def load(connection: Connection, start: int = start, end: int = end) -> list[Any]:
            query = select(example.c.name, example.c.content).where(example.c.id >= start, example.c.id < end)
            return [*connection.execute(query.order_by(example.c.id))]

        for name, content in project.database.read(load):
            yield name, json.loads(content)


def _texts(project: Project, size: int) -> list[str]:
    return [words_of(content) for _, content in _contents(project, size)]


def _rows(project: Project, size: int) -> Any:
    import pandas as pd

    columns: dict[str, list[Any]] = {}
    for at, (_, content) in enumerate(_contents(project, size)):
        for name, value in content.items():
            if name in MEDIA:
                continue
            if name == TURNS:
                value = words_of({TURNS: value}) or value
            column = columns.setdefault(name, [])
            column.extend([None] * (at - len(column)))
            column.append(value)
    for column in columns.values():
        column.extend([None] * (size - len(column)))
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})


def _images(project: Project, size: int) -> Any:
    images = np.zeros((size, PIXELS, PIXELS, 3), dtype=np.uint8)
    if project.settings.image_root is None:
        raise InputError(
            "the project has no folder of media; set it with: activelab settings image_root=FOLDER"
        )
    root = Path(project.settings.image_root).resolve()
    for at, (name, content) in enumerate(_contents(project, size)):
        images[at] = _pixels(root, name, str(content.get("image", "")))
    return images


def _pixels(root: Path, name: str, path: str) -> Any:
    from PIL import Image

    file = (root / path).resolve()
    if not file.is_relative_to(root):
        raise InputError(f"the image of example {name!r} lies outside the folder of images {root}.")
    try:
        with Image.open(file) as image:
            image.draft("RGB", (PIXELS, PIXELS))  # JPEG decodes small at once
            return np.asarray(image.convert("RGB").resize((PIXELS, PIXELS)))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"the image of example {name!r} cannot be read: {error}.") from None


_IN_WORDS = ("text", "audio", "video")
_RAW = {"table": _rows, "image": _images} | dict.fromkeys(_IN_WORDS, _texts)


# ------------------------------------------------------------------ encoders


class ColumnEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Columns of numbers and of categories, with gaps, as an array of float32.

    A column whose values are all numbers, or text that reads as numbers, is one of numbers: gaps become the
    median, with a column that says so. Other columns have a column for each of the 50 most frequent values.
    """

    def fit(self, X: Any, y: Any = None) -> ColumnEncoder:
        """Find out what the columns hold."""
        from sklearn.compose import ColumnTransformer
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OneHotEncoder, StandardScaler

        self.numeric_ = [name for name in X.columns if _numbers(X[name]) is not None]
        rest = [name for name in X.columns if name not in self.numeric_]
        gaps = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
        values = OneHotEncoder(
            handle_unknown="infrequent_if_exist",
            max_categories=_CATEGORIES,
            sparse_output=False,
            dtype=np.float32,
        )
        parts = [("numbers", make_pipeline(gaps, StandardScaler()), self.numeric_), ("values", values, rest)]
        self.columns_ = ColumnTransformer(parts, sparse_threshold=0).fit(self._prepared(X))
        return self

    def transform(self, X: Any) -> Floats:
        """The array; values not seen before count as rare ones."""
        return np.asarray(self.columns_.transform(self._prepared(X)), dtype=np.float32)

    def _prepared(self, X: Any) -> Any:
        import pandas as pd

        columns = {}
        for name in X.columns:
            if name in self.numeric_:
                columns[name] = pd.to_numeric(X[name].replace("", None), errors="coerce").astype(float)
            else:
                columns[name] = X[name].map(lambda value: "" if _missing(value) else str(value))
        return pd.DataFrame(columns)


def _missing(value: Any) -> bool:
    return value is None or value == "" or value != value


def _numbers(column: Any) -> Any:
    """A column as numbers; None if it holds anything else."""
    import pandas as pd

    given = column[~column.map(_missing)]
    numbers = pd.to_numeric(given, errors="coerce")
    return (
        None if not len(given) or numbers.isna().any() or np.isinf(numbers.astype(float)).any() else numbers
    )


class PixelEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Small images as their first principal components; the first has variance 1."""

    def fit(self, X: Any, y: Any = None) -> PixelEncoder:
        """Find the components on a sample."""
        from sklearn.decomposition import PCA

        rows = np.random.default_rng(0).permutation(len(X))[:_SAMPLE]
        sample = self._flat(X[rows])
        self.components_ = PCA(min(_COMPONENTS, *sample.shape), random_state=0).fit(sample)
        return self

    def transform(self, X: Any) -> Floats:
        """The components of images, computed in parts: pixels as floats would need four times the memory."""
        parts = [
            self.components_.transform(self._flat(X[at : at + _SAMPLE])) for at in range(0, len(X), _SAMPLE)
        ]
        scale = np.sqrt(self.components_.explained_variance_[0]) or 1.0
        return (np.concatenate(parts) / scale).astype(np.float32)

    @staticmethod
    def _flat(images: Any) -> Floats:
        return np.asarray(images, dtype=np.float32).reshape(len(images), -1) / 255


class SentenceEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Texts as embeddings of a pretrained network (extra: text); every text is encoded once a process."""

    _known: ClassVar[dict[str, dict[str, Floats]]] = {}

    def __init__(self, network: str = _SENTENCES) -> None:
        self.network = network

    def fit(self, X: Any, y: Any = None) -> SentenceEncoder:
        """Nothing to learn."""
        return self

    def transform(self, X: Any) -> Floats:
        """The embeddings."""
        known = self._known.setdefault(self.network, {})
        new = [text for text in dict.fromkeys(X) if text not in known]
        if new:
            known.update(zip(new, _sentence_network(self.network).encode(new), strict=True))
        return np.stack([known[text] for text in X])


def _sentence_network(name: str) -> Any:
    try:
        with needs("text", "the sentence embedding"):
            from sentence_transformers import SentenceTransformer
    except MissingPackageError as error:
        raise InputError(f"{error}.") from None
    try:
        return SentenceTransformer(name)
    except (OSError, ValueError) as error:
        raise InputError(f"the network {name!r} cannot be loaded: {str(error).splitlines()[0]}") from None
