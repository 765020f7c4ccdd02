import Crypto
import GodwitBatch
public import GodwitProtocol

/// Sealed frames in a file that is carried by hand (D-11, the last sentence): what an HTTP exchange would have sent.
///
/// `GODWIT1\n`, then each record as in a batch exchange (length as varint, bytes), then `0x00` (a record of no bytes is
/// the end mark), then the first 8 bytes of SHA-256 over everything before them.
public enum ExchangeFile {
    static let magic = Array("GODWIT1\n".utf8)
    static let checksumSize = 8
    /// Bytes of a file besides its records and their lengths.
    public static let overhead = magic.count + 1 + checksumSize
    /// Bytes of a file that is read or written at once: 1 GiB.
    public static let sizeMax = 1_073_741_824

    /// What a file held.
    public struct Contents: Hashable, Sendable {
        /// In their order; each is whole.
        public var records: [[UInt8]]
        /// False when the file was cut off or its end does not fit what stands before: whole records are still good,
        /// for each of them is sealed.
        public var isComplete: Bool
    }

    /// The file's bytes.
    /// - Throws: `ProtocolError` 2000 for an empty record, 2001 for one over 65,600 bytes or a file over 1 GiB.
    public static func encode(_ records: [[UInt8]]) throws(ProtocolError) -> [UInt8] {
        var bytes = magic
        for record in records {
            guard !record.isEmpty else { throw .malformed("A record without bytes cannot be written.") }
            guard record.count <= Exchange.recordMax else {
                throw .tooLarge("A record is too large.", actual: record.count, firstRefused: Exchange.recordMax + 1)
            }
            bytes += ExchangeWriter.frame(record)
            guard bytes.count <= sizeMax - 9 else {
                throw .tooLarge("The file grows too large.", actual: bytes.count, firstRefused: sizeMax)
            }
        }
        bytes.append(0)
        return bytes + checksum(bytes[...])
    }

    /// - Throws: `ProtocolError` 2000 when the bytes do not begin as such a file or a record's length is none, 2001
    ///   for a record beyond the limit.
    public static func decode(_ bytes: [UInt8]) throws(ProtocolError) -> Contents {
        guard bytes.starts(with: magic) else {
            throw .malformed(
                "This is no exchange file.", hint: "It was written by spool export and begins with GODWIT1.")
        }
        var records: [[UInt8]] = []
        var position = magic.count
        while let (length, header) = try Varint.read(bytes[position...]) {
            position += header
            if length == 0 {
                let isIntact = Array(bytes[position...]) == checksum(bytes[..<position])
                return Contents(records: records, isComplete: isIntact)
            }
            guard length <= UInt64(Exchange.recordMax) else {
                throw .tooLarge(
                    "A record of the exchange file is too large.", actual: Int(clamping: length),
                    firstRefused: Exchange.recordMax + 1)
            }
            guard bytes.count - position >= Int(length) else { break }
            records.append(Array(bytes[position..<position + Int(length)]))
            position += Int(length)
        }
        return Contents(records: records, isComplete: false)
    }

    private static func checksum(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var hash = SHA256()
        bytes.withUnsafeBytes { hash.update(bufferPointer: $0) }
        return hash.finalize().withUnsafeBytes { Array($0.prefix(checksumSize)) }
    }
}
