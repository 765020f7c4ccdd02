import GRDB

/// Tables of the spool. All names begin with `spool_`, so that the same file can hold the tables of other rooms.
enum SpoolSchema {
    static func register(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("spool-1") { database in
            for statement in [parties, bodies, frames, items, eras, inbound, triggers] {
                try database.execute(sql: statement)
            }
        }
        migrator.registerMigration("spool-2") { database in
            for statement in [erasOfBoundedSize, bodiesInOrder, framesOnly, triggersOfItems, triggersOfBodies] {
                try database.execute(sql: statement)
            }
        }
        migrator.registerMigration("spool-3") { database in
            try database.execute(sql: departures)
        }
        migrator.registerMigration("spool-4") { database in
            try database.execute(sql: contexts)
        }
        migrator.registerMigration("spool-paths") { database in
            try database.execute(sql: paths)
        }
        migrator.registerMigration("spool-holders") { database in
            try database.execute(sql: uncounted + triggersOfUncounted)
        }
    }

    /// When a copy left custody, in milliseconds of the wall's clock since 1970, and the item that took its place.
    private static let departures = """
        ALTER TABLE spool_arrival ADD COLUMN ended INTEGER;
        ALTER TABLE spool_arrival ADD COLUMN successor BLOB CHECK (successor IS NULL OR length(successor) = 32);
        """

    /// What the chains of a frame came to, so that later frames can go on from there.
    private static let contexts = """
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
        """

    /// A frame belongs to a path, and `built` is on the scale of `spool_state.uptime`. What was acknowledged above a
    /// frame that still travels leaves its digest.
    private static let paths = """
        ALTER TABLE spool_frame ADD COLUMN path TEXT NOT NULL DEFAULT 'main' CHECK (length(path) BETWEEN 1 AND 32);
        ALTER TABLE spool_frame ADD COLUMN built INTEGER NOT NULL DEFAULT 0;
        CREATE TABLE spool_settled (
          peer INTEGER NOT NULL REFERENCES spool_party,
          number INTEGER NOT NULL CHECK (number >= 1),
          digest BLOB NOT NULL CHECK (length(digest) = 32),
          PRIMARY KEY (peer, number)
        ) STRICT, WITHOUT ROWID;
        """

    private static let parties = """
        CREATE TABLE spool_state (
          only INTEGER PRIMARY KEY CHECK (only = 1),
          uptime INTEGER NOT NULL CHECK (uptime >= 0),
          bytes INTEGER NOT NULL CHECK (bytes >= 0)
        ) STRICT;
        INSERT INTO spool_state (only, uptime, bytes) VALUES (1, 0, 0);
        CREATE TABLE spool_party (
          party INTEGER PRIMARY KEY,
          name TEXT NOT NULL UNIQUE CHECK (length(name) >= 8),
          items INTEGER NOT NULL DEFAULT 0 CHECK (items >= 0),
          owned INTEGER NOT NULL DEFAULT 0 CHECK (owned >= 0),
          incarnation INTEGER CHECK (incarnation BETWEEN 1 AND 4294967295),
          next INTEGER NOT NULL DEFAULT 1 CHECK (next >= 1)
        ) STRICT;
        """

    /// A body whose `content` is null is kept in a file named by its digest.
    private static let bodies = """
        CREATE TABLE spool_body (
          body INTEGER PRIMARY KEY,
          digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
          size INTEGER NOT NULL CHECK (size >= 0),
          holders INTEGER NOT NULL DEFAULT 0 CHECK (holders >= 0),
          content BLOB CHECK ((content IS NULL) = (size > 32768) AND (content IS NULL OR length(content) = size))
        ) STRICT;
        """

    private static let frames = """
        CREATE TABLE spool_frame (
          frame INTEGER PRIMARY KEY,
          peer INTEGER NOT NULL REFERENCES spool_party,
          incarnation INTEGER NOT NULL CHECK (incarnation BETWEEN 1 AND 4294967295),
          number INTEGER NOT NULL CHECK (number >= 1),
          bytes BLOB NOT NULL,
          UNIQUE (peer, incarnation, number)
        ) STRICT;
        """

    /// `born` and `ends` are on the scale of `spool_state.uptime`. An item without a frame waits.
    private static let items = """
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
        CREATE INDEX spool_item_frame ON spool_item (frame, place);
        """

    /// `state` of an arrival: 0 in custody, 1 forwarded, 2 expired.
    private static let eras = """
        CREATE TABLE spool_era (era INTEGER PRIMARY KEY) STRICT;
        CREATE TABLE spool_arrival (
          era INTEGER NOT NULL REFERENCES spool_era,
          id BLOB NOT NULL CHECK (length(id) = 32),
          destination INTEGER NOT NULL REFERENCES spool_party,
          row INTEGER NOT NULL,
          state INTEGER NOT NULL DEFAULT 0 CHECK (state BETWEEN 0 AND 2),
          PRIMARY KEY (era, id, destination)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE spool_known (
          era INTEGER NOT NULL REFERENCES spool_era,
          key BLOB NOT NULL CHECK (length(key) = 32),
          PRIMARY KEY (era, key)
        ) STRICT, WITHOUT ROWID;
        """

