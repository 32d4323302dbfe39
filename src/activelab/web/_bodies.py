"""The bodies of requests and responses; the schema of the API is made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from activelab.project import Settings
from activelab.project.fields import change_of
from activelab.project.insight import BrowseFacts, CaseFacts, Decision, Vote
from activelab.project.labelling.messages import LONGEST
from activelab.project.labelling.naming import Named
from activelab.project.labelling.reclassing import Reclass
from activelab.project.labelling.summary import RoundSummary
from activelab.project.store.accounts import MIN_PASSWORD


def _storable(text: str) -> str:
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("text with characters that cannot be stored")
    return text


_Storable = AfterValidator(_storable)
_SECRET = {"format": "password"}

Name = Annotated[str, Field(min_length=1, max_length=100), _Storable]
Short = Annotated[str, Field(min_length=1, max_length=200), _Storable]
Reason = Annotated[str, Field(max_length=500), _Storable]
Long = Annotated[str, Field(max_length=100_000), _Storable]
Password = Annotated[str, Field(max_length=1000, json_schema_extra=_SECRET), _Storable]
NewPassword = Annotated[
    str, Field(min_length=MIN_PASSWORD, max_length=1000, json_schema_extra=_SECRET), _Storable
]
Kind = Literal["text", "image", "audio", "video", "table"]
Role = Literal["annotator", "adjudicator", "admin"]
Number = Annotated[int, Path(ge=0, lt=2**31)]
BigNumber = Annotated[int, Path(ge=0, lt=2**63)]
Limit = Annotated[int, Query(ge=1, le=500, description="How many at most.")]
RequestId = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_-]{8,64}$",
        description="Chosen by the client, at random: a request that is sent twice counts once.",
    ),
]
Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]


LabelIn = Annotated[
    Short | Annotated[list[Short], Field(max_length=10_000)],
    Field(description="A class, or a list of classes where several may be right; empty for none of them."),
]


class Body(BaseModel):
    """A request: fields it does not know are refused."""

    model_config = ConfigDict(extra="forbid")


Column = Annotated[
    str | None, Field(max_length=1000, description="By default found by its name; empty if no column is it.")
]


class ColumnsIn(Body):
    """Which column of a file is what."""

    example: Column = None
    text: Column = None
    image: Column = None
    audio: Column = None
    video: Column = None
    label: Column = None
    annotator: Column = None
    show: Annotated[list[Short], Field(max_length=1000)] = Field(
        default=[], description="Shown in a table beside."
    )


class ProposalIn(Body):
    """What is asked of an upload."""

    what: Literal["examples", "labels", "gold"] = Field(
        default="examples", description="What it is taken for."
    )
    kind: Kind | None = Field(default=None, description="What the examples are; by default it is found out.")
    columns: ColumnsIn = ColumnsIn()


class ImportIn(Body):
    """How an upload is imported."""

    what: Literal["examples", "labels", "gold"] = Field(
        default="examples", description="What it is taken for."
    )
    columns: ColumnsIn = ColumnsIn()
    leave_out: bool = Field(default=False, description="Leave out rows that are bad; else one refuses all.")
    skip_known: bool = Field(default=True, description="Leave out examples that are there already.")
    with_labels: bool = Field(default=False, description="Import the labels beside the examples, too.")


class NewExamplesIn(Body):
    """The upload that a new project begins with."""

    upload: Annotated[str, Field(max_length=100)]
    columns: ColumnsIn = ColumnsIn()
    leave_out: bool = Field(default=False, description="Leave out rows that are bad; else one refuses all.")
    with_labels: bool = Field(default=False, description="Import the labels beside the examples, too.")


class NewProjectIn(Body):
    """A project to make."""

    name: Annotated[str, Field(max_length=63, description="What its address ends with.")]
    title: Short
    kind: Annotated[Kind, Field(description="What the examples are.")] = "text"
    question: Literal["single", "ordinal", "multilabel"] = "single"
    classes: Annotated[list[Short], Field(max_length=10_000)] = []
    like: Annotated[str | None, Field(max_length=63, description="Project whose settings it takes.")] = None
    about: Annotated[
        str | None,
        Field(max_length=63, description="Project whose examples it asks another question about."),
    ] = None
    examples: NewExamplesIn | None = Field(
        default=None,
        description="What it begins with; the upload says how far that is. There is no project if it fails.",
    )


class ProjectState(Body):
    """Whether a project is set aside."""

    archived: bool


class DeleteIn(Body):
    """The answer to the second question."""

    confirm: Annotated[str, Field(max_length=63, description="The name of the project, once more.")]


class SomeProjectOut(BaseModel):
    """A project of a workspace."""

    name: str
    title: str
    role: str | None = Field(default=None, description="Yours in it; null if you are not in it.")
    kind: str = "text"
    question: str = "single"
    num_examples: int = 0
    collected: float = Field(default=0, description="Labels collected here, as they count for the budget.")
    budget: int | None = None
    about: str | None = Field(default=None, description="The project whose examples it asks about.")
    archived: bool = False
    problem: str | None = Field(default=None, description="Why it cannot be opened.")


class LoginIn(Body):
    """Name and password."""

    name: Name
    password: Password


class LoginOut(BaseModel):
    """Where you are logged in."""

    id: int
    browser: str = Field(description="In words, as it calls itself.")
    begun: float = Field(description="Seconds since 1970.")
    used: float = Field(description="When something was last stored from there, to the hour.")
    here: bool = Field(description="Whether it is the session that asks.")


class JoinIn(Body):
    """An invitation, and the account to make of it."""

    secret: Long
    """What stands behind the # of a link."""
    name: Name
    password: NewPassword

    @property
    def key(self) -> str:
        """The secret without the name that may follow."""
        return self.secret.partition("/")[0]


