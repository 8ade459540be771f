-- Dovecot asks Valetkey whether a login may pass. For Dovecot 2.3 and 2.4; needs Dovecot's Lua (dovecot-auth-lua).
--
-- Its settings stand in the file valetkey.settings beside it, one to a line, which only root and Dovecot may read:
--
--   url = http://127.0.0.1:9080
--   secret = …                                     the [[peer]]'s secret_file in Valetkey's configuration
--   acl_directory = /var/lib/dovecot/valetkey      only if Dovecot holds app passwords to folders, or 2.3 to permissions
--   separator = /                                  between the levels of folders, as Dovecot's namespace has it
--   shared = none                                  needed to hold app passwords: the prefixes of Dovecot's shared and
--                                                  public namespaces, such as: shared/, Public/
--   ca_file = …                                    who signed Valetkey's certificate, if url is https (2.4; Dovecot 2.3
--                                                  takes ssl_client_ca_file of its own configuration)
--
-- A login is an internal failure ("try again later") whenever Valetkey cannot be asked: never a wrong password, and
-- never a way in. Nothing is kept from one login to the next but the connection.

local auth = dovecot.auth
local settings, client

local function read_settings()
  local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or "/etc/dovecot"
  local file = assert(io.open(here .. "/valetkey.settings"), "valetkey.settings cannot be read")
  local found = { separator = "/" }
  for line in file:lines() do
    local key, value = line:match("^%s*([%w_]+)%s*=%s*(.-)%s*$")
    if key then found[key] = value end
  end
  file:close()
  assert(found.url and found.secret, "valetkey.settings has no url or no secret")
  return found
end

-- The versions name these differently. 2.4 refuses names that it does not know, and 2.3 overlooks them.
local function new_client()
  local new = { request_timeout = "6s", request_absolute_timeout = "8s", connect_timeout = "2s",
                request_max_attempts = 1, ssl_client_ca_file = settings.ca_file }
  local old = { request_timeout_msecs = 6000, request_absolute_timeout_msecs = 8000, max_attempts = 1,
                max_connect_attempts = 1 }
  local ok, made = pcall(dovecot.http.client, old)
  if ok then return made end
  return dovecot.http.client(new)
end

-- JSON: writing -----------------------------------------------------------------------------------------------------

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\" }

-- What is not UTF-8 is written octet by octet, so that every octet of a password arrives.
local function quoted(text)
  local unsafe = utf8.len(text) and '[%c"\\\127]' or '[%c"\\\127-\255]'
  return '"' .. text:gsub(unsafe, function(c) return ESCAPES[c] or string.format("\\u%04x", c:byte()) end) .. '"'
end

