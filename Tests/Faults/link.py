"""A link between this machine and another network namespace, which can be cut, lose and delay.

    here (OUTSIDE) --- veth pair, or a wire of two TUN devices --- namespace (INSIDE)

Used by network.py. Needs root, iproute2 and nftables (`require` installs them on Debian). Loss and
black holes are rules of nftables inside the namespace; a delay is a process of ours that carries
each packet from one TUN device to the other, later: netem, which could do both, is not in every
kernel. Invariant: what was made here is gone after `close`, and nothing else is touched.
"""

from __future__ import annotations

import fcntl
import heapq
import multiprocessing
import os
import select
import shutil
import struct
import subprocess
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
PACKET_MAX = 65536


class NotPossible(Exception):
    """This machine does not allow it; the text says what is missing and what to do."""


def require() -> None:
    if os.geteuid() != 0:
        raise NotPossible("network namespaces need root: run this with sudo, or in a container of root's")
    lacking = [name for tool, name in (("ip", "iproute2"), ("nft", "nftables")) if not shutil.which(tool)]
    if lacking:
        print(f"installing {' '.join(lacking)}", flush=True)
        if not shutil.which("apt-get"):
            raise NotPossible(f"install {' '.join(lacking)}: this is neither Debian nor Ubuntu")
        subprocess.run(["apt-get", "update", "-qq"], stdout=subprocess.DEVNULL)
        options = ["-y", "-qq", "--no-install-recommends"]
        done = subprocess.run(["apt-get", "install", *options, *lacking], stdout=subprocess.DEVNULL)
        if done.returncode:
            raise NotPossible(f"apt-get could not install {' '.join(lacking)}")


def call(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise NotPossible(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return done.stdout


def open_tun(name: str) -> int:
    try:
        descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
        return descriptor
    except OSError as why:
        raise NotPossible(f"no TUN device ({why}): the delay needs /dev/net/tun") from why


def carry(one: int, other: int, delay_s: float) -> None:
    """Each packet from one device to the other, `delay_s` later, until somebody ends the process."""
    due: list[tuple[float, int, int, bytes]] = []
    number = 0
    while True:
        wait_s = max(0.0, due[0][0] - time.monotonic()) if due else None
        for source in select.select([one, other], [], [], wait_s)[0]:
            packet = os.read(source, PACKET_MAX)
            number += 1
            target = other if source == one else one
            heapq.heappush(due, (time.monotonic() + delay_s, number, target, packet))
        while due and due[0][0] <= time.monotonic():
            _, _, target, packet = heapq.heappop(due)
            try:
                os.write(target, packet)
            except OSError:
                pass  # the device is down: a packet may be lost


class Link:
    """`delay_s`: each way, for the link's whole life; 0 makes it a veth pair."""

    def __init__(self, delay_s: float = 0):
        require()
        pid = os.getpid()
        self.namespace = f"ym-{pid}"
        self.here, self.there = f"ymh{pid}", f"ymt{pid}"
        network = f"10.213.{pid % 250 + 1}"
        self.address = f"{network}.1"
        self.carrier = None
        call("ip", "netns", "add", self.namespace)
        try:
            self._connect(delay_s)
            call("ip", "address", "add", f"{self.address}/30", "dev", self.here)
            call("ip", "link", "set", self.here, "up")
            self.inside("ip", "address", "add", f"{network}.2/30", "dev", self.there)
            self.inside("ip", "link", "set", self.there, "up")
            self.inside("nft", "add", "table", "ip", "fault")
            for hook in ("input", "output"):
                self.inside("nft", "add", "chain", "ip", "fault", hook,
                            f"{{ type filter hook {hook} priority 0; }}")  # fmt: skip
        except BaseException:
            self.close()
            raise

    def _connect(self, delay_s: float) -> None:
        if not delay_s:
            call("ip", "link", "add", self.here, "type", "veth", "peer", "name", self.there)
            call("ip", "link", "set", self.there, "netns", self.namespace)
            return
        ends = open_tun(self.here), open_tun(self.there)
        call("ip", "link", "set", self.there, "netns", self.namespace)
        fork = multiprocessing.get_context("fork")
        self.carrier = fork.Process(target=carry, args=(*ends, delay_s), daemon=True)
        self.carrier.start()
        for end in ends:
            os.close(end)

    @property
    def prefix(self) -> list[str]:
        """Before a command that is to run inside."""
        return ["ip", "netns", "exec", self.namespace]

    def inside(self, *command: str) -> str:
        return call(*self.prefix, *command)

    def cut(self) -> None:
        """The interface loses its link: the kernels know."""
        call("ip", "link", "set", self.here, "down")

    def rule(self, rule: str) -> None:
        """A rule of nftables for what comes in and what goes out."""
        for hook in ("input", "output"):
            self.inside("nft", "add", "rule", "ip", "fault", hook, *rule.split())

    def black_hole(self) -> None:
        """Every packet vanishes: no kernel is told."""
        self.rule("drop")

    def lose(self, percent: int) -> None:
        self.rule(f"numgen random mod 100 < {percent} counter drop")

    def reset(self) -> None:
        """Connections are reset by the first packet that they send, as by a firewall that has
        forgotten them."""
        self.inside(*"nft add rule ip fault input tcp flags & (syn|rst) == 0 counter reject with tcp reset".split())

    def heal(self) -> None:
        self.inside("nft", "flush", "table", "ip", "fault")
        call("ip", "link", "set", self.here, "up")

    def counted(self) -> int:
        """Packets that rules with a counter have taken."""
        words = self.inside("nft", "list", "table", "ip", "fault").split()
        return sum(int(words[at + 1]) for at, word in enumerate(words) if word == "packets")

    def close(self) -> None:
        if self.carrier:
            self.carrier.terminate()
            self.carrier.join()
        subprocess.run(["ip", "link", "delete", self.here], capture_output=True)
        subprocess.run(["ip", "netns", "delete", self.namespace], capture_output=True)
