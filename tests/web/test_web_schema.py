"""The API keeps what its schema promises, whatever it is sent."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from web_site import running

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# Those that end the session of this test, start a training, or do not end.
LEFT_OUT = r"^/api/v1/(session|me/password|train|predictions|events)$"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with running(tmp_path_factory.mktemp("web") / "p.db", n=30) as one:
        one.project.add_labels((f"e{i}", who, "cat") for i in range(10) for who in ("ann", "bob"))
        yield one


@pytest.fixture(scope="module")
def document(site):
    return schemathesis.openapi.from_url(f"{site.url}/api/v1/openapi.json")


@pytest.mark.slow
def test_answers_are_those_of_the_schema(document, site):
    how = settings(max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    operations = [found.ok() for found in document.exclude(path_regex=LEFT_OUT).get_all_operations()]
    for operation in operations:

        @how
        @given(case=operation.as_strategy())
        def check(case):
            case.call_and_validate(
                headers={"X-CSRF-Token": site.state.csrf("nonce of ada")},
                cookies=site.cookies("ada"),
                checks=CHECKS,
            )

        check()
    assert len(operations) > 20


def test_every_operation_says_what_may_go_wrong(site):
    with site.browser() as client:
        paths = client.get("/api/v1/openapi.json").json()["paths"]
    operations = [one for methods in paths.values() for one in methods.values()]
    assert len(operations) > 30
    for operation in operations:
        assert {"400", "401", "403", "404", "409", "413", "422", "429", "503"} <= set(operation["responses"])
        assert operation["summary"]
        assert operation["description"]