class ReclassIn(Body):
    """A change of classes."""

    action: Literal["rename", "merge", "split", "retire"]
    classes: Annotated[list[Short], Field(min_length=1, max_length=10_000)] = Field(
        description="Those that change: one, or, to be merged, several."
    )
    into: Annotated[list[Short], Field(max_length=1_000)] = Field(
        [], description="The new name; the class they become; the parts; or the class that answers follow to."
    )

    @property
    def wanted(self) -> Reclass:
        """It as the project takes it."""
        return Reclass(self.action, tuple(self.classes), tuple(self.into))


class ReclassNowIn(ReclassIn):
    """A change of classes that is made."""

    why: Reason = ""


class PasswordIn(Body):
    """A new password."""

    old: Password
    new: NewPassword


class AccountOut(BaseModel):
    """A person of the project."""

    id: int
    name: str
    role: Role
    disabled: bool
    num_labels: int = Field(description="Labels collected here; imported ones do not count.")
    has_password: bool
    removed: bool = Field(description="Whether all that names them was removed.")


class RemoveIn(Body):
    """The answer to the second question."""

    confirm: Annotated[Name, Field(description="Their name, once more.")]
    answers: Annotated[bool, Field(description="Whether their answers are taken back as well.")] = False


class RemovedOut(BaseModel):
    """What was done with what is stored of a person."""

    name: str = Field(description="The pseudonym that stands for them.")
    answers: int = Field(description="Answers that were taken back.")


class SessionOut(BaseModel):
    """Who is logged in."""

    account: AccountOut
    csrf: str | None = Field(
        description="For the header X-CSRF-Token of writes; null with a token of the API."
    )


class ClassNoteOut(BaseModel):
    """What is known of a class beside its name; what is not known is empty."""

    model_config = ConfigDict(from_attributes=True)

    key: str
    colour: str
    ink: str = Field(description="Black or white, whichever can be read on the colour.")
    group: str
    description: str
    example: str


