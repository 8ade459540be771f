"""The tables as SQLAlchemy Core sees them. Their constraints are in the migrations, which make them."""

from sqlalchemy import Column, Integer, LargeBinary, MetaData, String, Table

metadata = MetaData()

account = Table(
    "account",
    metadata,
    Column("id", String, primary_key=True),
    Column("address", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("state", String, nullable=False),
    Column("rights", String, nullable=False),
    Column("role", String),
    Column("created_at", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
)

address = Table(
    "address",
    metadata,
    Column("address", String, primary_key=True),
    Column("account_id", String, nullable=False),
)

owner = Table(
    "owner",
    metadata,
    Column("shared_id", String, primary_key=True),
    Column("person_id", String, primary_key=True),
)

main_password = Table(
    "main_password",
    metadata,
    Column("account_id", String, primary_key=True),
    Column("hashed", String, nullable=False),
)

upstream_password = Table(
    "upstream_password",
    metadata,
    Column("account_id", String, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)

app_password = Table(
    "app_password",
    metadata,
    Column("id", String, primary_key=True),
    Column("account_id", String, nullable=False),
    Column("description", String, nullable=False),
    Column("format", String, nullable=False),
    Column("permission_mode", String, nullable=False),
    Column("permissions", String, nullable=False),
    Column("protocols", String, nullable=False),
    Column("expires_at", Integer),
    Column("idle_for", Integer),
    Column("network_rule", String, nullable=False),
    Column("allowed_ips", String, nullable=False),
    Column("pinned_network", String),
    Column("created_at", Integer, nullable=False),
    Column("created_by", String, nullable=False),
    Column("created_from", String, nullable=False),
    Column("lapsed_at", Integer),
    Column("revoked_at", Integer),
    Column("revoked_by", String),
    Column("revoked_reason", String),
    Column("last_use_at", Integer),
    Column("last_use_address", String),
    Column("last_use_protocol", String),
    Column("last_use_client", String),
    Column("last_refusal_at", Integer),
    Column("last_refusal_address", String),
    Column("last_refusal_protocol", String),
    Column("last_refusal_reason", String),
    Column("rotated_from", String),
    Column("folders", String, nullable=False),
    Column("senders", String, nullable=False),
    Column("recipients", String, nullable=False),
    Column("messages_per_day", Integer),
    Column("recipients_per_day", Integer),
    Column("recipients_per_message", Integer),
    Column("secret_index", LargeBinary),
    Column("tag", LargeBinary),
    Column("key_number", Integer),
    Column("slow_hash", String),
)

totp = Table(
    "totp",
    metadata,
    Column("id", String, primary_key=True),
    Column("account_id", String, nullable=False),
    Column("name", String, nullable=False),
    Column("sealed_seed", LargeBinary, nullable=False),
    Column("last_step", Integer, nullable=False),
    Column("wrong_codes", Integer, nullable=False),
    Column("wrong_at", Integer),
    Column("created_at", Integer, nullable=False),
    Column("last_used_at", Integer),
)

recovery_code = Table(
    "recovery_code",
    metadata,
    Column("account_id", String, primary_key=True),
    Column("hashed", LargeBinary, primary_key=True),
    Column("drawn_at", Integer, nullable=False),
    Column("used_at", Integer),
)

portal_session = Table(
    "portal_session",
    metadata,
    Column("id_hash", LargeBinary, primary_key=True),
    Column("account_id", String, nullable=False),
    Column("csrf", String, nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("seen_at", Integer, nullable=False),
    Column("proven_at", Integer),
    Column("has_second_factor", Integer, nullable=False),
    Column("address", String, nullable=False),
    Column("client", String, nullable=False),
)

throttle_secret = Table(
    "throttle_secret",
    metadata,
    Column("window", Integer, primary_key=True),
    Column("network", String, primary_key=True),
    Column("secret_key", LargeBinary, primary_key=True),
    Column("failures", Integer, nullable=False),
)

throttle_total = Table(
    "throttle_total",
    metadata,
    Column("window", Integer, primary_key=True),
    Column("network", String, primary_key=True),
    Column("secrets", Integer, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("at", Integer, nullable=False),
    Column("actor", String, nullable=False),
    Column("actor_address", String, nullable=False),
    Column("account_id", String),
    Column("credential_id", String),
    Column("kind", String, nullable=False),
    Column("facts", String, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

counter = Table(
    "counter",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

key_check = Table(
    "key_check",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

login_event = Table(
    "login_event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", String, nullable=False),
    Column("credential_id", String, nullable=False),
    Column("protocol", String, nullable=False),
    Column("network", String, nullable=False),
    Column("client", String, nullable=False),
    Column("result", String, nullable=False),
    Column("first_at", Integer, nullable=False),
    Column("last_at", Integer, nullable=False),
    Column("count", Integer, nullable=False),
)

login_event_list = Table(
    "login_event_list",
    metadata,
    Column("account_id", String, primary_key=True),
    Column("entries", Integer, nullable=False),
    Column("dropped", Integer, nullable=False),
)

passkey = Table(
    "passkey",
    metadata,
    Column("id", String, primary_key=True),
    Column("account_id", String, nullable=False),
    Column("name", String, nullable=False),
    Column("credential_id", LargeBinary, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("sign_count", Integer, nullable=False),
    Column("transports", String, nullable=False),
    Column("is_synced", Integer, nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("last_used_at", Integer),
)

spent_challenge = Table(
    "spent_challenge",
    metadata,
    Column("hashed", LargeBinary, primary_key=True),
    Column("spent_at", Integer, nullable=False),
)

refused_sign_in = Table(
    "refused_sign_in",
    metadata,
    Column("account_id", String, primary_key=True),
    Column("network", String, primary_key=True),
    Column("first_at", Integer, nullable=False),
    Column("last_at", Integer, nullable=False),
    Column("count", Integer, nullable=False),
)

notice_address = Table(
    "notice_address",
    metadata,
    Column("account_id", String, primary_key=True),
    Column("address", String, nullable=False),
    Column("confirmed_at", Integer),
)

one_time_link = Table(
    "one_time_link",
    metadata,
    Column("hashed", LargeBinary, primary_key=True),
    Column("purpose", String, nullable=False),
    Column("account_id", String, nullable=False),
    Column("facts", String, nullable=False),
    Column("created_by", String, nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("expires_at", Integer, nullable=False),
    Column("used_at", Integer),
)

recovery = Table(
    "recovery",
    metadata,
    Column("id", String, primary_key=True),
    Column("account_id", String, nullable=False),
    Column("state", String, nullable=False),
    Column("begun_at", Integer, nullable=False),
    Column("begun_from", String, nullable=False),
    Column("opens_at", Integer, nullable=False),
    Column("closes_at", Integer, nullable=False),
    Column("noticed_at", Integer, nullable=False),
    Column("ended_at", Integer),
)

notice = Table(
    "notice",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", String, nullable=False),
    Column("recipient", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("facts", String, nullable=False),
    Column("sealed", LargeBinary),
    Column("made_at", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_try_at", Integer, nullable=False),
)

login_day = Table(
    "login_day",
    metadata,
    Column("day", Integer, primary_key=True),
    Column("account_id", String, primary_key=True),
    Column("credential_id", String, primary_key=True),
    Column("protocol", String, primary_key=True),
    Column("result", String, primary_key=True),
    Column("count", Integer, nullable=False),
)

login_hour = Table(
    "login_hour",
    metadata,
    Column("hour", Integer, primary_key=True),
    Column("protocol", String, primary_key=True),
    Column("result", String, primary_key=True),
    Column("count", Integer, nullable=False),
)

adoption_day = Table(
    "adoption_day",
    metadata,
    Column("day", Integer, primary_key=True),
    Column("people", Integer, nullable=False),
    Column("with_second_factor", Integer, nullable=False),
    Column("with_passkey", Integer, nullable=False),
)

api_token = Table(
    "api_token",
    metadata,
    Column("id", String, primary_key=True),
    Column("account_id", String, nullable=False),
    Column("name", String, nullable=False),
    Column("actions", String, nullable=False),
    Column("allowed_ips", String, nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("created_by", String, nullable=False),
    Column("created_from", String, nullable=False),
    Column("expires_at", Integer, nullable=False),
    Column("last_used_at", Integer),
    Column("last_used_address", String, nullable=False),
    Column("revoked_at", Integer),
    Column("revoked_by", String),
    Column("key_number", Integer, nullable=False),
    Column("secret_index", LargeBinary),
)

proposal = Table(
    "proposal",
    metadata,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("account_id", String),
    Column("facts", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("proposed_by", String, nullable=False),
    Column("proposed_at", Integer, nullable=False),
    Column("expires_at", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("decided_by", String),
    Column("decided_at", Integer),
)

site_rules = Table(
    "site_rules",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("policy", String),
    Column("networks", String),
)

api_answer = Table(
    "api_answer",
    metadata,
    Column("token_id", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("request_hash", LargeBinary, nullable=False),
    Column("status", Integer),
    Column("body", String),
    Column("made_at", Integer, nullable=False),
)

sent_day = Table(
    "sent_day",
    metadata,
    Column("day", Integer, primary_key=True),
    Column("credential_id", String, primary_key=True),
    Column("messages", Integer, nullable=False),
    Column("recipients", Integer, nullable=False),
)

remembered_code = Table(
    "remembered_code",
    metadata,
    Column("hashed", LargeBinary, primary_key=True),
    Column("account_id", String, nullable=False),
    Column("code", LargeBinary, nullable=False),
    Column("typed_at", Integer, nullable=False),
)

closing = Table(
    "closing",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("server", String, nullable=False),
    Column("account_id", String),
    Column("credential_id", String),
    Column("made_at", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_try_at", Integer, nullable=False),
    Column("told_at", Integer),
    Column("given_up_at", Integer),
)

asked = Table(
    "asked",
    metadata,
    Column("door", String, primary_key=True),
    Column("peer", String, primary_key=True),
    Column("outcome", String, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("first_at", Integer, nullable=False),
    Column("last_at", Integer, nullable=False),
    Column("place", String, nullable=False),
)

not_sent = Table(
    "not_sent",
    metadata,
    Column("day", Integer, primary_key=True),
    Column("credential_id", String, primary_key=True),
    Column("why", String, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("first_at", Integer, nullable=False),
    Column("last_at", Integer, nullable=False),
)
