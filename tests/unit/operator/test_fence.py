"""Where a load test's requests may go, whatever a URL looks like."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palio_operator.loadtests.fence import Fence, Target, target
from palio_operator.loadtests.models import Refusal

FENCE = Fence(
    "http://palio-gateway:23455", "ws://palio-websocket:23456/ws/main", "palio",
    ("play.example.org", "Staging.Example.org:8443", "10.1.2.3:80", "127.0.0.1", "169.254.169.254", "localhost:80"),
)  # fmt: skip
OWN = Target("http://palio-gateway:23455", "ws://palio-websocket:23456/ws/main", ("palio-gateway", "palio-websocket"))


@pytest.mark.parametrize(
    "url",
    [
        None, "http://palio-gateway:23455", "http://palio-gateway:23455/", "http://PALIO-Gateway:23455",
        "http://palio-gateway.palio:23455", "http://palio-gateway.palio.svc:23455",
        "http://palio-gateway.palio.svc.cluster.local:23455",
    ],
)  # fmt: skip
def test_the_platforms_own_gateway_is_the_target_by_each_of_its_names(url: str | None) -> None:
    assert target(url, FENCE) == OWN


@pytest.mark.parametrize(
    ("url", "base", "host"),
    [
        ("https://play.example.org", "https://play.example.org:443", "play.example.org"),
        ("http://play.example.org/", "http://play.example.org:80", "play.example.org"),
        ("https://PLAY.example.org:443", "https://play.example.org:443", "play.example.org"),
        ("https://staging.example.org:8443", "https://staging.example.org:8443", "staging.example.org"),
        ("http://10.1.2.3", "http://10.1.2.3:80", "10.1.2.3"),
    ],
)
def test_hosts_that_the_values_name_are_allowed_on_their_port(url: str, base: str, host: str) -> None:
    assert target(url, FENCE) == Target(base, None, (host,))


@pytest.mark.parametrize(
    "url",
    [
        # another port of what is allowed, and other services of the cluster
        "http://palio-gateway", "http://palio-gateway:8081", "https://palio-gateway:23455",
        "https://play.example.org:8443", "https://staging.example.org", "http://10.1.2.3:8080",
        "http://palio-generator:23458", "http://palio-gateway.other:23455", "http://palio-gateway.other.svc:23455",
        "http://palio-gateway.palio.svc.evil.example:23455", "http://kubernetes.default.svc",
        "http://palio-gateway.palio.svc.cluster.local.evil.example:23455",
        # names that look alike
        "http://play.example.org.evil.example", "http://evil-play.example.org", "http://playexample.org",
        "http://sub.play.example.org", "http://xn--play-example.org",
        # trailing dots are other names to a resolver
        "http://palio-gateway.:23455", "http://play.example.org.", "http://palio-gateway..palio:23455",
        # addresses, in every spelling
        "http://169.254.169.254", "http://169.254.169.254/latest", "http://2852039166", "http://0xA9FEA9FE",
        "http://0251.0376.0251.0376", "http://169.254.43518", "http://169.16689662", "http://0xa9.0xfe.0xa9.0xfe",
        "http://127.0.0.1", "http://127.1", "http://2130706433", "http://0", "http://0.0.0.0", "http://017700000001",
        "http://10.1.2.3.", "http://010.1.2.3", "http://10.1.2.4", "http://224.0.0.1", "http://255.255.255.255",
        "http://[::1]", "http://[::ffff:169.254.169.254]", "http://[fe80::1%25eth0]", "http://[fd00::1]:23455",
        "http://[::ffff:10.1.2.3]",
        # this very pod
        "http://localhost", "http://localhost:80", "http://localhost:23455", "http://palio.localhost",
        "http://LOCALHOST",
        # what hides the host
        "http://palio-gateway:23455@evil.example", "http://evil.example@palio-gateway:23455",
        "http://a:b@palio-gateway:23455", "http://play.example.org#@palio-gateway:23455",
        "http://play.example.org?x", "http://play.example.org/x", "http://palio-gateway:23455/../internal",
        "http://palio-gateway:23455\\@evil.example", "http://palio-gateway:23455 .evil.example",
        "http://palio-gateway%2eevil.example:23455", "http://palio-gateway\t:23455", "http://\uff50lay.example.org",
        "http://play\u3002example\u3002org", "http://palio-gateway:23455#", "http://palio-gateway:23455?",
        # what is no URL of ours
        "", "palio-gateway:23455", "//palio-gateway:23455", "ftp://palio-gateway:23455", "file:///etc/passwd",
        "gopher://play.example.org", "http://", "http://:23455", "http://palio-gateway:0", "http://palio-gateway:99999",
        "http://palio-gateway:-1", "http://palio-gateway:2345x", "http://[::1", "javascript:alert(1)",
        "http://-palio:80", f"http://{'a' * 300}",
    ],
)  # fmt: skip
def test_everything_else_is_refused(url: str) -> None:
    refused = target(url, FENCE)
    assert isinstance(refused, Refusal), refused
    assert refused.reason == "TargetNotAllowed"


@given(st.text(max_size=60) | st.from_regex(r"https?://[A-Za-z0-9.\-]{1,40}(:[0-9]{1,5})?/?", fullmatch=True))
def test_no_text_leads_anywhere_but_to_what_is_allowed(url: str) -> None:
    where = target(url, FENCE)
    if isinstance(where, Target):
        assert where == OWN or where.hosts[0] in {"play.example.org", "staging.example.org", "10.1.2.3"}


def test_without_values_nothing_but_the_gateway_is_allowed() -> None:
    bare = Fence("http://palio-gateway:23455", "", "palio")
    assert isinstance(target("https://play.example.org", bare), Refusal)
    assert target(None, bare) == Target("http://palio-gateway:23455", None, ("palio-gateway",))
