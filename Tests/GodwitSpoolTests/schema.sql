CREATE TABLE spool_state (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  uptime INTEGER NOT NULL CHECK (uptime >= 0),
  bytes INTEGER NOT NULL CHECK (bytes >= 0)
) STRICT;
CREATE TABLE spool_party (
  party INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CHECK (length(name) >= 8),
  items INTEGER NOT NULL DEFAULT 0 CHECK (items >= 0),
  owned INTEGER NOT NULL DEFAULT 0 CHECK (owned >= 0),
  incarnation INTEGER CHECK (incarnation BETWEEN 1 AND 4294967295),
  next INTEGER NOT NULL DEFAULT 1 CHECK (next >= 1)
) STRICT;
CREATE TABLE spool_frame (
  frame INTEGER PRIMARY KEY,
  peer INTEGER NOT NULL REFERENCES spool_party,
  incarnation INTEGER NOT NULL CHECK (incarnation BETWEEN 1 AND 4294967295),
  number INTEGER NOT NULL CHECK (number >= 1),
  bytes BLOB NOT NULL, path TEXT NOT NULL DEFAULT 'main' CHECK (length(path) BETWEEN 1 AND 32), built INTEGER NOT NULL DEFAULT 0,
  UNIQUE (peer, incarnation, number)
) STRICT;
CREATE TABLE spool_item (
  row INTEGER PRIMARY KEY AUTOINCREMENT,
  id BLOB NOT NULL CHECK (length(id) = 32),
  kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 3),
  body INTEGER NOT NULL REFERENCES spool_body,
  size INTEGER NOT NULL CHECK (size >= 0),
  destination INTEGER NOT NULL REFERENCES spool_party,
  priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 7),
  created INTEGER NOT NULL,
  lifetime INTEGER NOT NULL CHECK (lifetime >= 0),
  born INTEGER NOT NULL,
  ends INTEGER NOT NULL CHECK (ends = born + lifetime),
  owner INTEGER REFERENCES spool_party,
  era INTEGER NOT NULL REFERENCES spool_era,
  frame INTEGER REFERENCES spool_frame,
  place INTEGER CHECK ((place IS NULL) = (frame IS NULL))
) STRICT;
CREATE INDEX spool_item_waiting ON spool_item (destination, priority, row, size, born, ends)
  WHERE frame IS NULL;
CREATE INDEX spool_item_urgent ON spool_item (destination, priority, ends) WHERE frame IS NULL;
CREATE INDEX spool_item_ends ON spool_item (ends);
CREATE INDEX spool_item_body ON spool_item (body);
CREATE TABLE spool_era (era INTEGER PRIMARY KEY, slot INTEGER NOT NULL DEFAULT 0, filter BLOB) STRICT;
CREATE TABLE spool_arrival (
  era INTEGER NOT NULL REFERENCES spool_era,
  id BLOB NOT NULL CHECK (length(id) = 32),
  destination INTEGER NOT NULL REFERENCES spool_party,
  row INTEGER NOT NULL,
  state INTEGER NOT NULL DEFAULT 0 CHECK (state BETWEEN 0 AND 2), ended INTEGER, successor BLOB CHECK (successor IS NULL OR length(successor) = 32),
  PRIMARY KEY (era, id, destination)
) STRICT, WITHOUT ROWID;
CREATE TABLE spool_inbound (
  inbound INTEGER PRIMARY KEY AUTOINCREMENT,
  peer INTEGER NOT NULL REFERENCES spool_party,
  incarnation INTEGER NOT NULL CHECK (incarnation BETWEEN 0 AND 4294967295),
  floor INTEGER NOT NULL DEFAULT 1 CHECK (floor >= 1),
  held INTEGER NOT NULL DEFAULT 0 CHECK (held BETWEEN 0 AND 16384),
  UNIQUE (peer, incarnation)
) STRICT;
CREATE TABLE spool_inbound_frame (
  inbound INTEGER NOT NULL REFERENCES spool_inbound ON DELETE CASCADE,
  number INTEGER NOT NULL CHECK (number >= 1),
  digest BLOB NOT NULL CHECK (length(digest) = 32),
  PRIMARY KEY (inbound, number)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER spool_frame_came AFTER INSERT ON spool_inbound_frame BEGIN
  UPDATE spool_inbound SET held = held + 1 WHERE inbound = NEW.inbound;
END;
CREATE TRIGGER spool_frame_left AFTER DELETE ON spool_inbound_frame BEGIN
  UPDATE spool_inbound SET held = held - 1 WHERE inbound = OLD.inbound;
END;
CREATE TABLE "spool_body" (
  body INTEGER PRIMARY KEY,
  digest BLOB NOT NULL CHECK (length(digest) = 32),
  size INTEGER NOT NULL CHECK (size >= 0),
  holders INTEGER NOT NULL DEFAULT 0 CHECK (holders >= 0),
  content BLOB CHECK ((content IS NULL) = (size > 32768) AND (content IS NULL OR length(content) = size))
) STRICT;
CREATE UNIQUE INDEX spool_body_file ON spool_body (digest) WHERE content IS NULL;
CREATE INDEX spool_item_frame ON spool_item (frame, place) WHERE frame IS NOT NULL;
CREATE TRIGGER spool_body_came AFTER INSERT ON spool_body BEGIN
  UPDATE spool_state SET bytes = bytes + NEW.size;
END;
CREATE TRIGGER spool_body_left AFTER DELETE ON spool_body BEGIN
  UPDATE spool_state SET bytes = bytes - OLD.size;
END;
CREATE TABLE spool_context_out (
  peer INTEGER NOT NULL REFERENCES spool_party,
  number INTEGER NOT NULL CHECK (number >= 1),
  bytes BLOB NOT NULL CHECK (length(bytes) <= 65536),
  PRIMARY KEY (peer, number)
) STRICT;
CREATE TABLE spool_context_in (
  inbound INTEGER NOT NULL REFERENCES spool_inbound ON DELETE CASCADE,
  number INTEGER NOT NULL CHECK (number >= 1),
  bytes BLOB NOT NULL CHECK (length(bytes) <= 65536),
  PRIMARY KEY (inbound, number)
) STRICT;
CREATE TABLE spool_settled (
  peer INTEGER NOT NULL REFERENCES spool_party,
  number INTEGER NOT NULL CHECK (number >= 1),
  digest BLOB NOT NULL CHECK (length(digest) = 32),
  PRIMARY KEY (peer, number)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER spool_item_came AFTER INSERT ON spool_item BEGIN
  UPDATE spool_party SET items = items + 1 WHERE party = NEW.destination;
  UPDATE spool_party SET owned = owned + NEW.size WHERE party = NEW.owner;
  INSERT INTO spool_arrival (era, id, destination, row) VALUES (NEW.era, NEW.id, NEW.destination, NEW.row);
END;
CREATE TRIGGER spool_item_left AFTER DELETE ON spool_item BEGIN
  UPDATE spool_party SET items = items - 1 WHERE party = OLD.destination;
  UPDATE spool_party SET owned = owned - OLD.size WHERE party = OLD.owner;
END;
