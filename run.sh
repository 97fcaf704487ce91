#!/usr/bin/env bash
# The one set-up command of LightVoice: makes .venv, installs the packages, then runs app.py with the arguments given.
#
#   ./run.sh [OPTIONS]                 serve the page on http://127.0.0.1:7860
#   ./run.sh transcribe FILE…          write transcripts to standard output, and nothing else there
#   ./run.sh watch FOLDER --output DIR transcribe what arrives in a folder, each recording once
#   ./run.sh --bundle sensevoice-small serve the real model; what is not here yet is fetched first (242 MB)
#   ./run.sh models COMMAND …          the workshop: fetch, export, quantize, evaluate, benchmark; `./run.sh models --help`
#   ./run.sh cluster COMMAND …         more than one machine, on Ray: transcribe an archive, serve the engine; `./run.sh cluster --help`
#   ./run.sh test [PYTEST ARGUMENTS]   lint, type-check and test
#   ./run.sh --full-install […]        install the workshop's packages as well (torch, funasr, modelscope, librosa and others)
#   ./run.sh --yes […]                 agree to downloads where no terminal can ask
#
# The first start installs the page, the command line and the engine; the workshop's packages come when a command first needs them.
# What is installed is remembered in .venv; a later start needs no network. LIGHTVOICE_PYTHON names a Python to use,
# LIGHTVOICE_TORCH=cpu or =cuda the build of torch (cuda where an NVIDIA GPU is), LIGHTVOICE_TORCH_INDEX a package index with its CPU build.
set -euo pipefail

self=$(readlink -f "${BASH_SOURCE[0]}" 2>/dev/null || printf '%s' "${BASH_SOURCE[0]}")
here=$(cd "$(dirname "$self")" && pwd -P)
venv=$here/.venv
# There while a .venv is half made: from "pip starts to unpack" to "pip is done". A .venv that still holds it is made anew.
unfinished=$venv/lightvoice-unfinished

# No library reports to its maker (engine/runtime/telemetry.py says the same to whatever is not started here).
export ORT_DISABLE_TELEMETRY=1 GRADIO_ANALYTICS_ENABLED=False HF_HUB_DISABLE_TELEMETRY=1 NNCF_CI=1 RAY_USAGE_STATS_ENABLED=0 DO_NOT_TRACK=1

# Standard output belongs to the results of `transcribe`.
say() { printf 'lightvoice: %s\n' "$*" >&2; }
fail() { say "$@"; exit 2; }

requirements_of() {
    case $1 in
        slim) echo requirements-runtime.txt ;;
        light) echo requirements-models-light.txt ;;
        full) echo requirements.txt ;;
        test) echo requirements-test.txt ;;
        cluster) echo requirements-cluster.txt ;;
    esac
}

# One module of each package that the install of this kind must have brought.
modules_of() {
    local page="gradio onnxruntime soundfile psutil numpy soxr av kaldi_native_fbank jieba budoux pypinyin docx cryptography rapidfuzz msgspec tenacity jinja2"
    case $1 in
        slim) echo "$page" ;;
        light) echo "onnx modelscope_hub huggingface_hub httpx2 yaml jiwer" ;;
        full) echo "$page torch funasr modelscope librosa onnx sentencepiece nncf matplotlib" ;;
        test) echo "pytest xdist hypothesis srt ruff mypy playwright axe_playwright_python openai" ;;
        cluster) echo "ray pyarrow fsspec" ;;
    esac
}

