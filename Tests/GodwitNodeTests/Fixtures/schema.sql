CREATE TRIGGER node_member_came AFTER INSERT ON node_member BEGIN
  INSERT INTO node_member_since (channel, user, device, arrival)
    VALUES (NEW.channel, NEW.user, NEW.device, (SELECT coalesce(max(arrival), 0) FROM node_message))
    ON CONFLICT (channel, user, device) DO UPDATE SET ended = NULL,
      arrival = CASE WHEN ended = excluded.arrival THEN arrival ELSE excluded.arrival END;
END;
CREATE TRIGGER node_member_key_came AFTER INSERT ON node_member WHEN NEW.pre_key IS NOT NULL BEGIN
  UPDATE node_key_count SET number = number + 1;
  UPDATE node_member SET key_number = (SELECT number FROM node_key_count)
    WHERE channel = NEW.channel AND user = NEW.user AND device = NEW.device;
END;
CREATE TRIGGER node_member_key_changed AFTER UPDATE OF pre_key ON node_member
  WHEN NEW.pre_key IS NOT NULL AND NEW.pre_key IS NOT OLD.pre_key BEGIN
  UPDATE node_key_count SET number = number + 1;
  UPDATE node_member SET key_number = (SELECT number FROM node_key_count)
    WHERE channel = NEW.channel AND user = NEW.user AND device = NEW.device;
END;
CREATE TRIGGER node_member_left AFTER DELETE ON node_member BEGIN
  UPDATE node_member_since SET ended = (SELECT coalesce(max(arrival), 0) FROM node_message)
    WHERE channel = OLD.channel AND user = OLD.user AND device = OLD.device;
