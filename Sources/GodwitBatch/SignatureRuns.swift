import GodwitProtocol

/// Which messages of a frame need no signature of their own, because a later one of the same chain proves them (D-5).
/// Both ends compute it from the messages alone.
struct SignatureRuns {
    /// Messages in a row that one signature proves, at most: whoever gets the first of them alone stores that many
    /// hashes less one.
    static let lengthMax = 32

    private struct Link: Hashable {
        var chain: Int
        var previous: MessageHash
    }

    private struct Place {
        var chain: Int
        var hash: MessageHash
        var previous: MessageHash?
    }

    private var places: [Place] = []

    /// Call for each message in columns, in order.
    mutating func append(chain: Int, hash: MessageHash, previous: MessageHash?) {
        places.append(Place(chain: chain, hash: hash, previous: previous))
    }

    /// For each message the next one that proves it; nil where a signature has to stand.
    ///
    /// - Parameter given: called from the last message to the first where a signature has to stand: how many hashes
    ///   stand before it.
    func provers(
        given: (_ index: Int) throws(ProtocolError) -> Int
    ) throws(ProtocolError) -> [Int?] {
        var provers = [Int?](repeating: nil, count: places.count)
        /// Hashes between a message and its signature.
        var distances = [Int](repeating: 0, count: places.count)
        var next: [Link: Int] = [:]
        for (index, place) in places.enumerated().reversed() {
            if let prover = next[Link(chain: place.chain, previous: place.hash)],
                distances[prover] + 1 < Self.lengthMax
            {
                provers[index] = prover
                distances[index] = distances[prover] + 1
            } else {
                distances[index] = try given(index)
            }
            if let previous = place.previous { next[Link(chain: place.chain, previous: previous)] = index }
        }
        return provers
    }
}
