#!/usr/bin/env bash
# Builds the kernel, installs it for Jupyter and, with --lab, opens JupyterLab on a copy of the chapters.
# Everything it installs lies in <prefix>/share/rust-dl and <prefix>/share/jupyter/kernels/rust-dl.
set -euo pipefail

MIN_RUST=1.95
MIN_PYTHON=3.9
JUPYTERLAB='jupyterlab>=4.4,<5'
# Measured on Linux x86-64, rounded up: a release build from nothing, an installation, JupyterLab.
BUILD_MB=2500
HOME_MB=600
LAB_MB=400

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=${CARGO_TARGET_DIR:-$repo/target}
log=""

usage() {
    cat <<'TEXT'
usage: ./install.sh [--lab] [--notebooks DIR] [--user | --prefix DIR | --sys-prefix]
       ./install.sh --uninstall [--user | --prefix DIR | --sys-prefix]

Builds the kernel "Rust (deep learning)" and installs it for Jupyter.

  --lab            afterwards, copy the chapters into a directory of yours and open JupyterLab there
  --notebooks DIR  that directory (default: ~/rust-dl-notebooks)
  --user           install for this user, below ~/.local (the default)
  --prefix DIR     install below DIR (kernelspec in DIR/share/jupyter/kernels/rust-dl)
  --sys-prefix     install into the Python environment that python3 belongs to
  --uninstall      remove what an earlier run installed there, and what sessions cached
  -h, --help       this text

Chapters that are in the directory already stay as they are, whatever was changed in them.
Where no `jupyter lab` is found, JupyterLab goes into a virtual environment of its own,
<prefix>/share/rust-dl/jupyter. Running the script again does only what has changed.
Uninstalling leaves your notebooks, data sets, the history of cells and this checkout's build.
TEXT
}

say() { printf '%s\n' "$*"; }

# die WHAT WHAT-TO-DO: nothing that was installed before has been touched when this is reached.
die() {
    printf '\ninstall.sh: %s\n' "$1" >&2
    [ -z "${2:-}" ] || printf '  %s\n' "$2" >&2
    exit 1
}

