"""Kernels that are forks of one process, which has imported what chapters import.

Of the 13 seconds that a short chapter takes, a kernel of its own spends five on importing torch, pandas and
matplotlib, and two more on leaving them. A fork has them from the start and leaves at once; all else is
ipykernel's.
"""

import atexit
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import EntryPoint
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from ipykernel.kernelapp import IPKernelApp
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

FORKS = get_context("forkserver")
IMPORTED = [
    "__main__",  # else each fork would, in its own time
    "tsrnn.training",
    "torch._dynamo",
    "tsrnn.book.claims",
    "tsrnn.book.others",
    "seaborn",
    "myst_nb",
    "tabulate",
]


def serve(arguments: list[str], folder: str, environment: dict[str, str]) -> None:
    """Be a kernel until it is shut down; in a process group of its own, as jupyter_client starts others."""
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    # It ends when its parent is gone. What it logs is how its messages travel, and that it was told to stop.
    arguments += [f"--IPKernelApp.parent_handle={os.getppid()}", "--log-level=CRITICAL"]
    IPKernelApp.launch_instance(arguments)
    atexit._run_exitfuncs()  # which multiprocessing leaves out


class Kernel(FORKS.Process):  # type: ignore[name-defined,misc]
    """A process with what jupyter_client asks of those it starts, which are subprocess.Popen."""

    stdin = stdout = stderr = None

    def poll(self) -> int | None:
        code: int | None = self.exitcode
        return code

    def wait(self) -> int | None:
        self.join()
        return self.poll()

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)


class Forked(LocalProvisioner):
    """Starts a kernel as a fork."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        arguments, self.cwd = cmd[cmd.index("-f") :], str(kwargs.get("cwd") or Path.cwd())
        self.process = Kernel(target=serve, args=(arguments, self.cwd, kwargs["env"]))
        self.process.start()
        self.pid = self.process.pid
        return self.connection_info


def use_forks() -> None:
    """From now on kernels of this process are forks, of one that it starts with the first; one thread each.

    But where a library of the system may not stand to be forked, as on a Mac.
    """
    os.environ["OMP_NUM_THREADS"] = "1"  # they share the cores
    if sys.platform != "linux":
        return
    FORKS.set_forkserver_preload(IMPORTED)
    factory = KernelProvisionerFactory.instance()
    factory.provisioners["forked"] = EntryPoint("forked", f"{__name__}:{Forked.__name__}", factory.GROUP_NAME)
    factory.default_provisioner_name = "forked"


def workers(jobs: int | None = None) -> ProcessPoolExecutor:
    """Processes that use forks, as many as there are cores unless `jobs` says otherwise.

    They are spawned: one that is forked beside a thread of its parent may wait for ever for what that held.
    """
    return ProcessPoolExecutor(jobs, get_context("spawn"), initializer=use_forks)
