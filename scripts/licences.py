"""Licence guard: every crate of the graph must be usable under a licence that deny.toml allows.

Usage: licences.py deny.toml metadata.json   (the latter from `cargo metadata --format-version 1`)
Prints each crate that is not, and exits with 1. `A OR B` needs one of them, `A AND B` both; `/` is an old way to write OR.
"""

import json
import re
import sys


def allowed_licences(deny_toml: str) -> set[str]:
    """The strings of `allow = [...]` in [licenses]; read by pattern, because tomllib is missing before Python 3.11."""
    section = re.search(r"^\[licenses\]$(.*?)(?=^\[|\Z)", deny_toml, re.M | re.S)
    array = section and re.search(r"^allow\s*=\s*\[(.*?)\]", section.group(1), re.M | re.S)
    if not array:
        sys.exit("deny.toml has no [licenses] allow = [...]")
    lines = (line.split("#")[0] for line in array.group(1).splitlines())
    return set(re.findall(r'"([^"]+)"', "\n".join(lines)))


def satisfied(expression: str, allowed: set[str]) -> bool:
    """Evaluates an SPDX expression; AND binds tighter than OR, WITH belongs to the licence before it."""
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))
    position = 0

    def peek() -> str:
        return tokens[position] if position < len(tokens) else ""

    def take() -> str:
        nonlocal position
        token = peek()
        position += 1
        return token

    def atom() -> bool:
        token = take()
        if token == "(":
            inner = either()
            if take() != ")":
                raise ValueError("unbalanced parentheses")
            return inner
        if token in ("", ")", "AND", "OR", "WITH"):
            raise ValueError(f"a licence is missing before {token!r}")
        if peek() == "WITH":
            take()
            token = f"{token} WITH {take()}"
        return token in allowed

    def both() -> bool:
        holds = atom()
        while peek() == "AND":
            take()
            holds = atom() and holds
        return holds

    def either() -> bool:
        holds = both()
        while peek() == "OR":
            take()
            holds = both() or holds
        return holds

    holds = either()
    if position != len(tokens):
        raise ValueError(f"cannot read from {peek()!r}")
    return holds


def prove_that_it_can_fail() -> None:
    """A guard that accepts everything is worse than none."""
    allowed = {"MIT", "ISC"}
    for expression, want in [
        ("MIT", True),
        ("GPL-3.0-or-later", False),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("LGPL-2.1/MIT", True),
        ("ISC AND (AGPL-3.0 OR MIT)", True),
        ("GPL-2.0 WITH Classpath-exception-2.0", False),
        ("GPL-3.0-only OR MIT AND AGPL-3.0-only", False),
    ]:
        if satisfied(expression, allowed) is not want:
            sys.exit(f"the licence guard itself is broken: {expression}")


def main() -> None:
    prove_that_it_can_fail()
    with open(sys.argv[1], encoding="utf-8") as file:
        allowed = allowed_licences(file.read())
    with open(sys.argv[2], encoding="utf-8") as file:
        packages = json.load(file)["packages"]
    bad = []
    for package in packages:
        licence = package["license"]
        name = f"{package['name']} {package['version']}"
        try:
            if not licence:
                bad.append(f"{name}: names no licence")
            elif not satisfied(licence, allowed):
                bad.append(f"{name}: {licence}")
        except ValueError as error:
            bad.append(f"{name}: {licence} ({error})")
    for line in bad:
        print(line, file=sys.stderr)
    if bad or not packages:
        sys.exit(f"{len(bad)} of {len(packages)} crates have no licence we allow")
    print(f"{len(packages)} crates, all under licences that deny.toml allows")


main()
