"""The peer that sends a request: addresses, trusted proxies, loopback."""

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from fer_keras.core.errors import InputError

IPV6_PREFIX = 64  # bits; a client chooses the rest of its address itself
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Networks = tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]


def networks(texts: Iterable[str]) -> Networks:
    """Parse `texts`, each an IP address or a network such as 10.0.0.0/8.

    Raises:
        InputError: if one is neither.
    """
    try:
        return tuple(ipaddress.ip_network(text, strict=False) for text in texts)
    except ValueError as error:
        raise InputError(
            f"--trusted-proxy: {error}. Expected an IP address or a network such as 10.0.0.0/8."
        ) from error


def is_trusted(address: str, proxies: Networks) -> bool:
    """Return whether `address` is an IP address in one of the networks `proxies`."""
    parsed = _parse(address)
    return parsed is not None and any(parsed in network for network in proxies)


def peer(address: str, forwarded: str, proxies: Networks) -> str:
    """Return the peer to which limits apply: its address, for IPv6 its /64 network, "unknown" if neither.

    Args:
        address: of the connection.
        forwarded: value of X-Forwarded-For, to which each proxy appends its client's address. If the connection is
            from a trusted proxy, the peer is the last address in it that is not a trusted proxy.
        proxies: networks of the trusted proxies.
    """
    if is_trusted(address, proxies):
        for text in reversed(forwarded.split(",")):
            text = _without_port(text.strip())
            if text and not is_trusted(text, proxies):
                address = text
                break
    parsed = _parse(address)
    if parsed is None:
        return "unknown"
    if parsed.version == 6:
        return str(ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))
    return str(parsed)


def is_loopback(host: str) -> bool:
    """Return whether `host`, a name or an address of any spelling, has loopback addresses only.

    Raises:
        InputError: as `resolve`.
    """
    return all(map(_is_loopback, resolve(host)))


def resolve(host: str) -> list[str]:
    """Return the IP addresses of `host`.

    Raises:
        InputError: if `host` is empty or has no address.
    """
    host = host.strip("[]")
    if not host.strip():
        raise InputError("--host is empty. Expected a name or an IP address; 0.0.0.0 listens on all of them.")
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise InputError(f"--host {host!r} has no address: {error}.") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_loopback_name(name: str) -> bool:
    """Return whether `name`, from a Host header, is localhost or a loopback address."""
    return name == "localhost" or _is_loopback(name)


def place(host: str, scheme: str = "http") -> tuple[str, int | None] | None:
    """Return (lower-case name, port) of a Host header, or None if it is malformed."""
    if not host or set(host) & set("@/?#\\ "):
        return None
    try:
        parts = urlsplit(f"//{host}")
        port = parts.port or {"http": 80, "https": 443}.get(scheme)
    except ValueError:
        return None
    return (parts.hostname, port) if parts.hostname else None


def same_site(origin: str, host: str) -> bool:
    """Return whether an Origin header and a Host header name the same place."""
    scheme, _, rest = origin.partition("://")
    return place(rest, scheme) is not None and place(rest, scheme) == place(host, scheme)


def _is_loopback(text: str) -> bool:
    address = _parse(text)
    return address is not None and address.is_loopback


def _parse(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _without_port(text: str) -> str:
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
