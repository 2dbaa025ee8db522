"""Generates the Python of the contract: proto/ -> clients/python/cambist/v1/.

With --check it changes nothing and fails where the committed code is not what would be generated.
"""

import argparse
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import grpc_tools

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
PACKAGE = "cambist/v1"
OUT = ROOT / "clients" / "python"
GENERATED = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi")
INIT = '"""The generated code of the contract, `proto/cambist/v1`."""\n'


def generate(proto: Path, out: Path) -> None:
    """Runs protoc with the Python, grpc and mypy generators."""
    sources = sorted(str(path.relative_to(proto)) for path in (proto / PACKAGE).glob("*.proto"))
    if not sources:
        raise SystemExit(f"no .proto file in {proto / PACKAGE}")
    bundled = Path(grpc_tools.__file__).parent / "_proto"  # google/protobuf
    installed = sysconfig.get_path("purelib")  # google/rpc, of googleapis-common-protos
    scripts = Path(sysconfig.get_path("scripts"))
    command = [sys.executable, "-m", "grpc_tools.protoc"]
    command += [f"-I{folder}" for folder in (proto, bundled, installed)]
    command += [f"--{kind}_out={out}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    # Named by path: the generators are found without an activated environment.
    command += [
        f"--plugin={scripts / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")
    ]
    run = subprocess.run([*command, *sources], capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(f"protoc failed:\n{run.stderr}")
    _drop_empty_services(out)
    init = out / PACKAGE / "__init__.py"
    if not init.exists():
        init.write_text(INIT)


def _drop_empty_services(out: Path) -> None:
    """The grpc generators write a file for each .proto, also where it has no service."""
    for module in (out / PACKAGE).glob("*_pb2_grpc.py"):
        if "class " not in module.read_text():
            module.unlink()
            module.with_suffix(".pyi").unlink(missing_ok=True)


def files(out: Path) -> dict[str, str]:
    """Name -> text of the generated files in `out`."""
    folder = out / PACKAGE
    return {path.name: path.read_text() for glob in GENERATED for path in folder.glob(glob)}


def check(proto: Path, out: Path) -> int:
    with tempfile.TemporaryDirectory() as folder:
        generate(proto, Path(folder))
        fresh = files(Path(folder))
    present = files(out)
    wrong = sorted(
        [f"missing: {name}" for name in fresh.keys() - present.keys()]
        + [f"of no .proto: {name}" for name in present.keys() - fresh.keys()]
        + [
            f"out of date: {name}"
            for name in fresh.keys() & present.keys()
            if fresh[name] != present[name]
        ]
    )
    for line in wrong:
        print(line)
    print("run `make proto`" if wrong else f"{len(fresh)} generated files are up to date")
    return 1 if wrong else 0


def write(proto: Path, out: Path) -> int:
    (out / PACKAGE).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        generate(proto, Path(folder))
        fresh = files(Path(folder))
    for name in files(out).keys() - fresh.keys():
        (out / PACKAGE / name).unlink()
        print(f"removed {name}")
    for name, text in fresh.items():
        target = out / PACKAGE / name
        # Untouched where nothing changed: no needless rebuild, no noise for who is reading it.
        if not target.exists() or target.read_text() != text:
            target.write_text(text)
            print(f"wrote {name}")
    init = out / PACKAGE / "__init__.py"
    if not init.exists():
        init.write_text(INIT)
    print(f"{len(fresh)} files in {out / PACKAGE}")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("--proto", type=Path, default=PROTO, help="folder of the .proto files")
    parser.add_argument(
        "--out", type=Path, default=OUT, help="folder that holds the package cambist"
    )
    arguments = parser.parse_args()
    return (check if arguments.check else write)(arguments.proto, arguments.out)


if __name__ == "__main__":
    sys.exit(main())
