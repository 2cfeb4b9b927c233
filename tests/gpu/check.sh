#!/bin/sh
# Run by the file that bundle.py makes, in the directory that it unpacked; see there.
#   DLCORE_DEVICE=cuda:1   another card than the first
#   SAMPLES=1000           fewer samples of MNIST than 60000
set -u
cd "${1:-.}" || exit 1
export DLCORE_DEVICE="${DLCORE_DEVICE:-cuda}" DLCORE_CACHE="$PWD/cache"
samples=${SAMPLES:-60000}
failed=0
say() { printf '\n==> %s\n' "$*"; }
# Keeps what a command says, and shows it.
kept() {
    file=$1
    shift
    { "$@" || failed=1; } >"$file" 2>&1
    cat "$file"
}
# A network's seconds as a file has them: "MNIST, two dense layers: 1.23 s an epoch of …".
seconds() { sed -n "s/^$1: \([0-9.]* s\) an epoch.*/\1/p" "$2" 2>/dev/null | grep . || echo "-"; }

say "devices"
date -u
./device_check devices
if command -v nvidia-smi >/dev/null; then
    nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
fi
if ./device_check fail 2>&1 | grep -q 'is not available'; then
    ./device_check fail
    echo "There is no card that can be used: nothing was checked."
    exit 2
fi
say "every operation and layer on $DLCORE_DEVICE against the processor"
# Without the tests that compare with files of Keras's, which are not here; their names say so.
./suite device_tests grad::ops layers:: optimizers:: --skip parity --skip keras || failed=1
say "training on $DLCORE_DEVICE against the processor"
./device_check agree || failed=1
./device_check networks || failed=1
./device_check mixed || failed=1
if [ -d data ]; then
    export DLCORE_DATA="$PWD/data"
    say "seconds an epoch on $DLCORE_DEVICE"
    kept on_card ./device_check train "$samples"
    say "seconds an epoch on the processor"
    kept on_processor env DLCORE_DEVICE=cpu ./device_check train "$samples"
fi
if python3 -c 'import torch' 2>/dev/null; then
    say "seconds an epoch of PyTorch"
    kept by_torch python3 epochs_torch.py "$samples"
else
    say "PyTorch is not installed here"
fi
say "seconds an epoch of $samples samples"
./device_check devices | grep '^cuda'
printf '%-28s %12s %12s %12s\n' "" "$DLCORE_DEVICE" processor PyTorch
for network in "MNIST, two dense layers" "MNIST, the convnet of 5.1" "MNIST by rows, an LSTM"; do
    printf '%-28s %12s %12s %12s\n' "$network" "$(seconds "$network" on_card)" "$(seconds "$network" on_processor)" \
        "$(seconds "$network" by_torch)"
done
say "$([ $failed -eq 0 ] && echo 'all is well' || echo 'FAILED, see above')"
exit $failed