END;
CREATE TABLE node_audit (
  event INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  subject TEXT,
  detail TEXT,
  count INTEGER NOT NULL DEFAULT 1 CHECK (count > 0)
) STRICT;
CREATE TABLE node_ban (
  channel INTEGER NOT NULL REFERENCES node_channel (channel) ON DELETE CASCADE,
  user TEXT NOT NULL,
  banned INTEGER NOT NULL CHECK (banned IN (0, 1)),
  moderator TEXT NOT NULL,
  at INTEGER NOT NULL,
  until INTEGER,
  ends INTEGER,
  reason TEXT,
  PRIMARY KEY (channel, user)
) STRICT, WITHOUT ROWID;
CREATE TABLE node_block (
  user TEXT NOT NULL REFERENCES node_user (user) ON DELETE CASCADE,
  blocked TEXT NOT NULL,
  PRIMARY KEY (user, blocked)
) STRICT, WITHOUT ROWID;
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
  last_activity INTEGER NOT NULL, listed INTEGER NOT NULL DEFAULT 0, topic TEXT NOT NULL DEFAULT '', description TEXT NOT NULL DEFAULT '', visibility TEXT NOT NULL DEFAULT 'public'
  CHECK (visibility IN ('public', 'private')), departed INTEGER NOT NULL DEFAULT 0, shares_history INTEGER NOT NULL DEFAULT 0 CHECK (shares_history IN (0, 1)),
  UNIQUE (name, node)
) STRICT;
CREATE TABLE node_contact (
  user TEXT NOT NULL,
  contact TEXT NOT NULL,
  PRIMARY KEY (user, contact)
) STRICT, WITHOUT ROWID;
CREATE TABLE node_departure (
  channel INTEGER NOT NULL REFERENCES node_channel (channel) ON DELETE CASCADE,
  user TEXT NOT NULL,
  device TEXT NOT NULL,
  joined INTEGER NOT NULL,
  departed INTEGER NOT NULL CHECK (departed > joined),
  role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'moderator', 'member', 'restricted')), struck INTEGER NOT NULL DEFAULT 0 CHECK (struck IN (0, 1)),
  PRIMARY KEY (channel, user, device, departed)
) STRICT, WITHOUT ROWID;
CREATE TABLE node_device (
  user TEXT NOT NULL REFERENCES node_user (user) ON DELETE CASCADE,
  device TEXT NOT NULL,
  signing_key BLOB NOT NULL CHECK (length(signing_key) = 32),
  noise_key BLOB NOT NULL CHECK (length(noise_key) = 32),
  signed_pre_key BLOB,
  counter INTEGER NOT NULL DEFAULT 0,
  last_seen INTEGER, kem_pre_key BLOB, command BLOB,
  PRIMARY KEY (user, device)
) STRICT, WITHOUT ROWID;
CREATE TABLE node_epoch (
  channel INTEGER NOT NULL REFERENCES node_channel (channel) ON DELETE CASCADE,
  membership INTEGER NOT NULL,
  sponsor TEXT NOT NULL,
  device_set BLOB NOT NULL,
  name BLOB, since INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (channel, membership)
) STRICT, WITHOUT ROWID;
CREATE TABLE node_epoch_head (
  channel INTEGER PRIMARY KEY REFERENCES node_channel (channel) ON DELETE CASCADE,
  name BLOB NOT NULL CHECK (length(name) = 32)
) STRICT;
CREATE TABLE node_erased (
  name BLOB PRIMARY KEY NOT NULL CHECK (length(name) = 32)
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
  version INTEGER NOT NULL, moved INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (party, user)
) STRICT, WITHOUT ROWID;
CREATE TABLE node_invite (
  channel INTEGER NOT NULL REFERENCES node_channel (channel) ON DELETE CASCADE,
  invite TEXT NOT NULL,
  used INTEGER NOT NULL,
  PRIMARY KEY (channel, invite)
) STRICT, WITHOUT ROWID;
CREATE TABLE node_invite_revoked (
  channel INTEGER NOT NULL REFERENCES node_channel (channel) ON DELETE CASCADE,
  invite TEXT NOT NULL,
  revoker TEXT NOT NULL,
  PRIMARY KEY (channel, invite, revoker)
) STRICT, WITHOUT ROWID;
CREATE TABLE node_invited (
  channel INTEGER NOT NULL REFERENCES node_channel (channel) ON DELETE CASCADE,
  user TEXT NOT NULL,
  PRIMARY KEY (channel, user)
) STRICT, WITHOUT ROWID;
CREATE TABLE node_key_count (only INTEGER PRIMARY KEY CHECK (only = 1), number INTEGER NOT NULL) STRICT;
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
  joined INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0, pre_key BLOB, knows_from INTEGER NOT NULL DEFAULT 0, key_number INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (channel, user, device)
) STRICT, WITHOUT ROWID;
CREATE TABLE node_member_since (
  channel INTEGER NOT NULL REFERENCES node_channel (channel) ON DELETE CASCADE,
  user TEXT NOT NULL,
  device TEXT NOT NULL,
  arrival INTEGER NOT NULL,
  ended INTEGER,
  PRIMARY KEY (channel, user, device)
) STRICT, WITHOUT ROWID;
CREATE TABLE "node_message" (
  arrival INTEGER PRIMARY KEY AUTOINCREMENT,
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  body_hash BLOB NOT NULL CHECK (length(body_hash) = 32),
  author TEXT NOT NULL,
  conversation TEXT NOT NULL,
  timestamp INTEGER NOT NULL,
  received INTEGER NOT NULL,
  size INTEGER NOT NULL CHECK (size >= 0),
  period INTEGER REFERENCES node_period (period),
  body BLOB,
  hole TEXT CHECK (hole = 'deleted' OR hole = 'expired' OR hole = 'erased' OR hole = 'not_kept'),
  deleted_by TEXT,
  CHECK ((body IS NULL) = (hole IS NOT NULL) AND (body IS NULL) = (period IS NULL))
) STRICT;
CREATE TABLE node_moderated (
  held INTEGER PRIMARY KEY AUTOINCREMENT,
  channel INTEGER NOT NULL REFERENCES node_channel (channel) ON DELETE CASCADE,
  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  author TEXT NOT NULL,
  device TEXT NOT NULL,
  seq INTEGER NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'moderator', 'member', 'restricted')),
  membership INTEGER NOT NULL CHECK (membership > 0),
  source TEXT NOT NULL,
  body BLOB NOT NULL,
  timestamp INTEGER NOT NULL,
  received INTEGER NOT NULL,
  age INTEGER NOT NULL CHECK (age >= 0),
  since INTEGER NOT NULL,
  ends INTEGER NOT NULL
) STRICT;
CREATE TABLE node_moved (
  channel INTEGER PRIMARY KEY REFERENCES node_channel (channel) ON DELETE CASCADE,
  node TEXT NOT NULL
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
CREATE TABLE node_period (
  period INTEGER PRIMARY KEY AUTOINCREMENT,
  keeps INTEGER NOT NULL CHECK (keeps > 0),
  slot INTEGER NOT NULL,
  ends INTEGER NOT NULL,
  key BLOB CHECK (length(key) = 60)
) STRICT;
CREATE TABLE node_profile (
  user TEXT NOT NULL,
  asker TEXT NOT NULL,
  profile BLOB,
  as_of INTEGER,
  item BLOB NOT NULL CHECK (length(item) = 32),
  at INTEGER NOT NULL,
  pending INTEGER NOT NULL CHECK (pending IN (0, 1)),
  PRIMARY KEY (user, asker)
) STRICT, WITHOUT ROWID;
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
CREATE TABLE node_role (
  channel INTEGER NOT NULL REFERENCES node_channel (channel) ON DELETE CASCADE,
  user TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'moderator', 'member', 'restricted')),
  until INTEGER,
  ends INTEGER,
  before TEXT,
  PRIMARY KEY (channel, user)
) STRICT, WITHOUT ROWID;
CREATE TABLE node_rotation (
  rotation INTEGER PRIMARY KEY AUTOINCREMENT,
  channel INTEGER NOT NULL REFERENCES node_channel (channel) ON DELETE CASCADE,
  name BLOB NOT NULL CHECK (length(name) = 32),
  side INTEGER NOT NULL CHECK (side IN (0, 1)), membership INTEGER NOT NULL DEFAULT 0,
  UNIQUE (channel, name)
) STRICT;
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
CREATE TABLE node_struck (
  user TEXT NOT NULL REFERENCES node_user (user) ON DELETE CASCADE,
  device TEXT NOT NULL,
  signing_key BLOB NOT NULL CHECK (length(signing_key) = 32),
  struck INTEGER NOT NULL,
  PRIMARY KEY (user, device)
) STRICT, WITHOUT ROWID;
CREATE TABLE node_taken_back (
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  user TEXT NOT NULL,
  conversation TEXT NOT NULL,
  any_author INTEGER NOT NULL CHECK (any_author IN (0, 1)),
  ends INTEGER NOT NULL,
  PRIMARY KEY (hash, user)
) STRICT, WITHOUT ROWID;
CREATE TABLE node_user (
  user TEXT PRIMARY KEY NOT NULL,
  public_key BLOB NOT NULL CHECK (length(public_key) = 32),
  is_local INTEGER NOT NULL CHECK (is_local IN (0, 1)),
  account_type TEXT NOT NULL,
  identity_file BLOB,
  device_list BLOB,
  list_version INTEGER NOT NULL DEFAULT 0,
  since INTEGER NOT NULL
, shows_status INTEGER NOT NULL DEFAULT 1 CHECK (shows_status IN (0, 1)), direct_messages TEXT NOT NULL DEFAULT 'everyone'
  CHECK (direct_messages IN ('everyone', 'contacts', 'nobody')), retention INTEGER CHECK (retention >= 0), ends INTEGER) STRICT, WITHOUT ROWID;
