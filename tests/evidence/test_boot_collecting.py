"""What the collector takes of how a host boots, from an /etc of the test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.evidence.boot_files import BOOT_FILES

from callgate.evidence.collector import script
from callgate.evidence.stream import FileState, Taken, read_stream

FILES = {
    "iptables/rules.v4": "*filter\nCOMMIT\n",
    "nftables.conf": 'include "/etc/nftables.d/*.nft"\n',
    "nftables.d/pbx.nft": "table inet pbx {\n}\n",
    "nftables.d/two words.nft": "\n",
    "firewalld/zones/public.xml": "<zone/>\n",
    "csf/csf.conf": 'TESTING = "1"\nUI_PASS = "secret"\nSMTP_PASS = "secret"\n',
    "rc.local": "#!/bin/sh\n# iptables -F\necho iptables-legacy.txt\n/sbin/iptables-restore < /root/rules\n",
    "network/if-pre-up.d/fw": "nft -f /root/x.nft\n",
    "systemd/system/own.service": "[Unit]\nDocumentation=man:nft(8)\n\nExecStart=/usr/sbin/nft -f /root/x.nft\n",
    "systemd/system/ufw.service.d/more.conf": "[Service]\nExecStartPost=/usr/local/bin/more\nEnvironment=KEY=secret\n",
    "callgate/gate.nft": "table inet callgate {\n}\n",
    "ssl/private/key.pem": "secret\n",
}


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder for an /etc that anybody may look at."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        (Path(folder) / "etc").mkdir()
        yield Path(folder)


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / "etc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def collected(root: Path, *before: str, most: int = 300) -> dict[str, Taken]:
    text = script().replace("/etc", f"{root}/etc")
    for limit in ("-gt 300", "-lt 300"):
        assert text.count(limit) == 1
        text = text.replace(limit, limit.replace("300", str(most)))
    # The rest of the host is not asked.
    head, save = text.index("take identity.txt"), text.index("# What loads at boot")
    done = subprocess.run(
        [*before, "sh", "-c", text[:head] + text[save:]], stdin=subprocess.DEVNULL, capture_output=True, timeout=60
    )
    own = str(root).lstrip("/") + "/"
    return {one.file.removeprefix(own): one for one in read_stream(done.stdout)}


def lines(taken: Taken, root: Path) -> list[str]:
    return taken.output.decode().replace(str(root), "").splitlines()


def test_an_empty_etc_has_every_file_absent(root: Path) -> None:
    taken = collected(root)
    there = {file for file, one in taken.items() if one.state is not FileState.ABSENT}
    told = ("folders", "units", "links", "commands", "others", "sysctl")
    assert there == {f"boot-{name}.txt" for name in told}
    assert {file for file in taken if file.startswith("etc/")} == {name for name in BOOT_FILES if "/" in name}
    assert {line.split()[0] for line in lines(taken["boot-folders.txt"], root)} == {"absent"}


def test_files_folders_and_places_that_load_rules_are_taken(root: Path) -> None:
    write(root, FILES)
    taken = collected(root)
    for name in ("iptables/rules.v4", "nftables.conf", "nftables.d/pbx.nft", "nftables.d/two words.nft"):
        assert taken[f"etc/{name}"].output.decode() == FILES[name], name
    assert taken["etc/csf/csf.conf"].output == b'TESTING = "1"\n'
    folders = lines(taken["boot-folders.txt"], root)
    assert {"folder /etc/nftables.d", "file /etc/nftables.d/pbx.nft", "file /etc/nftables.d/two words.nft"} <= set(
        folders
    )
    assert "file /etc/firewalld/zones/public.xml" in folders
    assert "absent /etc/firewalld/policies" in folders
    assert lines(taken["boot-others.txt"], root) == [
        "/etc/rc.local:4:/sbin/iptables-restore < /root/rules",
        "/etc/network/if-pre-up.d/fw:1:nft -f /root/x.nft",
        "/etc/systemd/system/own.service:4:ExecStart=/usr/sbin/nft -f /root/x.nft",
    ]
    drop_in = lines(taken["boot-commands.txt"], root)
    at = drop_in.index("# /etc/systemd/system/ufw.service.d/more.conf")
    assert drop_in[at + 1] == "ExecStartPost=/usr/local/bin/more"


def test_secrets_of_the_host_stay_there(root: Path) -> None:
    write(root, FILES)
    assert not [file for file, one in collected(root).items() if b"secret" in one.output]


def test_a_folder_with_too_many_files_is_told_to_have_more(root: Path) -> None:
    write(root, {f"nftables.d/{number}.nft": "" for number in range(6)})
    taken = collected(root, most=5)
    assert "more /etc/nftables.d" in lines(taken["boot-folders.txt"], root)
    assert sum(file.startswith("etc/nftables.d/") for file in taken) == 5
    assert not [line for line in lines(collected(root, most=6)["boot-folders.txt"], root) if "more" in line]


def test_links_that_lead_nowhere_are_no_absent_files(root: Path) -> None:
    (root / "etc" / "nftables.conf").symlink_to("/nonexistent")
    assert collected(root)["etc/nftables.conf"].state is FileState.FAILED


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root and setpriv")
def test_what_an_ordinary_user_may_not_read_is_refused_and_never_absent(root: Path) -> None:
    write(root, FILES)
    for closed in ("nftables.conf", "firewalld", "nftables.d", "iptables"):
        (root / "etc" / closed).chmod(0)
    taken = collected(root, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    for name in ("nftables.conf", "firewalld/firewalld.conf", "iptables/rules.v4", "iptables/rules.v6"):
        assert taken[f"etc/{name}"].state is FileState.FAILED, name
    folders = lines(taken["boot-folders.txt"], root)
    assert {"refused /etc/nftables.d", "refused /etc/firewalld/zones", "absent /etc/nftables"} <= set(folders)
    assert taken["etc/callgate/gate.nft"].state is FileState.COLLECTED


def test_units_are_read_as_systemd_reads_them(root: Path) -> None:
    write(
        root,
        {
            "systemd/system/nftables.service": "[Service]\n  ExecStart = /usr/sbin/nft -f /root/own.nft\n",
            "systemd/system/net.service.d/fw.conf": "[Service]\n\tExecStartPost= /usr/sbin/nft -f /root/x.nft\n",
        },
    )
    taken = collected(root)
    told = lines(taken["boot-commands.txt"], root)
    at = told.index("# /etc/systemd/system/nftables.service")
    assert told[at + 1] == "  ExecStart = /usr/sbin/nft -f /root/own.nft"
    assert "/etc/systemd/system/net.service.d/fw.conf:2:\tExecStartPost= /usr/sbin/nft -f /root/x.nft" in lines(
        taken["boot-others.txt"], root
    )


def test_scripts_that_places_name_are_looked_into(root: Path) -> None:
    script = root / "opt" / "rules-v2"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\n# nft is not used\nset -e\n/usr/sbin/iptables -F\n")
    (root / "opt" / "harmless").write_text("#!/bin/sh\necho nothing  # iptables\n")
    write(
        root,
        {
            "rc.local": f"#!/bin/sh\n{root}/opt/harmless\n{root}/opt/rules-v2 start\n",
            "cron.d/fw": f"@reboot root {root}/opt/rules-v2\n",
            "systemd/system/own.service": f"[Service]\nExecStart={root}/opt/rules-v2\n",
            "systemd/system/other.service": f"[Unit]\nDocumentation=file:{root}/opt/rules-v2\n",
            "rc2.d/S01own": "#!/bin/sh\nipset restore < /root/sets\n",
        },
    )
    found = "/opt/rules-v2: /usr/sbin/iptables -F"
    assert lines(collected(root)["boot-others.txt"], root) == [
        f"/etc/rc.local:3:{found}",
        f"/etc/systemd/system/own.service:2:{found}",
        "/etc/rc2.d/S01own:2:ipset restore < /root/sets",
        f"/etc/cron.d/fw:1:{found}",
    ]


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root and setpriv")
def test_place_that_may_not_be_read_is_told(root: Path) -> None:
    write(root, {"cron.d/fw": "@reboot root iptables -F\n"})
    (root / "etc" / "cron.d" / "fw").chmod(0)
    taken = collected(root, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    assert lines(taken["boot-others.txt"], root) == ["/etc/cron.d/fw:0:is not to be read"]