# What an install of this kind leaves behind: it changes with the requirements and with the Python that .venv stands on.
stamp_of() {
    local python_version
    python_version=$("$venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])') || return 1
    printf '%s python %s requirements %s\n' "$1" "$python_version" \
        "$(cd "$here" && cat constraints.txt "$(requirements_of "$1")" | cksum)"
}

# Was the last install of this kind finished, for these requirements and this Python?
is_stamped() {
    [[ -x $venv/bin/python && ! -e $unfinished && -f $venv/lightvoice-$1 ]] || return 1
    [[ $(stamp_of "$1" 2>/dev/null) == "$(<"$venv/lightvoice-$1")" ]]
}

# Are its packages still there? (Looks for their files, imports nothing.)
is_whole() {
    # shellcheck disable=SC2046  # the names are words
    "$venv/bin/python" - $(modules_of "$1") 2>/dev/null <<'PYTHON'
import importlib.util, sys
specs = [importlib.util.find_spec(name) for name in sys.argv[1:]]
sys.exit(any(spec is None or spec.origin is None for spec in specs))
PYTHON
}

is_ready() { is_stamped "$1" && is_whole "$1"; }

# The kind that .venv was last completed as, if any.
installed_kind() {
    if [[ -f $venv/lightvoice-full ]]; then echo full
    elif [[ -f $venv/lightvoice-slim ]]; then echo slim
    fi
}

find_python() {
    local candidate found="" without_venv="" candidates=(python3.11 python3.12 python3.13 python3.14 python3 python)
    [[ -z ${LIGHTVOICE_PYTHON:-} ]] || candidates=("$LIGHTVOICE_PYTHON")
    for candidate in "${candidates[@]}"; do
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || {
            found=${found:-$("$candidate" -V 2>/dev/null || true)}
            continue
        }
        if "$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then
            command -v "$candidate"
            return
        fi
        without_venv=${without_venv:-$candidate}
    done
    if [[ -n $without_venv ]]; then
        fail "$without_venv cannot make virtual environments; on Debian and Ubuntu: sudo apt install" \
            "$("$without_venv" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    fi
    fail "Python 3.11 or newer is needed, and ${LIGHTVOICE_PYTHON:-PATH} gives ${found:-none};" \
        "install it, or name it: LIGHTVOICE_PYTHON=/path/to/python3.11 ./run.sh"
}

# Every kind that .venv was told to hold, the base (full or slim) first.
kinds_in_venv() {
    local kind
    for kind in full slim light test cluster; do
        [[ ! -f $venv/lightvoice-$kind ]] || echo "$kind"
    done
}

# The most that an install of this kind downloads, to be said before (measured on Linux x86-64; nothing comes twice).
size_of() {
    case $1 in
        slim) echo "200 MB" ;;
        light) echo "30 MB" ;;
        full) if [[ $(torch_build) == cpu ]]; then echo "800 MB"; else echo "4 GB with NVIDIA's libraries"; fi ;;
    esac
}

# Which build of torch and ONNX Runtime this machine gets: cuda where an NVIDIA GPU is, else cpu.
torch_build() {
    if [[ -n ${LIGHTVOICE_TORCH:-} ]]; then
        echo "$LIGHTVOICE_TORCH"
    elif [[ -e /dev/nvidia0 ]] || nvidia-smi -L >/dev/null 2>&1; then
        echo cuda
    else
        echo cpu
    fi
}

# Did the person tell pip where packages come from: a mirror, a folder of wheels, no index at all?
is_pip_configured() {
    # Not grep -q, which stops reading at the first match: pip would then end with an error, and so would the pipe.
    "$venv/bin/python" -m pip config list 2>/dev/null | grep -E '\.(index-url|extra-index-url|find-links|no-index)=' >/dev/null
}

# The index that has torch's CPU build; nothing where pip's own packages are that build, or where the person chose pip's sources.
torch_index() {
    if [[ $(torch_build) == cpu && -n ${LIGHTVOICE_TORCH_INDEX:-} ]]; then
        echo "$LIGHTVOICE_TORCH_INDEX"
    elif [[ $(torch_build) == cpu && $(uname -s) == Linux ]] && ! is_pip_configured; then
        echo https://download.pytorch.org/whl/cpu
    fi
}

# May it be downloaded? Asked in a terminal; elsewhere --yes says so.
is_agreed() {
    local answer
    [[ -z $yes ]] || return 0
    [[ -t 0 && -t 2 ]] || return 1
    printf 'lightvoice: go on? [Y/n] ' >&2
    read -r answer || return 1
    [[ -z $answer || $answer == [yY]* ]]
}

# .venv with a Python and a pip that answer; what cannot be mended is made anew.
make_venv() {
    local python
    if [[ -e $unfinished ]]; then
        say "the last installation did not finish; making .venv anew"
    elif is_stamped "$1"; then
        say "packages are gone from .venv; making it anew" # pip would believe its own records and bring nothing back
    elif [[ -x $venv/bin/python ]] && "$venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
        && "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        return 0
    elif [[ -e $venv || -L $venv ]]; then
        say "the Python of .venv no longer works; making .venv anew"
    fi
    # A job of the page must not remove the Python that the page runs on.
    [[ ${LIGHTVOICE_PROGRESS:-} != json ]] || fail "packages cannot be added while the page runs; stop it, and start ./run.sh --full-install"
    python=$(find_python)
    say "making .venv with $("$python" -V) ($python)"
    rm -rf "$venv"
    mkdir "$venv"
    touch "$unfinished"
    "$python" -m venv "$venv" >&2
    rm -f "$unfinished"
}

