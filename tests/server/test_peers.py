"""Addresses in every spelling."""

import pytest

from fer_keras.core.errors import InputError
from fer_keras.server import peers

PROXIES = peers.networks(["10.0.0.0/8", "2001:db8:1::5"])


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "LOCALHOST", "127.1", "127.0.0.2", "127.255.255.254", "::1", "[::1]"]
    + ["0:0:0:0:0:0:0:1", "0x7f000001", "2130706433", "::ffff:127.0.0.1", "0177.0.0.1"]
)  # fmt: skip
def test_loopback_by_any_spelling(host):
    assert peers.is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "0", "::", "10.1.2.3", "8.8.8.8", "fe80::1", "::ffff:8.8.8.8"])
def test_other_addresses_are_not_loopback(host):
    assert not peers.is_loopback(host)


@pytest.mark.parametrize("host", ["", " ", "[]", "no such name", "a" * 300, "256.1.1.1", "\0"])
def test_hosts_without_an_address_are_refused(host):
    with pytest.raises(InputError, match="^--host "):
        peers.is_loopback(host)


@pytest.mark.parametrize(
    "address, forwarded, expected",
    [
        ("1.2.3.4", "", "1.2.3.4"),
        ("1.2.3.4", "5.6.7.8", "1.2.3.4"),  # no trusted proxy
        ("10.0.0.1", "5.6.7.8", "5.6.7.8"),
        ("10.0.0.1", "5.6.7.8:1234", "5.6.7.8"),
        ("10.0.0.1", "9.9.9.9, 5.6.7.8", "5.6.7.8"),  # the client chose the first
        ("10.0.0.1", "9.9.9.9, 5.6.7.8, 10.0.0.2,", "5.6.7.8"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.3", "10.0.0.1"),
        ("10.0.0.1", "nonsense", "unknown"),
        ("::ffff:10.0.0.1", "::ffff:5.6.7.8", "5.6.7.8"),
        ("2001:db8:1::5", "[2001:db8:2:3:4:5:6:7]:443", "2001:db8:2:3::/64"),
        ("2001:db8:2:3::1", "", "2001:db8:2:3::/64"),
        ("2001:db8:2:3:ffff::1", "", "2001:db8:2:3::/64"),
        ("", "", "unknown"),
    ],
)
def test_the_peer_that_limits_count(address, forwarded, expected):
    assert peers.peer(address, forwarded, PROXIES) == expected


@pytest.mark.parametrize("text", ["", "proxy", "10.0.0.0/40", "1.2.3"])
def test_a_proxy_is_an_address_or_a_network(text):
    with pytest.raises(InputError, match="--trusted-proxy: .* Expected an IP address or a network"):
        peers.networks([text])