local function json_of(facts)
  local members = {}
  for key, value in pairs(facts) do
    members[#members + 1] = quoted(key) .. ":" .. (type(value) == "boolean" and tostring(value) or quoted(tostring(value)))
  end
  return "{" .. table.concat(members, ",") .. "}"
end

-- JSON: reading what Valetkey answers: objects of texts and objects ----------------------------------------------------

local UNESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local function read_text(json, at)
  local parts = {}
  while true do
    local plain, stop, after = json:match('^([^"\\]*)(["\\])()', at)
    assert(plain, "a text does not end")
    parts[#parts + 1] = plain
    if stop == '"' then return table.concat(parts), after end
    local hex = json:match("^u(%x%x%x%x)", after)
    local c = json:sub(after, after)
    parts[#parts + 1] = hex and utf8.char(tonumber(hex, 16)) or UNESCAPES[c] or c
    at = after + (hex and 5 or 1)
  end
end

local function read_object(json, at)
  local found, key = {}, nil
  at = json:match("^%s*{%s*()", at)
  assert(at, "no object")
  while json:sub(at, at) ~= "}" do
    key, at = read_text(json, assert(json:match('^"()', at), "no key"))
    at = assert(json:match("^%s*:%s*()", at), "no value")
    if json:sub(at, at) == "{" then
      found[key], at = read_object(json, at)
    else
      found[key], at = read_text(json, assert(json:match('^"()', at), "a value of no kind of ours"))
    end
    at = json:match("^%s*,?%s*()", at)
  end
  return found, at + 1
end

-- Asking --------------------------------------------------------------------------------------------------------------

-- A variable of a login; nil where this version or this login has none.
local function fact(req, new, old)
  local value = req[new]
  if value == nil and old then value = req[old] end
  if type(value) == "string" and value ~= "" then return value end
  return nil
end

-- A master user logs in for others: the passwords of both were compared before. What comes with it is the master's
-- password, which is not sent on, and the app password that our own gateway let in.
local function forwarded(req)
  local ok, id = pcall(req.var_expand, req, "%{passdb:forward_app_password}")
  return ok and id ~= "" and id or nil
end

local function facts_of(req, password)
  local vouched = req.skip_password_check and true or false
  return {
    dovecot = req.protocol and "2.4" or "2.3",
    separator = settings.separator,
    shared = settings.shared ~= "none" and settings.shared or nil,
    user = fact(req, "user"),
    password = not vouched and password or nil,
    vouched = vouched,
    master_user = fact(req, "master_user"),
    login_user = fact(req, "login_user"),
    app_password = vouched and forwarded(req) or nil,
    service = fact(req, "protocol", "service"),
    mechanism = fact(req, "mechanism", "mech"),
    remote_ip = fact(req, "remote_ip", "rip"),
    remote_port = fact(req, "remote_port", "rport"),
    local_ip = fact(req, "local_ip", "lip"),
    local_port = fact(req, "local_port", "lport"),
    real_remote_ip = fact(req, "real_remote_ip", "real_rip"),
    secured = fact(req, "secured"),
    session = fact(req, "session"),
    server_name = fact(req, "local_name"),
    client_id = fact(req, "client_id"),
    client_certificate = fact(req, "cert"),
  }
end

local function asked(facts)
  client = client or new_client()
  local request = client:request { url = settings.url .. "/dovecot/auth", method = "POST" }
  request:add_header("Content-Type", "application/json")
  request:add_header("Authorization", "Bearer " .. settings.secret)
  request:set_payload(json_of(facts))
  local response = request:submit()
  if response:status() ~= 200 then
    local why = response:status() == 401 and "it does not know this server's secret, or not from this address"
      or "status " .. response:status() .. " " .. tostring(response:reason())
    error("Valetkey did not answer: " .. why, 0)
  end
  return (read_object(response:payload(), 1))
end

-- The list of rights that a limited session is held to. Named after what it holds, so that one that stands is right.
local function write_rights(rights, session)
  local directory = settings.acl_directory
  assert(directory and directory ~= "", "acl_directory is not set, and this app password is limited")
  assert(rights.name:match("^[%w_-]+$"), "a name that no file may have")
  local path = directory .. "/" .. rights.name
  local there = io.open(path)
  if there then
    local text = there:read("a")
    there:close()
    if text == rights.text then return path end
  end
  local passing = path .. "." .. session:gsub("[^%w]", "") .. ".new"
  local file = assert(io.open(passing, "w"))
  assert(file:write(rights.text))
  assert(file:close())
  assert(os.execute("chmod 644 '" .. passing .. "'"), "chmod failed")  -- Dovecot creates files for its user alone
  assert(os.rename(passing, path))
  return path
end

local function answer(req, password)
  settings = settings or read_settings()
  local heard = asked(facts_of(req, password))
  local result = heard.result
  if result == "ok" then
    local fields = assert(type(heard.fields) == "table" and heard.fields, "an answer without fields")
    assert(settings.shared or not fields.userdb_acl_user, "this app password is limited, and valetkey.settings does " ..
      "not say which namespaces are shared: shared = none, or their prefixes")
    if heard.rights then
      local path = write_rights(heard.rights, tostring(req.session))
      if req.protocol then fields.userdb_acl_global_path = path else fields.userdb_acl = "vfile:" .. path end
    end
    return auth.PASSDB_RESULT_OK, fields
  elseif result == "told" then
    return auth.PASSDB_RESULT_OK, { nologin = "y", reason = heard.reason }
  elseif result == "wrong" then
    return auth.PASSDB_RESULT_PASSWORD_MISMATCH, "refused by Valetkey"
  elseif result == "expired" then
    return auth.PASSDB_RESULT_PASS_EXPIRED, "expired"
  end
  return auth.PASSDB_RESULT_INTERNAL_FAILURE, "Valetkey cannot tell"
end

function auth_password_verify(req, password)
  local ok, result, more = pcall(answer, req, password)
  if ok then return result, more end
  req:log_error("valetkey: " .. tostring(result))
  return auth.PASSDB_RESULT_INTERNAL_FAILURE, "Valetkey cannot be asked"
end

-- Valetkey gives nobody's password away, so what needs one (CRAM-MD5, SCRAM) cannot be had.
function auth_passdb_lookup(req)
  return auth.PASSDB_RESULT_USER_UNKNOWN, "unknown"
end
