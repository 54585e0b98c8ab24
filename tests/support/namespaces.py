"""A network namespace: like another machine, with two networks to this one."""

import itertools
import os
import shutil
import subprocess
from typing import Any, List

import pytest

_numbers = itertools.count()


class Machine:
    """A namespace; on each network this machine is ``.1`` and the namespace ``.2``."""

    def __init__(self) -> None:
        if shutil.which("ip") is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
            pytest.skip("not run: needs ip (iproute2), and root")
        # No other network uses 169.254.0.0/16 (RFC 3927); other tests may run at the same time.
        number = os.getpid() * 4 + next(_numbers)
        self.name = "opcws%d" % number
        self._links = ["oa%d" % number, "ob%d" % number]
        self.here = ["169.254.%d.1" % (1 + (2 * number + n) % 253) for n in range(2)]
        self.there = ["%s.2" % each.rpartition(".")[0] for each in self.here]

    def __enter__(self) -> "Machine":
        made = subprocess.run(
            ["ip", "netns", "add", self.name], stderr=subprocess.PIPE, check=False
        )
        if made.returncode:
            pytest.skip("not run: this system makes no network namespace: %r" % made.stderr)
        for link, here, there in zip(self._links, self.here, self.there):
            self._ip(
                *("link", "add", link, "type", "veth"),
                *("peer", "name", "net", "netns", self.name),
            )
            self._ip("addr", "add", here + "/30", "dev", link)
            self._ip("link", "set", link, "up")
            inside = ["-n", self.name]
            self._ip(*inside, "link", "set", "net", "name", link + "x")
            self._ip(*inside, "addr", "add", there + "/30", "dev", link + "x")
            self._ip(*inside, "link", "set", link + "x", "up")
        self._ip("-n", self.name, "link", "set", "lo", "up")
        return self

    def command(self, arguments: List[str]) -> List[str]:
        """The command that runs *arguments* there."""
        return ["ip", "netns", "exec", self.name, *arguments]

    def cut(self, network: int) -> None:
        """Drop everything on *network*, silently."""
        self._ip("-n", self.name, "link", "set", self._links[network] + "x", "down")

    def join(self, network: int) -> None:
        self._ip("-n", self.name, "link", "set", self._links[network] + "x", "up")

    def __exit__(self, *_: Any) -> None:
        for link in self._links:
            subprocess.run(["ip", "link", "del", link], check=False)
        self._ip("netns", "del", self.name)

    def _ip(self, *arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True)