# at_least HAVE WANT: compares versions by their first two numbers.
at_least() {
    local have_major=${1%%.*} want_major=${2%%.*} have_minor want_minor
    have_minor=${1#*.}; have_minor=${have_minor%%.*}
    want_minor=${2#*.}; want_minor=${want_minor%%.*}
    [ "$have_major" -gt "$want_major" ] ||
        { [ "$have_major" -eq "$want_major" ] && [ "$have_minor" -ge "$want_minor" ]; }
}

# The nearest directory on the way to $1 that exists: that is whose disk and permissions count.
existing_parent() {
    local dir=$1
    while [ ! -e "$dir" ] && [ "$dir" != / ]; do dir=$(dirname "$dir"); done
    printf '%s' "$dir"
}

free_mb() { df -Pm "$(existing_parent "$1")" | awk 'NR == 2 { print $4 }'; }

need_space() {
    local free; free=$(free_mb "$1")
    [ "$free" -ge "$2" ] ||
        die "the disk that holds $1 has $free MB free, and $3 needs about $2 MB." \
            "Free some space there$4, then run this script again."
}

# Why a step failed, from what it printed and from the disks it wrote to.
explain() {
    local dir free full=20
    # A full disk shows itself in many ways (a linker's bus error among them), so the disks are asked too.
    if grep -qiE 'no space left|disk quota exceeded|os error 28' "$log"; then full=200; fi
    for dir in "$target" "$home" "${TMPDIR:-/tmp}"; do
        free=$(free_mb "$dir")
        if [ "$free" -lt "$full" ]; then
            say "The disk that holds $dir is full ($free MB left). Free some space, then run this script again."
            return
        fi
    done
    if grep -qiE 'no space left|disk quota exceeded|os error 28' "$log"; then
        say "A disk was full while it ran. Free some space, then run this script again."
    elif grep -qiE 'could ?n.t resolve|could not resolve|failed to download|failed to connect|connection refused|connection timed out|network is unreachable|spurious network|name resolution|download of .* failed|no matching distribution|cannot connect to proxy|proxyerror' "$log"; then
        say "Something could not be downloaded. Check the network connection (and HTTPS_PROXY, where one is needed), then run this script again: what was fetched is kept."
    elif grep -qi 'permission denied' "$log"; then
        say "Something may not be written. Choose a directory of your own with --prefix DIR."
    elif grep -qiE 'needs to be updated but --locked|lock file .* needs' "$log"; then
        say "Cargo.lock does not fit Cargo.toml: the checkout is incomplete or was edited. Try: git checkout Cargo.lock"
    else
        say "$1"
    fi
}

# step TITLE ADVICE COMMAND…: runs it, shows its output and its time; on failure says what to do.
step() {
    local title=$1 advice=$2 began=$SECONDS status=0
    shift 2
    say "==> $title"
    log=$(mktemp "${TMPDIR:-/tmp}/rust-dl-install.XXXXXX") ||
        die "no temporary file could be made in ${TMPDIR:-/tmp}." "Free some space there, or set TMPDIR."
    "$@" 2>&1 | tee "$log" || status=$?
    if [ "$status" -ne 0 ]; then
        advice=$(explain "$advice")
        rm -f "$log"
        die "\"$title\" failed after $((SECONDS - began)) s (exit status $status)." "$advice"
    fi
    rm -f "$log"
    say "    done in $((SECONDS - began)) s"
}

check_rust() {
    local tool version sysroot
    command -v cc >/dev/null ||
        die "no C linker was found (cc on PATH); Rust links with it." "On Debian or Ubuntu: apt-get install gcc libc6-dev"
    for tool in cargo rustc; do
        command -v "$tool" >/dev/null ||
            die "$tool was not found on PATH." "Install Rust from https://rustup.rs, open a new shell, then run this script again."
    done
    version=$(rustc --version 2>/dev/null | awk '{ print $2 }')
    case $version in [0-9]*.[0-9]*) ;; *) die "rustc --version gave no version: $(rustc --version 2>&1 | head -n 1)" "Repair the toolchain: rustup update stable" ;; esac
    at_least "$version" "$MIN_RUST" ||
        die "Rust $MIN_RUST or newer is needed; rustc is $version ($(command -v rustc))." "Update it: rustup update stable"
    sysroot=$(rustc --print sysroot)
    if [ ! -f "$sysroot/lib/rustlib/src/rust/library/std/src/lib.rs" ]; then
        die "the component rust-src is missing from $sysroot; completion and documentation need it." \
            "Add it: rustup component add rust-src (without rustup: your distribution's rust-src package)"
    fi
    say "    rustc $version with rust-src"
}

check_python() {
    command -v python3 >/dev/null || die "Python 3 was not found; Jupyter needs it." "On Debian or Ubuntu: apt-get install python3 python3-venv"
    local version; version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) ||
        die "python3 does not start ($(command -v python3))." "Repair or reinstall Python $MIN_PYTHON or newer."
    at_least "$version" "$MIN_PYTHON" || die "Python $MIN_PYTHON or newer is needed; python3 is $version." "Install a newer Python 3."
    say "    python3 $version"
}

check_prefix() {
    local parent; parent=$(existing_parent "$home")
    { [ -d "$parent" ] && [ -w "$parent" ] && mkdir -p "$home" 2>/dev/null && [ -w "$home" ]; } ||
        die "$home cannot be written (the nearest directory that exists is $parent)." "Choose a directory of your own: ./install.sh --prefix DIR, or --user."
}

check_space() {
    [ -x "$target/release/rust-dl" ] || need_space "$target" "$BUILD_MB" "the build" " (or build elsewhere: CARGO_TARGET_DIR=DIR)"
    [ -x "$home/bin/rust-dl" ] || need_space "$home" "$HOME_MB" "the installation" " (or choose another --prefix)"
}

