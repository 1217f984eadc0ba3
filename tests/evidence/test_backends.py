from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import testinfra
from hypothesis import given
from hypothesis import strategies as st

from callgate.errors import NotDetermined, UsageMistake
from callgate.evidence.backends import BundleBackend, NsenterBackend, host_key, host_name, host_uri


@pytest.mark.parametrize(
    ("written", "uri", "key", "name"),
    [
        ("pbx1", "ssh://pbx1", "ssh://pbx1", "pbx1"),
        ("root@pbx1:2222", "ssh://root@pbx1:2222", "ssh://root@pbx1:2222", "pbx1"),
        ("ssh://root@pbx1", "ssh://root@pbx1", "ssh://root@pbx1", "pbx1"),
        ("ssh://[fd00:1::10]:2222", "ssh://[fd00:1::10]:2222", "ssh://[fd00:1::10]:2222", "fd00:1::10"),
        ("ssh://root@[fd00:1::10]", "ssh://root@[fd00:1::10]", "ssh://root@[fd00:1::10]", "fd00:1::10"),
        ("admin@pbx1?sudo=true", "ssh://admin@pbx1?sudo=true", "ssh://admin@pbx1?sudo=true", "pbx1"),
        ("ssh://a@h?ssh_identity_file=/k@x:y", "ssh://a@h?ssh_identity_file=/k@x:y", "ssh://a@h", "h"),
        ("local://", "local://", "local://", "localhost"),
        ("local://?sudo=true", "local://?sudo=true", "local://?sudo=true", "localhost"),
        ("docker://asterisk", "docker://asterisk", "docker://asterisk", "asterisk"),
        ("docker://root@asterisk", "docker://root@asterisk", "docker://root@asterisk", "asterisk"),
        ("nsenter://4711", "nsenter://4711", "nsenter://4711", "4711"),
        ("bundle://pbx1", "bundle://pbx1", "bundle://pbx1", "pbx1"),
        ("bundle:///var/b/pbx1.tar.gz", "bundle://%2Fvar%2Fb%2Fpbx1.tar.gz", "bundle:///var/b/pbx1.tar.gz", "pbx1"),
        ("bundle://a b,c", "bundle://a%20b%2Cc", "bundle://a b,c", "a b,c"),
        ("bundle://a?b=c#d", "bundle://a%3Fb%3Dc%23d", "bundle://a?b=c#d", "a?b=c#d"),
        ("bundle://100%", "bundle://100%25", "bundle://100%", "100%"),
        ("bundle://pbx1/", "bundle://pbx1%2F", "bundle://pbx1", "pbx1"),
        ("bundle://user@pbx1:22", "bundle://user%40pbx1%3A22", "bundle://user@pbx1:22", "user@pbx1:22"),
        ("bundle://.", "bundle://.", "bundle://.", "."),
    ],
)
def test_how_a_host_is_written_and_named(written: str, uri: str, key: str, name: str) -> None:
    assert host_uri(written) == uri
    assert host_uri(uri) == uri
    host = testinfra.get_host(uri)
    assert (host_key(host), host_name(host)) == (key, name)


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("ssh://root:secret@pbx1", "must not hold a password"),
        ("root:secret@pbx1:22", "must not hold a password"),
        ("docker://root:secret@pbx1", "must not hold a password"),
        ("telnet://pbx1", "no back end is called 'telnet'"),
        ("SSH://pbx1", "no back end is called 'SSH'"),
        ("://pbx1", "no back end is called ''"),
        ("pbx1,pbx2", "a host name has no comma"),
        ("ssh://", "a host name is expected after ssh://"),
        ("ssh://root@", "a host name is expected after ssh://"),
        ("", "a host name is expected"),
        ("ssh://?sudo=true", "a host name is expected"),
        ("bundle://", "a folder or .tar.gz is expected"),
        ("ssh://[fd00::1", "an IPv6 address is expected between"),
        ("ssh://-oProxyCommand=touch owned", "does not begin with a dash"),
        ("ssh://root@-oProxyCommand=id", "does not begin with a dash"),
        ("ssh://%2DoProxyCommand=id", "does not begin with a dash"),
        ("ssh://[-oProxyCommand=id]", "does not begin with a dash"),
        ("-oProxyCommand=id", "does not begin with a dash"),
        ("docker://--privileged", "does not begin with a dash"),
        ("bundle://caf" + chr(0xDCE9), "not UTF-8"),
        ("ssh://pbx" + chr(0xDCE9), "not UTF-8"),
    ],
)
def test_a_host_that_cannot_be_is_a_usage_mistake(written: str, complaint: str) -> None:
    with pytest.raises(UsageMistake, match=complaint) as caught:
        host_uri(written)
    assert "secret" not in str(caught.value)
    str(caught.value).encode()


def test_two_accounts_on_one_machine_are_two_hosts() -> None:
    uris = ["ssh://a@h", "ssh://b@h", "ssh://a@h:22", "ssh://a@h?sudo=true", "docker://a@h", "ssh://h"]
    assert len({host_key(testinfra.get_host(uri)) for uri in uris}) == len(uris)


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_any_text_is_a_host_or_a_usage_mistake(text: str) -> None:
    try:
        uri = host_uri(text)
    except UsageMistake:
        return
    assert host_uri(uri) == uri
    assert "," not in uri


@given(st.text(st.characters(codec="utf-8", exclude_characters="%\0"), min_size=1))
def test_any_path_of_a_bundle_comes_through_testinfra(path: str) -> None:
    backend = testinfra.get_host(host_uri(f"bundle://{path}")).backend
    assert isinstance(backend, BundleBackend)
    assert backend.path == Path(path)


def test_a_bundle_runs_nothing(tmp_path: Path) -> None:
    host = testinfra.get_host(host_uri(f"bundle://{tmp_path}"))
    with pytest.raises(NotDetermined, match="is an evidence bundle: no command can be run there"):
        host.run("touch %s", str(tmp_path / "x"))
    with pytest.raises(NotDetermined):
        _ = host.file("/etc/passwd").exists
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["self", "1; id", "$(id)", "-1", "1.5", "\u0661", "\u00b2", ""])
def test_nsenter_takes_a_process_id_only(name: str) -> None:
    with pytest.raises(UsageMistake, match="a process id is expected"):
        NsenterBackend(name)


def test_nsenter_runs_in_the_namespaces_of_the_process() -> None:
    for tool in ("nsenter", "unshare"):
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool} here")
    if os.geteuid() != 0:
        pytest.skip("nsenter into another process's namespaces needs root")
    inside = ["unshare", "--net", "--uts", "sh", "-c", "hostname pbx-inside && echo ready && exec sleep 30"]
    with subprocess.Popen(inside, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != b"ready\n":
                pytest.skip("no network and host-name namespaces here")
            host = testinfra.get_host(host_uri(f"nsenter://{process.pid}"))
            assert host.run("uname -n; echo %s", "a 'quoted' $word").stdout == "pbx-inside\na 'quoted' $word\n"
            assert host.run("cat /proc/net/dev").stdout.count("eth0") == 0
        finally:
            process.kill()
