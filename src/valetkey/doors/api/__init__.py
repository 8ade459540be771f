"""The REST API for machines: everything that portal and console do, with API tokens; never with app passwords."""

from valetkey.doors.api.app import create_api
from valetkey.doors.api.settings import ApiSettings

__all__ = ["ApiSettings", "create_api"]
