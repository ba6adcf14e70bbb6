"""The licences of the installed packages, as a Markdown table, from a CycloneDX bill of materials.

`make sbom` runs it. Format: CycloneDX 1.6, `components[].licenses`, which holds SPDX identifiers, SPDX
expressions or free names.
"""

import json
import re
import sys
from pathlib import Path

COPYLEFT = re.compile(r"\b(A?GPL|SSPL|EUPL|OSL)\b|Affero|GNU General Public", re.IGNORECASE)

# Packages whose metadata names no licence, with the licence of the licence file inside the package.
UNDECLARED = {"IMAPClient": "BSD-3-Clause"}


def licence_of(component: dict[str, object]) -> str:
    """The licences that a component names, joined by "or"; a blank text if it names none."""
    listed = component.get("licenses")
    entries = listed if isinstance(listed, list) else []
    names = [entry.get("expression") or entry.get("license", {}).get("id") for entry in entries]
    free = [entry.get("license", {}).get("name", "") for entry in entries]
    short = [name.rsplit(" :: ", 1)[-1] for name in free if len(name) <= 80]  # some contain the whole text
    return " or ".join(dict.fromkeys(filter(None, names))) or " or ".join(dict.fromkeys(filter(None, short)))


def licence_table(bill: dict[str, object]) -> str:
    """Name, version and licence of each component, by name.

    Raises ValueError if a component names no licence, or one under which Mailhaul could not be redistributed.
    """
    components = bill.get("components")
    rows = []
    for component in components if isinstance(components, list) else []:
        licence = licence_of(component) or UNDECLARED.get(str(component["name"]), "")
        if not licence:
            raise ValueError(f"{component['name']} names no licence.")
        if COPYLEFT.search(licence):
            raise ValueError(f"{component['name']}: {licence} does not go with Apache-2.0.")
        rows.append(f"| {component['name']} | {component['version']} | {licence} |")
    return "\n".join(["| package | version | licence |", "|---|---|---|", *sorted(rows, key=str.lower)])


if __name__ == "__main__":
    sys.stdout.write(licence_table(json.loads(Path(sys.argv[1]).read_text())) + "\n")