# A step of an installation: to a person, or to the page that runs a command (models/jobs/progress.py).
tell() {
    if [[ ${LIGHTVOICE_PROGRESS:-} == json ]]; then
        printf '@progress {"text": "packages: %s"}\n' "$*" >&2
    else
        say "  $*"
    fi
}

# Keep pip's whole story in the log and tell its outline: large downloads, packages built here, unpacking.
tell_outline() {
    local line large='Downloading ([^ ]+) \(([0-9.]+ GB|[0-9]{2,}[0-9.]* MB)\)'
    while IFS= read -r line; do
        printf '%s\n' "$line"
        if [[ $line =~ $large ]]; then
            tell "downloading ${BASH_REMATCH[1]%%-[0-9]*}, ${BASH_REMATCH[2]}"
        elif [[ $line == "Installing collected packages:"* ]]; then
            tell "unpacking"
            touch "$unfinished"
        fi
    done
}

# pip_install ARGUMENTS…: in the folder itself, so that no path with a space reaches pip's list-valued variables. These two hold the
# tools that build source packages to the same versions (the second one is the newer pip's name for it); --no-compile leaves that to the
# first start.
pip_install() {
    (
        cd "$here"
        export PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt
        "$venv/bin/python" -m pip install --no-compile --no-input --disable-pip-version-check --progress-bar off "$@" 2>&1 | tell_outline
    )
}

# has_package NAME [VERSION]: is it there, in this version, whichever build of it?
has_package() {
    "$venv/bin/python" - "$@" 2>/dev/null <<'PYTHON'
import importlib.metadata, sys
version = importlib.metadata.version(sys.argv[1]).split("+")[0]
sys.exit(version not in sys.argv[2:] if sys.argv[2:] else 0)
PYTHON
}

# torch's CPU build, before pip would take the one with NVIDIA's libraries; `torch==2.13.0` is satisfied by 2.13.0+cpu (PEP 440).
# Alone and without what it needs, so that nothing else comes from that index.
install_torch() {
    local pin index
    pin=$(grep -oE '^torch==[^ ;]+' "$here/requirements.txt") || return 0
    index=$(torch_index)
    if [[ -z $index ]] || has_package torch "${pin#torch==}"; then
        return 0
    fi
    tell "torch for the CPU from $index"
    if pip_install --index-url "$index" --retries 1 --no-deps "$pin"; then
        rm -f "$unfinished"
        return 0
    fi
    say "$index gives no $pin. pip's own index has it, on Linux x86-64 with NVIDIA's libraries, several GB;" \
        "LIGHTVOICE_TORCH_INDEX=URL names a mirror of the CPU build"
    is_agreed || fail "torch was not installed; name an index, or add --yes to take the larger build"
}

# The requirements as this machine gets them: where no NVIDIA GPU is, ONNX Runtime comes in its CPU build, unless the other one is there.
requirements_here() {
    if [[ $1 != full || $(torch_build) != cpu ]] || has_package onnxruntime-gpu; then
        requirements_of "$1"
        return
    fi
    sed -E -e '/^onnxruntime==/d' -e 's/^onnxruntime-gpu(==[^ ;]+).*/onnxruntime\1/' -e '/^-c /d' \
        "$here/requirements.txt" >"$venv/requirements-cpu.txt"
    echo .venv/requirements-cpu.txt
}

