"""Which domain may stand for a company, and which address for a person."""

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given, settings
from hypothesis import strategies as st

from app.signals.domains import Address, address_of, company_domain, work_email


@pytest.mark.parametrize(
    ("said", "domain"),
    [
        ("acme.com", "acme.com"),
        (" ACME.com. ", "acme.com"),
        ("docs.api.acme.co.uk", "acme.co.uk"),
        ("https://www.acme.dev:8443/pricing?x=1#top", "acme.dev"),
        ("http://user:secret@acme.io/", "acme.io"),
        ("//acme.io", "acme.io"),
        ("acme.io/about/@team", "acme.io"),
        ("acme.com?next=https://gmail.com", "acme.com"),
        ("@acme.com", "acme.com"),
        ("Jane@Mail.Acme.com", "acme.com"),
        ("mailto:jane@acme.com", "acme.com"),
        ("münchen.de", "xn--mnchen-3ya.de"),
        ("https://MÜNCHEN.de/", "xn--mnchen-3ya.de"),
        ("xn--mnchen-3ya.de", "xn--mnchen-3ya.de"),
        ("jane@münchen.de", "xn--mnchen-3ya.de"),
        ("city.kobe.jp", "city.kobe.jp"),
        ("google.com", "google.com"),
        ("slack.com", "slack.com"),
        ("www.slack.com", "slack.com"),
        ("clerk.com", "clerk.com"),
        ("acme.test", "acme.test"),
        ("app.acme.example", "acme.example"),
        ("example.com", "example.com"),
        ("jane@example.org", "example.org"),
    ],
)
def test_names_of_companies(said: str, domain: str) -> None:
    assert company_domain(said) == domain


_FREE_MAIL = """
    gmail.com jane@gmail.com jane@hotmail.co.za jane@yahoo.xyz jane@hey.com tutanota.com x@mailinator.com
    mail.qq.com jane@privaterelay.appleid.com 1+octocat@users.noreply.github.com
"""
_SHARED_HOSTING = """
    octocat.github.io https://x.vercel.app x.myshopify.com github.io a.b.s3.amazonaws.com wordpress.com
    jane.wordpress.com x@jane.wordpress.com https://medium.com/@jane x.substack.com sites.google.com/view/jane
    jane.notion.site jane.blogspot.co.uk amazonaws.com
"""
_PROFILES_AND_TENANTS = """
    https://github.com/octocat gist.github.com www.linkedin.com/in/jane x.com linktr.ee/jane acme.slack.com
    acme.atlassian.net support@acme.zendesk.com
"""
_NO_HOST = """
    192.0.2.1 http://127.0.0.1:8000/ [::1] http://[2001:db8::1]/ localhost acme co.uk com printer.local
    x.localhost hidden.onion 1.0.0.127.in-addr.arpa x.invalid index.html a_b.com -acme.com acme..com . @
    xn--a.com ftp://acme.com android-app://com.acme.app javascript://acme.com acme.com:http file:///acme.com
    a@b@acme.com
"""
_GARBAGE = [
    *("", "   ", "a b.com", "Jane <jane@acme.com>", "acme\x00.com", "\ud800.com", "x" * 5000),
    *("a" * 64 + ".com", "a." * 130 + "com"),
]


@pytest.mark.parametrize(
    "said", [*f"{_FREE_MAIL}{_SHARED_HOSTING}{_PROFILES_AND_TENANTS}{_NO_HOST}".split(), *_GARBAGE]
)
def test_what_names_no_company(said: str) -> None:
    assert company_domain(said) is None


def test_nothing_says_nothing() -> None:
    assert company_domain(None) is None
    assert address_of(None) is None
    assert work_email(None) is None


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (" Jane.Doe+x@Acme.COM ", Address("jane.doe+x@acme.com", True, "acme.com")),
        ("jane@gmail.com", Address("jane@gmail.com", True, None)),
        ("jane@x.privaterelay.appleid.com", Address("jane@x.privaterelay.appleid.com", True, None)),
        ("info@acme.com", Address("info@acme.com", False, "acme.com")),
        ("Customer.Support+de@acme.com", Address("customer.support+de@acme.com", False, "acme.com")),
        ("no-reply-billing@acme.com", Address("no-reply-billing@acme.com", False, "acme.com")),
        ("support@gmail.com", Address("support@gmail.com", False, None)),
        ("1+jane@users.noreply.github.com", Address("1+jane@users.noreply.github.com", False, None)),
        ("jane@github.com", Address("jane@github.com", True, "github.com")),
        ("o'hara@acme.com", Address("o'hara@acme.com", True, "acme.com")),
        ("jane@xn--mnchen-3ya.de", Address("jane@münchen.de", True, "xn--mnchen-3ya.de")),
        ("jane@acme.test", Address("jane@acme.test", True, "acme.test")),
    ],
)
def test_what_an_address_says(text: str, address: Address) -> None:
    assert address_of(text) == address
    assert work_email(text) == address.email


_NO_ADDRESS = """
    jane jane@ @acme.com jane@acme jane@localhost jane@127.0.0.1 jane@[127.0.0.1] a..b@acme.com .a@acme.com
    jane@acme.local jane@-acme.com a@b@acme.com jane@acme.com,joe@acme.com
"""
_NEARLY_ADDRESSES = [
    *("", "a b@acme.com", '"a b"@acme.com', "jane@acme.com\x00", "jane@ac\u200bme.com", "\ud800@acme.com"),
    *("a" * 65 + "@acme.com", "a@" + "b." * 130 + "com", "x" * 3000),
]


@pytest.mark.parametrize("text", [*_NO_ADDRESS.split(), *_NEARLY_ADDRESSES])
def test_what_is_no_address(text: str) -> None:
    assert address_of(text) is None


_LOCAL = st.text(alphabet="abz09._+-@'", max_size=12)
_DOMAIN = st.sampled_from(["acme.com", "a--b.io", "a.test", "b.local", "c-.de", "d.e", "xn--a.de", "f.g1"])
_HOST_LIKE = st.from_regex(r"(https?://)?[\w.-]{1,20}@?[\w.-]{1,20}(:\d+)?/?", fullmatch=True)


@settings(max_examples=300, deadline=None)
@given(_LOCAL, _DOMAIN)
def test_simple_addresses_are_told_as_the_full_check_tells_them(local: str, domain: str) -> None:
    text = f"{local}@{domain}"
    try:
        known = validate_email(text, strict=True, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        assert work_email(text) is None
    else:
        assert work_email(text) == known.normalized.lower()


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60) | _HOST_LIKE)
def test_any_text_is_answered_and_answers_are_stable(text: str) -> None:
    domain = company_domain(text)
    assert domain is None or company_domain("jane@" + domain) == domain
    email = work_email(text)
    assert email is None or work_email(email) == email
