"""Interfaces, VPNs, multicast and firewalls: can streams of other machines be seen from here?

What LSL asks of a network: labstreaminglayer.readthedocs.io, "Network connectivity" (ports 16571 and 16572 to
16604, multicast) and "lsl_api.cfg".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bci.doctor.finding import Finding, listed, ok, problem, warn

PORTS = "UDP 16571, and TCP and UDP 16572 to 16604"
# Names that VPN clients give their interfaces on Linux, macOS (utun) and Windows.
_VPN = re.compile(
    r"(?:tun|tap|utun|wg|ppp|ipsec|zt|nordlynx|tailscale|cscotun|gpd|proton|vpn)\w*"
    r"|.*(?:wireguard|openvpn|anyconnect|tap-windows|tailscale|zerotier|globalprotect|fortinet|vpn).*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Interface:
    """One network interface.

    Parameters
    ----------
    name : str
    up, loopback, multicast : bool
        Its flags.
    addresses : tuple of str
        IPv4.
    heard : bool or None
        Whether a multicast message that we sent through it came back to us; None where that was not tried.
    error : str
        Why it could not be sent.
    """

    name: str
    up: bool
    loopback: bool
    multicast: bool
    addresses: tuple[str, ...]
    heard: bool | None = None
    error: str = ""

    @property
    def used(self) -> bool:
        """Whether it leads to other machines."""
        return self.up and not self.loopback and bool(self.addresses)

    @property
    def vpn(self) -> bool:
        """Whether it is one of a virtual private network."""
        return bool(_VPN.fullmatch(self.name))


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """What is known of the network.

    Parameters
    ----------
    interfaces : tuple of Interface
    firewalls : tuple of str
        Those that are on and refuse what nobody allowed.
    lsl_allowed : bool
        Whether a rule for LSL's ports was seen.
    """

    interfaces: tuple[Interface, ...]
    firewalls: tuple[str, ...] = ()
    lsl_allowed: bool = False


def check_network(facts: NetworkFacts) -> list[Finding]:
    """All that concerns the network.

    Parameters
    ----------
    facts : NetworkFacts
        What was observed.
    """
    return [*check_interfaces(facts), *check_vpns(facts), *check_multicast(facts), *check_firewalls(facts)]


def check_interfaces(facts: NetworkFacts) -> list[Finding]:
    """Is there a way to other machines, and has it an address?

    Parameters
    ----------
    facts : NetworkFacts
        What was observed.
    """
    lost = [i for i in facts.interfaces if i.used and all(a.startswith("169.254.") for a in i.addresses)]
    found = [
        warn(
            "interfaces",
            f"{i.name} has only {listed(i.addresses)}: it got no address from a server",
            "Check the cable or the wireless network; for a direct cable between two computers, give both of them "
            "fixed addresses.",
        )
        for i in lost
    ]
    if not any(i.loopback and i.up for i in facts.interfaces):
        found.append(
            problem(
                "interfaces",
                "the loopback interface is down: programs of this computer cannot exchange data",
                "Switch it on (Linux: ip link set lo up).",
            )
        )
    used = [i for i in facts.interfaces if i.used]
    text = listed(f"{i.name} {i.addresses[0]}" for i in used)
    return found or [ok("interfaces", text or "only the loopback interface: streams of other computers cannot be reached")]


def check_vpns(facts: NetworkFacts) -> list[Finding]:
    """A VPN takes the multicast messages with which streams are found.

    Parameters
    ----------
    facts : NetworkFacts
        What was observed.
    """
    vpns = [i for i in facts.interfaces if i.used and i.vpn]
    if not vpns:
        return [ok("VPN", "none is up")]
    return [
        warn(
            "VPN",
            f"{listed(i.name for i in vpns)} is active: streams of other computers may not be found, or may go through it",
            "End the VPN while you use streams of other computers, or name these computers under KnownPeers in lsl_api.cfg.",
        )
    ]


def check_multicast(facts: NetworkFacts) -> list[Finding]:
    """Do multicast messages leave, and come back?

    Parameters
    ----------
    facts : NetworkFacts
        What was observed.
    """
    found = []
    for i in facts.interfaces:
        if not i.used or i.vpn:
            continue
        trouble = "does not support multicast" if not i.multicast else f"refuses to send multicast: {i.error}" if i.error else ""
        if not trouble and i.heard is False:
            trouble = "sends multicast, but nothing came back"
        if trouble:
            remedy = (
                "Allow multicast on it (firewall, switch, client isolation of the access point), or name the other computers "
            )
            found.append(warn("multicast", f"{i.name} {trouble}", remedy + "under KnownPeers in lsl_api.cfg."))
    return found or [ok("multicast", "works on every interface that leads to other computers")]


def check_firewalls(facts: NetworkFacts) -> list[Finding]:
    """A firewall that refuses by default hides this machine's streams from others, and theirs from it.

    Parameters
    ----------
    facts : NetworkFacts
        What was observed.
    """
    if not facts.firewalls:
        return [ok("firewall", "no firewall was found that blocks LSL")]
    if facts.lsl_allowed:
        return [ok("firewall", f"{listed(facts.firewalls)} is on and has a rule for LSL")]
    return [
        warn(
            "firewall",
            f"{listed(facts.firewalls)} is on, without a rule for LSL: streams between computers may be blocked",
            f"Open {PORTS} for the local network (ufw: ufw allow 16571/udp; ufw allow 16572:16604/tcp; "
            "ufw allow 16572:16604/udp). Streams of this computer need no rule.",
        )
    ]
