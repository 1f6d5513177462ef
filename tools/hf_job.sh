#!/usr/bin/env bash
# Schedule `hfscan snapshot` as a Hugging Face Job, twice a day: tools/hf_job.sh OWNER/NAME [OPTIONS]
# OPTIONS are those of `hf jobs scheduled run`, such as --namespace or --dry-run. See docs/snapshots.md.
set -euo pipefail
dataset=${1:?Usage: tools/hf_job.sh OWNER/NAME [OPTIONS]}
shift
# the second run of a day completes a failed first one; otherwise it adds nothing
schedule=${HFSCAN_SCHEDULE:-17 4,16 * * *}
# not a bare name: whoever registers it in a package index would run code beside the token
package=${HFSCAN_PACKAGE:-}
if [[ $package != *://* ]]; then
    echo "HFSCAN_PACKAGE names no URL. Set it to git+https://github.com/OWNER/hfscan@COMMIT, or to a wheel's URL." >&2
    exit 2
fi
exec hf jobs scheduled run \
    --name hfscan-snapshot --flavor cpu-basic --timeout 6h --no-concurrency --secrets HF_TOKEN "$@" \
    "$schedule" python:3.12 bash -c \
    'set -e; pip install --quiet "$0"; hfscan snapshot --target "hf://datasets/$1" --work-dir /tmp/snapshot' \
    "$package" "$dataset"
