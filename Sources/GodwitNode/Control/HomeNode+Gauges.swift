import GodwitContact
import GodwitLink
import GodwitProtocol
import GodwitSpool
import Metrics

extension HomeNode {
    /// Writes down what is so now: sockets, sessions, queues and links. Called when somebody reads the measures. No label
    /// names a user; peers are named, links to more than 64 are left out.
    public func recordGauges() async throws {
        func gauge(_ name: String, _ value: some BinaryInteger, _ dimensions: [(String, String)] = []) {
            Gauge(label: "godwit_" + name, dimensions: dimensions).record(Int64(value))
        }
        gauge("sockets", await presence.count)
        gauge("maintenance", core.gate.isMaintained ? 1 : 0)
        gauge("spool_transactions", core.spool.transactions)
        let counts = try await core.read { transaction in
            try transaction.counts().setting("sessions", .integer(Int64(transaction.openSessions())))
        }
        for key in ["sessions", "users", "channels", "messages", "message_bytes", "peers", "held", "for_moderators"] {
            gauge(key, counts[key]?.integer ?? 0)
        }
        for (priority, queue) in try await queues() {
            let labels = [("class", priority.name)]
            gauge("queue_items", queue.count, labels)
            gauge("queue_bytes", queue.bytes.bytes, labels)
            gauge("queue_oldest_seconds", queue.oldestAge / 1_000, labels)
        }
        for link in try await links.status().prefix(64) {
            let labels = [("peer", link.peer.text), ("path", link.path)]
            gauge("link_sent_bytes", link.total.sent.bytes, labels)
            gauge("link_received_bytes", link.total.received.bytes, labels)
            gauge("link_tier", link.tierUp, labels)
            gauge("link_waiting_items", link.queues.reduce(0) { $0 + $1.count }, labels)
        }
    }

    /// What waits over all destinations, by class; classes without anything are there with 0.
    private func queues() async throws -> [(PriorityClass, QueueSummary)] {
        try await core.spool.read { transaction in
            var sums: [PriorityClass: QueueSummary] = [:]
            for party in try transaction.destinations() {
                for (priority, queue) in try transaction.queues(for: party) {
                    var sum = sums[priority] ?? .none
                    sum.count += queue.count
                    sum.bytes += queue.bytes
                    sum.oldestAge = max(sum.oldestAge, queue.oldestAge)
                    sums[priority] = sum
                }
            }
            return PriorityClass.allCases.map { ($0, sums[$0] ?? .none) }
        }
    }
}

extension QueueSummary {
    fileprivate static var none: QueueSummary {
        QueueSummary(count: 0, bytes: .zero, oldestAge: 0, firstExpiry: 0)
    }
}
