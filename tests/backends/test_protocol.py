"""Invalid replies of a backend become a verdict of the case, and the run continues."""

import resource

import pytest
from processes import run_parity

from hfscan.parity.checkpoint import open_checkpoint
from hfscan.parity.process import BackendProcess, Settings
from hfscan.parity.replies import BackendDiedError

INVALID_REPLIES = {  # action of the backend for `open`, text of the reason
    "garbage": ('send("Loading..."); return 1', "Loading..."),
    "empty line": ('send(""); return 1', "is not valid"),
    "list": ('send("[]"); return 1', "object"),
    "number": ('send("7"); return 1', "object"),
    "nested": ('send("[" * 100_000); return 1', "is not valid"),
    "nested object": ("send('{\"id\": 2, \"ok\": true, \"x\": ' + '[' * 9999); return 1", "is not"),
    "no number": ('send(json.dumps({"ok": True})); return 1', "id"),
    "no loading": ("answer(request); return 1", "loading"),
    "odd loading": ('answer(request, loading=[1], load_seconds=1); return 1', "loading"),
    "nan": ('answer(request, loading=LOADING, load_seconds=float("nan")); return 1', "is not"),
    "infinity": ('answer(request, loading=LOADING, load_seconds=float("inf")); return 1', "is not"),
    "overflow": ('send(\'{"id": 2, "ok": true, "load_seconds": 1e999}\'); return 1', "is not"),
    "negative": ("answer(request, loading=LOADING, load_seconds=-1); return 1", "load_seconds"),
    "not utf-8": (
        'sys.stdout.buffer.write(b"\\xff\\xfe\\n"); sys.stdout.flush(); return 1', "is not valid"
    ),
    "other number": ('send(json.dumps({"id": 9, "ok": True})); return 1', "request 9"),
    "half a reply": ('sys.stdout.write("{"); sys.stdout.flush(); os._exit(0)', "middle of a reply"),
    "one endless line": ('while True: sys.stdout.write("x" * 65536)', "in one line"),
    "closed output": ("os.close(1); time.sleep(600)", "closed its output"),
}  # fmt: skip


@pytest.mark.parametrize(("action", "message"), INVALID_REPLIES.values(), ids=INVALID_REPLIES)
def test_invalid_reply_is_a_verdict(check, fake_backend, action, message):
    result = check(fake_backend("open", action), timeout=30.0)
    assert result.verdict == "backend failed"
    assert message in result.reason


FAILURES = {
    "exit 0": ("os._exit(0)", "crashed", "status 0"),
    "exit 3": ('print("no luck", file=sys.stderr); sys.exit(3)', "crashed", "no luck"),
    "killed": ("os.kill(os.getpid(), 9)", "crashed", "SIGKILL"),
    "silent": ("time.sleep(600)", "timed out", "'open' within 3 s"),
    "flood of errors": ('while True: sys.stderr.write("x" * 65536)', "timed out", "within 3 s"),
    "empty refusal": ("answer(request, ok=False); return 1", "does not load", "no reason"),
    "memory of PyTorch's GPU": (
        'answer(request, ok=False, kind="OutOfMemoryError", message="CUDA ran"); return 1',
        "out of memory",
        "CUDA ran",
    ),
    "memory of TensorFlow": (
        'answer(request, ok=False, kind="ResourceExhaustedError", message="OOM"); return 1',
        "out of memory",
        "OOM",
    ),
    "memory of JAX": (
        'answer(request, ok=False, kind="XlaRuntimeError", message="RESOURCE_EXHAUSTED"); return 1',
        "out of memory",
        "EXHAUSTED",
    ),
    "memory of onnxruntime": (
        'answer(request, ok=False, kind="Fail", message="Failed to allocate memory"); return 1',
        "out of memory",
        "allocate",
    ),
    "memory of cuBLAS": (
        'answer(request, ok=False, kind="RuntimeError",'
        ' message="CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`");'
        " return 1",
        "out of memory",
        "CUBLAS",
    ),
    "memory of cuDNN": (
        'answer(request, ok=False, kind="RuntimeError", message="out of memory: 13 of the GPU\'s '
        '143,155 MB are free; cuDNN error: CUDNN_STATUS_INTERNAL_ERROR");'
        " return 1",
        "out of memory",
        "143,155",
    ),
    "long refusal": (
        'answer(request, ok=False, kind="E" * 10**7, message="x" * 10**7); return 1',
        "does not load",
        "EEE",
    ),
}


