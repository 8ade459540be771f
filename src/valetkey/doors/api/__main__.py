"""Prints the OpenAPI document."""

import json
import sys

from valetkey.doors.api.openapi import document

json.dump(document(), sys.stdout, indent=2, ensure_ascii=False)
sys.stdout.write("\n")
