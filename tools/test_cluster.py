"""A sweep on a real Slurm, disturbed on purpose: it has to end complete, and as if nothing had happened.

Starts a Slurm of one node on this machine (Debian's packages, installed if need be; root only), and sends the
`toy` profile of the workflow through it, six trainings. While they run, one job is cancelled, the process of
a second is killed, and a third runs into its time limit. What they leave is compared, byte by byte, with
what the same trainings leave undisturbed, without Slurm. Takes about ten minutes on two cores.

Usage: python tools/test_cluster.py
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pandas as pd

from tsrnn.command import run_one
from tsrnn.files import CHECKSUMS

TOP = Path(__file__).parents[1]
HERE = TOP / "_build" / "cluster"
CONF = Path("/etc/slurm/slurm.conf")  # where srun looks for it inside a job
MARK = "# made by tsrnn's tools/test_cluster.py\n"
SETTINGS = f"""{MARK}
ClusterName=tsrnn
SlurmctldHost={socket.gethostname()}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
StateSaveLocation={HERE}/slurmctld
SlurmdSpoolDir={HERE}/slurmd
SlurmctldPidFile={HERE}/slurmctld.pid
SlurmdPidFile={HERE}/slurmd.pid
SlurmctldLogFile={HERE}/slurmctld.log
SlurmdLogFile={HERE}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
KillWait=2
NodeName={socket.gethostname()} NodeAddr=127.0.0.1 CPUs={os.cpu_count()} RealMemory=8000
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE
"""
ENV = os.environ | {
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "TSRNN_ZOO": str(HERE / "none"),
}
WORKFLOW = ["snakemake", "-s", "workflow/Snakefile", "networks", "--until", "train", "--quiet", "rules"]


def output(*command: str) -> str:
    return subprocess.run(command, env=ENV, capture_output=True, text=True, check=True).stdout


def start_slurm() -> None:
    """One node, on loopback. Daemons of an earlier call are ended first, by the ids that they left."""
    if CONF.exists() and not CONF.read_text().startswith(MARK):
        sys.exit(f"error: there is a Slurm on this machine: {CONF}")
    if shutil.which("slurmctld") is None:
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        packages = ["slurm-wlm", "munge"]
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], check=True)
    stop_slurm()
    shutil.rmtree(HERE, ignore_errors=True)
    for folder in ("slurmctld", "slurmd", "none"):
        (HERE / folder).mkdir(parents=True)
    CONF.write_text(SETTINGS)
    if subprocess.run(["munge", "-n"], capture_output=True).returncode:
        Path("/run/munge").mkdir(exist_ok=True)
        shutil.chown("/run/munge", "munge", "munge")
        subprocess.run(["runuser", "-u", "munge", "--", "munged"], check=True)
    subprocess.run(["slurmctld"], env=ENV, check=True)
    subprocess.run(["slurmd"], env=ENV, check=True)
    for _ in range(60):
        if "idle" in output("sinfo", "-h", "-o", "%T"):
            return
        time.sleep(1)
    sys.exit(f"error: Slurm did not start; see {HERE}/*.log")


def stop_slurm() -> None:
    for name in ("slurmd", "slurmctld"):
        path = HERE / f"{name}.pid"
        if path.exists():
            with suppress(ProcessLookupError):
                os.kill(int(path.read_text()), signal.SIGTERM)
            for _ in range(100):
                if not path.exists():
                    break
                time.sleep(0.1)


def running() -> list[str]:
    """The ids of the jobs that run."""
    return output("squeue", "-h", "-t", "running", "-o", "%i").split()


def worker(job: str) -> int | None:
    """The process of `tsrnn train` in a job, once it has saved an epoch."""
    for line in output("ps", "-eo", "pid,args").splitlines():
        pid, _, arguments = line.strip().partition(" ")
        if " train " in arguments and "tsrnn" in arguments and "python" in arguments.split()[0]:
            environment = Path(f"/proc/{pid}/environ")
            if environment.exists() and f"SLURM_JOB_ID={job}".encode() in environment.read_bytes().split(
                b"\0"
            ):
                return int(pid)
    return None


def disturb() -> list[str]:
    """Cancel a job, kill the process of another, cut the time of a third; what was done."""
    done: list[str] = []
    spoiled: set[str] = set()
    until = time.monotonic() + 600
    while len(done) < 3 and time.monotonic() < until:
        time.sleep(0.5)
        for job in running():
            pid = worker(job)
            if job in spoiled or pid is None:
                continue
            time.sleep(8)  # in the middle of it
            spoiled.add(job)
            if len(done) == 0:
                subprocess.run(["scancel", job], env=ENV, check=True)
                done.append(f"job {job} cancelled")
            elif len(done) == 1:
                os.kill(pid, signal.SIGKILL)
                done.append(f"process {pid} of job {job} killed")
            else:
                subprocess.run(["scontrol", "update", f"JobId={job}", "TimeLimit=1"], env=ENV, check=True)
                done.append(f"job {job} given one minute")
            print(done[-1], flush=True)
    return done


def contents(zoo: Path) -> dict[str, bytes]:
    """All that trainings leave, but for the seconds in histories."""
    found = {}
    for path in sorted(zoo.rglob("*")):
        if path.is_file() and path.name != "lock":
            content = path.read_bytes()
            if path.name == "history.csv":
                content = pd.read_csv(path, dtype=str).drop(columns="seconds").to_csv().encode()
            if path.name == CHECKSUMS:  # that of a history with its seconds
                content = b"".join(x for x in content.splitlines() if not x.endswith(b"history.csv"))
            found[str(path.relative_to(zoo))] = content
    return found


def main() -> None:
    start_slurm()
    try:
        options = ["--config", "profile=toy", f"zoo={HERE / 'slurm'}", f"done={HERE / 'slurm_done'}"]
        slurm = ["--profile", "workflow/slurm", "--seconds-between-status-checks", "5", "--latency-wait", "5"]
        slurm += ["--slurm-init-seconds-before-status-checks", "5", "--slurm-status-command", "squeue"]
        slurm += ["--slurm-no-account", "--set-resources", "train:gres=''"]
        sweep = subprocess.Popen([*WORKFLOW, *slurm, *options], env=ENV, cwd=TOP)
        done = disturb()
        code = sweep.wait()
    finally:
        stop_slurm()
    if code or len(done) < 3:
        sys.exit(
            f"error: the sweep ended with exit code {code}, disturbed by: {', '.join(done) or 'nothing'}"
        )
    options = ["--config", "profile=toy", f"zoo={HERE / 'alone'}", f"done={HERE / 'alone_done'}"]
    subprocess.run([*WORKFLOW, "-c2", *options], env=ENV, cwd=TOP, check=True)
    disturbed, alone = contents(HERE / "slurm"), contents(HERE / "alone")
    differ = [n for n in sorted({*disturbed, *alone}) if disturbed.get(n) != alone.get(n)]
    if differ or not alone:
        sys.exit(f"error: {len(differ)} files differ from an undisturbed sweep: {', '.join(differ)}")
    print(f"{len(alone)} files of {len({name.split('/')[0] for name in alone})} networks, all the same")


if __name__ == "__main__":
    run_one(main, __doc__)
