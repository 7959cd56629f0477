"""Two hosts on one machine: namespaces with a name and an address each, joined by a virtual cable."""

import contextlib
import os
import subprocess

import pytest

ADDRESSES = ("10.213.0.1", "10.213.0.2")
INTERFACE = "cable"
NAMED = 'hostname "$0" && exec "$@"'


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@contextlib.contextmanager
def two_hosts():
    """Yield the words before a command for each host, or skip the test where namespaces cannot be made."""
    names = [f"ferkeras{os.getpid()}{letter}" for letter in "ab"]
    try:
        for name in names:
            ip("netns", "add", name)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no network namespaces here: {getattr(error, 'stderr', None) or error}")
    try:
        peer = ["peer", "name", INTERFACE, "netns", names[1]]
        ip("link", "add", INTERFACE, "netns", names[0], "type", "veth", *peer)
        for name, address in zip(names, ADDRESSES, strict=True):
            ip("-n", name, "addr", "add", f"{address}/24", "dev", INTERFACE)
            for interface in ("lo", INTERFACE):
                ip("-n", name, "link", "set", interface, "up")
        yield [["ip", "netns", "exec", name, "unshare", "--uts", "sh", "-c", NAMED, name] for name in names]
    finally:
        for name in names:
            ip("netns", "del", name)
