#!/bin/sh
# Runs in the virtual machine: mounts what an init system would mount, then runs doctor and pytest.
#   run-in-vm.sh PYTHON PYTHONPATH REPOSITORY SHARED PYTEST-ARGUMENTS...
# The root file system is a read-only view of the host's; the tests write to the disk of the virtual machine.
set -u
python=$1 PYTHONPATH=$2 repository=$3 shared=$4
shift 4
export PYTHONPATH
mount_cached() {
    mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose "$1" "$2"
}
mkdir /run/usr /run/usr-upper /run/usr-work
mount_cached usr /run/usr
mount -t overlay -o lowerdir=/run/usr,upperdir=/run/usr-upper,workdir=/run/usr-work usr /usr
mkdir -p /usr/lib/modules && mount_cached modules /usr/lib/modules
mount_cached repository "$repository"
cd "$repository" || exit 91
modprobe --all virtio_blk loop ext4
mkfs.ext4 -q -F /dev/vda && mount /dev/vda /var/tmp && chmod 1777 /var/tmp || exit 90
mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug
mountpoint -q /sys/fs/cgroup || mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
# The emulated kernel takes seconds to list its symbols, which BCC reads at each start.
cat /proc/kallsyms >/run/kallsyms && mount --bind /run/kallsyms /proc/kallsyms
export CI=true TMPDIR=/var/tmp PYTHONDONTWRITEBYTECODE=1 COPY_EXPORTER_TEST_SCALE=0.2
# Both compile and load the probes; there are two CPUs.
"$(dirname "$python")/copy-exporter" doctor --json >"$shared/doctor.json" 2>"$shared/doctor.log" &
"$python" -m pytest -p no:cacheprovider -p no:hypothesispytest -o timeout=900 --verbose --durations=10 -o junit_family=xunit1 --junitxml="$shared/junit.xml" "$@" >"$shared/pytest.log" 2>&1
status=$?
wait
exit $status