# install KIND [PIP OPTIONS]
install() {
    local kind=$1 log=$venv/install.log began=$SECONDS requirements listed size
    shift
    requirements=$(requirements_of "$kind")
    listed=$(requirements_here "$kind")
    if [[ $kind == full && $listed == "$requirements" ]] && has_package onnxruntime; then
        # Two builds of ONNX Runtime share one folder: the CPU's goes first.
        "$venv/bin/python" -m pip uninstall --quiet --yes onnxruntime >&2
        rm -f "$venv/lightvoice-slim"
    fi
    # Remembers the kind, and matches nothing until the end. A slim install that cannot be completed stays one.
    [[ $kind == full && -f $venv/lightvoice-slim ]] || : >"$venv/lightvoice-$kind"
    size=$(size_of "$kind")
    say "installing $requirements into .venv${size:+, at most $size to download} (the whole log: .venv/install.log)"
    : >"$log"
    [[ $kind != full ]] || install_torch >>"$log"
    if ! pip_install "$@" -r "$listed" >>"$log"; then
        grep -E '^ *ERROR' "$log" | tail -n 5 >&2 || tail -n 5 "$log" >&2
        fail "pip could not install $requirements; see .venv/install.log, check the network, then start again"
    fi
    stamp_of "$kind" >"$venv/lightvoice-$kind"
    [[ $kind != full ]] || rm -f "$venv/lightvoice-slim" "$venv/lightvoice-light"
    rm -f "$unfinished"
    say "installed in $((SECONDS - began)) s"
}

# Is it something that is added to a base (slim or full)?
is_addition() { [[ $1 == light || $1 == test || $1 == cluster ]]; }

# Bring what this kind lacks. An addition never costs its base anything: packages of it that are gone are unpacked again where they were,
# and where .venv must be made anew, all that it held comes back.
bring() {
    local kind=$1 other before
    if ! is_addition "$kind"; then
        make_venv "$kind"
        install "$kind"
        return 0
    fi
    if ! is_stamped "$kind"; then
        before=$(kinds_in_venv)
        make_venv "$kind"
        for other in $before; do
            [[ $other == "$kind" || -f $venv/lightvoice-$other ]] || install "$other"
        done
        install "$kind"
    fi
    if ! is_whole "$kind"; then # pip believes its own records, and would bring nothing back by itself
        say "packages of $(requirements_of "$kind") are gone from .venv; bringing them back"
        install "$kind" --force-reinstall --no-deps
    fi
}

# Make the packages of this kind ready, once, however many run.sh start together.
ensure() {
    local kind=$1
    if is_ready "$kind"; then
        return 0
    fi
    [[ -w $here ]] || fail "cannot write to $here, where .venv belongs; copy the folder to a place of your own"
    if command -v flock >/dev/null 2>&1; then
        exec 9>"$here/.venv.lock"
        flock --nonblock 9 || { say "another run.sh is installing; waiting for it"; flock 9; }
    fi
    if ! is_ready "$kind"; then
        bring "$kind"
        is_ready "$kind" || fail "packages are missing from .venv although pip holds them for installed; remove .venv and start again"
    fi
    if command -v flock >/dev/null 2>&1; then
        exec 9>&- # app.py must not inherit the lock
    fi
}

# The workshop's packages, for WHAT: said and agreed to before the first download.
ensure_workshop() {
    if [[ $(installed_kind) != full ]]; then
        say "$1 needs the workshop's packages, torch among them: at most $(size_of full) to download"
        is_agreed || fail "not installed; add --yes to install them without being asked, or install them first: ./run.sh --full-install"
    fi
    ensure full
}

# What a command of the workshop needs (none, light or full), as models/jobs/packages.py tells from its arguments.
packages_for() {
    PYTHONPATH=$here${PYTHONPATH:+:$PYTHONPATH} "$venv/bin/python" -P -m models --packages "$@"
}

# Does an argument ask for the GPU? ONNX Runtime's CUDA build comes with the complete set.
wants_cuda() {
    local before="" argument
    for argument in "$@"; do
        [[ $argument != --device=cuda && $before$argument != --devicecuda ]] || return 0
        before=$argument
    done
    return 1
}

# Playwright drives Chromium through a Node of its own, which needs a library that bare machines lack.
driver_starts() { "$venv/bin/python" -m playwright --version >/dev/null 2>&1; }

