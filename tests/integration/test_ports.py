"""The ports of test servers: runs beside each other do not choose the same."""

import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from tests.servers.places import BLOCK, LOCALHOST, PortBlock, free_ports, free_run

ROOT = Path(__file__).parents[2]
CHOOSE = "from tests.servers.places import free_ports; print(*free_ports(100), flush=True); input()"


def test_processes_beside_each_other_choose_different_ports() -> None:
    command = [sys.executable, "-c", CHOOSE]
    with ExitStack() as beside:
        chosen = free_ports(100)
        for _ in range(4):
            other = beside.enter_context(
                subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            assert other.stdout is not None
            chosen += [int(port) for port in other.stdout.readline().split()]
    assert len(set(chosen)) == len(chosen) == 500


def test_a_port_in_use_is_passed_over() -> None:
    block = PortBlock()
    first = block.run_of(1)
    with socket.socket() as taken:
        taken.bind((LOCALHOST, first + 3))
        assert block.run_of(5) > first + 3
    block.close()


def test_a_port_rests_while_there_are_others() -> None:
    block = PortBlock()
    chosen = [block.run_of(1) for _ in range(BLOCK // 2)]
    assert len(set(chosen)) == BLOCK // 2
    block.close()


def test_ports_in_a_row_are_free() -> None:
    base = free_run(14)
    with ExitStack() as open_sockets:
        for port in range(base, base + 14):
            open_sockets.enter_context(socket.socket()).bind((LOCALHOST, port))
