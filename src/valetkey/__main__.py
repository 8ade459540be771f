"""`python -m valetkey`, and the `valetkey` command."""

import sys

from valetkey.app.front import FrontHall
from valetkey.demo.running import demo_code, run_demo
from valetkey.doors.cli import build, config_first, set_quiet_errors


def main() -> None:
    """Run the command line."""
    set_quiet_errors()
    build(FrontHall(run_demo, demo_code))(config_first(sys.argv[1:]), prog_name="valetkey")


if __name__ == "__main__":
    main()
