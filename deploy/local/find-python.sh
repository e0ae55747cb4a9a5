# SPDX-License-Identifier: Apache-2.0
# Prints the interpreter for .venv: the one named by $1, otherwise the newest Python >= 3.11 on PATH that runs and has venv.
# Each candidate is run as a test: shims of version managers can be on PATH and still fail to start.

runs() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
has_venv() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }
fail() { echo "purser: $1" >&2; exit 1; }

if [ -n "$1" ]; then
    runs "$1" || fail "PYTHON=$1 does not run as Python 3.11 or newer; name another interpreter"
    has_venv "$1" || fail "PYTHON=$1 lacks the venv module; install it (Debian, Ubuntu: the package python3-venv) or name another interpreter"
    echo "$1"
    exit 0
fi

without_venv=
IFS=:
for name in python3.14 python3.13 python3.12 python3.11 python3 python; do
    for folder in $PATH; do
        candidate=$folder/$name
        [ -x "$candidate" ] && runs "$candidate" || continue
        if has_venv "$candidate"; then
            echo "$candidate"
            exit 0
        fi
        without_venv=$candidate
    done
done
[ -z "$without_venv" ] || fail "$without_venv lacks the venv module; install it (Debian, Ubuntu: the package python3-venv) or run: make PYTHON=/path/to/python3 install"
fail "no Python 3.11 or newer on PATH; install one or run: make PYTHON=/path/to/python3 install"
