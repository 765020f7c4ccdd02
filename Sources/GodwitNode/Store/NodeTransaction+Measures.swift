import GRDB
import GodwitLink
import GodwitProtocol

/// What is known of links: the estimate in force, and hours of history (`LinkHour.kept` for each link).
extension NodeTransaction {
    func estimate(for peer: String) throws -> String? {
        try row("SELECT estimate FROM node_link_estimate WHERE peer = ?", [peer])?["estimate"]
    }

    func save(_ estimate: String, _ hours: [LinkHour], for peer: String) throws {
        try run(
            """
            INSERT INTO node_link_estimate (peer, estimate) VALUES (?, ?)
            ON CONFLICT (peer) DO UPDATE SET estimate = excluded.estimate
            """, [peer, estimate])
        for hour in hours { try add(hour, for: peer) }
        // By number as well as by time: a clock that jumped back must not let the table grow.
        try run(
            """
            DELETE FROM node_link_hour WHERE peer = ?1 AND hour NOT IN
              (SELECT hour FROM node_link_hour WHERE peer = ?1 ORDER BY hour DESC LIMIT ?2)
            """, [peer, LinkHour.kept])
        try run(
            "DELETE FROM node_link_hour WHERE peer = ? AND hour <= ?",
            [peer, LinkHour.hour(of: now) - Int64(LinkHour.kept)])
    }

    private func add(_ hour: LinkHour, for peer: String) throws {
        try run(
            """
            INSERT INTO node_link_hour (
              peer, hour, exchanges, sent, received, up_count, up_sum, up_most, down_count, down_sum, down_most,
              round_trip, datagrams, lost)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (peer, hour) DO UPDATE SET
              exchanges = exchanges + excluded.exchanges, sent = sent + excluded.sent,
              received = received + excluded.received, up_count = up_count + excluded.up_count,
              up_sum = up_sum + excluded.up_sum, up_most = max(up_most, excluded.up_most),
              down_count = down_count + excluded.down_count, down_sum = down_sum + excluded.down_sum,
              down_most = max(down_most, excluded.down_most),
              round_trip = min(coalesce(round_trip, excluded.round_trip), coalesce(excluded.round_trip, round_trip)),
              datagrams = datagrams + excluded.datagrams, lost = lost + excluded.lost
            """,
            [
                peer, hour.hour, hour.exchanges, hour.sent, hour.received, hour.up.count, hour.up.sum, hour.up.most,
                hour.down.count, hour.down.sum, hour.down.most, hour.roundTrip, hour.datagramsSent,
                hour.datagramsLost,
            ])
    }

    /// Hours of a link, oldest first, the last `limit` of them.
    func history(of peer: String, limit: Int) throws -> [LinkHour] {
        try rows(
            "SELECT * FROM node_link_hour WHERE peer = ? ORDER BY hour DESC LIMIT ?", [peer, limit]
        ).reversed().map { row in
            var hour = LinkHour(hour: row["hour"])
            hour.exchanges = row["exchanges"]
            hour.sent = row["sent"]
            hour.received = row["received"]
            hour.up = LinkHour.Rate(count: row["up_count"], sum: row["up_sum"], most: row["up_most"])
            hour.down = LinkHour.Rate(count: row["down_count"], sum: row["down_sum"], most: row["down_most"])
            hour.roundTrip = row["round_trip"]
            hour.datagramsSent = row["datagrams"]
            hour.datagramsLost = row["lost"]
            return hour
        }
    }
}