build() {
    local progress=()
    # Through the pipe that keeps the log, cargo does not see the terminal.
    if [ -t 1 ]; then progress=(env CARGO_TERM_COLOR=always CARGO_TERM_PROGRESS_WHEN=always "CARGO_TERM_PROGRESS_WIDTH=$(tput cols 2>/dev/null || echo 80)"); fi
    cd "$repo"
    ${progress[@]+"${progress[@]}"} cargo build --release --locked -p rust-dl --target-dir "$target"
}

install_kernel() {
    # dlcore is built beside the kernel, so that a second run compiles only what changed. Two homes share
    # one file name there: without the file, cargo does not take another home's for its own.
    rm -f "$target/release/deps/libdlcore.so"
    RUST_DL_BUILD_DIR=${RUST_DL_BUILD_DIR:-$target} "$target/release/rust-dl" install "${scope[@]}" --source "$repo"
}

# Sets `jupyter` to a Jupyter that has JupyterLab, or to nothing.
find_jupyter() {
    jupyter=""
    if [ -f "$home/jupyter/.complete" ] && [ -x "$home/jupyter/bin/jupyter" ]; then
        jupyter=$home/jupyter/bin/jupyter
    elif command -v jupyter >/dev/null && jupyter lab --version >/dev/null 2>&1; then
        jupyter=$(command -v jupyter)
    fi
}

install_lab() {
    # Without its mark the environment is what an interrupted run left.
    rm -rf "$home/jupyter"
    if python3 -m venv "$home/jupyter" &&
        "$home/jupyter/bin/python" -m pip install --disable-pip-version-check --no-cache-dir --quiet --progress-bar off "$JUPYTERLAB"; then
        touch "$home/jupyter/.complete"
    else
        rm -rf "$home/jupyter"
        return 1
    fi
}

# Running a chapter writes its outputs: into a copy, so that the checkout stays clean. What is there
# already is the reader's work and is left alone.
copy_chapters() {
    local chapter name mine copied=() kept=()
    mkdir -p "$notebooks" || die "$notebooks cannot be made." "Choose another directory: --notebooks DIR"
    for chapter in "$repo"/notebooks/*; do
        [ -f "$chapter" ] || continue
        name=${chapter##*/} mine=$notebooks/${chapter##*/}
        if [ ! -e "$mine" ]; then
            { cp "$chapter" "$mine.part" && mv "$mine.part" "$mine"; } ||
                die "$mine could not be written." "Choose another directory: --notebooks DIR"
            copied+=("$mine")
        elif ! cmp -s "$chapter" "$mine"; then
            kept+=("$name")
        fi
    done
    say "==> The chapters are in $notebooks, ${#copied[@]} copied just now"
    [ ${#kept[@]} -eq 0 ] ||
        say "    kept as you left them: ${kept[*]} (rename one there to get it fresh from $repo/notebooks)"
    # The saved charts are SVG, which JupyterLab hides in notebooks that it was not told to trust.
    [ ${#copied[@]} -eq 0 ] || "$jupyter" trust "${copied[@]}" >/dev/null 2>&1 || true
}

open_lab() {
    local options=()
    # A container's only user is often root, whom JupyterLab otherwise refuses.
    [ "$(id -u)" -ne 0 ] || options=(--allow-root)
    export JUPYTER_PATH="$data${JUPYTER_PATH:+:$JUPYTER_PATH}"
    copy_chapters
    say "==> Opening JupyterLab there (Ctrl-C ends it)"
    exec "$jupyter" lab ${options[@]+"${options[@]}"} "$notebooks"
}

uninstall() {
    local dir began=$SECONDS
    if [ ! -e "$home" ] && [ ! -e "$kernelspec" ]; then
        say "==> Nothing is installed in $prefix"
        return
    fi
    say "==> Removing the kernel from $prefix"
    if [ -x "$home/bin/rust-dl" ]; then
        "$home/bin/rust-dl" uninstall "${scope[@]}" || say "    its own uninstall failed; removing the files directly"
    fi
    rm -rf "$home" "$kernelspec" || die "$home or $kernelspec could not be removed." "Check who owns them: ls -ld $home $kernelspec"
    # Directories made on the way go as well, where nothing else lies in them.
    for dir in "$data/kernels" "$data" "$prefix/share" "$prefix"; do
        rmdir "$dir" 2>/dev/null || true
    done
    [ ! -d "$notebooks" ] || say "kept your notebooks in $notebooks"
    [ ! -d "$target" ] || say "kept the build in $target (cargo clean removes it)"
    say "    done in $((SECONDS - began)) s"
}

lab=no
action=install
choice=user
prefix=""
data=""
notebooks=${HOME:+$HOME/rust-dl-notebooks}
while [ $# -gt 0 ]; do
    case $1 in
        --lab) lab=yes ;;
        --user) choice=user ;;
        --sys-prefix) choice=sys-prefix ;;
        --prefix)
            [ -n "${2:-}" ] || die "--prefix needs a directory." "For example: ./install.sh --prefix \"\$HOME/rust-dl\""
            choice=prefix prefix=$2
            shift ;;
        --notebooks)
            [ -n "${2:-}" ] || die "--notebooks needs a directory." "For example: ./install.sh --lab --notebooks \"\$HOME/chapters\""
            notebooks=$2
            shift ;;
        --notebooks=?*) notebooks=${1#--notebooks=} ;;
        --prefix=?*) choice=prefix prefix=${1#--prefix=} ;;
        --uninstall) action=uninstall ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; die "unknown option: $1" ;;
    esac
    shift
