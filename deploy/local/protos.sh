# SPDX-License-Identifier: Apache-2.0
# What the Makefile does with protos/: generate, check (is libs/purser fresh?), lint, format.
# Offline: google/api and google/rpc come from the googleapis-common-protos wheel.
set -eu

python=.venv/bin/python
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

sources=$(find protos -name '*.proto' 2>/dev/null | LC_ALL=C sort)
if [ -z "$sources" ]; then
    echo "purser: no protos yet"
    exit 0
fi
wheel_folder=$($python -c 'import pathlib, google.api as api; print(pathlib.Path(api.__path__[0]).parents[1])')

generate() { # $1: the folder that receives purser/
    # shellcheck disable=SC2086
    $python -m grpc_tools.protoc -Iprotos -I"$wheel_folder" \
        --plugin=protoc-gen-mypy_grpc=.venv/bin/protoc-gen-mypy_grpc \
        --python_out="$1" --pyi_out="$1" --grpc_python_out="$1" --mypy_grpc_out=quiet:"$1" $sources
    : >"$1/purser/py.typed"
}

# buf wants every import inside its workspace, so one is laid out: $1/protos is ours, $1/googleapis the wheel's.
workspace() {
    mkdir -p "$1/googleapis/google"
    cp buf.yaml "$1/"
    for part in api rpc type; do
        (cd "$wheel_folder" && find "google/$part" -name '*.proto') | while read -r file; do
            mkdir -p "$1/googleapis/$(dirname "$file")"
            cp "$wheel_folder/$file" "$1/googleapis/$file"
        done
    done
}

case $1 in
generate)
    generate "$scratch"
    rm -rf libs/purser
    cp -R "$scratch/purser" libs/purser
    ;;
check)
    generate "$scratch"
    diff -r --brief --exclude=__pycache__ "$scratch/purser" libs/purser || {
        echo "purser: libs/purser is not what protoc makes of protos/; run: make protos" >&2
        exit 1
    }
    ;;
lint)
    buf=$PWD/.venv/bin/buf
    workspace "$scratch/now"
    cp -R protos "$scratch/now/protos"
    (cd "$scratch/now" && "$buf" lint protos && "$buf" format --diff --exit-code protos)
    for main in origin/main main; do
        if git cat-file -e "$main:protos" 2>/dev/null; then
            workspace "$scratch/before"
            git archive "$main" protos | tar -x -C "$scratch/before"
            (cd "$scratch/now" && "$buf" breaking protos --against "$scratch/before/protos")
            break
        fi
    done
    ;;
format)
    .venv/bin/buf format --write protos
    ;;
esac
