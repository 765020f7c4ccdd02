public import GodwitProtocol

extension FrameCodec {
    /// Reads a frame and says what each of its bytes is spent on.
    ///
    /// - Parameters:
    ///   - number: of the frame; 0 for one that may refer to none.
    ///   - contexts: of the frames that it refers to, by number.
    /// - Throws: as `OpenedFrame.read`; besides `ProtocolError` 2000 for groups, which no encoder of Protocol Buffers 3 writes.
    public static func account(
        of bytes: [UInt8], number: UInt64 = 0, contexts: [UInt64: FrameContexts] = [:]
    ) throws(ProtocolError) -> FrameAccount {
        let read = try open(bytes, number: number)
        var reader = try read.reader(with: contexts)
        let block = try FieldExtents(read.block)
        let (items, tallies) = try reader.items(noting: block)
        var sheet = AccountSheet(items: zip(items, tallies).map { AccountSheet.line($0, $1) })
        try sheet.enterFrame(FieldExtents(bytes))
        sheet.enterBlock(block, wire: read.blockOnWire, tallies)
        let account = sheet.account
        guard account.wire == bytes.count else {
            throw ProtocolError(.internalError, "the account of the frame does not add up")
        }
        return account
    }
}

/// Collects the account of one frame.
private struct AccountSheet {
    private(set) var account: FrameAccount

    init(items: [FrameAccount.Item]) { account = FrameAccount(shared: [:], items: items, block: nil) }

    static func line(_ item: BatchItem, _ tally: ColumnTally) -> FrameAccount.Item {
        FrameAccount.Item(
            kind: item.kind, id: item.identity, body: item.body.count,
            columns: tally.opaque.mapValues { FrameAccount.Bytes(wire: $0, raw: $0) })
    }

    private mutating func share(_ count: Int, _ column: BatchColumn) {
        guard count > 0 else { return }
        account.shared[column, default: .init(wire: 0, raw: 0)].add(.init(wire: count, raw: count))
    }

    /// The fields of the frame but for the inside of its column block.
    mutating func enterFrame(_ frame: FieldExtents) {
        for (index, field) in frame.fields.enumerated() {
            switch field.number {
            case 1: share(field.size, .floor)
            case 2: share(field.size, .more)
            case 3, 7, 8: share(field.size, .acknowledgements)
            case 4, 5, 6:
                let isLast = !frame.fields[(index + 1)...].contains { $0.number == field.number }
                share(isLast ? field.header : field.size, isLast ? .fieldHeaders : .unknownFields)
            default: share(field.size, .unknownFields)
            }
        }
    }

    /// The column block: what the reader took for an item is the item's, all else is shared.
    mutating func enterBlock(_ block: FieldExtents, wire: Int, _ tallies: [ColumnTally]) {
        var left: [BatchColumn: Int] = [:]
        for field in block.fields {
            guard let column = BatchColumn(field: field.number) else {
                left[.unknownFields, default: 0] += field.size
                continue
            }
            // Entries of tables count with their headers, for each belongs to an item.
            let isTable = [4, 5, 6, 23].contains(field.number)
            left[column, default: 0] += isTable ? field.size : field.content.count
            if !isTable { left[.fieldHeaders, default: 0] += field.header }
        }
        for tally in tallies {
            for (column, count) in tally.columns { left[column, default: 0] -= count }
        }
        let raw = block.fields.reduce(0) { $0 + $1.size }
        guard raw > 0 || wire > 0 else { return }
        account.block = FrameAccount.Bytes(wire: wire, raw: raw)
        guard raw > 0 else { return share(wire, .fieldHeaders) }
        var shares = Apportionment(whole: wire, of: raw)
        for column in BatchColumn.allCases {
            guard let count = left[column], count > 0 else { continue }
            account.shared[column, default: .init(wire: 0, raw: 0)].add(.init(wire: shares.next(count), raw: count))
        }
        for (index, tally) in tallies.enumerated() {
            for column in BatchColumn.allCases {
                guard let count = tally.columns[column] else { continue }
                account.items[index].columns[column, default: .init(wire: 0, raw: 0)]
                    .add(.init(wire: shares.next(count), raw: count))
            }
        }
    }
}

/// Shares out a whole by parts, so that the shares add up to the whole when the parts do.
private struct Apportionment {
    let whole: Int
    let total: Int
    private var passed = 0

    init(whole: Int, of total: Int) {
        self.whole = whole
        self.total = total
    }

    mutating func next(_ part: Int) -> Int {
        let before = passed * whole / total
        passed += part
        return passed * whole / total - before
    }
}

extension BatchItem {
    /// The message's hash, or SHA-256 of another object.
    fileprivate var identity: [UInt8] {
        guard kind == .message,
            let object = try? JSONObject.parse(body, limits: JSONLimits(bytes: FrameLimits.messageMax))
        else { return SHA256Digest.of(body) }
        let previous = object["prev"]?.string.flatMap { MessageHash(base64: $0) }
        return MessageHash(linking: SHA256Digest.of(Message.body(of: object)), after: previous).bytes
    }
}
