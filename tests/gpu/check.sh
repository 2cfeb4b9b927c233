#!/bin/sh
# Run by the file that bundle.py makes, in the directory that it unpacked; see there.
#   DLCORE_DEVICE=cuda:1   another card than the first
#   SAMPLES=1000           fewer samples of MNIST than 60000
set -u
cd "${1:-.}" || exit 1
export DLCORE_DEVICE="${DLCORE_DEVICE:-cuda}" DLCORE_CACHE="$PWD/cache"
failed=0
say() { printf '\n==> %s\n' "$*"; }

say "devices"
./device_check devices
if ./device_check fail 2>&1 | grep -q 'is not available'; then
    ./device_check fail
    echo "There is no card that can be used: nothing was checked."
    exit 2
fi
say "every operation and layer on $DLCORE_DEVICE against the processor"
./suite device_tests grad::ops layers:: optimizers:: --skip parity || failed=1
say "training on $DLCORE_DEVICE against the processor"
./device_check agree || failed=1
./device_check networks || failed=1
if [ -d data ]; then
    say "seconds an epoch on $DLCORE_DEVICE"
    DLCORE_DATA="$PWD/data" ./device_check train "${SAMPLES:-60000}" || failed=1
    say "seconds an epoch on the processor"
    DLCORE_DEVICE=cpu DLCORE_DATA="$PWD/data" ./device_check train "${SAMPLES:-60000}" || failed=1
fi
if python3 -c 'import torch' 2>/dev/null; then
    say "seconds an epoch of PyTorch"
    python3 epochs_torch.py "${SAMPLES:-60000}" || failed=1
else
    say "PyTorch is not installed here"
fi
say "$([ $failed -eq 0 ] && echo 'all is well' || echo 'FAILED, see above')"
exit $failed
