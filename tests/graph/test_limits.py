"""Limits of documents: what is refused before anything runs, and that refusing is quick."""

import time
from typing import Any

import pytest
from graphql import get_introspection_query

from graph.core.limits import MAX_ALIASES, MAX_COST, MAX_DEPTH, MAX_DIRECTIVES, MAX_FIELDS_PER_SET, MAX_TOKENS
from graph.core.operations import Asked, Operations, Rejected
from graph.schema import schema
from tests.factories.tenants import Tenant

UNBOUNDED_SECONDS = 2.0
"""Of our own CPU, so that a busy machine does not count: what has no bound takes minutes."""


@pytest.fixture
def operations() -> Operations:
    return Operations(schema())


def refusal(operations: Operations, query: str, variables: Any = None) -> dict[str, Any]:
    with pytest.raises(Rejected) as rejected:
        operations.prepare(Asked(query, variables))
    error: dict[str, Any] = rejected.value.errors[0]
    return error


def nested(levels: int) -> str:
    """A document that goes back and forth between companies and contacts."""
    inner = "id"
    for level in range(levels):
        inner = f"company {{ {inner} }}" if (levels - level) % 2 else f"contacts(first: 1) {{ nodes {{ {inner} }} }}"
    return f"{{ contacts(first: 1) {{ nodes {{ {inner} }} }} }}"


def test_depth_is_limited(operations: Operations) -> None:
    assert operations.prepare(Asked(nested(6))).measure.depth <= MAX_DEPTH
    error = refusal(operations, nested(40))
    assert error["extensions"]["code"] == "LIMIT_EXCEEDED" and str(MAX_DEPTH) in error["message"]
    assert refusal(operations, nested(1_000))["extensions"]["code"] in ("LIMIT_EXCEEDED", "BAD_REQUEST")


def test_depth_is_counted_through_fragments(operations: Operations) -> None:
    parts = [f"fragment F{n} on Contact {{ company {{ contacts {{ nodes {{ ...F{n + 1} }} }} }} }}" for n in range(12)]
    document = "{ contacts { nodes { ...F0 } } } " + " ".join(parts) + " fragment F12 on Contact { id }"
    assert refusal(operations, document)["extensions"]["code"] == "LIMIT_EXCEEDED"


@pytest.mark.parametrize(
    ("part", "most"),
    [("a{n}: __typename ", MAX_ALIASES), ("__typename @include(if: true) ", MAX_DIRECTIVES)],
)
def test_aliases_and_directives_are_limited(operations: Operations, part: str, most: int) -> None:
    def document(count: int) -> str:
        return "{" + "".join(part.format(n=n) for n in range(count)) + "}"

    operations.prepare(Asked(document(most)))
    assert refusal(operations, document(most + 1))["extensions"]["code"] == "LIMIT_EXCEEDED"


def test_fields_of_one_set_are_limited(operations: Operations) -> None:
    fields = "__typename " * (MAX_FIELDS_PER_SET + 1)
    assert str(MAX_FIELDS_PER_SET) in refusal(operations, f"{{ {fields} }}")["message"]


def test_directives_count_wherever_they_stand(operations: Operations) -> None:
    inner = " ".join("... @include(if: true) { __typename }" for _ in range(MAX_DIRECTIVES + 1))
    assert refusal(operations, f"{{ {inner} }}")["extensions"]["code"] == "LIMIT_EXCEEDED"
    repeated = " ".join("@skip(if: false)" for _ in range(MAX_DIRECTIVES + 1))
    assert refusal(operations, f"query {repeated} {{ __typename }}")["extensions"]["code"] in (
        "LIMIT_EXCEEDED",
        "BAD_REQUEST",
    )


def test_tokens_are_limited(operations: Operations) -> None:
    started = time.thread_time()
    refusal(operations, "{" + "a: __typename " * MAX_TOKENS + "}")
    assert time.thread_time() - started < UNBOUNDED_SECONDS


def test_a_query_that_is_too_dear_is_told_where_and_what_would_fit(operations: Operations) -> None:
    document = "query ($n: Int) { companies(first: $n) { nodes { contacts(first: 250) { nodes { id } } } } }"
    error = refusal(operations, document, {"n": 250})
    extensions = error["extensions"]
    assert extensions["code"] == "LIMIT_EXCEEDED" and extensions["maximum"] == MAX_COST
    assert extensions["path"][0] == "companies" and "contacts" in extensions["path"]
    assert "companies.nodes.contacts" in error["message"]
    assert operations.prepare(Asked(document, {"n": extensions["fits"]})).measure.cost <= MAX_COST


