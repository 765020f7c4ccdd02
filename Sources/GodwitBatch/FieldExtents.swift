import GodwitProtocol

/// Where the fields of a Protocol Buffers message lie, without their meaning.
struct FieldExtents {
    struct Field: Equatable {
        var number: Int
        /// Bytes of field number, wire type and, where there is one, length.
        var header: Int
        var content: Range<Int>
        var size: Int { header + content.count }
    }

    let fields: [Field]

    /// - Throws: `ProtocolError` 2000 for bytes that are no fields of Protocol Buffers, or for groups.
    init(_ bytes: [UInt8]) throws(ProtocolError) {
        var fields: [Field] = []
        var position = 0
        while position < bytes.count {
            let start = position
            let tag = try Self.varint(bytes, &position)
            guard tag >> 3 > 0, tag >> 3 <= 536_870_911 else { throw Self.malformed }
            let length: Int
            switch tag & 7 {
            case 0:
                var end = position
                _ = try Self.varint(bytes, &end)
                length = end - position
            case 1: length = 8
            case 2: length = Int(clamping: try Self.varint(bytes, &position))
            case 5: length = 4
            default: throw Self.malformed
            }
            guard length <= bytes.count - position else { throw Self.malformed }
            fields.append(
                Field(number: Int(tag >> 3), header: position - start, content: position..<position + length))
            position += length
        }
        self.fields = fields
    }

    private static var malformed: ProtocolError { .malformed("the frame is no protobuf message of its kind") }

    /// Protocol Buffers allow longer forms than needed, so `Varint` does not serve.
    private static func varint(_ bytes: [UInt8], _ position: inout Int) throws(ProtocolError) -> UInt64 {
        var value: UInt64 = 0
        for shift in 0..<10 {
            guard position < bytes.count else { throw malformed }
            let byte = bytes[position]
            position += 1
            value |= UInt64(byte & 0x7F) << UInt64(7 * shift)
            if byte & 0x80 == 0 { return value }
        }
        throw malformed
    }
}
