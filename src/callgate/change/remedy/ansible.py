"""The remedy as an Ansible playbook: the script of the format that suits the host, run where it is not in force yet.

Modules of `ansible.builtin` alone, so ansible-core is enough: `ansible.posix.firewalld` has no direct rules, nor can it
tell what was there before, and `community.general.ufw` cannot tell that ufw left a rule out.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from typing import Final

from callgate.audit.target import Target
from callgate.change.remedy import firewalld, nft, ufw
from callgate.change.remedy.foreseen import foreseen_target
from callgate.change.remedy.gate import gate_format, without_gate
from callgate.change.remedy.need import Need
from callgate.change.remedy.need import needs as needs_of
from callgate.change.remedy.recipe import Recipe, Refused
from callgate.change.remedy.script import comment

_HOST: Final = re.compile(r"(?!(?:all|ungrouped)$)[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
"""What a host of an inventory can be called without meaning a pattern, or a group that every inventory has."""
_TRACES: Final = {"firewalld": "/etc/callgate/firewalld.added", "ufw": "/etc/callgate/ufw.added"}
"""The files that a script keeps as long as it is in force."""

_TASKS: Final = """\
  tasks:
    - name: Know which state is wanted
      ansible.builtin.assert:
        that: (callgate_state | default('present')) in ['present', 'absent']
        fail_msg: callgate_state is present or absent
        quiet: true

    - name: Ask the host what is in force
      ansible.builtin.command:
        argv: [sh, -s, status]
        stdin: "{{ callgate_script }}"
      register: callgate_status
      check_mode: false
      changed_when: false
      failed_when: callgate_status.rc not in [0, 1]

    - name: Look at the files it keeps
      ansible.builtin.stat:
        path: "{{ item.key }}"
        checksum_algorithm: sha256
      loop: "{{ callgate_files | dict2items }}"
      loop_control:
        label: "{{ item.key }}"
      register: callgate_kept

    - name: See whether it is there, and whether as it should be
      ansible.builtin.set_fact:
        callgate_there: "{{ callgate_kept.results | selectattr('stat.exists') | list | length > 0 }}"
        callgate_other: >-
          {{ callgate_kept.results | selectattr('item.value') | map(attribute='stat.checksum', default='') | list
             != callgate_kept.results | selectattr('item.value') | map(attribute='item.value') | list }}

    - name: Decide
      ansible.builtin.set_fact:
        callgate_action: >-
          {{ ('rollback' if callgate_there | bool else 'nothing')
             if callgate_state | default('present') == 'absent'
             else ('apply' if callgate_status.rc != 0 or callgate_other | bool else 'nothing') }}

    - name: Tell what would be done
      ansible.builtin.debug:
        msg: "{{ ['would run: ' + callgate_action] + callgate_status.stdout_lines }}"
      changed_when: true
      when: ansible_check_mode and callgate_action != 'nothing'

    - name: Run the remedy's script
      ansible.builtin.command:
        argv: [sh, -s, "{{ callgate_action }}"]
        stdin: "{{ callgate_script }}"
      register: callgate_done
      changed_when: true
      when: not ansible_check_mode and callgate_action != 'nothing'

    - name: Tell what was done
      ansible.builtin.debug:
        var: callgate_done.stdout_lines
      when: callgate_done is not skipped
"""


def recipe(target: Target, needs: tuple[Need, ...]) -> Recipe:
    """The remedy of the host's own manager, or else of nftables, as a playbook.

    Raises Refused where none is proven to work; EvidenceError for damaged evidence.
    """
    refused: list[Refused] = []
    for form in (firewalld.recipe, ufw.recipe, _gate):
        try:
            found = form(target, needs)
        except Refused as error:
            refused.append(error)
            continue
        notes = tuple(str(error) for error in refused if "does not guard" not in str(error))
        return replace(found, format="ansible", script=playbook(target, found), notes=(*notes, *found.notes))
    raise refused[-1]


def _gate(target: Target, needs: tuple[Need, ...]) -> Recipe:
    """The remedy in nftables; one of before is replaced."""
    ruleset = target.evidence.policy.ruleset
    there = gate_format(ruleset)
    if there is None:
        return nft.recipe(target, needs)
    if there != "nft":
        raise Refused(f"a remedy of format {there} is in place: use --format {there}, or roll that one back first")
    bare = foreseen_target(target, without_gate(ruleset))
    return nft.recipe(bare, needs_of(bare, dict.fromkeys(need.service for need in needs)))


def playbook(target: Target, found: Recipe) -> str:
    """The playbook that runs a recipe's script where it is not in force, and with `callgate_state=absent` undoes it."""
    host = (
        f"{{{{ callgate_host | default('{target.name}') }}}}" if _HOST.fullmatch(target.name) else "{{ callgate_host }}"
    )
    # What the managers write themselves is told by the script's `status`; an empty sum is for being there alone.
    kept = {f"/{name}": hashlib.sha256(text.encode()).hexdigest() for name, text in found.files.items()}
    files = {_TRACES[found.format]: ""} if found.format in _TRACES else kept
    # The playbook always says what the script is to do.
    told = found.script.replace('"${1:-apply}"', '"${1:-status}"')
    lines = [
        "---",
        comment(
            f"Callgate remedy for {target.name} as an Ansible playbook; within, the script of format {found.format}."
        ),
        "# It runs with ansible-core 2.15 or later alone; collections: none beside ansible.builtin.",
        "#   ansible-playbook -i INVENTORY remedy.yml --check                    tells what would be done",
        "#   ansible-playbook -i INVENTORY remedy.yml                            applies; once more changes nothing",
        "#   ansible-playbook -i INVENTORY remedy.yml -e callgate_state=absent   rolls back",
        "# It is proven for this very host: -e callgate_host=NAME gives the name it has in the inventory.",
        "- name: Close VoIP services to strangers",
        f"  hosts: {json.dumps(host)}",
        "  become: true",
        "  gather_facts: false",
        "  vars:",
        f"    callgate_files: {json.dumps(files)}",
        "    callgate_script: !unsafe |",
        *(f"      {line}" if line else "" for line in told.split("\n")[:-1]),
    ]
    return "\n".join(lines) + "\n" + _TASKS
