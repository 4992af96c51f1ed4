# Sourced by the scripts here: sets PYTHON to one that has ipyparallel, or else to any.
if [ -z "${PYTHON:-}" ]; then
    for PYTHON in ../.venv/bin/python python3; do
        "$PYTHON" -c 'import ipyparallel' 2>/dev/null && break
    done
fi
command -v "$PYTHON" >/dev/null || { echo "no Python 3: set PYTHON to one" >&2; exit 69; }
