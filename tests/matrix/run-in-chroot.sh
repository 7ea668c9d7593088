#!/bin/sh
# Runs doctor and pytest in another root file system on the running kernel; start it in a new mount namespace.
#   run-in-chroot.sh ROOT PYTHONPATH REPOSITORY SHARED PYTEST-ARGUMENTS...
set -eu
root=$1 path=$2 repository=$3 shared=$4
shift 4
mkdir -p "$root$repository" "$root$shared"
mount -t proc proc "$root/proc"
for directory in /dev /sys "$repository" "$shared"; do
    mount --rbind "$directory" "$root$directory"
done
in_root() {
    chroot "$root" env -i -C "$repository" CI=true HOME=/root TMPDIR="$shared" PYTHONDONTWRITEBYTECODE=1 \
        PATH=/usr/sbin:/usr/bin PYTHONPATH="$path" COPY_EXPORTER_TEST_SCALE=0.2 "$@"
}
in_root copy-exporter doctor --json >"$shared/doctor.json" 2>"$shared/doctor.log" || true
in_root python3 -c 'import bcc; print(bcc.__version__)' >"$shared/bcc"
in_root python3 -m pytest -p no:cacheprovider -p no:hypothesispytest --verbose --durations=10 \
    -o junit_family=xunit1 --junitxml="$shared/junit.xml" "$@" >"$shared/pytest.log" 2>&1
