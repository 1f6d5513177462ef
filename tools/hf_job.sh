#!/usr/bin/env bash
# Schedule `hfscan snapshot` as a Hugging Face Job, twice a day: tools/hf_job.sh OWNER/NAME [OPTIONS]
# OPTIONS are those of `hf jobs scheduled run`, such as --namespace or --dry-run. See docs/snapshots.md.
set -euo pipefail
dataset=${1:?Usage: tools/hf_job.sh OWNER/NAME [OPTIONS]}
shift
# the second run of a day completes a failed first one; otherwise it adds nothing
schedule=${HFSCAN_SCHEDULE:-17 4,16 * * *}
# what pip installs: a release, or the archive of a fork
package=${HFSCAN_PACKAGE:-hfscan}
exec hf jobs scheduled run \
    --name hfscan-snapshot --flavor cpu-basic --timeout 6h --no-concurrency --secrets HF_TOKEN "$@" \
    "$schedule" python:3.12 bash -c \
    'set -e; pip install --quiet "$0"; hfscan snapshot --target "hf://datasets/$1" --work-dir /tmp/snapshot' \
    "$package" "$dataset"