def test_the_page_size_that_fits_is_for_the_page_it_names(operations: Operations) -> None:
    document = "{ companies(first: 200) { nodes { contacts(first: 200) { nodes { id company { name } } } } } }"
    extensions = refusal(operations, document)["extensions"]
    smaller = document.replace("first: 200", f"first: {extensions['fits']}")
    assert operations.prepare(Asked(smaller)).measure.cost <= MAX_COST


@pytest.mark.parametrize("first", ["99999999999999999999", "-1", "0"])
def test_odd_page_sizes_do_not_pass_the_cost(operations: Operations, first: str) -> None:
    document = f"{{ companies(first: {first}) {{ nodes {{ contacts(first: 250) {{ nodes {{ id }} }} }} }} }}"
    try:
        assert operations.prepare(Asked(document)).measure.cost >= 250
    except Rejected as rejected:
        assert rejected.errors[0]["extensions"]["code"] in ("LIMIT_EXCEEDED", "BAD_REQUEST")


def test_a_default_of_a_variable_counts(operations: Operations) -> None:
    document = "query ($n: Int = 250) { companies(first: $n) { nodes { contacts(first: $n) { nodes { id } } } } }"
    assert refusal(operations, document)["extensions"]["code"] == "LIMIT_EXCEEDED"


def test_a_bomb_of_fragments_is_refused_at_once(operations: Operations) -> None:
    levels = 60
    parts = [f"fragment F{n} on Company {{ ...F{n + 1} ...F{n + 1} }}" for n in range(levels)]
    document = "{ companies { nodes { ...F0 } } } " + " ".join(parts) + f" fragment F{levels} on Company {{ id name }}"
    refusal(operations, "{ warm: nonsense }")
    started = time.thread_time()
    error = refusal(operations, document)
    assert time.thread_time() - started < UNBOUNDED_SECONDS
    assert error["extensions"]["code"] == "LIMIT_EXCEEDED"


@pytest.mark.parametrize(
    "document",
    [
        "{ ...A } fragment A on Query { ...A }",
        "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
        "{ ...Missing }",
        "{ companies { nodes { ...on Nothing { id } } } }",
        "{ companies(first: $missing) { nodes { id } } }",
        "fragment A on Query { __typename }",
        "{ __typename } { __typename }",
        "type A { b: Int }",
        "",
        " ",
        "{",
        "\x00",
        "{ companies(filter: {nonsense: 1}) { nodes { id } } }",
        "{ nonsense }",
        "mutation { companyCreate(input: {name: 1}) { created } }",
        "{ companies(orderBy: {field: NONSENSE}) { nodes { id } } }",
    ],
)
def test_a_document_that_makes_no_sense_is_a_bad_request(operations: Operations, document: str) -> None:
    assert refusal(operations, document)["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    "document",
    [
        "{{ {} }}".format(" ".join("companies(first: 1) { nodes { id name } }" for _ in range(240))),
        "{{ {} }}".format(" ".join("... { companies(first: 1) { nodes { id name } } }" for _ in range(240))),
        "{ ...A } { b: __typename } fragment A on Query { a { ...B } b { ...B } } fragment B on Query { ...A }",
    ],
    ids=["beside", "in fragments", "in circles"],
)
def test_fields_that_overlap_are_not_compared_for_long(operations: Operations, document: str) -> None:
    started = time.thread_time()
    refusal(operations, document)
    assert time.thread_time() - started < UNBOUNDED_SECONDS


def test_fields_may_be_named_again_as_generated_documents_do(operations: Operations) -> None:
    fields = " ".join("companies(first: 1) { nodes { id name } }" for _ in range(40))
    operations.prepare(Asked(f"{{ {fields} }}"))


async def test_introspection_answers(tenant: Tenant) -> None:
    from_library = get_introspection_query()
    answer = await tenant.ask(from_library)
    assert {"Company", "Signal"} <= {one["name"] for one in answer["__schema"]["types"]}


async def test_the_cost_is_told_with_the_answer(tenant: Tenant) -> None:
    cost = (await tenant.answer("{ companies(first: 10) { nodes { id } } }"))["extensions"]["cost"]
    assert cost["requested"] >= 10 and cost["actual"] >= 0
    assert 0 < cost["throttle"]["available"] <= cost["throttle"]["maximum"]