class UsualOut(BaseModel):
    """Classes that are likely, whatever the example."""

    recent: list[str] = Field(description="Those you gave last, the latest first.")
    frequent: list[str] = Field(description="Those given most of late, by anybody, the most frequent first.")


class Element(BaseModel):
    """An element of a text: of a short list, with attributes that can run nothing."""

    tag: str
    attributes: dict[str, str]
    children: list[Element | str]


Node = Element | str


class ProjectOut(BaseModel):
    """What annotators should know; for adjudicators also the settings."""

    title: str
    kind: Kind
    question: Literal["single", "ordinal", "multilabel"]
    classes: list[str] = Field(description="Of a scale its points, from the lowest to the highest.")
    class_notes: dict[str, ClassNoteOut] = Field(description="By class; not all have any.")
    scale_ends: list[str] = Field(description="What its ends mean; empty if nobody has said it.")
    guidelines: str = Field(description="Markdown.")
    guidelines_shown: list[Node] = Field(description="The same as elements.")
    autoplay: bool = Field(description="Whether audio and video start with their example.")
    version: str = Field(description="Another whenever question, classes or guidelines are others.")
    settings: dict[str, Any] | None = None


if TYPE_CHECKING:
    ProjectIn = Body
else:
    ProjectIn = change_of(
        Settings,
        "ProjectIn",
        "Settings to change; those left out stay. What reads files or runs code is set by command alone.",
        remote=True,
    )


_SHOWN = "The text as elements, where it is Markdown or HTML, or terms are marked in it."


class NamedValue(BaseModel):
    """A named value of an example."""

    name: str
    value: str | float | bool | None
    shown: list[Node] | None = Field(default=None, description=_SHOWN)


class Turn(BaseModel):
    """What somebody says in a chat."""

    role: str
    text: str
    shown: list[Node] | None = Field(default=None, description=_SHOWN)


class Content(BaseModel):
    """What there is to see of an example."""

    text: str | None = None
    shown: list[Node] | None = Field(default=None, description=_SHOWN)
    turns: list[Turn] = []
    image: str | None = Field(default=None, description="Address of the image.")
    audio: str | None = Field(default=None, description="Address of the audio.")
    video: str | None = Field(default=None, description="Address of the video.")
    fields: list[NamedValue] = []


class ColumnsOut(BaseModel):
    """Which column of a file is what; null where none is."""

    example: str | None = None
    text: str | None = None
    image: str | None = None
    audio: str | None = None
    video: str | None = None
    label: str | None = None
    annotator: str | None = None
    show: list[str] = []


class PreviewOut(BaseModel):
    """An example as it will be shown."""

    name: str
    content: Content


class ProposalOut(BaseModel):
    """What an import of an upload would do; nothing is stored."""

    kind: str
    columns: ColumnsOut
    names: list[str] = Field(description="The columns there are.")
    classes: list[str] = Field(description="Those of the labels in it.")
    num_rows: int
    num_labels: int
    preview: list[PreviewOut]
    problems: list[str] = Field(description="What would be refused, with the line; or why all would be.")
    notes: list[str]


class ImportOut(BaseModel):
    """An import that goes on, or went."""

    state: Literal["running", "done", "failed"]
    doing: str
    at: int
    total: int | None
    problem: str
    examples: int = 0
    labels: int = 0
    gold: int = 0
    skipped: int = Field(default=0, description="Examples that were there already.")
    left_out: list[str] = Field(default=[], description="The first of the rows that were left out.")
    num_left_out: int = 0
    notes: list[str] = []


class UploadOut(BaseModel):
    """A file that was sent."""

    id: str
    name: str
    size: int
    work: ImportOut | None = None


class Item(BaseModel):
    """An example that is kept for somebody."""

    lease: int
    example: int = Field(description="By which an answer is corrected.")
    expires: float = Field(description="Seconds since 1970.")
    content: Content
    asked: str | None = Field(
        description="Whether this class applies is asked; null where the whole label is asked for."
    )
    price: float = Field(description="What a label costs of the budget.")


