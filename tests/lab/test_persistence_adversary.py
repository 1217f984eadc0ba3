"""What lab hosts look like after a boot, and what their reboot makes of them, where the two were easily told apart."""

from __future__ import annotations

import pytest
from tests.lab.managed_host import dialled
from tests.lab.test_persistence_on_hosts import collected, foretold, told

from callgate.errors import NotDetermined
from callgate.evidence.boot import boot_plan
from callgate.lab.boot_files import enable, reboot
from callgate.lab.boot_said import logged
from callgate.lab.boot_steps import plain_settings
from callgate.lab.sccp import start_sccp
from callgate.lab.topology import Lab

pytestmark = pytest.mark.lab

V4 = (
    "*filter\n:INPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\n"
    "-A INPUT -i eth0 -s 192.168.1.0/24 -p tcp --dport 2000 -j ACCEPT\nCOMMIT\n"
)
V6 = (
    "*filter\n:INPUT DROP [0:0]\n-A INPUT -p ipv6-icmp -j ACCEPT\n"
    "-A INPUT -i eth0 -s fd00:1::/64 -p tcp --dport 2000 -j ACCEPT\nCOMMIT\n"
)


def test_family_whose_unit_was_forgotten_and_a_script_that_loads_rules(lab: Lab) -> None:
    start_sccp(lab.pbx)
    lab.pbx.load_iptables(V4, family=4)
    lab.pbx.load_iptables(V6, family=6)
    for tool in ("iptables", "ip6tables"):
        lab.pbx.write_etc(f"sysconfig/{tool}", lab.pbx.run([f"{tool}-nft-save"]).stdout)
    enable(lab.pbx, "iptables.service")
    letters, messages = told(lab)
    assert letters.split()[0] == "F", messages
    assert "ip6tables.service does not start at boot" in messages["PER-02"]
    foreseen = foretold(lab)
    assert ("stranger", 6) in foreseen
    assert ("stranger", 4) not in foreseen
    reboot(lab.pbx)
    assert dialled(lab) == foreseen

    enable(lab.pbx, "ip6tables.service")
    lab.pbx.load_iptables(V6, family=6)
    assert told(lab)[0] == "P P P P P"
    lab.pbx.write_etc("opt-rules", "#!/bin/sh\niptables -P INPUT ACCEPT\n")
    lab.pbx.write_etc("rc.local", "#!/bin/sh\n/etc/opt-rules\n")
    assert boot_plan(collected(lab).evidence).others == (
        "/etc/rc.local:2 may change rules at boot: '/etc/opt-rules: iptables -P INPUT ACCEPT'",
    )
    assert told(lab)[0] == "E E E P E"


def test_zone_that_only_some_distributions_ship_is_no_fault_of_the_host() -> None:
    with pytest.raises(NotDetermined, match="FedoraServer"):
        logged("2026-11-23 04:00:00 ERROR: Default zone 'FedoraServer' is not valid. Using 'public'.\n")
    assert logged("2026-11-23 04:00:00 ERROR: INVALID_PORT: 'nonsense'\n") == "ERROR: INVALID_PORT: 'nonsense'"


def test_quotes_within_quotes_belong_to_a_setting() -> None:
    assert plain_settings("A='\"'\nB=\"it's\"\nC=plain\n", "f") == {"A": '"', "B": "it's", "C": "plain"}
    with pytest.raises(NotDetermined, match="shell code"):
        plain_settings("ENABLED=yes\r\n", "f")
