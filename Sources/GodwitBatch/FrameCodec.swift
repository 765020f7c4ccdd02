import GodwitCompression
public import GodwitProtocol
import SwiftProtobuf

/// Frames ⇄ bytes, as docs/protocol.md says under "Frames and columns".
public enum FrameCodec {
    /// Writes a frame. The same frame always gives the same bytes on the same libbrotli.
    ///
    /// - Parameter runs: one signature for messages of one chain that follow each other (D-5); the receiver gets each of
    ///   them with the way to that signature in place of its own. Where a message has no signature of its own it is so
    ///   in any case.
    /// - Throws: `ProtocolError` 2001 when an item, the items together or the result is beyond `FrameLimits`; 9000 when a
    ///   value is out of the range that its type states.
    public static func encode(_ frame: Frame, runs: Bool = false) throws(ProtocolError) -> [UInt8] {
        guard frame.items.count <= FrameLimits.itemsMax else {
            throw .tooLarge(
                "a frame holds at most 1,024 items", actual: frame.items.count,
                firstRefused: FrameLimits.itemsMax + 1)
        }
        var prepared: [PreparedItem] = []
        for item in frame.items { prepared.append(try PreparedItem(item)) }
        let bytes = try encode(prepared[...], of: frame, runs: runs, known: nil).bytes
        guard bytes.count <= FrameLimits.frameMax else {
            throw .tooLarge(
                "the frame is too large", actual: bytes.count, firstRefused: FrameLimits.frameMax + 1)
        }
        return bytes
    }

    /// Writes a frame with these items in place of its own. The size is not checked.
    static func encode(
        _ items: ArraySlice<PreparedItem>, of frame: Frame, runs: Bool, known: KnownChains?
    ) throws(ProtocolError) -> (bytes: [UInt8], contexts: FrameContexts) {
        let total = items.reduce(0) { $0 + $1.item.body.count }
        guard total <= FrameLimits.bodiesMax else {
            throw .tooLarge(
                "the items of a frame are too large", actual: total, firstRefused: FrameLimits.bodiesMax + 1)
        }
        guard frame.acknowledgements.count <= FrameLimits.acknowledgementsMax else {
            throw ProtocolError(.internalError, "a frame holds at most 16 acknowledgements")
        }
        guard frame.partials.count <= FrameLimits.partialsMax else {
            throw ProtocolError(.internalError, "a frame names at most 16 partial frames")
        }
        var wire = WireFrame()
        wire.floor = frame.floor
        wire.more = frame.hasMore
        wire.forgotten = frame.forgotten
        for acknowledgement in frame.acknowledgements { wire.acknowledgements.append(try acknowledgement.wire()) }
        for partial in frame.partials { wire.partials.append(try partial.wire()) }
        let isCovered = items.contains { $0.message.map { !$0.proof.hashes.isEmpty } ?? false }
        var writer = ColumnWriter(runs: runs || isCovered, known: known, lifting: FrameLifting(items))
        for item in items { writer.append(item) }
        let columns = try serialize(try writer.finished())
        if let packed = BrotliPrimer.envelope?.compress(columns), packed.count < columns.count {
            wire.packedColumns = WireBytes.make(packed)
        } else {
            wire.columns = WireBytes.make(columns)
        }
        wire.opaque = WireBytes.make(writer.opaque)
        return (try serialize(wire), writer.contexts)
    }

    private static func serialize(_ message: some SwiftProtobuf.Message) throws(ProtocolError) -> [UInt8] {
        do { return try message.serializedBytes() } catch {
            throw ProtocolError(.internalError, "the frame could not be written")
        }
    }

    /// Reads a frame. Bodies of messages that came in columns are canonical JSON; verbatim bodies are as the sender wrote
    /// them. No body is validated further.
    ///
    /// Hand over only what came out of a verified seal. For frames that refer to none before them; others need `open`.
    ///
    /// - Throws: `ProtocolError` 2000 for anything that no encoder writes, 2001 beyond `FrameLimits`.
    public static func decode(_ bytes: [UInt8]) throws(ProtocolError) -> Frame {
        let opened = try open(bytes, number: 0)
        var frame = opened.frame
        frame.items = try opened.read(with: [:]).items
        return frame
    }

    /// Reads all of a frame but its items, and says which frames it refers to.
    ///
    /// - Parameter number: of the frame; 0 for one that may refer to none.
    /// - Throws: `ProtocolError` 2000 or 2001.
    public static func open(_ bytes: [UInt8], number: UInt64) throws(ProtocolError) -> OpenedFrame {
        guard bytes.count <= FrameLimits.frameMax else {
            throw .tooLarge("the frame is too large", actual: bytes.count, firstRefused: FrameLimits.frameMax + 1)
        }
        let wire: WireFrame = try parse(bytes)
        guard wire.acknowledgements.count <= FrameLimits.acknowledgementsMax else {
            throw .malformed("a frame holds at most 16 acknowledgements")
        }
        var frame = Frame(floor: wire.floor, hasMore: wire.more)
        guard wire.forgotten.count <= FrameLimits.acknowledgementsMax else {
            throw .malformed("a frame names at most 16 incarnations")
        }
        frame.forgotten = wire.forgotten
        guard wire.partials.count <= FrameLimits.partialsMax else {
            throw .malformed("a frame names at most 16 partial frames")
        }
        for partial in wire.partials { frame.partials.append(try PartialFrame(partial)) }
        for acknowledgement in wire.acknowledgements {
            frame.acknowledgements.append(try Acknowledgement(acknowledgement))
        }
        let plain = WireBytes.array(wire.columns)
        let packed = WireBytes.array(wire.packedColumns)
        guard packed.isEmpty || plain.isEmpty else { throw .malformed("the frame has its columns twice") }
        let block = packed.isEmpty ? plain : try unpack(packed)
        return try OpenedFrame(
            number: number, frame: frame, columns: parse(block), block: block,
            blockOnWire: max(plain.count, packed.count), opaque: WireBytes.array(wire.opaque))
    }

    private static func unpack(_ packed: [UInt8]) throws(ProtocolError) -> [UInt8] {
        guard let primer = BrotliPrimer.envelope else {
            throw ProtocolError(.internalError, "the primer envelope is missing from this build")
        }
        return try primer.decompress(packed, limit: FrameLimits.columnsMax)
    }

    private static func parse<Message: SwiftProtobuf.Message>(_ bytes: [UInt8]) throws(ProtocolError) -> Message {
        do { return try Message(serializedBytes: bytes) } catch {
            throw .malformed("the frame is no protobuf message of its kind")
        }
    }
}