@pytest.mark.parametrize(("action", "verdict", "message"), FAILURES.values(), ids=FAILURES)
def test_ended_or_silent_backend_is_a_verdict(check, fake_backend, action, verdict, message):
    initial_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = check(fake_backend("open", action))
    assert (result.verdict, message in result.reason) == (verdict, True), result.reason
    assert len(result.reason) < 3000
    growth_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - initial_kb
    assert growth_kb < 400_000  # KB


CUDA_MESSAGE = """CUDA error: out of memory
Search for `cudaErrorMemoryAllocation' in the documentation for more information.
CUDA kernel errors might be asynchronously reported at some other API call."""
MEMORY_MESSAGE = """CUDA out of memory. Tried to allocate 148.00 MiB. If reserved but \
unallocated memory is large try setting PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True to avoid \
fragmentation. See documentation for Memory Management  (https://pytorch.org/docs/stable/notes/cuda.html)"""


def test_reason_leaves_out_advice_on_fragmentation(check, fake_backend):
    reply = f"answer(request, ok=False, kind='OutOfMemoryError', message={MEMORY_MESSAGE!r})"
    result = check(fake_backend("open", f"{reply}; return 1"))
    expected = "OutOfMemoryError: CUDA out of memory. Tried to allocate 148.00 MiB."
    assert result.reason == expected


def test_gpu_error_ends_the_process(create_runner, fake_backend, folder, tmp_path):
    """After such an error PyTorch's process cannot use the GPU any more."""
    pids = tmp_path / "pids"
    action = f"""
    pathlib.Path({str(pids)!r}).open("a").write(f"{{os.getpid()}} ")
    answer(request, ok=False, kind="AcceleratorError", message={CUDA_MESSAGE!r})
    return 1
    """
    runner = create_runner(fake_backend("open", action))
    for _ in range(2):
        (result,) = runner.check(open_checkpoint(folder))
        assert result.verdict == "out of memory"
        assert result.reason == "AcceleratorError: CUDA error: out of memory"
    assert len(set(pids.read_text().split())) == 2


def test_crash_of_another_variant_does_not_change_the_verdict(create_runner, fake_backend, folder):
    action = 'os._exit(3) if request.get("variant") == "default" else None'
    python = str(fake_backend("run", action))
    runner = create_runner("", backends=("openvino",), pythons={"openvino": python})
    (result,) = runner.check(open_checkpoint(folder))
    assert result.verdict == "baseline, unchecked"
    assert result.peak_rss_mb == 1
    assert result.notes == [
        "variant default fails: crashed: exit status 3; it wrote nothing to stderr"
    ]


def test_unrequested_replies_are_refused(check, fake_backend):
    """Endless unrequested lines are not stored."""
    action = "while True: answer(request, **make_reply(request))"
    result = check(fake_backend("hello", action))
    assert result.verdict == "backend failed"
    assert "reply without a request" in result.reason or "replied to request 1" in result.reason


def test_child_holding_the_output_does_not_block(check, fake_backend):
    action = "if os.fork() == 0:\n    os.setsid()\n    time.sleep(30)\nos._exit(0)"
    assert check(fake_backend("open", action)).verdict == "timed out"


def test_unread_large_request_times_out(fake_backend):
    python = fake_backend("hello", "answer(request, **make_reply(request)); time.sleep(600)")
    settings = Settings(pythons={"pytorch": str(python)}, timeout=2)
    worker = BackendProcess("pytorch", settings)
    with pytest.raises(BackendDiedError, match="no reply to 'tokenize'"):
        worker.call("tokenize", texts=["x" * 10**7])
    assert worker.pid is None


def test_failed_start_is_not_repeated(create_runner, fake_backend, folder, tmp_path):
    python = fake_backend(
        "hello", f'open({str(tmp_path / "starts")!r}, "a").write("x"); os._exit(0)'
    )
    runner = create_runner(python)
    for _ in range(3):
        (result,) = runner.check(open_checkpoint(folder))
        assert (result.verdict, "status 0" in result.reason) == ("crashed", True)
    assert (tmp_path / "starts").read_text() == "x"


