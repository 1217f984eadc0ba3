"""The playbook: sound YAML of ansible.builtin alone, the proven script within, and hostile names kept out."""

from __future__ import annotations

import re

import pytest
import yaml
from tests.change.remedy.recorded import HOSTS, plan, recorded

from callgate.change.remedy import ansible
from callgate.change.remedy.recipe import Recipe, Refused
from callgate.change.remedy.remedy import remedy, rollback
from callgate.change.snapshot import target_of
from callgate.evidence.bundle import Bundle, read_bundle


class _Loader(yaml.SafeLoader):
    """With Ansible's tag for texts that are no templates."""


def _unsafe(loader: yaml.SafeLoader, node: yaml.Node) -> str:
    assert isinstance(node, yaml.ScalarNode)
    return str(loader.construct_scalar(node))


_Loader.add_constructor("!unsafe", _unsafe)


def play(recipe: Recipe) -> dict[str, object]:
    (found,) = yaml.load(recipe.script, _Loader)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("host", "tool"),
    [("ans-B-before", "firewall-cmd"), ("ufw02-allow-lan", "ufw"), ("ufw07-behind", "nft"), ("ipt01-given", "nft")],
)
def test_playbook_runs_the_script_of_what_suits_the_host(host: str, tool: str) -> None:
    found = remedy(recorded(host), "ansible")
    assert found is not None
    made = play(found.recipe)
    variables, tasks = made["vars"], made["tasks"]
    assert isinstance(variables, dict)
    assert isinstance(tasks, list)
    assert {"firewall-cmd": "firewalld.added", "ufw": "ufw.added", "nft": "gate.nft"}[tool] in str(
        variables["callgate_files"]
    )
    modules = {key for task in tasks for key in task if "." in key}
    assert modules
    assert all(module.startswith("ansible.builtin.") for module in modules)
    text = variables["callgate_script"]
    assert text.startswith("#!/bin/sh\n")
    assert text.endswith('" </dev/null\n')
    # Without a word the script does nothing: the playbook says each time what it is to do.
    assert "${1:-apply}" not in text


def test_script_within_is_the_one_that_was_proven() -> None:
    target = recorded("ans-B-before")
    playbook, alone = remedy(target, "ansible"), remedy(target, "firewalld")
    assert playbook is not None
    assert alone is not None
    variables = play(playbook.recipe)["vars"]
    assert isinstance(variables, dict)
    assert variables["callgate_script"] == alone.recipe.script.replace("${1:-apply}", "${1:-status}")


@pytest.mark.parametrize("name", ["a'b", "{{ x }}", "a\n- hosts: all", "all:!b", "", "*"])
def test_name_that_is_no_plain_one_has_to_be_given(name: str) -> None:
    bundle = read_bundle(HOSTS / "ufw07-behind")
    held = {one: bundle.read(one) for one in bundle.names() if not one.startswith("etc/")}
    target = target_of(Bundle("x", held), plan())
    target.name = name
    found = remedy(target, "ansible")
    assert found is not None
    assert play(found.recipe)["hosts"] == "{{ callgate_host }}"
    assert len(yaml.load(found.recipe.script, _Loader)) == 1


def test_host_that_no_format_closes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Recipe:
        raise Refused("no")

    for module in ("firewalld", "ufw", "nft"):
        monkeypatch.setattr(getattr(ansible, module), "recipe", refuse)
    with pytest.raises(Refused, match=r"^no$"):
        ansible.recipe(recorded("ipt01-given"), ())


def test_rollback_is_within_the_playbook() -> None:
    with pytest.raises(Refused, match="rollback within"):
        rollback(recorded("ipt01-given"), "ansible")
    found = remedy(recorded("ipt01-given"), "ansible")
    assert found is not None
    assert re.search(r"^#.*-e callgate_state=absent +rolls back$", found.recipe.script, re.MULTILINE)
