import ipaddress

import pytest

from palio_generator.load.targets import TargetRefused, choose, is_permitted, read_target

OWN = "palio-gateway.palio.svc"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://127.0.0.1:23455", "http://127.0.0.1:23455"),
        ("http://127.0.0.1:23455/", "http://127.0.0.1:23455"),
        ("http://127.9.9.9", "http://127.9.9.9:80"),
        ("http://LOCALHOST:80", "http://localhost:80"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        (f"https://{OWN}", f"https://{OWN}:443"),
        (f"http://{OWN.upper()}:23455", f"http://{OWN}:23455"),
    ],
)
def test_load_may_go_to_this_machine_and_to_hosts_that_were_allowed(url: str, origin: str) -> None:
    assert read_target(url, (OWN,)).origin == origin


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com", "http://10.0.0.7:23455", "http://192.168.1.1", "http://8.8.8.8",
        "http://169.254.169.254", "http://[fe80::1]", "http://[fd00::1]", "http://0.0.0.0", "http://[::]",
        "http://2130706433", "http://0x7f000001", "http://0177.0.0.1", "http://127.1", "http://127.0.0.1.",
        "http://localhost.", "http://localhost.example.com", "http://127.0.0.1.example.com",
        "http://user@127.0.0.1", "http://user:password@127.0.0.1", "http://127.0.0.1@example.com",
        "http://example.com\\@127.0.0.1", "http://127.0.0.1 .example.com", "http://127.0.0.1\t",
        "http://127.0.0.1:0", "http://127.0.0.1:65536", "http://127.0.0.1:x",
        "http://127.0.0.1?x", "http://127.0.0.1#x", "http://127.0.0.1?", "http://",
        "ftp://127.0.0.1", "file:///etc/passwd", "127.0.0.1:80", "//127.0.0.1", "", "http://①②⑦.⓪.⓪.①", "http://[::1",
        f"http://{OWN}.example.com", f"http://x.{OWN}", "http://[::ffff:10.0.0.1]", "http://[::1%25eth0]",
    ],
)  # fmt: skip
def test_load_goes_nowhere_else_however_it_is_written(url: str) -> None:
    with pytest.raises(TargetRefused):
        read_target(url, (OWN,))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_socket_is_one_of_web_sockets(scheme: str) -> None:
    assert read_target("ws://127.0.0.1:1/ws/main", (), schemes=("ws", "wss")).path == "/ws/main"
    with pytest.raises(TargetRefused):
        read_target(f"{scheme}://127.0.0.1:1/ws/main", (), schemes=("ws", "wss"))


@pytest.mark.parametrize(
    ("address", "is_local", "permitted"),
    [
        ("127.0.0.1", True, True), ("::1", True, True), ("::ffff:127.0.0.1", True, True),
        ("10.1.2.3", True, False), ("169.254.169.254", True, False),
        ("10.1.2.3", False, True), ("fd00::7", False, True), ("::ffff:10.1.2.3", False, True),
        ("127.0.0.1", False, False), ("::1", False, False), ("::ffff:127.0.0.1", False, False),
        ("169.254.169.254", False, False), ("::ffff:169.254.169.254", False, False), ("fe80::1", False, False),
        ("224.0.0.1", False, False), ("0.0.0.0", False, False), ("::", False, False), ("255.255.255.255", False, False),
    ],
)  # fmt: skip
def test_an_allowed_name_may_not_hide_a_special_address(address: str, is_local: bool, permitted: bool) -> None:
    assert is_permitted(ipaddress.ip_address(address), is_local=is_local) is permitted


def test_a_name_that_is_rebound_is_refused_and_one_address_is_kept() -> None:
    own = read_target(f"http://{OWN}", (OWN,))
    assert choose(own, ["10.1.2.3", "10.1.2.4"]).address == "10.1.2.3"
    for rebound in (["169.254.169.254"], ["10.1.2.3", "127.0.0.1"], []):
        with pytest.raises(TargetRefused):
            choose(own, rebound)
    with pytest.raises(TargetRefused):
        choose(read_target("http://localhost", ()), ["10.1.2.3"])