Ahead = Literal["ahead"]
Have = Annotated[
    list[Annotated[int, Field(ge=0, lt=2**63)]],
    Field(
        max_length=1000,
        description="Leases whose examples you have and have not answered, the one that is looked at first: "
        "they are not sent again, and you hear which are lost. With ahead, all but the first are exchanged "
        "for what a round asks that was trained since.",
    ),
]


class ItemsOut(BaseModel):
    """Examples to label, the most worth labelling first."""

    items: list[Item]
    lost: list[int] = Field(default=[], description="Of the leases you have, those that keep nothing now.")


class AskedItem(Item):
    """A question about an example that is kept for somebody."""

    question: str = Field(description="The project that asks it.")


class TogetherOut(BaseModel):
    """Examples to label with all that is asked about each; what is asked of one stands together."""

    items: list[AskedItem]
    lost: dict[str, list[int]] = Field(
        default={}, description="Of the leases you have, by question, those that keep nothing now."
    )


class LeaseIn(Body):
    """How many examples to keep."""

    count: Annotated[int, Field(ge=1, le=20)] | Ahead = Field(
        default=1,
        description="ahead: as many as the project lets you have ahead, or your share where few are left.",
    )
    have: Have = []
    hold: bool = Field(
        default=True,
        description="Whether to keep them. If not, an answer counts if they are still free then.",
    )


class TogetherIn(LeaseIn):
    """How many examples to keep, each with all that is asked about it."""

    have: Annotated[dict[Annotated[str, Field(max_length=63)], Have], Field(max_length=100)] = {}  # type: ignore[assignment]


class AnswerIn(Body):
    """An answer to a lease."""

    kind: Literal["label", "skip", "unsure"]
    label: LabelIn | None = None
    reason: Reason | None = Field(default=None, description="Of a skip; with any other answer a note.")
    flagged: bool = Field(default=False, description="Whether those who lead should look at it.")
    seconds: Seconds | None = None
    request: RequestId | None = None
    then_lease: Annotated[int, Field(ge=0, le=20)] | Ahead = Field(
        default=0, description="How many examples to keep then, as for leases."
    )
    have: Have = []


class AnswerOut(ItemsOut):
    """That an answer is stored, and what comes next."""

    event: int
    repeated: bool = Field(description="Whether it had been stored before, under the same request.")


class OwnAnswer(BaseModel):
    """An answer of yours."""

    example: int
    content: Content
    kind: Literal["label", "skip", "unsure"]
    label: Named | None
    asked: str | None = Field(description="The class it is about, if about one.")
    reason: str | None = Field(description="Of a skip; of any other answer a note.")
    flagged: bool
    time: float = Field(description="Seconds since 1970.")


class CorrectionIn(Body):
    """What to say in place of an answer of yours."""

    kind: Literal["label", "unsure"]
    label: LabelIn | None = None
    asked: Short | None = Field(default=None, description="The class it is about, if about one.")
    note: Reason | None = Field(default=None, description="In place of the one there is; empty for none.")
    flagged: bool | None = Field(default=None, description="As before if left out.")
    request: RequestId | None = None


class GridOut(BaseModel):
    """Similar examples that the model agrees on."""

    label: str = Field(description="The class that is offered.")
    items: list[Item]


_Lease = Annotated[int, Field(ge=0, lt=2**63)]


class GridOtherIn(Body):
    """An example of a grid that is of another class."""

    lease: _Lease
    label: Short


class GridIn(Body):
    """The examples of a grid that are of a class; what is not named is asked one by one."""

    leases: Annotated[list[_Lease], Field(max_length=100)]
    label: Short
    others: Annotated[list[GridOtherIn], Field(max_length=100, description="Of other classes.")] = []
    seconds: Annotated[Seconds | None, Field(description="For all of them.")] = None
    request: RequestId | None = None


