"""Who sends a request: addresses, trusted proxies, loopback."""

import ipaddress
import socket
from urllib.parse import urlsplit

from fer_keras.core.errors import InputError

IPV6_PREFIX = 64  # bits; the rest is chosen by whoever has them


def networks(texts):
    """Return the IP networks of `texts`, each an address or a network such as 10.0.0.0/8.

    Raises:
        InputError: if one is neither.
    """
    try:
        return tuple(ipaddress.ip_network(text, strict=False) for text in texts)
    except ValueError as error:
        raise InputError(
            f"--trusted-proxy: {error}. Expected an IP address or a network such as 10.0.0.0/8."
        ) from error


def is_trusted(address, proxies):
    """Return whether the text `address` is an IP address in one of the networks `proxies`."""
    parsed = _parse(address)
    return parsed is not None and any(parsed in network for network in proxies)


def peer(address, forwarded, proxies):
    """Return the name of the peer that limits count: its address, for IPv6 the network of /64.

    Args:
        address: text, of the connection.
        forwarded: text of X-Forwarded-For, to which each proxy appends its client's address. Of a trusted proxy's
            connection, the last address counts that is not itself a trusted proxy.
        proxies: `networks`.
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


def is_loopback(host):
    """Return whether `host`, a name or an address of any spelling, stands for this computer alone."""
    return all(_parse(address).is_loopback for address in resolve(host))


def resolve(host):
    """Return the addresses of `host`.

    Raises:
        InputError: if it is empty or has none.
    """
    host = host.strip("[]")
    if not host.strip():
        raise InputError("--host is empty. Expected a name or an address; 0.0.0.0 answers on every address.")
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise InputError(f"--host {host!r} has no address: {error}.") from error
    return list(dict.fromkeys(entry[4][0] for entry in found))


def is_loopback_name(name):
    """Return whether `name`, from a Host header, is localhost or a loopback address."""
    parsed = _parse(name)
    return name == "localhost" if parsed is None else parsed.is_loopback


def place(host, scheme="http"):
    """Return (lower-case name, port) of a Host header, or None if it is malformed."""
    if not host or set(host) & set("@/?#\\ "):
        return None
    try:
        parts = urlsplit(f"//{host}")
        return parts.hostname and (parts.hostname, parts.port or {"http": 80, "https": 443}.get(scheme))
    except ValueError:
        return None


def same_site(origin, host):
    """Return whether the text of an Origin header names the text of a Host header."""
    scheme, _, rest = origin.partition("://")
    return place(rest, scheme) is not None and place(rest, scheme) == place(host, scheme)


def _parse(text):
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _without_port(text):
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
