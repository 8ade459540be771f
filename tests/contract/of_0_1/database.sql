-- A database of Valetkey 0.1.0, filled by its own verbs.
PRAGMA application_id = 1447773529;
BEGIN TRANSACTION;
CREATE TABLE account (
  id TEXT PRIMARY KEY,
  address TEXT NOT NULL UNIQUE REFERENCES address (address) DEFERRABLE INITIALLY DEFERRED,
  kind TEXT NOT NULL CHECK (kind IN ('person', 'shared')),
  state TEXT NOT NULL CHECK (state IN ('active', 'disabled')),
  rights TEXT NOT NULL,
  is_admin INTEGER NOT NULL CHECK (is_admin IN (0, 1)),
  created_at INTEGER NOT NULL,
  changed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "account" VALUES('ac_edktxs4tufxl5lb3','alice@example.org','person','active','delete filters flag folders read send write',1,1772366410000000,18);
INSERT INTO "account" VALUES('ac_iw7qryexnpacciwz','info@example.org','shared','active','delete filters flag folders read send write',0,1772366470000000,9);
INSERT INTO "account" VALUES('ac_pedgnx37upfqkedt','bob@example.org','person','active','delete filters flag folders read send write',0,1772366440000000,17);
INSERT INTO "account" VALUES('ac_yanzzh2ud54xx6i2','carl@example.org','person','disabled','delete filters flag folders read send write',0,1772366470000000,12);
CREATE TABLE address (
  address TEXT PRIMARY KEY CHECK (address LIKE '%_@_%'),
  account_id TEXT NOT NULL REFERENCES account (id) DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;
INSERT INTO "address" VALUES('alice@example.org','ac_edktxs4tufxl5lb3');
INSERT INTO "address" VALUES('info@example.org','ac_iw7qryexnpacciwz');
INSERT INTO "address" VALUES('bob@example.org','ac_pedgnx37upfqkedt');
INSERT INTO "address" VALUES('robert@example.org','ac_pedgnx37upfqkedt');
INSERT INTO "address" VALUES('carl@example.org','ac_yanzzh2ud54xx6i2');
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE app_password (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES account (id),
  description TEXT NOT NULL CHECK (length(description) BETWEEN 1 AND 100),
  format TEXT NOT NULL CHECK (format IN ('default', 'device')),
  permission_mode TEXT NOT NULL CHECK (permission_mode IN ('inherit', 'restrict', 'replace')),
  permissions TEXT NOT NULL,
  protocols TEXT NOT NULL,
  expires_at INTEGER,
  idle_for INTEGER CHECK (idle_for > 0),
  network_rule TEXT NOT NULL CHECK (network_rule IN ('anywhere', 'allowed', 'pinned')),
  allowed_ips TEXT NOT NULL,
  pinned_network TEXT,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  created_from TEXT NOT NULL,
  lapsed_at INTEGER,
  revoked_at INTEGER,
  revoked_by TEXT,
  revoked_reason TEXT,
  last_use_at INTEGER,
  last_use_address TEXT,
  last_use_protocol TEXT,
  last_use_client TEXT,
  last_refusal_at INTEGER,
  last_refusal_address TEXT,
  last_refusal_protocol TEXT,
  last_refusal_reason TEXT,
  secret_index BLOB UNIQUE CHECK (length(secret_index) = 16),
  tag BLOB CHECK (length(tag) = 32),
  key_number INTEGER CHECK (key_number > 0),
  slow_hash TEXT,
  -- A revoked one keeps nothing of its secret, and a live one has all that proves it.
  CHECK ((revoked_at IS NULL) = (secret_index IS NOT NULL)),
  CHECK ((revoked_at IS NULL) = (tag IS NOT NULL)),
  CHECK ((revoked_at IS NULL) = (key_number IS NOT NULL)),
  CHECK (revoked_at IS NULL OR (slow_hash IS NULL AND revoked_by IS NOT NULL AND revoked_reason IS NOT NULL)),
  CHECK (network_rule = 'pinned' OR pinned_network IS NULL)
) STRICT;
INSERT INTO "app_password" VALUES('ap_zf7pq4gcnyntvzpt','ac_pedgnx37upfqkedt','Phone','default','inherit','','imap pop3 sieve smtp',NULL,NULL,'anywhere','[]',NULL,1772366470000000,'ac_pedgnx37upfqkedt','198.51.100.7',NULL,NULL,NULL,NULL,1772366477000000,'198.51.100.7','imap','Thunderbird',NULL,NULL,NULL,NULL,X'EB1865D8383215157BAB0886D4E36DF9',X'1EC1F84881F7AF61E59E37285E9E889AF070806DFCC5C351742CD408DB967A72',1,NULL);
INSERT INTO "app_password" VALUES('ap_34umhimltgm6hhxp','ac_pedgnx37upfqkedt','Scanner','device','replace','send','smtp',NULL,NULL,'pinned','[]','198.51.100.0/24',1772366470000000,'ac_pedgnx37upfqkedt','198.51.100.7',NULL,NULL,NULL,NULL,1772366484000000,'198.51.100.7','smtp','Thunderbird',1772366491000000,'198.51.100.7','imap','protocol',X'5E47A06FBC5101F68609930F89C8F154',X'FC3D33D3406EA4643EA78777E5A979563A709E72E42F5CFB03E6D20616C5A781',1,NULL);
INSERT INTO "app_password" VALUES('ap_rdnvq3agkmtmqba3','ac_pedgnx37upfqkedt','Lost tablet','default','inherit','','imap pop3 sieve smtp',1780142470000000,NULL,'anywhere','[]',NULL,1772366470000000,'ac_pedgnx37upfqkedt','198.51.100.7',NULL,1772366558000000,'ac_pedgnx37upfqkedt','Left on a train',1772366498000000,'198.51.100.7','imap','Thunderbird',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE audit (
  number INTEGER PRIMARY KEY CHECK (number > 0),
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  actor_address TEXT NOT NULL,
  account_id TEXT,
  credential_id TEXT,
  kind TEXT NOT NULL,
  facts TEXT NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
INSERT INTO "audit" VALUES(1,1772366410000000,'operator','','ac_edktxs4tufxl5lb3',NULL,'AccountCreated','{"address":"alice@example.org","kind":"person"}',X'D1DEEB1102891730C5639C755A8500726949141736456A2CBB9F668B94637ACF');
INSERT INTO "audit" VALUES(2,1772366410000000,'ac_edktxs4tufxl5lb3','198.51.100.7','ac_edktxs4tufxl5lb3',NULL,'SecondFactorAdded','{"name":"Phone"}',X'F243218B9BA180164ED8E5DE705E3179DCDA6B55DC77293D562364DB3AD2C70E');
INSERT INTO "audit" VALUES(3,1772366410000000,'ac_edktxs4tufxl5lb3','198.51.100.7','ac_edktxs4tufxl5lb3',NULL,'RecoveryCodesDrawn','{"count":10}',X'796EF8713814B41D0D2729591F3A06253A5E771C63603161288C46CFFEE26657');
INSERT INTO "audit" VALUES(4,1772366440000000,'operator','','ac_pedgnx37upfqkedt',NULL,'AccountCreated','{"address":"bob@example.org","kind":"person"}',X'DB06839B816AE0E112463B263438142BBFD1F0FC4F1618FF208CD6CE5E1E0CC4');
INSERT INTO "audit" VALUES(5,1772366440000000,'ac_pedgnx37upfqkedt','198.51.100.7','ac_pedgnx37upfqkedt',NULL,'SecondFactorAdded','{"name":"Phone"}',X'7F470F799302A165BF9B887E2ADEE5D900BD6108B6578404CC7D0CEF811C83D9');
INSERT INTO "audit" VALUES(6,1772366440000000,'ac_pedgnx37upfqkedt','198.51.100.7','ac_pedgnx37upfqkedt',NULL,'RecoveryCodesDrawn','{"count":10}',X'B2250B37B032340BC3D63BF116B74CA6DE3BEA6569FA9AE471A9F7354CF613C1');
INSERT INTO "audit" VALUES(7,1772366470000000,'operator','','ac_yanzzh2ud54xx6i2',NULL,'AccountCreated','{"address":"carl@example.org","kind":"person"}',X'7DBA9C7499DC1F48DDCB1C3154DBB2BA358F62C41E64ED9870B8E42652DF0CCE');
INSERT INTO "audit" VALUES(8,1772366470000000,'operator','','ac_iw7qryexnpacciwz',NULL,'AccountCreated','{"address":"info@example.org","kind":"shared"}',X'466C73A130C558DE93B6D11563B231F6C031039D008E6884A976889816A4AB96');
INSERT INTO "audit" VALUES(9,1772366470000000,'operator','','ac_iw7qryexnpacciwz',NULL,'OwnerAdded','{"owner":"bob@example.org"}',X'856636DF76716C09DE4C46F79729ED4D5C45DC06EF78359528D64D0A8FAEF23C');
INSERT INTO "audit" VALUES(10,1772366470000000,'operator','','ac_pedgnx37upfqkedt',NULL,'AliasAdded','{"address":"robert@example.org"}',X'6C1C149E2F0F1F31B4B1AE6921DF802320844D7FF47D894ECCBAD097A7F3F97B');
INSERT INTO "audit" VALUES(11,1772366470000000,'operator','','ac_pedgnx37upfqkedt',NULL,'UpstreamPasswordSet','{}',X'878E7AD3A3EE98F110C94D98C6C521A842F8F5B37F4BDD5BE4474E976149F728');
INSERT INTO "audit" VALUES(12,1772366470000000,'operator','','ac_yanzzh2ud54xx6i2',NULL,'AccountDisabled','{}',X'A6A6D12718EE14AE636FAC1790E14D67CE095B664ED42EEA35DE03DD4F3F57F1');
INSERT INTO "audit" VALUES(13,1772366470000000,'ac_pedgnx37upfqkedt','198.51.100.7','ac_pedgnx37upfqkedt','ap_zf7pq4gcnyntvzpt','AppPasswordIssued','{"description":"Phone","expires_at":null,"from_networks":["anywhere"],"permissions":"inherit","protocols":["imap","pop3","sieve","smtp"]}',X'4CB906DE31F7BF1B1F5C64B19B591DEAD9E538C543B44547B1A499DE517D62D2');
INSERT INTO "audit" VALUES(14,1772366470000000,'ac_pedgnx37upfqkedt','198.51.100.7','ac_pedgnx37upfqkedt','ap_34umhimltgm6hhxp','AppPasswordIssued','{"description":"Scanner","expires_at":null,"from_networks":["pinned"],"permissions":"replace: send","protocols":["smtp"]}',X'BCD3A0D110F51E02ED07462242E09191313FC6CBED723CF11CE3D7FF21559AFD');
INSERT INTO "audit" VALUES(15,1772366470000000,'ac_pedgnx37upfqkedt','198.51.100.7','ac_pedgnx37upfqkedt','ap_rdnvq3agkmtmqba3','AppPasswordIssued','{"description":"Lost tablet","expires_at":"2026-05-30T12:01:10+00:00","from_networks":["anywhere"],"permissions":"inherit","protocols":["imap","pop3","sieve","smtp"]}',X'2760B82551F21E01A4C5D8BED351940229A2FAF83803E81AA091AFED1F595F86');
INSERT INTO "audit" VALUES(16,1772366484000000,'system','','ac_pedgnx37upfqkedt','ap_34umhimltgm6hhxp','AppPasswordPinned','{"network":"198.51.100.0/24"}',X'737CD5910D7BD3AADC40BA9F55901503F079D02D48D24631E83D6FE8697C786B');
INSERT INTO "audit" VALUES(17,1772366558000000,'ac_pedgnx37upfqkedt','198.51.100.7','ac_pedgnx37upfqkedt','ap_rdnvq3agkmtmqba3','AppPasswordRevoked','{"description":"Lost tablet","reason":"Left on a train"}',X'75BFF8AB4B22C4FBEC7B40A279F84D0CF3BE4C3DEE66F0DCDBCC381581FE13E7');
INSERT INTO "audit" VALUES(18,1772366588000000,'ac_edktxs4tufxl5lb3','198.51.100.7','ac_edktxs4tufxl5lb3',NULL,'SignedIn','{"address":"198.51.100.7","client":"Firefox","factor":"an authenticator code"}',X'74798E795399FA49054354F604EEDA1615B51558867EFD3D84669D1791629F11');
CREATE TABLE counter (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  number INTEGER NOT NULL CHECK (number >= 0),
  hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
INSERT INTO "counter" VALUES(1,18,X'74798E795399FA49054354F604EEDA1615B51558867EFD3D84669D1791629F11');
CREATE TABLE key_check (
  number INTEGER PRIMARY KEY CHECK (number > 0),
  value BLOB NOT NULL CHECK (length(value) = 32)
) STRICT;
CREATE TABLE login_event (
  id INTEGER PRIMARY KEY,
  account_id TEXT NOT NULL,
  credential_id TEXT NOT NULL,
  protocol TEXT NOT NULL,
  network TEXT NOT NULL,
  client TEXT NOT NULL,
  result TEXT NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL CHECK (last_at >= first_at),
  count INTEGER NOT NULL CHECK (count > 0),
  UNIQUE (account_id, credential_id, protocol, network, client, result)
) STRICT;
INSERT INTO "login_event" VALUES(1,'ac_pedgnx37upfqkedt','ap_zf7pq4gcnyntvzpt','imap','198.51.100.7','Thunderbird','allowed',1772366477000000,1772366477000000,1);
INSERT INTO "login_event" VALUES(2,'ac_pedgnx37upfqkedt','ap_34umhimltgm6hhxp','smtp','198.51.100.7','Thunderbird','allowed',1772366484000000,1772366484000000,1);
INSERT INTO "login_event" VALUES(3,'ac_pedgnx37upfqkedt','ap_34umhimltgm6hhxp','imap','198.51.100.7','Thunderbird','protocol',1772366491000000,1772366491000000,1);
INSERT INTO "login_event" VALUES(4,'ac_pedgnx37upfqkedt','ap_rdnvq3agkmtmqba3','imap','198.51.100.7','Thunderbird','allowed',1772366498000000,1772366498000000,1);
INSERT INTO "login_event" VALUES(5,'ac_pedgnx37upfqkedt','','imap','198.51.100.0/24','Thunderbird','wrong-secret',1772366498000000,1772366498000000,1);
CREATE TABLE login_event_list (
  account_id TEXT PRIMARY KEY,
  entries INTEGER NOT NULL CHECK (entries >= 0),
  dropped INTEGER NOT NULL CHECK (dropped >= 0)
) STRICT, WITHOUT ROWID
;
INSERT INTO "login_event_list" VALUES('ac_pedgnx37upfqkedt',5,0);
CREATE TABLE main_password (
  account_id TEXT PRIMARY KEY REFERENCES account (id),
  hashed TEXT NOT NULL CHECK (hashed LIKE '$argon2id$%')
) STRICT, WITHOUT ROWID;
INSERT INTO "main_password" VALUES('ac_edktxs4tufxl5lb3','$argon2id$v=19$m=8,t=1,p=1$MZksnAfHSUwquWgaW9oHPQ$0HOh179ObOrvUcALwDNmnhrZ9NaZQzyGINf3+15xx6o');
INSERT INTO "main_password" VALUES('ac_pedgnx37upfqkedt','$argon2id$v=19$m=8,t=1,p=1$zCZzMsGFpTfPHKbLpyL4Lw$dvCFeffnK3wUnPjWBkaLRFN1OWEmUrWQKNUMVs7OJMc');
INSERT INTO "main_password" VALUES('ac_yanzzh2ud54xx6i2','$argon2id$v=19$m=8,t=1,p=1$DnXC06AP+isHbqGEu6UWdw$+CEukt/ooyvMFTLn4sYb83XCitHxECypOJLuKp0lXEE');
CREATE TABLE owner (
  shared_id TEXT NOT NULL REFERENCES account (id),
  person_id TEXT NOT NULL REFERENCES account (id),
  PRIMARY KEY (shared_id, person_id),
  CHECK (shared_id <> person_id)
) STRICT, WITHOUT ROWID;
INSERT INTO "owner" VALUES('ac_iw7qryexnpacciwz','ac_pedgnx37upfqkedt');
CREATE TABLE portal_session (
  id_hash BLOB PRIMARY KEY CHECK (length(id_hash) = 32),
  account_id TEXT NOT NULL REFERENCES account (id),
  csrf TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  seen_at INTEGER NOT NULL,
  proven_at INTEGER,
  has_second_factor INTEGER NOT NULL CHECK (has_second_factor IN (0, 1)),
  address TEXT NOT NULL,
  client TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "portal_session" VALUES(X'43C37F5535858D33166997C1F138AD349F5711CA58D59CA2301DC9EA124E28ED','ac_edktxs4tufxl5lb3','eOTar-ZvZFohvUlLiOCPvNsum7UJ2fSGw-pFSMu8ZsU',1772366588000000,1772366588000000,1772366588000000,1,'198.51.100.7','Firefox');
CREATE TABLE recovery_code (
  account_id TEXT NOT NULL REFERENCES account (id),
  hashed BLOB NOT NULL CHECK (length(hashed) = 32),
  drawn_at INTEGER NOT NULL,
  used_at INTEGER,
  PRIMARY KEY (account_id, hashed)
) STRICT, WITHOUT ROWID;
INSERT INTO "recovery_code" VALUES('ac_edktxs4tufxl5lb3',X'045671E75887C08A8D2660265EADA5FC3AD13645B7155040991361F9D5539BC1',1772366410000000,NULL);
INSERT INTO "recovery_code" VALUES('ac_edktxs4tufxl5lb3',X'10BEB8AB14E34B9592BB8C8BC6C6038AFE38B13060D5E2848FD3DDDE194FF6CE',1772366410000000,NULL);
INSERT INTO "recovery_code" VALUES('ac_edktxs4tufxl5lb3',X'1A8A2C5BF5CC2B3C2C0D2A450AE8EFE4A4A1A60141FDD3518C11BEAE4863E50F',1772366410000000,NULL);
INSERT INTO "recovery_code" VALUES('ac_edktxs4tufxl5lb3',X'2102E58158AFB741FF9C2BB5B1A17D85B2E24F38A0178844FEF3E435D21BB4BC',1772366410000000,NULL);
INSERT INTO "recovery_code" VALUES('ac_edktxs4tufxl5lb3',X'2587661C926847BF4ED2FE52776D631EFF48F883D9CB3A2B838B63EF28A94E1E',1772366410000000,NULL);
INSERT INTO "recovery_code" VALUES('ac_edktxs4tufxl5lb3',X'57CAEA164430A8472583FA41ABE5736789A1D3CD6925AFAC8729946F65AA348C',1772366410000000,NULL);
INSERT INTO "recovery_code" VALUES('ac_edktxs4tufxl5lb3',X'6F0C9558FB376D9634A4ABE42349ABC905F8EFD98F925C8AF532E8A6726325EC',1772366410000000,NULL);
INSERT INTO "recovery_code" VALUES('ac_edktxs4tufxl5lb3',X'AE4A99257070CA3E88A6C66CAAD9B3F4DFD21E441077371CE83517CB1C6DA4B7',1772366410000000,NULL);
INSERT INTO "recovery_code" VALUES('ac_edktxs4tufxl5lb3',X'D927B18DE6483AB0D1E15F1718B808E136ED9A85F679E170D39F1E1EBACFEFC7',1772366410000000,NULL);
INSERT INTO "recovery_code" VALUES('ac_edktxs4tufxl5lb3',X'F23E4EB903190757A8B4EACB749BA7BCC90AE3B77C8178178F76D07ACE78A7C6',1772366410000000,NULL);
INSERT INTO "recovery_code" VALUES('ac_pedgnx37upfqkedt',X'1529C7A34FDE849B47B3B387C675824DA476187D9A892A604C07989D4DF0FEF6',1772366440000000,NULL);
INSERT INTO "recovery_code" VALUES('ac_pedgnx37upfqkedt',X'15B2CEB321C21E92E122ECCB3A7FB803BC35135894F55D28E9503CA3C5A6654F',1772366440000000,NULL);
INSERT INTO "recovery_code" VALUES('ac_pedgnx37upfqkedt',X'15BE8A9E455DC863726495527DF971ECA02C3519053EC6CADEFED3AADE42C299',1772366440000000,NULL);
INSERT INTO "recovery_code" VALUES('ac_pedgnx37upfqkedt',X'62F475832178C844B08B93620BC5E2FDB41904115C67944156C8BB379F1D8EC5',1772366440000000,NULL);
INSERT INTO "recovery_code" VALUES('ac_pedgnx37upfqkedt',X'878881A3B741A5D222142AFF212D60B3F8DEA3220BF4DF7FFAF3C079EC61FDC4',1772366440000000,NULL);
INSERT INTO "recovery_code" VALUES('ac_pedgnx37upfqkedt',X'A55FB069A0F3640CCDD3F88A0B66F2032F7634D6FD25F6A03F485BC44632A4A5',1772366440000000,NULL);
INSERT INTO "recovery_code" VALUES('ac_pedgnx37upfqkedt',X'AEB4481996044FDAA9361E75295415FD116B81C076AFF87B6AF8FA3255200F5B',1772366440000000,NULL);
INSERT INTO "recovery_code" VALUES('ac_pedgnx37upfqkedt',X'CD2220BA276C0D106FA56B354D5F6AD299F449A3D0B33E1A8779C23EC194E25E',1772366440000000,NULL);
INSERT INTO "recovery_code" VALUES('ac_pedgnx37upfqkedt',X'D1CB884F18FD9BBCA64719E81D1A3C4044FFBF3BF8638BAD92108E51B6E9775F',1772366440000000,NULL);
INSERT INTO "recovery_code" VALUES('ac_pedgnx37upfqkedt',X'E15A79434209E0C10E91082D2DFB8AE442D432B395D65EF5561C8FD2A1DE843E',1772366440000000,NULL);
CREATE TABLE throttle_secret (
  window INTEGER NOT NULL,
  network TEXT NOT NULL,
  secret_key BLOB NOT NULL,
  failures INTEGER NOT NULL CHECK (failures > 0),
  PRIMARY KEY (window, network, secret_key)
) STRICT, WITHOUT ROWID;
INSERT INTO "throttle_secret" VALUES(2953944,'198.51.100.0/24',X'1F1054FCC776BF30ADFBB586AAE90F51',1);
CREATE TABLE throttle_total (
  window INTEGER NOT NULL,
  network TEXT NOT NULL,
  secrets INTEGER NOT NULL CHECK (secrets > 0),
  PRIMARY KEY (window, network)
) STRICT, WITHOUT ROWID
;
INSERT INTO "throttle_total" VALUES(2953944,'',1);
INSERT INTO "throttle_total" VALUES(2953944,'198.51.100.0/24',1);
CREATE TABLE totp (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES account (id),
  name TEXT NOT NULL,
  sealed_seed BLOB NOT NULL,
  last_step INTEGER NOT NULL,
  wrong_codes INTEGER NOT NULL CHECK (wrong_codes >= 0),
  wrong_at INTEGER,
  created_at INTEGER NOT NULL,
  last_used_at INTEGER
) STRICT, WITHOUT ROWID;
INSERT INTO "totp" VALUES('tp_64ehx2u2vssxbshe','ac_edktxs4tufxl5lb3','Phone',X'0100000001475E72FCA26EAE8178C984151F97103DC8842ADF9960A26A27967143DB22D38818371C698B1737E7CE63343929127B7B',59078886,0,NULL,1772366410000000,1772366588000000);
INSERT INTO "totp" VALUES('tp_xvjptzdswxwdilxl','ac_pedgnx37upfqkedt','Phone',X'0100000001BFE5BBC67081104C35B018AB29977BEBD52040F8FCAA30A273AE90A8FD8FF2E5F0D59F367CCBBB298D7FF351211A115F',59078881,0,NULL,1772366440000000,1772366440000000);
CREATE TABLE upstream_password (
  account_id TEXT PRIMARY KEY REFERENCES account (id),
  sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID
;
INSERT INTO "upstream_password" VALUES('ac_pedgnx37upfqkedt',X'01000000016EFDEDAE45556A35359E081D710E63CDF52D2864E77C136D502E6693A03BCC5CF92BB7AE56CDE35FE3A7AF');
CREATE INDEX address_account ON address (account_id);
CREATE INDEX owner_person ON owner (person_id);
CREATE INDEX app_password_account ON app_password (account_id, created_at);
CREATE INDEX app_password_expiry ON app_password (expires_at)
  WHERE expires_at IS NOT NULL AND lapsed_at IS NULL AND revoked_at IS NULL
;
CREATE INDEX totp_account ON totp (account_id);
CREATE INDEX portal_session_account ON portal_session (account_id);
CREATE INDEX audit_account ON audit (account_id, number);
CREATE INDEX login_event_order ON login_event (account_id, last_at);
CREATE TRIGGER audit_is_not_altered BEFORE UPDATE ON audit
BEGIN SELECT raise(ABORT, 'audit records are never altered'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN SELECT raise(ABORT, 'audit records are never deleted'); END;
CREATE TRIGGER login_event_added AFTER INSERT ON login_event
BEGIN
  INSERT INTO login_event_list (account_id, entries, dropped) VALUES (new.account_id, 1, 0)
  ON CONFLICT (account_id) DO UPDATE SET entries = entries + 1;
END;
COMMIT;
