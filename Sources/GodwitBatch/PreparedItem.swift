import GodwitProtocol

/// An item that has been looked at once, so that it can be encoded several times while a frame's size is sought.
struct PreparedItem: Sendable {
    let item: BatchItem
    /// Nil: the body travels verbatim.
    let row: MessageRow?
    /// The message; only with `row`.
    let message: Message?
    /// The bytes of an object that goes as such.
    let keyRow: [UInt8]?
    /// What can be lifted out of a verbatim body; nil for what goes in columns.
    let lifts: BodyLifts?
    /// What the receiver assumes when the frame says nothing.
    let usual: UsualCourse

    /// - Throws: `ProtocolError` 2001 for a body beyond its limit, 9000 for values out of range.
    init(_ item: BatchItem) throws(ProtocolError) {
        let bodyMax = item.kind == .message ? FrameLimits.messageMax : FrameLimits.objectMax
        guard item.body.count <= bodyMax else {
            throw .tooLarge("the item is too large for a frame", actual: item.body.count, firstRefused: bodyMax + 1)
        }
        guard !item.body.isEmpty, (0...JSONValue.integerMax).contains(item.lifetime), item.age >= 0,
            item.age <= FrameLimits.ageMax * 1000, FrameLimits.times.contains(item.created.milliseconds)
        else { throw ProtocolError(.internalError, "an item of the batch is out of range") }
        self.item = item
        if item.kind == .message, let (row, message) = MessageRow.take(item.body), message.timestamp == item.created {
            self.row = row
            self.message = message
            (lifts, keyRow) = (nil, nil)
            usual = UsualCourse(row)
        } else {
            row = nil
            message = nil
            keyRow = item.kind == .object ? EpochKeyRow.bytes(of: item.body) : nil
            lifts = keyRow == nil ? BodyLifts(item.body) : nil
            usual = UsualCourse(item.kind)
        }
    }

    /// Seconds, rounded up.
    var ageInSeconds: Int64 { (item.age + 999) / 1000 }

    /// Bytes that no frame can save.
    ///
    /// - Parameter runs: a signature may be left out.
    func least(runs: Bool) -> Int { row.map { $0.ciphertext.count + (runs ? 0 : 64) } ?? 0 }
}
