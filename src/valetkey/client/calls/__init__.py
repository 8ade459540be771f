"""The operations of the API."""

# Made by scripts/api_client.py from the OpenAPI document; not to be edited.

from valetkey.client.calls.accounts import AccountsCalls
from valetkey.client.calls.api_tokens import ApiTokensCalls
from valetkey.client.calls.app_passwords import AppPasswordsCalls
from valetkey.client.calls.connections import ConnectionsCalls
from valetkey.client.calls.me import MeCalls
from valetkey.client.calls.policy import PolicyCalls
from valetkey.client.calls.records import RecordsCalls


class Calls(MeCalls, AccountsCalls, AppPasswordsCalls, ConnectionsCalls, RecordsCalls, PolicyCalls, ApiTokensCalls):
    """Every operation of the API."""
