CREATE TABLE node_audit (
  event INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  subject TEXT,
  detail TEXT,
  count INTEGER NOT NULL DEFAULT 1 CHECK (count > 0)
) STRICT;
CREATE TABLE node_budget (
  peer TEXT PRIMARY KEY NOT NULL,
  ledger TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE node_channel (
  channel INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  node TEXT NOT NULL,
  version INTEGER NOT NULL,
  created INTEGER NOT NULL,
  last_activity INTEGER NOT NULL, listed INTEGER NOT NULL DEFAULT 0,
  UNIQUE (name, node)
) STRICT;
CREATE TABLE node_device (
  user TEXT NOT NULL REFERENCES node_user (user) ON DELETE CASCADE,
  device TEXT NOT NULL,
  signing_key BLOB NOT NULL CHECK (length(signing_key) = 32),
  noise_key BLOB NOT NULL CHECK (length(noise_key) = 32),
  signed_pre_key BLOB,
  counter INTEGER NOT NULL DEFAULT 0,
  last_seen INTEGER,
  PRIMARY KEY (user, device)
) STRICT, WITHOUT ROWID;
CREATE TABLE node_epoch (
  channel INTEGER NOT NULL REFERENCES node_channel (channel) ON DELETE CASCADE,
  membership INTEGER NOT NULL,
  sponsor TEXT NOT NULL,
  device_set BLOB NOT NULL,
  name BLOB,
  PRIMARY KEY (channel, membership)
) STRICT, WITHOUT ROWID;
CREATE TABLE node_gap (
  name TEXT NOT NULL,
  node TEXT NOT NULL,
  wanted INTEGER NOT NULL,
  needs_list INTEGER NOT NULL CHECK (needs_list IN (0, 1)),
  question BLOB NOT NULL CHECK (length(question) = 32),
  asked INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  PRIMARY KEY (name, node)
) STRICT, WITHOUT ROWID;
CREATE TABLE node_held (
  held INTEGER PRIMARY KEY,
  waits_for TEXT NOT NULL,
  source TEXT NOT NULL,
  kind INTEGER NOT NULL,
  body BLOB NOT NULL,
  created INTEGER NOT NULL,
  lifetime INTEGER NOT NULL,
  ends INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE node_introduction (
  party TEXT NOT NULL,
  user TEXT NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (party, user)
) STRICT, WITHOUT ROWID;
CREATE TABLE node_latest (
  party TEXT NOT NULL,
  key TEXT NOT NULL,
  item BLOB NOT NULL CHECK (length(item) = 32),
  PRIMARY KEY (party, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE node_link (
  node TEXT NOT NULL REFERENCES node_peer (node) ON DELETE CASCADE,
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 32 AND name <> 'main'),
  profile TEXT NOT NULL,
  ways TEXT NOT NULL,
  classes TEXT,
  also_after INTEGER CHECK (also_after > 0),
  PRIMARY KEY (node, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE node_link_estimate (
  peer TEXT PRIMARY KEY NOT NULL,
  estimate TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE node_link_hour (
  peer TEXT NOT NULL,
  hour INTEGER NOT NULL,
  exchanges INTEGER NOT NULL CHECK (exchanges >= 0),
  sent INTEGER NOT NULL CHECK (sent >= 0),
  received INTEGER NOT NULL CHECK (received >= 0),
  up_count INTEGER NOT NULL,
  up_sum INTEGER NOT NULL,
  up_most INTEGER NOT NULL,
  down_count INTEGER NOT NULL,
  down_sum INTEGER NOT NULL,
  down_most INTEGER NOT NULL,
  round_trip INTEGER,
  datagrams INTEGER NOT NULL,
  lost INTEGER NOT NULL CHECK (lost BETWEEN 0 AND datagrams),
  PRIMARY KEY (peer, hour)
) STRICT, WITHOUT ROWID;
CREATE TABLE node_link_told (
  peer TEXT NOT NULL,
  user TEXT NOT NULL,
  device TEXT NOT NULL,
  tier INTEGER NOT NULL CHECK (tier BETWEEN 1 AND 4),
  PRIMARY KEY (peer, user, device),
  FOREIGN KEY (user, device) REFERENCES node_device (user, device) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE TABLE node_member (
  channel INTEGER NOT NULL REFERENCES node_channel (channel) ON DELETE CASCADE,
  user TEXT NOT NULL,
  device TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'moderator', 'member', 'restricted')),
  joined INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (channel, user, device)
) STRICT, WITHOUT ROWID;
CREATE TABLE node_message (
  arrival INTEGER PRIMARY KEY AUTOINCREMENT,
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  author TEXT NOT NULL,
  conversation TEXT NOT NULL,
  timestamp INTEGER NOT NULL,
  received INTEGER NOT NULL,
  body BLOB NOT NULL
) STRICT;
CREATE TABLE node_one_time_key (
  user TEXT NOT NULL,
  device TEXT NOT NULL,
  id INTEGER NOT NULL,
  key BLOB NOT NULL CHECK (length(key) = 32),
  PRIMARY KEY (user, device, id),
  FOREIGN KEY (user, device) REFERENCES node_device (user, device) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE TABLE node_order (
  channel INTEGER NOT NULL REFERENCES node_channel (channel) ON DELETE CASCADE,
  version INTEGER NOT NULL,
  membership BLOB NOT NULL,
  epoch BLOB,
  UNIQUE (channel, version)
) STRICT;
CREATE TABLE node_peer (
  node TEXT PRIMARY KEY NOT NULL,
  descriptor BLOB NOT NULL,
  public_key BLOB NOT NULL,
  noise_key BLOB NOT NULL,
  sequence INTEGER NOT NULL,
  trust TEXT NOT NULL CHECK (trust IN ('trusted', 'monitored', 'unknown', 'blocked')),
  profile TEXT NOT NULL,
  calls INTEGER NOT NULL CHECK (calls IN (0, 1)),
  since INTEGER NOT NULL
, serial TEXT, ways TEXT NOT NULL DEFAULT '', classes TEXT) STRICT, WITHOUT ROWID;
CREATE TABLE node_recovery_code (
  user TEXT NOT NULL REFERENCES node_second_factor (user) ON DELETE CASCADE,
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (user, hash)
) STRICT, WITHOUT ROWID;
CREATE TABLE node_registration_invite (
  hash BLOB PRIMARY KEY NOT NULL CHECK (length(hash) = 32),
  name TEXT NOT NULL UNIQUE,
  uses INTEGER NOT NULL CHECK (uses >= 0),
  made INTEGER NOT NULL,
  expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE node_second_factor (
  user TEXT PRIMARY KEY NOT NULL REFERENCES node_user (user) ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('totp', 'hotp')),
  algorithm TEXT NOT NULL CHECK (algorithm IN ('SHA1', 'SHA256')),
  digits INTEGER NOT NULL CHECK (digits BETWEEN 6 AND 8),
  secret BLOB NOT NULL,
  counter INTEGER NOT NULL,
  is_confirmed INTEGER NOT NULL CHECK (is_confirmed IN (0, 1)),
  since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE node_session (
  token TEXT PRIMARY KEY NOT NULL,
  user TEXT NOT NULL,
  device TEXT,
  issued INTEGER NOT NULL,
  expires INTEGER NOT NULL
, session TEXT NOT NULL DEFAULT '', opened INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
CREATE TABLE node_user (
  user TEXT PRIMARY KEY NOT NULL,
  public_key BLOB NOT NULL CHECK (length(public_key) = 32),
  is_local INTEGER NOT NULL CHECK (is_local IN (0, 1)),
  account_type TEXT NOT NULL,
  identity_file BLOB,
  device_list BLOB,
  list_version INTEGER NOT NULL DEFAULT 0,
  since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX node_held_ends ON node_held (ends);
CREATE INDEX node_held_waits ON node_held (waits_for);
CREATE INDEX node_message_conversation ON node_message (conversation, arrival);
CREATE INDEX node_session_user ON node_session (user, issued);