class GridStoredOut(BaseModel):
    """That a grid is stored."""

    number: int = Field(description="Answers.")


class PracticeIn(Body):
    """What an example to practise on is."""

    example: Annotated[int, Field(ge=0, lt=2**31)]
    label: LabelIn


class PracticeOut(BaseModel):
    """How far you are with the examples to practise on."""

    due: bool = Field(description="Whether you have to, before you label.")
    attempt: int
    of: int
    done: int
    right: int
    needed: int = Field(description="How many have to be right.")
    passed: bool | None = Field(description="Null before all are answered.")
    example: int | None
    content: Content | None
    again: bool = Field(description="Whether you were sent to practise once more.")


class FeedbackOut(BaseModel):
    """What is right for an example to practise on."""

    correct: bool
    label: Named
    note: str | None = Field(description="Why, if somebody has written it down.")
    practice: PracticeOut


class MessageIn(Body):
    """What to write to some people."""

    to: Annotated[list[Annotated[int, Field(ge=0, lt=2**31)]], Field(min_length=1, max_length=1000)]
    text: Annotated[str, Field(min_length=1, max_length=LONGEST), _Storable]


class MessageOut(BaseModel):
    """What somebody who leads wrote to you."""

    id: int
    text: str
    by: str | None = Field(description="Their name.")
    sent: float = Field(description="Seconds since 1970.")


class SentOut(BaseModel):
    """That a message is sent."""

    number: int = Field(description="To how many people.")


class UndoIn(Body):
    """Take back the last answer."""

    request: RequestId | None = None
    of: RequestId | None = Field(
        default=None, description="The request of the answer: if another is the last, nothing is taken back."
    )


class UndoOut(BaseModel):
    """The example that came back, if nobody else has it."""

    item: Item | None


class ProgressOut(BaseModel):
    """How far the work is."""

    yours: int = Field(description="Answers that are labels.")
    collected: float = Field(
        description="Labels of everybody, of which one about a single class counts as the settings say."
    )
    price: float = Field(description="The least that a label costs.")
    budget: int | None
    today: int | None = Field(default=None, description="Your answers since the time that was asked for.")
    pace: float | None = Field(
        default=None, description="Answers an hour at the speed of your last 50, without pauses."
    )
    goal: int | None = Field(default=None, description="Answers of a day that are proposed.")
    bulk: bool = Field(default=False, description="Whether examples may be answered together.")
    version: str = Field(description="That of the project: whether classes or guidelines have changed.")
    messages: int = Field(description="Messages to you that you have not read.")
    practise: bool = Field(description="Whether you have to practise before more examples come.")


class FoundOut(BaseModel):
    """An example by its id."""

    id: int
    name: str
    num_labels: int


class CaseOut(CaseFacts):
    """An example somebody should decide, with what there is to see of it."""

    content: Content


class BrowseRowOut(BrowseFacts):
    """An example that fits a search, with what there is to see of it."""

    content: Content


class BrowseOut(BaseModel):
    """Examples that fit a search."""

    total: int
    rows: list[BrowseRowOut]


class IdsOut(BaseModel):
    """Numbers of the examples that fit a search."""

    total: int
    examples: list[int] = Field(description="The first of them.")


class SelectionIn(Body):
    """Chosen examples, and what to do with them."""

    examples: Annotated[list[Annotated[int, Field(ge=0, lt=2**31)]], Field(min_length=1, max_length=10_000)]
    action: Literal["ask", "decide", "gold"] = Field(
        default="ask",
        description="ask: one more label of each, before all others. decide: the label that counts, whatever "
        "annotators say. gold: the known answer.",
    )
    label: LabelIn | None = Field(default=None, description="For decide and gold.")


