import Glibc
public import GodwitProtocol

/// Reads a file of any size in pieces. One owner, one thread.
public final class PieceReader {
    private let descriptor: Int32
    private let count: Int

    /// - Throws: `ProtocolError` 9000.
    public init(_ path: String, count: Int = 262_144) throws(ProtocolError) {
        self.count = count
        do { descriptor = try SystemFile.open(path, O_RDONLY) } catch {
            throw ProtocolError(.internalError, "The file cannot be read: \(path)", hint: "Check permissions.")
        }
    }

    deinit { close(descriptor) }

    /// The next piece; nil at the end.
    public func next() throws(ProtocolError) -> [UInt8]? {
        var piece = [UInt8](repeating: 0, count: count)
        do {
            let length = try SystemFile.retrying("read") {
                piece.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            }
            return length > 0 ? Array(piece[..<length]) : nil
        } catch { throw ProtocolError(.internalError, "A file cannot be read to its end.") }
    }
}
