#!/bin/sh
# Runs doctor and pytest in the virtual machine, in the repository.
#   doctor-and-pytest.sh PYTHON SHARED PYTEST-ARGUMENTS...
set -u
python=$1 shared=$2
shift 2
export COPY_EXPORTER_TEST_SCALE=0.2
# Both compile and load the probes; there are two CPUs.
"$(dirname "$python")/copy-exporter" doctor --json >"$shared/doctor.json" 2>"$shared/doctor.log" &
"$python" -m pytest -p no:cacheprovider -p no:hypothesispytest -o timeout=400 --verbose --durations=10 -o junit_family=xunit1 --junitxml="$shared/junit.xml" "$@" >"$shared/pytest.log" 2>&1
status=$?
wait
exit $status
