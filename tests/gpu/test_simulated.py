"""The whole way to a card, where there is none: NVIDIA's libraries are replaced by tests/gpu/simulated.

What fails on a card fails here, too, on demand: memory that is full, kernels that do not compile, a driver that is
broken, a card that goes away, a process that was forked. Each is one error, and the processor goes on.
"""

import os
import pathlib
import socket
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import bundle  # noqa: E402

REPO = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPO / "target"))


@pytest.fixture(scope="session")
def card(tmp_path_factory):
    """A directory with the libraries."""
    to = tmp_path_factory.mktemp("simulated")
    subprocess.run([sys.executable, REPO / "tests/gpu/simulated/build.py", to], check=True)
    return to


@pytest.fixture(scope="session")
def program():
    subprocess.run(["cargo", "build", "--locked", "-p", "dlcore", "--example", "device_check"], cwd=REPO, check=True)
    return TARGET / "debug/examples/device_check"


@pytest.fixture
def without(card, tmp_path):
    """The libraries, of which one does not have some functions: they have other names."""

    def without(library, *functions):
        to = tmp_path / "without"
        to.mkdir()
        for other in card.glob("lib*"):
            (to / other.name).symlink_to(other)
        code = (card / library).read_bytes()
        for function in functions:
            name = b"\0" + function.encode() + b"\0"
            assert name in code, function
            code = code.replace(name, name[:-2] + b"_\0")
        (to / library).unlink()
        (to / library).write_bytes(code)
        return to

    return without


@pytest.fixture
def run(card, program, tmp_path):
    def run(command, device="cuda", libraries=card, **faults):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SIMULATED_")}
        environment |= {"LD_LIBRARY_PATH": str(libraries), "DLCORE_DEVICE": device, "DLCORE_CACHE": str(tmp_path)}
        environment |= {f"SIMULATED_{name}": str(value) for name, value in faults.items()}
        result = subprocess.run([program, command], env=environment, capture_output=True, text=True, timeout=300)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    return run