    private static let inbound = """
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
        """

    /// Keep the sums that quotas are judged by, so that no statement can forget them.
    private static let triggers =
        triggersOfItems + triggersOfBodies + """
            CREATE TRIGGER spool_frame_came AFTER INSERT ON spool_inbound_frame BEGIN
              UPDATE spool_inbound SET held = held + 1 WHERE inbound = NEW.inbound;
            END;
            CREATE TRIGGER spool_frame_left AFTER DELETE ON spool_inbound_frame BEGIN
              UPDATE spool_inbound SET held = held - 1 WHERE inbound = OLD.inbound;
            END;
            """

    private static let triggersOfItems = """
        CREATE TRIGGER spool_item_came AFTER INSERT ON spool_item BEGIN
          UPDATE spool_party SET items = items + 1 WHERE party = NEW.destination;
          UPDATE spool_party SET owned = owned + NEW.size WHERE party = NEW.owner;
          UPDATE spool_body SET holders = holders + 1 WHERE body = NEW.body;
          INSERT INTO spool_arrival (era, id, destination, row) VALUES (NEW.era, NEW.id, NEW.destination, NEW.row);
        END;
        CREATE TRIGGER spool_item_left AFTER DELETE ON spool_item BEGIN
          UPDATE spool_party SET items = items - 1 WHERE party = OLD.destination;
          UPDATE spool_party SET owned = owned - OLD.size WHERE party = OLD.owner;
          UPDATE spool_body SET holders = holders - 1 WHERE body = OLD.body;
        END;

        """

    private static let triggersOfBodies = """
        CREATE TRIGGER spool_body_came AFTER INSERT ON spool_body BEGIN
          UPDATE spool_state SET bytes = bytes + NEW.size;
        END;
        CREATE TRIGGER spool_body_left AFTER DELETE ON spool_body BEGIN
          UPDATE spool_state SET bytes = bytes - OLD.size;
        END;

        """
}

// MARK: Second edition

/// No index over random values grows with the spool: eras are cut by number as well as by time, and bodies are found by
/// the items that have them.
extension SpoolSchema {
    /// `slot` of uptime; the filter (`EraFilter`) is there once the era has ended.
    private static let erasOfBoundedSize = """
        ALTER TABLE spool_era ADD COLUMN slot INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE spool_era ADD COLUMN filter BLOB;
        UPDATE spool_era SET slot = era;
        """

    /// A body whose `content` is null is kept in a file named by its digest, and such digests are unique.
    private static let bodiesInOrder = """
        DROP TRIGGER spool_item_came;
        DROP TRIGGER spool_item_left;
        DROP TRIGGER spool_body_came;
        DROP TRIGGER spool_body_left;
        CREATE TABLE spool_body_new (
          body INTEGER PRIMARY KEY,
          digest BLOB NOT NULL CHECK (length(digest) = 32),
          size INTEGER NOT NULL CHECK (size >= 0),
          holders INTEGER NOT NULL DEFAULT 0 CHECK (holders >= 0),
          content BLOB CHECK ((content IS NULL) = (size > 32768) AND (content IS NULL OR length(content) = size))
        ) STRICT;
        INSERT INTO spool_body_new SELECT body, digest, size, holders, content FROM spool_body ORDER BY body;
        DROP TABLE spool_body;
        ALTER TABLE spool_body_new RENAME TO spool_body;
        CREATE UNIQUE INDEX spool_body_file ON spool_body (digest) WHERE content IS NULL;
        """

    /// A body's row was written anew for every copy that came or went. `holders` stays where it is, for to take it out
    /// would write all bodies anew; it counts nothing any more. Nor does anybody ask for keys beside those of items.
    private static let uncounted = """
        DROP TRIGGER spool_item_came;
        DROP TRIGGER spool_item_left;
        DROP TABLE spool_known;

        """

    private static let triggersOfUncounted = """
        CREATE TRIGGER spool_item_came AFTER INSERT ON spool_item BEGIN
          UPDATE spool_party SET items = items + 1 WHERE party = NEW.destination;
          UPDATE spool_party SET owned = owned + NEW.size WHERE party = NEW.owner;
          INSERT INTO spool_arrival (era, id, destination, row) VALUES (NEW.era, NEW.id, NEW.destination, NEW.row);
        END;
        CREATE TRIGGER spool_item_left AFTER DELETE ON spool_item BEGIN
          UPDATE spool_party SET items = items - 1 WHERE party = OLD.destination;
          UPDATE spool_party SET owned = owned - OLD.size WHERE party = OLD.owner;
        END;
        """

    private static let framesOnly = """
        DROP INDEX spool_item_frame;
        CREATE INDEX spool_item_frame ON spool_item (frame, place) WHERE frame IS NOT NULL;
        """
}
