"""`python -m valetkey`, and the `valetkey` command."""

import sys

from valetkey.app.front import FrontHall
from valetkey.doors.cli import build, config_first, set_quiet_errors
from valetkey.late import late


def main() -> None:
    """Run the command line."""
    set_quiet_errors()
    hall = FrontHall(late("valetkey.demo.running:run_demo"), late("valetkey.demo.running:demo_code"))
    build(hall)(config_first(sys.argv[1:]), prog_name="valetkey")


if __name__ == "__main__":
    main()