CREATE TABLE node_user_move (
  user TEXT PRIMARY KEY NOT NULL,
  record BLOB NOT NULL,
  at INTEGER NOT NULL,
  ends INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX node_ban_ends ON node_ban (ends) WHERE ends IS NOT NULL;
CREATE INDEX node_block_blocked ON node_block (blocked);
CREATE INDEX node_departure_departed ON node_departure (channel, departed);
CREATE INDEX node_departure_user ON node_departure (user);
CREATE INDEX node_epoch_name ON node_epoch (name) WHERE name IS NOT NULL;
CREATE INDEX node_held_ends ON node_held (ends);
CREATE INDEX node_held_waits ON node_held (waits_for);
CREATE INDEX node_member_user ON node_member (user, channel);
CREATE INDEX node_message_author ON node_message (author, arrival);
CREATE INDEX node_message_conversation ON node_message (conversation, arrival);
CREATE INDEX node_message_deleter ON node_message (deleted_by) WHERE deleted_by IS NOT NULL;
CREATE INDEX node_message_hash ON node_message (substr(hash, 1, 8));
CREATE INDEX node_message_period ON node_message (period) WHERE period IS NOT NULL;
CREATE INDEX node_moderated_author ON node_moderated (author);
CREATE INDEX node_moderated_channel ON node_moderated (channel, held);
CREATE INDEX node_moderated_ends ON node_moderated (ends);
CREATE UNIQUE INDEX node_period_slot ON node_period (keeps, slot) WHERE key IS NOT NULL;
CREATE INDEX node_profile_asker ON node_profile (asker);
CREATE INDEX node_profile_at ON node_profile (at);
CREATE INDEX node_profile_item ON node_profile (item);
CREATE INDEX node_role_ends ON node_role (ends) WHERE ends IS NOT NULL;
CREATE INDEX node_session_user ON node_session (user, issued);
CREATE INDEX node_taken_back_ends ON node_taken_back (ends);
CREATE INDEX node_taken_back_user ON node_taken_back (user, ends);
CREATE INDEX node_user_ends ON node_user (ends) WHERE ends IS NOT NULL;