# Chromium for the browser tests, what drives it, and a font that shows Chinese, where apt may install them.
ensure_browser() {
    local wanted=() as_root=()
    [[ -n ${LIGHTVOICE_CHROMIUM:-} || -n $(type -P chromium chromium-browser google-chrome google-chrome-stable || true) ]] \
        || wanted+=(chromium)
    driver_starts || wanted+=(libatomic1)
    [[ -n $(fc-list :lang=zh 2>/dev/null || true) ]] || wanted+=(fonts-noto-cjk)
    ((${#wanted[@]})) || return 0
    if ! command -v apt-get >/dev/null 2>&1; then
        say "not found, and no apt-get here: ${wanted[*]}; what needs them is skipped"
        return 0
    fi
    if ((EUID != 0)); then
        sudo -n true 2>/dev/null || {
            say "not installed: ${wanted[*]} (sudo asks for a password); what needs them is skipped"
            return 0
        }
        as_root=(sudo -n)
    fi
    say "installing ${wanted[*]} with apt"
    export DEBIAN_FRONTEND=noninteractive
    { "${as_root[@]+"${as_root[@]}"}" apt-get update -qq \
        && "${as_root[@]+"${as_root[@]}"}" apt-get install -y -qq --no-install-recommends "${wanted[@]}"; } >&2 </dev/null \
        || say "apt could not install ${wanted[*]}; what needs them is skipped"
}

# Lint, types, tests: all three speak, and one failure fails the whole.
check() {
    local failed=()
    cd "$here"
    say "ruff"
    "$venv/bin/python" -m ruff check . || failed+=(ruff)
    say "mypy"
    "$venv/bin/python" -m mypy || failed+=(mypy)
    say "pytest"
    driver_starts || {
        say "Playwright does not start here (python -m playwright --version says why): the browser tests are left out"
        set -- --ignore=tests/browser "$@"
    }
    # Files are shared out among as many workers as there are cores; in order, so that the browser's come last in each.
    OMP_NUM_THREADS=1 "$venv/bin/python" -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder "$@" \
        || failed+=(pytest)
    if ((${#failed[@]})); then
        say "failed: ${failed[*]}"
        exit 1
    fi
    say "all checks passed"
}

[[ ${LIGHTVOICE_TORCH:-cpu} == cpu || $LIGHTVOICE_TORCH == cuda ]] \
    || fail "LIGHTVOICE_TORCH is '$LIGHTVOICE_TORCH'; set it to cpu or cuda, or unset it"

kind="" yes=""
for argument in "$@"; do # sift out our own options, keep the rest in order
    shift
    case $argument in
        --slim-install) kind=slim ;;
        --full-install) kind=full ;;
        --yes) yes=yes ;;
        *) set -- "$@" "$argument" ;;
    esac
done

if [[ ${1:-} == -h || ${1:-} == --help ]]; then
    sed -n '2,/^set /{/^set /!s/^# \{0,1\}//p;}' "$self"
    [[ -n $(installed_kind) ]] || exit 0
fi

if [[ ${1:-} == test ]]; then
    shift
    [[ -t 0 && -t 2 ]] || yes=yes # where nobody can be asked, the command is the answer: it has no use without them
    ensure_workshop "the test suite"
    ensure test
    if [[ -n ${LIGHTVOICE_TEST_CLUSTER:-} ]]; then
        (ensure cluster) || say "Ray could not be installed; the tests that need it are skipped"
    fi
    ensure_browser
    check "$@"
    exit 0
fi

installed=$(installed_kind)
if [[ $installed == full || -z $kind ]]; then
    kind=${installed:-slim} # a full install serves the slim one's purpose; a slim one stays slim until more is asked for
fi
ensure "$kind"
if [[ ${1:-} == models ]]; then
    shift
    if [[ $kind != full ]]; then
        case $(packages_for "$@") in
            light) ensure light ;;
            full) ensure_workshop "models ${1:-}" ;;
        esac
    fi
    # -P: a folder called models where the caller stands is not ours.
    PYTHONPATH=$here${PYTHONPATH:+:$PYTHONPATH} exec "$venv/bin/python" -P -m models "$@"
fi
if [[ ${1:-} == cluster ]]; then
    shift
    ensure cluster
    PYTHONPATH=$here${PYTHONPATH:+:$PYTHONPATH} exec "$venv/bin/python" -P -m engine.cluster "$@"
fi
if [[ $kind != full && $(torch_build) == cuda ]] && wants_cuda "$@"; then
    ensure_workshop "--device cuda"
    kind=full
fi
say "starting (.venv, $kind install)"
[[ -z $yes || ${1:-} == bundles ]] || set -- --yes "$@"
exec "$venv/bin/python" "$here/app.py" "$@"
