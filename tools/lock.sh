#!/usr/bin/env bash
# Writes locks/*.txt anew: run (to serve), dev (to work on it), bench (the peers it is compared with). A lock
# has every package with its version and hashes, and no address of any index.
set -euo pipefail
cd "$(dirname "$0")/.."

# The lock is for every machine: extra indexes and folders of this one could offer files that no other has.
unset PIP_FIND_LINKS PIP_EXTRA_INDEX_URL
export PIP_CONFIG_FILE=/dev/null

# What pyproject.toml asks for, extras of our own opened up; `dev` also has what builds the project itself.
requirements() { # requirements run|dev|bench
    .venv/bin/python - "$1" <<'READ'
import sys
import tomllib
from pathlib import Path

settings = tomllib.loads(Path("pyproject.toml").read_text())
project = settings["project"]
extras = project["optional-dependencies"]


def opened(extra: str) -> list[str]:
    found = []
    for name in extras[extra]:
        if name.startswith("onhook["):
            found += [each for inner in name[7:-1].split(",") for each in opened(inner)]
        else:
            found.append(name)
    return found


lines = {
    "run": lambda: project["dependencies"],
    "dev": lambda: project["dependencies"] + opened("dev") + settings["build-system"]["requires"] + ["editables"],
    "bench": lambda: opened("bench"),
}[sys.argv[1]]()
print("\n".join(lines))
READ
}

compile() { # compile run|dev|bench [pip-compile's options]
    local output=locks/$1.txt
    requirements "$1" | .venv/bin/pip-compile - \
        --output-file "$output" \
        --generate-hashes --allow-unsafe --strip-extras --resolver backtracking \
        --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options --no-header \
        --no-annotate --quiet "${@:2}"
    if grep -nE '://|^--(index|extra-index|find-links|trusted)|[^=]@ ' "$output"; then
        echo "$output: the lines above name an address; a lock holds names, versions and hashes only." >&2
        return 1
    fi
}

mkdir -p locks
compile dev
compile run --constraint locks/dev.txt
compile bench --constraint locks/dev.txt
