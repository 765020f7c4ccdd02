import GodwitProtocol
import GodwitSpool

extension SpoolTransaction {
    /// Items for a party that no frame holds, in order of arrival, from a row on.
    /// - Parameter count: at most 256.
    func waitingInOrder(for party: Party, after row: Int64, count: Int) throws -> [SpoolItem] {
        let looked = try items(for: party, limit: 1024)
        return Array(looked.filter { $0.row > row && $0.state == .waiting }.prefix(min(count, 256)))
    }
}