done
case $choice in
    user)
        [ -n "${HOME:-}" ] || die "HOME is not set." "Set it, or choose a directory: ./install.sh --prefix DIR"
        prefix=$HOME/.local scope=(--user)
        # Where Jupyter looks without being told.
        data=${JUPYTER_DATA_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/jupyter}
        if [ -z "${JUPYTER_DATA_DIR:-}" ] && [ "$(uname)" = Darwin ]; then data=$HOME/Library/Jupyter; fi ;;
    prefix)
        case $prefix in /*) ;; *) prefix=$PWD/$prefix ;; esac
        scope=(--prefix "$prefix") ;;
    sys-prefix)
        command -v python3 >/dev/null || die "python3 was not found; --sys-prefix asks it for its prefix." "Install Python 3, or choose --user."
        prefix=$(python3 -c 'import sys; print(sys.prefix)') scope=(--sys-prefix) ;;
esac
[ -n "$notebooks" ] || notebooks=$prefix/rust-dl-notebooks
case $notebooks in /*) ;; *) notebooks=$PWD/$notebooks ;; esac
home=$prefix/share/rust-dl
data=${data:-$prefix/share/jupyter}
kernelspec=$data/kernels/rust-dl

if [ "$action" = uninstall ]; then uninstall; exit 0; fi

say "==> Checking what is here"
check_rust
check_python
check_prefix
check_space
step "Building the kernel (minutes the first time: the engine contains rust-analyzer)" \
    "The compiler's message stands above. With an unchanged checkout this is a bug worth reporting." build
step "Installing the kernel in $home and preparing dlcore for this compiler" \
    "What was installed before is unchanged. The message stands above." install_kernel
find_jupyter
if [ -z "$jupyter" ]; then
    need_space "$home" "$LAB_MB" "JupyterLab" ""
    step "Installing JupyterLab in $home/jupyter" \
        "The kernel itself is installed. On Debian or Ubuntu python3-venv may be missing: apt-get install python3-venv" install_lab
    find_jupyter
fi
say "==> Ready: \"Rust (deep learning)\" in ${kernelspec}, after $SECONDS s in all"
if [ "$lab" = yes ]; then open_lab; fi
say "    Open JupyterLab with: ./install.sh --lab (on a copy of the chapters in $notebooks), or: $jupyter lab"