def test_without_a_driver_the_processor_computes_and_one_line_says_why(program, tmp_path):
    environment = os.environ | {"DLCORE_DEVICE": "cuda", "DLCORE_CACHE": str(tmp_path), "LD_LIBRARY_PATH": ""}
    result = subprocess.run([program, "fail"], env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    if "cuda:0 is there" in result.stdout:
        pytest.skip("this machine has a card")
    assert "libcuda.so.1" in result.stdout and "LD_LIBRARY_PATH" in result.stdout
    assert "trained on cpu" in result.stdout
    assert result.stderr.count("\n") == 1 and result.stderr.endswith("computing on the CPU\n")


def test_the_card_is_named_with_what_it_has(run):
    out = run("devices", CARDS=2)
    assert "cuda:0  simulated card 0, compute capability 8.0, 2.0 of 2.0 GB free, driver for CUDA 12.4" in out
    assert "cuda:1  simulated card 1" in out


OPTIMIZERS = [
    "sgd", "sgd with momentum", "rmsprop", "adam", "adamw", "rmsprop with momentum", "rmsprop, centered",
    "adam with amsgrad", "adamax", "nadam", "adagrad", "adadelta", "loss_scale_optimizer",
]


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_training_gives_the_processors_weights_and_leaves_it_nothing(run, device):
    out = run("agree", device=device, CARDS=2)
    for optimizer in OPTIMIZERS:
        assert f"\n{optimizer}: weights on cuda:{device[5:] or 0}, " in "\n" + out
    nothing_was_left_to_the_processor(out)


def nothing_was_left_to_the_processor(out):
    """Losses and predictions are looked at; no operation was computed elsewhere."""
    line = out[out.index("copied from the card"):]
    assert line.split(": ", 1)[1].startswith("reading numbers") and line.count("times") == 1, line


def test_convolutional_normalized_and_recurrent_networks_train_on_the_card_alone(run):
    out = run("networks")
    for network in ["convolutions", "sequences", "convnet", "simple_rnn", "lstm", "gru", "bidirectional"]:
        assert f"\n{network}: weights on cuda:0, " in "\n" + out
    nothing_was_left_to_the_processor(out)


def test_kernels_are_compiled_once(run, tmp_path):
    run("fail")
    kept = list((tmp_path / "kernels").iterdir())
    assert len(kept) == 1
    # Kept for this driver and this compiler: the error would show if it were compiled again.
    assert "cuda:0 is there" in run("fail", COMPILE_ERROR=1)
    kept[0].write_bytes(kept[0].read_bytes()[:1000])
    assert "cannot be compiled" in run("fail", COMPILE_ERROR=1)


def test_full_memory_is_an_error_with_numbers_and_a_batch_size_to_try(run):
    out = run("fill", MEMORY=100_000_000)
    assert "cuda:0: out of memory: asked for 16.8 MB, 16.1 MB of 100.0 MB are free" in out
    assert "then trained on cuda:0" in out
    out = run("broken", MEMORY=25_000)
    assert "out of memory" in out and "batch_size is 32, try 16" in out
    assert "weights: whole" in out and "then trained on cpu" in out


def test_kernels_that_do_not_compile_are_the_compilers_words(run):
    out = run("fail", COMPILE_ERROR=1)
    assert 'error: identifier "simulated" is undefined' in out and "trained on cpu" in out


def test_a_broken_driver_and_one_without_cards_are_said(run):
    for fault in [{"BROKEN": 1}, {"CARDS": 0}]:
        out = run("fail", **fault)
        assert "the NVIDIA driver cannot start: CUDA_ERROR_" in out and "trained on cpu" in out


@pytest.mark.parametrize("library, what, function", [
    ("libcuda.so.1", "the NVIDIA driver", "cuMemHostAlloc"),
    ("libcublas.so.12", "CUDA's matrix library cuBLAS", "cublasGemmStridedBatchedEx"),
    ("libnvrtc.so.12", "CUDA's run-time compiler NVRTC", "nvrtcGetCUBIN"),
])
def test_a_library_that_lacks_a_function_is_named_with_it(run, without, library, what, function):
    out = run("fail", libraries=without(library, function))
    assert f"{what} was found but cannot be used ({library}: it has no {function}, so it is too old" in out, out
    assert "trained on cpu" in out


def test_an_error_that_the_driver_has_no_name_for_is_said_by_its_number(run):
    out = run("broken", LAUNCH_ERROR=12345)
    assert "CUDA error 12345" in out and "is lost" not in out and "weights: whole" in out, out


@pytest.mark.parametrize("after", [0, 1, 50, 333, 700, 1500])
def test_a_card_that_goes_away_takes_no_model_with_it(run, after):
    out = run("broken", LOST_AFTER=after)
    assert out.count("CUDA_ERROR_UNKNOWN") == 1, out
    assert "what is on it is lost to this process" in out
    assert "the model keeps the weights of" in out
    assert "weights: whole" in out and "then trained on cpu" in out


@pytest.mark.parametrize("after", range(1, 200, 13))
def test_after_a_card_has_gone_the_model_is_saved_and_trained(run, after):
    out = run("broken", LOST_AFTER=after)
    assert out.count("CUDA_ERROR_UNKNOWN") == 1, out
    assert "weights: whole" in out and "then trained on cpu" in out
    assert "the saved model trains on as this one: true" in out, out


@pytest.mark.parametrize("after", [180, 200, 222, 301, 404])
def test_a_card_that_goes_while_a_model_predicts_takes_nothing_with_it(run, after):
    out = run("outlived", LOST_AFTER=after)
    assert out.count("CUDA_ERROR_UNKNOWN") == 1, out
    assert "weights: whole" in out and "then trained on cpu" in out
    assert "the saved model trains on as this one: true" in out, out


@pytest.mark.parametrize("fault", [{"LAUNCH_ERROR": 2}, {"BLAS_ERROR": 3}])
def test_memory_that_is_short_once_is_asked_for_again(run, fault):
    assert "adam: weights on cuda:0" in run("agree", **fault)
    times = {f"{next(iter(fault))}_TIMES": 2}
    out = run("broken", **fault, **times)
    assert "cuda:0: out of memory: " in out and "batch_size is 32, try 16" in out
    assert "is lost" not in out and "weights: whole" in out


@pytest.mark.parametrize("fault, lost", [
    ({"LAUNCH_ERROR": 1}, False), ({"LAUNCH_ERROR": 701}, False), ({"LAUNCH_ERROR": 700}, True),
    ({"LAUNCH_ERROR": 214}, True), ({"BLAS_ERROR": 7}, False), ({"BLAS_ERROR": 13}, True), ({"BLAS_ERROR": 14}, True),
])
def test_only_what_cannot_be_undone_is_a_lost_card(run, fault, lost):
    out = run("broken", **fault)
    assert ("what is on it is lost to this process" in out) == lost, out
    assert "weights: whole" in out and "the saved model trains on as this one: true" in out, out


@pytest.mark.parametrize("at", range(1, 46, 4))
def test_a_batch_that_was_refused_leaves_no_trace(run, at):
    out = run("refused", LAUNCH_ERROR=701, LAUNCH_ERROR_AT=at)
    assert "refused 1 times, the same weights: true" in out, out


def test_a_card_that_was_full_when_it_was_opened_is_tried_again(run):
    out = run("full", device="cpu", BLAS_FULL=1).splitlines()
    assert "out of memory" in out[0] and out[1] == "cuda:0 is there"


def test_a_forked_process_is_told_so(run):
    out = run("forked")
    assert "on the device: cuda:0: this process was forked" in out
    assert "on the CPU: [2.0, 4.0]" in out


def test_products_are_shortened_only_where_it_is_allowed(run):
    exact = "1.000244140625"
    expected = [f"tf32 false: {exact}", "tf32 true: 1", f"tf32 false: {exact}"]
    assert run("tf32").splitlines() == expected
    assert run("tf32", device="cpu").splitlines() == [line.replace("true: 1", f"true: {exact}") for line in expected]


def test_mixed_precision_is_that_of_the_processor_on_every_card(run):
    out = run("mixed")
    assert out.count("trained on cuda:0") == 2 and "from the processor's" in out
    # An older card rounds, and multiplies floats: the same numbers.
    assert run("mixed", CAPABILITY=75) == out


def test_batches_are_copied_beside_the_step_and_in_order(run, tmp_path):
    log = tmp_path / "log"
    out = run("agree", LOG=log)
    lines = [line.split() for line in log.read_text().splitlines()]
    copies = [number for number, line in enumerate(lines) if line[0] == "copy"]
    # Trainings of two epochs of six batches, each with x and y.
    assert len(copies) == len(OPTIMIZERS) * 2 * 6 * 2
    for number in copies:
        (_, free, _), (_, copied, _) = lines[number - 1], lines[number + 1]
        # It waits until kernels have read what was there before, and kernels wait for it.
        assert lines[number - 1][::2] == ["wait", "copies"]
        assert lines[number + 1] == ["record", copied, "copies"]
        assert lines[number + 2] == ["wait", copied, "kernels"]
        recorded = max(at for at in range(number) if lines[at] == ["record", free, "kernels"])
        earlier = [at for at in copies if at < number and lines[at][1] == lines[number][1]]
        assert not earlier or earlier[-1] < recorded
    # In each training a batch does not wait for the one before: it has other memory.
    for first in range(0, len(copies), 24):
        own = [lines[number][1] for number in copies[first:first + 24]]
        assert all(place != later for place, later in zip(own, own[2:]))
    pinned = [{"pin": 1, "unpin": -1}.get(line[0], 0) for line in lines]
    assert max(sum(pinned[:end]) for end in range(len(pinned) + 1)) == 4
    assert sum(pinned) == 0, "all is given back"
    # What a driver without such memory does comes to the same.
    plain = run("agree", NO_PINNED=1)
    assert [line for line in plain.splitlines() if "weights on" in line] == out.splitlines()[:len(OPTIMIZERS)]


def test_a_compiler_newer_than_the_driver_is_taken_where_there_is_no_other(run):
    assert "trained on cuda:0" in run("fail", COMPILER=13)


def test_the_file_that_checks_a_machine_says_what_there_is(card, program, tmp_path):
    # The tests that it carries are run below; here they pass or fail as they are told.
    suite = tmp_path / "suite"
    suite.write_text("#!/bin/sh\nexit ${SUITE:-0}\n")
    suite.chmod(0o755)
    check = tmp_path / "gpu-check"
    bundle.pack(suite, program, pathlib.Path(os.environ.get("DLCORE_DATA", "/nowhere")), check)
    # Nothing of the toolchain, and nothing of this repository.
    plain = {"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path), "SAMPLES": "64"}

    def run(**variables):
        result = subprocess.run([check], cwd=tmp_path, env=plain | variables, capture_output=True, text=True, timeout=300)
        report = pathlib.Path(variables.get("REPORT", tmp_path / "gpu-check.txt")).read_text()
        assert result.stdout == f"{report}This is in {tmp_path / 'gpu-check.txt'}.\n" or "REPORT" in variables
        assert not list(tmp_path.glob("gpu-check.*/")), "what was unpacked is gone"
        return result.returncode, report

    there = {"LD_LIBRARY_PATH": str(card), "HOME": str(tmp_path)}
    status, report = run(**there)
    assert status == 0 and report.endswith("==> all is well\n"), report
    assert "cuda:0  simulated card 0, compute capability 8.0" in report and "driver for CUDA 12.4" in report
    assert "adam: weights on cuda:0" in report and "convolutions: weights on cuda:0" in report
    if os.environ.get("DLCORE_DATA"):
        row = next(line for line in report.splitlines() if line.startswith("MNIST, the convnet of 5.1  "))
        assert row.split("5.1")[1].count(" s ") == 2, "on the card and on the processor"
    status, report = run(**there, SUITE="1", REPORT=str(tmp_path / "other.txt"))
    assert status == 1 and report.endswith("==> FAILED, see above\n"), report
    status, report = run(**there, SIMULATED_CARDS="0")
    assert status == 2 and "There is no card that can be used: nothing was checked." in report, report


def test_every_operation_and_layer_gives_what_the_processor_gives(card, tmp_path):
    environment = os.environ | {"LD_LIBRARY_PATH": str(card), "DLCORE_DEVICE": "cuda", "DLCORE_CACHE": str(tmp_path)}
    names = ["device_tests", "grad::ops", "layers::", "optimizers::", "models::tests"]
    command = ["cargo", "test", "--locked", "-p", "dlcore", "--lib", "--", *names]
    subprocess.run(command, cwd=REPO, env=environment, check=True, timeout=1800)


@pytest.fixture(scope="session")
def rank_program():
    subprocess.run(["cargo", "build", "--locked", "-p", "dlcore", "--example", "rank_check"], cwd=REPO, check=True)
    return TARGET / "debug/examples/rank_check"


@pytest.fixture
def ranks(card, rank_program, tmp_path):
    """Runs so many ranks, each with a card of its own, beside one rank with the whole batch on the processor."""

    def ranks(size, libraries=card, device="cuda", each=(), **variables):
        with socket.socket() as own:
            own.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{own.getsockname()[1]}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SIMULATED_")}
        environment |= {"LD_LIBRARY_PATH": str(libraries), "DLCORE_CACHE": str(tmp_path), "DLCORE_ADDRESS": address}
        environment |= {"DLCORE_RANKS": str(size), "SIMULATED_CARDS": str(size), "DLCORE_JOIN_SECONDS": "60"}
        environment |= {name: str(value) for name, value in variables.items()}
        processes = []
        for rank in range(size):
            own = environment | {"DLCORE_RANK": str(rank)} | (each[rank] if each else {})
            own["DLCORE_DEVICE"] = f"cuda:{rank}" if device == "cuda" else device
            processes.append(subprocess.Popen(
                [rank_program], env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        return [process.communicate(timeout=300)[0] for process in processes]

    return ranks


@pytest.mark.parametrize("size", [2, 4])
def test_ranks_with_a_card_each_give_the_weights_of_one_rank(ranks, size):
    outputs = ranks(size)
    for rank, out in enumerate(outputs):
        assert f"rank {rank} on cuda:{rank}: sums on the card, largest difference " in out, out
        assert float(out.split("largest difference ")[1].split()[0]) < 1e-6, out
    # The same on each, bit for bit.
    assert len({out.split("digest ")[1].split()[0] for out in outputs}) == 1, outputs


def test_an_older_driver_knows_cards_from_each_other_by_another_function(ranks, without):
    for rank, out in enumerate(ranks(2, libraries=without("libcuda.so.1", "cuDeviceGetUuid_v2"))):
        assert f"rank {rank} on cuda:{rank}: sums on the card, largest difference " in out, out


def test_without_any_sums_take_the_other_way(ranks, without):
    functions = ["cuDeviceGetUuid_v2", "cuDeviceGetUuid"]
    outputs = ranks(2, libraries=without("libcuda.so.1", *functions))
    assert "it has no cuDeviceGetUuid_v2 and no cuDeviceGetUuid, so it is too old" in outputs[0], outputs
    for rank, out in enumerate(outputs):
        assert f"rank {rank} on cuda:{rank}: sums on the processor, largest difference " in out, out


def test_without_nccl_one_line_says_where_it_was_looked_for_and_sums_take_the_other_way(ranks, card, tmp_path):
    without = tmp_path / "without"
    without.mkdir()
    for library in card.glob("lib*"):
        if "nccl" not in library.name:
            (without / library.name).symlink_to(library)
    outputs = ranks(2, libraries=without)
    together = "".join(outputs)
    assert together.count("NCCL") == 1 and "looked for libnccl.so.2, libnccl.so in the loader's path" in outputs[0], together
    for rank, out in enumerate(outputs):
        assert f"rank {rank} on cuda:{rank}: sums on the processor, largest difference " in out, out
        assert float(out.split("largest difference ")[1].split()[0]) < 1e-6, out


def test_ranks_that_share_a_card_or_have_none_do_not_sum_on_it(ranks):
    outputs = ranks(2, SIMULATED_SAME_CARD=1)
    assert "rank 1: it has the card of rank 0; each rank needs one of its own" in outputs[1], outputs
    for out in outputs + ranks(2, DLCORE_COMMUNICATOR="sockets"):
        assert "sums on the processor, largest difference " in out, out


def test_a_rank_that_nccl_refuses_or_that_leaves_a_sum_is_named_to_the_others(ranks):
    outputs = ranks(2, each=[{}, {"SIMULATED_NCCL_ERROR": "5"}])
    assert "cuda:1: NCCL cannot join the cards of all ranks: invalid usage" in outputs[1], outputs
    assert "rank 1 has left: " in outputs[0] and "invalid usage" in outputs[0], outputs
    # One that fails on its own while the others wait on their cards.
    outputs = ranks(2, each=[{}, {"SIMULATED_LOST_AFTER": "120"}])
    assert "CUDA_ERROR_UNKNOWN" in outputs[1], outputs
    assert "rank 1 has left: " in outputs[0] and "CUDA_ERROR_UNKNOWN" in outputs[0], outputs
    # One that is killed.
    outputs = ranks(2, each=[{}, {"DIES_AFTER": "2"}])
    assert "rank 1 has left: its process has ended" in outputs[0], outputs
