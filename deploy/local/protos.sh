# SPDX-License-Identifier: Apache-2.0
# The Makefile's commands for protos/: generate, check (is what was generated up to date?), lint, format.
# Offline: google/api and google/rpc come from the googleapis-common-protos wheel. $2: the interpreter to use.
set -eu

python=${2:-.venv/bin/python}
programs=$(cd "$(dirname "$python")" && pwd)

sources=$(find protos -name '*.proto' | LC_ALL=C sort)
wheel=$("$python" -c 'import pathlib, google.api as api; print(pathlib.Path(api.__path__[0]).parents[1])')
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

comments=libs/purser_cli/rpc/comments.json # of the protos, for the help of the command line

generate() { # $1: the folder that receives purser/ and comments.json
    # shellcheck disable=SC2086
    "$python" -m grpc_tools.protoc -Iprotos -I"$wheel" \
        --plugin=protoc-gen-mypy_grpc="$programs/protoc-gen-mypy_grpc" \
        --python_out="$1" --pyi_out="$1" --grpc_python_out="$1" --mypy_grpc_out=quiet:"$1" $sources
    : >"$1/purser/py.typed"
    # shellcheck disable=SC2086
    "$python" -m grpc_tools.protoc -Iprotos -I"$wheel" --include_source_info --descriptor_set_out="$1/purser.pb" $sources
    "$python" -m deploy.local.proto_comments "$1/purser.pb" "$1/comments.json"
}

# buf requires every import inside the module it checks. So $1 becomes protos/ with google/ next to purser/.
workspace() {
    mkdir -p "$1"
    tar -x -C "$1" --strip-components=1
    cp protos/buf.yaml "$1/"
    (cd "$wheel" && find google/api google/rpc google/type -name '*.proto' | tar -c -T -) | tar -x -C "$1"
}

case $1 in
generate)
    generate "$scratch"
    rm -rf libs/purser
    cp -R "$scratch/purser" libs/purser
    cp "$scratch/comments.json" "$comments"
    ;;
check)
    generate "$scratch"
    diff -r --brief --exclude=__pycache__ "$scratch/purser" libs/purser || {
        echo "purser: libs/purser is not what protoc generates from protos/; run: make protos" >&2
        exit 1
    }
    cmp -s "$scratch/comments.json" "$comments" || {
        echo "purser: $comments does not have the comments of protos/; run: make protos" >&2
        exit 1
    }
    ;;
lint)
    tar -c protos | workspace "$scratch/now"
    (cd "$scratch/now" && "$programs/buf" lint)
    "$programs/buf" format protos --diff --exit-code
    for main in origin/main main; do
        if git cat-file -e "$main:protos/purser" 2>/dev/null; then
            git archive "$main" protos | workspace "$scratch/before"
            (cd "$scratch/now" && "$programs/buf" breaking --against ../before)
            break
        fi
    done
    ;;
stubs)
    tar -c protos | workspace "$scratch/now"
    mkdir -p "$4"
    "$programs/buf" generate "$scratch/now" --path "$scratch/now/purser" --template "$3" --output "$4"
    ;;
format)
    "$programs/buf" format --write protos
    ;;
esac
