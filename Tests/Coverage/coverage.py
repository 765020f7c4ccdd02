#!/usr/bin/env python3
"""Which test shows which requirement: docs/coverage.md, made from the ids that tests cite.

    coverage.py --write            writes docs/coverage.md
    coverage.py --check            fails where that file is out of date, or a requirement has neither test nor reason
    coverage.py --results XML...   prints the table with results, from the xUnit files of a run

An id counts for the test in whose name, comment or body it stands, and for all tests of a suite where it stands in the
suite's name or comment. "AUTH-01 to AUTH-03" cites all three. requirements.txt beside this lists the requirements,
with a reason where there is no test.
"""

import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LIST = ROOT / "Tests/Coverage/requirements.txt"
TABLE = ROOT / "docs/coverage.md"
HEAD = """# Coverage

Which test shows which requirement of DCP, of the groups that concern a home node and its clients. Made by
`Tests/Coverage/coverage.py --write` from the ids that tests cite; `make lint` fails where it is out of date, `make format`
writes it. `make test` leaves the same table with the results of the run in `.build/coverage.md`.

| id | requirement | tests |
| --- | --- | --- |
"""

CITED = re.compile(r"\b([A-Z0-9]{2,6})-(\d\d)\b(?: to ([A-Z0-9]{2,6})-(\d\d)\b)?")
SUITE = re.compile(r"^(?:public |private |final )*(?:struct|extension|class|enum|actor) (\w+(?:\.\w+)*)")
SUITE_ON_LINE = re.compile(r'@Suite\(.*\) (?:struct|final class|class|actor|enum) (\w+)')
NESTED = re.compile(r"^    (?:private |final )*(?:struct|class|enum|actor) (\w+)")
FUNCTION = re.compile(r"\bfunc (\w+)\(")
TEST = re.compile(r"^\s*@Test\b")


def requirements():
    """[(id, title, reason or None)] in the order of the list."""
    rows = []
    for line in LIST.read_text().splitlines():
        parts = line.split("\t")
        rows.append((parts[0], parts[1], parts[2] if len(parts) > 2 else None))
    return rows


def ids(line):
    for match in CITED.finditer(line):
        group, first, other, last = match.groups()
        end = int(last) if other == group else int(first)
        for number in range(int(first), end + 1):
            yield f"{group}-{number:02}"


def citations(text):
    """(id, suite, function or None) for each id that a file of tests cites."""
    lines = text.splitlines()
    # For each line: the suite that it is in, and what it belongs to.
    found, pending, suite, function, in_attribute, top, before = [], [], None, None, False, None, ""
    for line in lines:
        nested = NESTED.match(line) if before.startswith("@Suite") else None
        stripped = line.strip()
        declared = SUITE.match(line) or SUITE_ON_LINE.search(line)
        cited = list(ids(line))
        before = stripped
        if declared or nested:
            # Suites within another are named by both.
            suite = declared.group(1) if declared else f"{top}.{nested.group(1)}"
            top, function = declared.group(1) if declared else top, None
            found += [(cite, suite, None) for cite in pending + cited]
            pending, in_attribute = [], False
            continue
        if TEST.match(line):
            in_attribute = True
        named = FUNCTION.search(line)
        if named and (in_attribute or line.startswith("    ") and not line.startswith("     ")):
            function = named.group(1) if in_attribute else None
            found += [(cite, suite, function) for cite in pending + cited]
            pending, in_attribute = [], False
            continue
        if stripped.startswith("//") and not line.startswith("     ") or stripped.startswith("@") or in_attribute:
            pending += cited
        else:
            found += [(cite, suite, function) for cite in pending + cited]
            pending = []
    return [entry for entry in found if entry[1]]


def table():
    """{id: sorted names of tests}; a name is Target.Suite or Target.Suite.function."""
    shown = {}
    for path in sorted((ROOT / "Tests").rglob("*.swift")):
        target = path.relative_to(ROOT / "Tests").parts[0]
        if not target.endswith("Tests") or target == "HouseTests":
            continue
        for cite, suite, function in citations(path.read_text()):
            name = f"{target}.{suite}" + (f".{function}" if function else "")
            shown.setdefault(cite, set()).add(name)
    # A test of a suite that is named as a whole says nothing more.
    for cite, names in shown.items():
        shown[cite] = sorted(name for name in names if name.rsplit(".", 1)[0] not in names)
    return shown


def rendered(shown):
    rows = []
    for cite, title, reason in requirements():
        tests = ", ".join(f"`{name}`" for name in shown.get(cite, []))
        rows.append(f"| {cite} | {title} | {tests or 'none: ' + (reason or '')} |\n")
    return HEAD + "".join(rows)


def results(paths):
    """{Target.Suite.function: True if it passed}."""
    passed = {}
    for path in paths:
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            name = case.get("name", "").split("(")[0]
            key = f"{case.get('classname')}.{name}"
            passed[key] = passed.get(key, True) and case.find("failure") is None
    return passed


def verdict(names, passed):
    runs = [good for key, good in passed.items() if any(key == name or key.startswith(name + ".") for name in names)]
    if not runs:
        return "not run"
    return f"{len(runs)} passed" if all(runs) else f"{runs.count(False)} of {len(runs)} failed"


def main():
    shown = table()
    if sys.argv[1:2] == ["--write"]:
        TABLE.write_text(rendered(shown))
    elif sys.argv[1:2] == ["--check"]:
        empty = [cite for cite, _, reason in requirements() if not shown.get(cite) and not reason]
        if empty:
            sys.exit("no test cites " + ", ".join(empty))
        if not TABLE.exists() or TABLE.read_text() != rendered(shown):
            sys.exit("docs/coverage.md is out of date: run Tests/Coverage/coverage.py --write")
    elif sys.argv[1:2] == ["--results"]:
        passed = results(sys.argv[2:])
        print("| id | requirement | result |\n| --- | --- | --- |")
        for cite, title, reason in requirements():
            names = shown.get(cite, [])
            print(f"| {cite} | {title} | {verdict(names, passed) if names else 'none: ' + (reason or '')} |")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
