"""Who acted, and for which company: labelled histories and what each must come to."""

from typing import NamedTuple
from uuid import UUID

import pytest

from app.core.db import Database
from app.signals.observations import Observation
from tests.factories.books import assert_counters_are_counts, books
from tests.factories.observed import called, said, starred, take

ANN, BOB = "ann@acme-labs.dev", "bob@acme-labs.dev"
ACME = "acme-labs.dev"


class Case(NamedTuple):
    """Batches of observations; the contact and company that each signal type must end with."""

    name: str
    batches: list[list[Observation]]
    ends: dict[str, tuple[str | None, str | None]]


def identify(**body: object) -> Observation:
    return called("identify", **body)


def track(event: str, **body: object) -> Observation:
    return called("track", event=event, **body)


CASES = [
    Case("nobody", [[said("x")]], {"x": (None, None)}),
    Case("an anonymous id alone", [[said("x", anonymous_id="dev")]], {"x": (None, None)}),
    Case("a user id alone", [[said("x", actor_id="u")]], {"x": (None, None)}),
    Case("an e-mail address of a company", [[said("x", email=ANN)]], {"x": (ANN, ACME)}),
    Case("any spelling of an address", [[said("x", email=" Ann@ACME-labs.DEV ")]], {"x": (ANN, ACME)}),
    Case(
        "a host below the company's domain",
        [[said("x", email="a@eu.acme-labs.dev")]],
        {"x": ("a@eu.acme-labs.dev", ACME)},
    ),
    Case("free mail", [[said("x", email="ann@gmail.com")]], {"x": ("ann@gmail.com", None)}),
    Case("throw-away mail", [[said("x", email="a@mailinator.com")]], {"x": ("a@mailinator.com", None)}),
    Case("shared hosting", [[said("x", email="a@ann.github.io")]], {"x": ("a@ann.github.io", None)}),
    Case("a role address", [[said("x", email="info@acme-labs.dev")]], {"x": (None, ACME)}),
    Case("a no-reply address", [[said("x", email="no-reply@acme-labs.dev")]], {"x": (None, ACME)}),
    Case("a role address of free mail", [[said("x", email="info@gmail.com")]], {"x": (None, None)}),
    Case("what is no address", [[said("x", email="ann at acme")]], {"x": (None, None)}),
    Case("a website", [[said("x", domain="https://www.acme-labs.dev/about")]], {"x": (None, ACME)}),
    Case("a website on a platform", [[said("x", domain="https://github.com/acme")]], {"x": (None, None)}),
    Case("a website of a blog host", [[said("x", domain="acme.wordpress.com")]], {"x": (None, None)}),
    Case(
        "a website before an address",
        [[said("x", email="ann@old-firm.dev", domain=ACME)]],
        {"x": ("ann@old-firm.dev", ACME)},
    ),
    Case(
        "an employer that is known stays",
        [
            [said("x", email=ANN)],
            [said("y", email=ANN)],
            [said("z", actor_id="7", email=ANN)],
            [said("w", actor_id="7")],
        ],
        dict.fromkeys("xyzw", (ANN, ACME)),
    ),
    Case(
        "a user id is known once said with an address",
        [[said("x", actor_id="7", email=ANN)], [said("y", actor_id="7")]],
        {"x": (ANN, ACME), "y": (ANN, ACME)},
    ),
    Case(
        "a known user id counts more than another address",
        [
            [said("x", actor_id="7", email=ANN)],
            [said("y", actor_id="7", email="ann@gmail.com")],
            [said("z", email="ann@gmail.com")],
        ],
        dict.fromkeys("xyz", (ANN, ACME)),
    ),
    Case(
        "anonymous, then identified",
        [[said("x", anonymous_id="dev")], [identify(userId="7", anonymousId="dev", traits={"email": ANN})]],
        {"x": (ANN, ACME), "identify": (ANN, ACME)},
    ),
    Case(
        "anonymous, then a user, then an address",
        [
            [track("x", anonymousId="dev")],
            [track("y", userId="7", anonymousId="dev")],
            [identify(userId="7", traits={"email": ANN})],
        ],
        dict.fromkeys(("x", "y", "identify"), (ANN, ACME)),
    ),
    Case(
        "an alias before the address is known",
        [
            [track("x", anonymousId="dev")],
            [called("alias", previousId="dev", userId="7")],
            [identify(userId="7", traits={"email": ANN})],
        ],
        dict.fromkeys(("x", "alias", "identify"), (ANN, ACME)),
    ),
    Case(
        "an alias after the address is known",
        [
            [identify(userId="7", traits={"email": ANN})],
            [track("x", anonymousId="dev")],
            [called("alias", previousId="dev", userId="7")],
        ],
        dict.fromkeys(("x", "alias", "identify"), (ANN, ACME)),
    ),
    Case(
        "two users on one device",
        [
            [identify(userId="1", anonymousId="dev", traits={"email": ANN})],
            [identify(userId="2", anonymousId="dev", traits={"email": "bob@other-firm.dev"})],
            [track("one", userId="1", anonymousId="dev"), track("two", userId="2", anonymousId="dev")],
            [track("later", anonymousId="dev")],
        ],
        {
            "one": (ANN, ACME),
            "two": ("bob@other-firm.dev", "other-firm.dev"),
            "later": (ANN, ACME),
        },
    ),
    Case(
        "two users of one free-mail provider",
        [[said("x", email="ann@gmail.com"), said("y", email="bob@gmail.com")]],
        {"x": ("ann@gmail.com", None), "y": ("bob@gmail.com", None)},
    ),
    Case(
        "two colleagues",
        [[said("x", email=ANN), said("y", email=BOB)]],
        {"x": (ANN, ACME), "y": (BOB, ACME)},
    ),
    Case(
        "an employer that is learned when person and company are known",
        [
            [said("a", email="ann@gmail.com")],
            [said("b", domain=ACME)],
            [said("c", email="ann@gmail.com", domain=ACME)],
            [said("x", email="ann@gmail.com")],
        ],
        {"x": ("ann@gmail.com", ACME)},
    ),
    Case("somebody who starred", [[starred(42, "jane")]], {"github_star": ("jane", None)}),
    Case(
        "somebody who starred, under a new name",
        [[starred(42, "jane")], [starred(42, "jane-doe")]],
        {"github_star": ("jane", None)},
    ),
    Case(
        "somebody who starred with a public address",
        [[starred(42, "jane", email=ANN)], [said("x", email=ANN)]],
        {"github_star": (ANN, ACME), "x": (ANN, ACME)},
    ),
    Case("a bot", [[starred(1, "robot[bot]", type="Bot")]], {"github_star": (None, None)}),
    Case(
        "a group with a website",
        [[called("group", userId="7", groupId="g", traits={"name": "Acme", "website": "https://acme-labs.dev"})]],
        {"group": (None, ACME)},
    ),
    Case(
        "a group with a name alone",
        [
            [identify(userId="7", traits={"email": "ann@gmail.com"})],
            [called("group", userId="7", groupId="g", traits={"name": "Acme"})],
            [track("x", userId="7")],
        ],
        {"group": ("ann@gmail.com", "Acme"), "x": ("ann@gmail.com", "Acme")},
    ),
    Case(
        "a group that is known",
        [
            [called("group", userId="7", groupId="g", traits={"website": ACME})],
            [track("x", userId="8", context={"groupId": "g"})],
        ],
        {"group": (None, ACME), "x": (None, ACME)},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("together", [False, True], ids=["one by one", "in one batch"])
async def test_a_history_comes_to_what_its_label_says(
    database: Database, room: UUID, case: Case, together: bool
) -> None:
    batches = [[one for batch in case.batches for one in batch]] if together else case.batches
    for batch in batches:
        await take(database, room, *batch)
    ended = await books(database, room)
    for type_, (contact, company) in case.ends.items():
        found = [(c, f) for (t, c, f) in ended.signals if t == type_]
        assert found == [(contact, company)], (type_, found)
    await assert_counters_are_counts(database, room)
    assert max(ended.companies.values(), default=1) == 1
