#!/bin/sh
# Rebuilds the locks from settings.ini, build.in and uv.in, for every Python and platform at once, each file with its
# hashes.
#
#   requirements/lock.sh             keeps the pinned versions that still fit
#   requirements/lock.sh --upgrade   takes the newest that fit (or --upgrade-package NAME)
#   requirements/lock.sh --wheels    changes nothing: reports what has no wheel on a platform we promise
#
# Needs uv (https://docs.astral.sh/uv) on PATH or named by UV. The locks name no index: pip's own configuration decides.
set -eu
cd "$(dirname "$0")/.."
uv=${UV:-uv}
command -v "$uv" >/dev/null || { echo "lock.sh needs uv: install it, or name it with UV=/path/to/uv" >&2; exit 1; }

lock() { # lock NAME WHAT-IT-IS SOURCE OPTIONS…
    name=$1; what=$2; shift 2
    "$uv" pip compile -q --universal --generate-hashes --no-annotate --no-header --no-emit-index-url \
        --python-version 3.11 "$@" -o "requirements/$name.lock"
    install="pip install --require-hashes --no-deps --no-build-isolation -r requirements/$name.lock"
    { echo "# $what"; echo "# Written by requirements/lock.sh; installed with: $install"
      grep -v '^#' "requirements/$name.lock"; } > "requirements/$name.lock.new"
    mv "requirements/$name.lock.new" "requirements/$name.lock"
    echo "requirements/$name.lock: $(grep -c '==' "requirements/$name.lock") packages"
}

wheels() { # everything but pyspark, which is a source package of pure Python and jars, must have a wheel
    missing=0
    nowhere=$(mktemp -d)
    for lock in build uv local dev producer stream dashboard; do
        for platform in x86_64-manylinux_2_28 aarch64-manylinux_2_28 x86_64-apple-darwin aarch64-apple-darwin; do
            for python in 3.11 3.12 3.13; do
                if out=$("$uv" pip install -q --dry-run --no-deps --require-hashes --target "$nowhere" \
                    --python-platform "$platform" --python-version "$python" \
                    --only-binary :all: --no-binary pyspark --no-build-isolation \
                    -r "requirements/$lock.lock" 2>&1); then echo "$lock on $platform, Python $python: all wheels there"
                else missing=1; echo "$lock on $platform, Python $python: $out"; fi
            done
        done
    done
    rmdir "$nowhere" 2>/dev/null || rm -rf "$nowhere"
    return $missing
}

[ "${1:-}" != --wheels ] || { wheels; exit; }
lock build "What builds and installs the rest: pip, setuptools, wheel." requirements/build.in "$@"
lock uv    "What installs the rest, quicker than pip: uv." requirements/uv.in "$@"
lock dev   "Everything: to run every part on one machine, to edit the notebooks, to test and to measure." \
    --extra local --extra bench --extra dev setup.py "$@"
# the smaller lock follows the larger one, so that both hold the same versions
lock local "What one machine needs to run every part." --extra local -c requirements/dev.lock setup.py
# a container installs what its role runs
lock producer  "What the producer's container runs: the feed, the twin and the broker client." \
    --extra twin -c requirements/dev.lock setup.py
lock stream    "What the stream job's container runs: Spark and the stores' clients." \
    --extra spark -c requirements/dev.lock setup.py
lock dashboard "What the dashboard's container runs: Streamlit and the readers." \
    --extra dashboard -c requirements/dev.lock setup.py
