"""Prints the OpenAPI document, or with the word `reference` the list of operations."""

import json
import sys

from valetkey.doors.api.openapi import document
from valetkey.doors.api.reference import reference

if sys.argv[1:] == ["reference"]:
    sys.stdout.write(reference())
else:
    json.dump(document(), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