ARRAYS = {  # damage to the array, text of the reason
    "elsewhere": ('reply["outputs"]["logits"] = "/etc/passwd"', "outside its folder"),
    "upwards": (
        'reply["outputs"]["logits"] = request["into"] + "/../../x.npy"', "outside its folder"
    ),
    "nul": ('reply["outputs"]["logits"] = "a\\0b"', "outside its folder"),
    "link": ('os.remove(path); os.symlink("/etc/passwd", path)', "outside its folder"),
    "missing": ("os.remove(path)", "cannot be read"),
    "folder": ("os.remove(path); os.mkdir(path)", "cannot be read"),
    "fifo": ("os.remove(path); os.mkfifo(path)", "regular file"),
    "garbage": ('open(path, "wb").write(b"garbage")', "cannot be read"),
    "empty": ('open(path, "wb").close()', "cannot be read"),
    "objects": (
        "np.save(path, np.array([{1: 2}], dtype=object), allow_pickle=True)", "not plain numbers"
    ),
    "texts": ('np.save(path, np.array(["a"]))', "not plain numbers"),
    "complex": ("np.save(path, np.ones(3, dtype=complex))", "not plain numbers"),
    "truncated": ("os.truncate(path, 140)", "its shape"),
    "terabytes": (
        "np.lib.format.open_memmap(path, 'w+', np.float32, (10**12, ))", "larger than"
    ),
    "shape": (
        "with open(path, 'wb') as file:\n"
        "    header = {'descr': '<f4', 'fortran_order': False, 'shape': (2**40, 2**40)}\n"
        "    np.lib.format.write_array_header_1_0(file, header)",
        "its shape",
    ),
    "negative": (
        "with open(path, 'wb') as file:\n"
        "    header = {'descr': '<f4', 'fortran_order': False, 'shape': (-1, -1)}\n"
        "    np.lib.format.write_array_header_1_0(file, header)\n"
        "    file.write(bytes(4))",
        "its shape",
    ),
    "no dtype": ('reply["dtypes"] = {}', "precision"),
}  # fmt: skip


@pytest.mark.parametrize(("action", "message"), ARRAYS.values(), ids=ARRAYS)
def test_untrusted_array_is_refused(check, fake_backend, action, message):
    lines = ["reply = make_reply(request)", 'path = reply["outputs"]["logits"]', action]
    result = check(fake_backend("run", "\n".join([*lines, "answer(request, **reply)", "return 1"])))
    assert (result.verdict, message in result.reason) == ("backend failed", True), result.reason


SHAPES = {
    "no numbers": "()",
    "single number": "(1,)",
    "per row": "(4,)",
    "too many": "(4, 3, 2, 1, 1)",
    "nothing": "(0, 3)",
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_outputs_of_odd_shapes_are_compared(check, fake_backend, shape):
    lines = [
        "reply = make_reply(request)",
        f'np.save(request["into"] + "/0.npy", np.ones({shape}))',
    ]
    result = check(fake_backend("run", "\n".join([*lines, "answer(request, **reply)", "return 1"])))
    assert result.verdict in {"agree", "outputs differ", "no outputs"}


def test_long_waits_are_reported(fake_backend):
    messages: list[str] = []
    python = str(fake_backend("peak", "time.sleep(2)"))
    settings = Settings(pythons={"pytorch": python})
    worker = BackendProcess("pytorch", settings, notify=messages.append, notice_seconds=0.5)
    try:
        assert worker.call("peak")["peak_rss_mb"] == 1.0
    finally:
        worker.close()
    assert any("pytorch" in text and "'peak'" in text and "300 s" in text for text in messages)


def test_command_reports_a_failing_backend(fake_backend, folder):
    python = fake_backend("open", 'send("\\x1b[2Jgarbage"); return 1')
    process = run_parity(
        folder, "--backends", "pytorch", "--backend-python", f"pytorch={python}", "--no-measure"
    )
    assert process.returncode == 1
    assert "Traceback" not in process.stderr
    assert "backend failed" in process.stdout
    assert "\x1b" not in process.stdout + process.stderr
