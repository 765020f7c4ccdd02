import Glibc
import Synchronization

/// Sees every byte that crosses any link, as whoever runs the network does.
public final class WireTap: Sendable {
    private struct State {
        var records = 0
        var bytes: Int64 = 0
        var finds: [String] = []
    }

    private let state = Mutex(State())
    private let watched: [[UInt8]]

    /// - Parameter watched: texts that must never be seen in the clear.
    package init(watchingFor watched: [[UInt8]]) { self.watched = watched }

    public var records: Int { state.withLock { $0.records } }
    public var bytes: Int64 { state.withLock { $0.bytes } }
    /// What was seen in the clear.
    var finds: [String] { state.withLock { $0.finds } }

    func note(_ record: [UInt8]) {
        let found = watched.filter { Bytes.contain($0, in: record) }
        state.withLock { state in
            state.records += 1
            state.bytes += Int64(record.count)
            state.finds += found.map { String(decoding: $0, as: UTF8.self) }
        }
    }
}

enum Bytes {
    /// Whether `part` stands anywhere in `whole`.
    static func contain(_ part: [UInt8], in whole: [UInt8]) -> Bool {
        guard !part.isEmpty else { return true }
        // The middle of what is looked for is seldom as common as its beginning, which a format gives.
        let anchor = part.count / 2
        return whole.withUnsafeBytes { whole in
            part.withUnsafeBytes { part in
                guard let start = whole.baseAddress, let wanted = part.baseAddress else { return false }
                var place = 0
                while place + part.count <= whole.count {
                    let left = whole.count - place - part.count + 1
                    guard let hit = memchr(start + place + anchor, Int32(part[anchor]), left) else { return false }
                    place = UnsafeRawPointer(hit) - start - anchor
                    if memcmp(start + place, wanted, part.count) == 0 { return true }
                    place += 1
                }
                return false
            }
        }
    }
}