class SelectedOut(BaseModel):
    """What was done with chosen examples."""

    number: int
    left_out: int = Field(description="Examples that there are not or, of those to ask, that are known.")


class ExampleOut(BaseModel):
    """An example with all its answers."""

    id: int
    name: str
    content: Content
    gold: Named | None
    decision: Decision | None
    votes: list[Vote]
    you: Named | None = Field(description="The label you gave it as an annotator.")


class DecisionIn(Body):
    """The label an adjudicator decides for."""

    label: LabelIn
    seconds: Seconds | None = None
    request: RequestId | None = None
    note: Reason | None = Field(default=None, description="Why.")


class UnclearIn(Body):
    """That the guidelines do not decide an example."""

    note: Reason | None = Field(default=None, description="What they should say.")


class AuditIn(Body):
    """How many labels somebody should check."""

    number: Annotated[int, Field(ge=2, le=10_000)] = 100
    seed: Annotated[int, Field(ge=0, lt=2**31, description="Random if left out.")] | None = None


class CheckIn(Body):
    """What is right for an example of an audit."""

    example: Annotated[int, Field(ge=0, lt=2**31)]
    label: LabelIn
    seconds: Seconds | None = None
    request: RequestId | None = None


class NextCheckOut(BaseModel):
    """What is to be checked next, without what anybody says of it; null if everything is checked."""

    audit: int
    drawn: int
    checked: int
    position: int | None
    example: int | None
    content: Content | None


class StoredOut(BaseModel):
    """That an answer is stored."""

    event: int
    repeated: bool


class InviteIn(Body):
    """Somebody to invite."""

    role: Role = "annotator"
    name: Name | None = Field(default=None, description="Only this person may use it.")
    days: Annotated[float, Field(gt=0, le=90, allow_inf_nan=False)] = 7.0


class InviteOut(BaseModel):
    """An invitation; its link is shown once."""

    id: int
    role: Role
    name: str | None
    created: float
    expires: float
    used: float | None
    link: str | None = Field(default=None, description="Only in the answer that makes it.")


class RosterIn(Body):
    """People to invite."""

    text: Annotated[
        Long,
        Field(
            description="A line each: name and role, with commas, semicolons or tabs between them. A first "
            "line may name the columns; those beside name and role come back beside the links, not stored."
        ),
    ]


class InvitesIn(RosterIn):
    """People to invite now."""

    url: Annotated[Short, Field(pattern="^https?://", description="What links in the table begin with.")]
    days: Annotated[float, Field(gt=0, le=90, allow_inf_nan=False)] = 7.0


class InvitedOut(BaseModel):
    """Somebody of a list."""

    model_config = ConfigDict(from_attributes=True)

    line: int
    name: str
    role: str
    problem: str = Field(description="Why nobody can be invited so; empty if somebody can.")
    note: str
    link: str | None = Field(default=None, description="Only in the answer that makes it.")


class RosterOut(BaseModel):
    """A list of people that are invited, or could be."""

    people: list[InvitedOut]
    table: str | None = Field(default=None, description="The list with links, as CSV, when they are made.")


class AnnotatorIn(Body):
    """An account without a password, as for a program."""

    name: Name
    role: Role = "annotator"


class AnnotatorPatch(Body):
    """What to change of an account."""

    role: Role | None = None
    disabled: bool | None = None


class TokenIn(Body):
    """A token for the API."""

    name: Name
    days: Annotated[float, Field(gt=0, le=3660, allow_inf_nan=False)] | None = 90.0


class TokenOut(BaseModel):
    """A token of yours; its secret is shown once."""

    id: int
    name: str
    created: float
    expires: float | None
    revoked: float | None
    secret: str | None = Field(default=None, description="Only in the answer that makes it.")


class AcceptedOut(BaseModel):
    """That work has begun."""

    message: str


class RoundOut(BaseModel):
    """A round."""

    id: int
    state: str
    started: float
    finished: float | None
    summary: RoundSummary
