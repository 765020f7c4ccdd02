import FoundationEssentials
import GRDB
import GodwitProtocol

extension NodeTransaction {
    func counts() throws -> JSONObject {
        func count(_ sql: String) throws -> JSONValue {
            .integer(try Int64.fetchOne(database, sql: sql) ?? 0)
        }
        return [
            "users": try count("SELECT count(*) FROM node_user WHERE is_local"),
            "channels": try count("SELECT count(*) FROM node_channel"),
            "messages": try count("SELECT count(*) FROM node_message"),
            "message_bytes": try count("SELECT coalesce(sum(size), 0) FROM node_message WHERE body IS NOT NULL"),
            // Of authors at home elsewhere: what has come here over links, as the canonical JSON that its author made.
            "arrived_bytes": try count(
                """
                SELECT coalesce(sum(size), 0) FROM node_message
                WHERE author NOT IN (SELECT user FROM node_user WHERE is_local)
                """),
            "peers": try count("SELECT count(*) FROM node_peer"),
            "held": try count("SELECT count(*) FROM node_held"),
            "for_moderators": try count("SELECT count(*) FROM node_moderated"),
        ]
    }

    func channelRows() throws -> [JSONValue] {
        try rows(
            """
            SELECT c.name, c.node, c.version, c.last_activity, count(m.device) AS members,
              (SELECT max(membership) FROM node_epoch e WHERE e.channel = c.channel AND e.name IS NOT NULL) AS epoch
            FROM node_channel c LEFT JOIN node_member m ON m.channel = c.channel
            GROUP BY c.channel ORDER BY c.node, c.name
            """
        ).map { row in
            [
                "id": .string(row["name"]), "node": .string(row["node"]), "version": .integer(row["version"]),
                "member_count": .integer(row["members"]), "epoch": .integer(row["epoch"] as Int64? ?? 0),
                "last_activity": .string(Timestamp(milliseconds: row["last_activity"]).description),
            ]
        }
    }

    func userRows() throws -> [JSONValue] {
        try rows("SELECT user, is_local, account_type FROM node_user ORDER BY user").map { row in
            [
                "user_id": .string(row["user"]), "local": .bool(row["is_local"]),
                "account_type": .string(row["account_type"]),
            ]
        }
    }
}
