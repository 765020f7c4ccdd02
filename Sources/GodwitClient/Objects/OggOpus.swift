/// How long a recording is: Opus in Ogg (RFC 7845, RFC 3533), of which only the first and the last page are looked at.
enum OggOpus {
    private static let page = Array("OggS".utf8)
    private static let header = Array("OpusHead".utf8)

    /// Seconds, rounded up; nil if it is none, or has no end.
    static func seconds(_ bytes: [UInt8]) -> Int? {
        // A page: 26 bytes, the number of its segments, their sizes, what is in them; the first holds the header alone.
        guard bytes.count >= 47, bytes.starts(with: page), bytes[26] == 1, bytes[28...].starts(with: header) else {
            return nil
        }
        let skipped = Int64(bytes[38]) | Int64(bytes[39]) << 8
        var start = bytes.count - 27
        while start > 0 {
            if bytes[start] == page[0], bytes[start...].starts(with: page) {
                let position = (0..<8).reduce(Int64(0)) { $0 | Int64(bytes[start + 6 + $1]) << (8 * $1) }
                guard position > skipped else { return nil }
                return Int((position - skipped - 1) / 48_000) + 1
            }
            start -= 1
        }
        return nil
    }
}
