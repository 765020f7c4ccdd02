public import GodwitProtocol

/// Body of an exchange: records, each as varint of its length and its bytes (docs/protocol.md, "Frames and columns").
public enum Exchange {
    /// Bytes of one record: a sealed frame.
    public static let recordMax = 65_600
}

/// Cuts an exchange body into its records as it arrives.
public struct ExchangeReader: Sendable {
    private var pending: [UInt8] = []
    private var isBroken = false

    public init() {}

    /// Takes the next bytes and returns the records that they complete, in order.
    ///
    /// - Throws: `ProtocolError` 2000 for a length that is not in its shortest form or is zero, 2001 for a record beyond
    ///   `Exchange.recordMax`. The body cannot be read on after that, and every later call throws 2000.
    public mutating func feed(_ chunk: some Sequence<UInt8>) throws(ProtocolError) -> [[UInt8]] {
        guard !isBroken else { throw .malformed("the exchange was broken before") }
        pending += chunk
        var records: [[UInt8]] = []
        var start = 0
        do throws(ProtocolError) {
            while let (length, header) = try Varint.read(pending[start...]) {
                guard length > 0 else { throw ProtocolError.malformed("a record of the exchange is empty") }
                guard length <= UInt64(Exchange.recordMax) else {
                    throw ProtocolError.tooLarge(
                        "a record of the exchange is too large", actual: Int(clamping: length),
                        firstRefused: Exchange.recordMax + 1)
                }
                let first = start + header
                guard pending.count - first >= Int(length) else { break }
                records.append(Array(pending[first..<first + Int(length)]))
                start = first + Int(length)
            }
        } catch {
            isBroken = true
            pending = []
            throw error
        }
        pending.removeFirst(start)
        return records
    }

    /// What has come of a record that is not whole yet, without its length; empty where none was begun.
    public var beginning: [UInt8] {
        guard let (_, header) = try? Varint.read(pending[...]) else { return [] }
        return Array(pending[header...])
    }

    /// Says that no bytes follow.
    /// - Throws: `ProtocolError` 2000 when a record was begun.
    public func end() throws(ProtocolError) {
        guard pending.isEmpty, !isBroken else { throw .malformed("the exchange ends within a record") }
    }
}

/// Writes records of an exchange body.
public enum ExchangeWriter {
    /// - Precondition: `record` has 1 to `Exchange.recordMax` bytes.
    public static func frame(_ record: [UInt8]) -> [UInt8] {
        precondition((1...Exchange.recordMax).contains(record.count), "a record has 1 to 65,600 bytes")
        return Varint.bytes(UInt64(record.count)) + record
    }
}

/// Unsigned LEB128, shortest form only (docs/protocol.md §1).
public enum Varint {
    public static func bytes(_ value: UInt64) -> [UInt8] {
        var rest = value
        var bytes: [UInt8] = []
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    /// The number at the front and how many bytes it takes; nil if it is not complete yet.
    /// - Throws: `ProtocolError` 2000 for more than 64 bits or a longer form than needed.
    public static func read(_ bytes: ArraySlice<UInt8>) throws(ProtocolError) -> (value: UInt64, count: Int)? {
        var value: UInt64 = 0
        for (index, byte) in bytes.prefix(10).enumerated() {
            if index == 9, byte > 1 { throw .malformed("a varint has more than 64 bits") }
            value |= UInt64(byte & 0x7F) << UInt64(7 * index)
            if byte & 0x80 == 0 {
                guard byte != 0 || index == 0 else { throw .malformed("a varint is not in its shortest form") }
                return (value, index + 1)
            }
        }
        return nil
    }
}
