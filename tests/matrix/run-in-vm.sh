#!/bin/sh
# Runs in the virtual machine: mounts what an init system would mount, then runs a command in the repository.
#   run-in-vm.sh PYTHONPATH REPOSITORY COMMAND...
# The root file system is a read-only view of the host's; the command writes to the disk of the virtual machine.
set -u
PYTHONPATH=$1 repository=$2
shift 2
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
export CI=true TMPDIR=/var/tmp PYTHONDONTWRITEBYTECODE=1
exec "$@"
