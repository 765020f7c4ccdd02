import GodwitProtocol

/// Columns into items: the inverse of `ColumnWriter`. Every value comes from a stranger.
struct ColumnReader {
    private let wire: WireColumns
    private var opaque: ByteCursor
    private var bodies: ByteCursor
    private var state = ColumnState()
    private var times: ColumnCursor<Int64>
    private var ages: ColumnCursor<Int64>
    private var lifetimes: ColumnCursor<UInt64>
    private var chains: ColumnCursor<UInt32>
    private var chainDevices: ColumnCursor<UInt32>
    private var chainConversations: ColumnCursor<UInt32>
    private var forms: ColumnCursor<UInt32>
    private var keys: ColumnCursor<UInt32>
    private var keyMarks: ColumnCursor<UInt32>
    private var headerLengths: ColumnCursor<UInt32>
    private var sequences: ColumnCursor<Int64>
    private var positions: ColumnCursor<Int64>
    private var lengths: ColumnCursor<UInt32>
    private var bodyLengths: ColumnCursor<UInt32>
    private var covers: ColumnCursor<UInt32>
    private var knownFrames: ColumnCursor<UInt32>
    private var knownEntries: ColumnCursor<UInt32>
    /// By frames back.
    private let contexts: [UInt32: FrameContexts]
    private var authorsRead = 0
    private var conversationsRead = 0
    private var formsRead = 0
    private var runs: SignatureRuns?
    private var wrapCounts: ColumnCursor<UInt32>
    private var wrapCodes: ColumnCursor<UInt32>
    private var wrapUsers: ColumnCursor<UInt32>
    private var wrapHeaders: ColumnCursor<UInt32>
    private var wrapPositions: ColumnCursor<Int64>
    private let linksGiven: Set<Int>
    private let saltsGiven: Set<Int>
    private let recipientsAt: Set<Int>
    private let kinds: [UInt32]
    private let priorities: [UInt32]
    private var messages = 0
    private var recipientsRead = 0
    private var total = 0
    private var inlineProofs: [MessageProof] = []
    /// What the item at hand takes; nil where nobody asks.
    private var tally: ColumnTally?
    /// Sizes of the entries of the tables, by field; only with `tally`.
    private var entries: [Int: [Int]] = [:]
    /// Bytes of each column that were read when the item at hand began.
    private var begun: [BatchColumn: Int] = [:]
    /// What stands before and with each signature at the frame's end, by message.
    private var proofTallies: [Int: ColumnTally] = [:]

    /// - Parameter contexts: of the frames that this one refers to, by how much lower their numbers are.
    /// - Throws: `ProtocolError` 2000.
    init(
        _ wire: WireColumns, opaque: [UInt8], contexts: [UInt32: FrameContexts] = [:]
    ) throws(ProtocolError) {
        guard wire.signatures <= 1, wire.lifted <= 1 else {
            throw ProtocolError(
                .invalidMessageFormat, "The frame leaves out what this version needs.",
                hint: "A newer version of Godwit may read it.")
        }
        kinds = try Runs.read(wire.kinds, shift: 2, limit: FrameLimits.itemsMax)
        let count = kinds.count
        let priorities = try Runs.read(wire.priorities, shift: 3, limit: count)
        self.priorities = priorities + [UInt32](repeating: 0, count: count - priorities.count)
        let messages = kinds.count { $0 == ColumnWriter.columnMessage }
        linksGiven = try Gaps.read(wire.linksGiven, limit: messages)
        saltsGiven = try Gaps.read(wire.saltsGiven, limit: messages)
        recipientsAt = try Gaps.read(wire.recipientsAt, limit: messages)
        self.wire = wire
        self.opaque = ByteCursor(opaque)
        bodies = ByteCursor(WireBytes.array(wire.bodies))
        times = ColumnCursor(wire.times)
        ages = ColumnCursor(wire.ages)
        lifetimes = ColumnCursor(wire.lifetimes)
        chains = ColumnCursor(wire.chains)
        chainDevices = ColumnCursor(wire.chainDevices)
        chainConversations = ColumnCursor(wire.chainConversations)
        forms = ColumnCursor(wire.messageForms)
        keys = ColumnCursor(wire.messageKeys)
        keyMarks = ColumnCursor(wire.keyIDLengths)
        headerLengths = ColumnCursor(wire.headerLengths)
        sequences = ColumnCursor(wire.sequences)
        positions = ColumnCursor(wire.positions)
        lengths = ColumnCursor(wire.lengths)
        bodyLengths = ColumnCursor(wire.bodyLengths)
        covers = ColumnCursor(wire.covers)
        knownFrames = ColumnCursor(wire.knownFrames)
        knownEntries = ColumnCursor(wire.knownEntries)
        wrapCounts = ColumnCursor(wire.wrapCounts)
        wrapCodes = ColumnCursor(wire.wraps)
        wrapUsers = ColumnCursor(wire.wrapUsers)
        wrapHeaders = ColumnCursor(wire.wrapHeaders)
        wrapPositions = ColumnCursor(wire.wrapPositions)
        self.contexts = contexts
        runs = wire.signatures == 1 ? SignatureRuns() : nil
    }

    /// What the chains have come to; after `items`.
    var contextsAfter: FrameContexts { state.contexts }

    /// All items, in order.
    /// - Throws: `ProtocolError` 2000 for columns that contradict each other or are not used up, 2001 beyond a limit.
    mutating func items() throws(ProtocolError) -> [BatchItem] { try read().items }

    /// All items, and what each of them takes.
    mutating func items(
        noting extents: FieldExtents
    ) throws(ProtocolError) -> (items: [BatchItem], tallies: [ColumnTally]) {
        tally = ColumnTally()
        for field in extents.fields { entries[field.number, default: []].append(field.size) }
        return try read()
    }

    private mutating func read() throws(ProtocolError) -> (items: [BatchItem], tallies: [ColumnTally]) {
        var drafts: [Draft] = []
        drafts.reserveCapacity(kinds.count)
        var tallies: [ColumnTally] = []
        for (index, kind) in kinds.enumerated() {
            drafts.append(try draft(kind, priority: priorities[index]))
            if tally != nil { tallies.append(finishedTally()) }
        }
        let proofs = try proofs(of: drafts.compactMap(\.message))
        guard isUsedUp else { throw .malformed("the frame holds more than its items need") }
        var items: [BatchItem] = []
        items.reserveCapacity(drafts.count)
        var read = proofs[...]
        for draft in drafts {
            var item = draft.item
            if let message = draft.message, let proof = read.popFirst() { item.body = message.body(with: proof) }
            items.append(item)
        }
        if !proofTallies.isEmpty { addProofs(to: &tallies, of: drafts) }
        return (items, tallies)
    }

    // MARK: Account

    /// Bytes of the columns read so far. Tables are noted where their entries are taken.
    private var columnSizes: [BatchColumn: Int] {
        [
            .time: times.size, .age: ages.size, .lifetime: lifetimes.size,
            .chain: chains.size + chainDevices.size + chainConversations.size + knownFrames.size + knownEntries.size,
            .form: forms.size,
            .key: keys.size + keyMarks.size + headerLengths.size, .sequence: sequences.size,
            .position: positions.size, .length: lengths.size, .bodyLength: bodyLengths.size,
            .recipients: wrapCounts.size + wrapCodes.size + wrapUsers.size + wrapHeaders.size + wrapPositions.size,
        ]
    }

    private mutating func finishedTally() -> ColumnTally {
        var done = tally ?? ColumnTally()
        let sizes = columnSizes
        for (column, size) in sizes { done.noteColumn(size - begun[column, default: 0], column) }
        begun = sizes
        tally = ColumnTally()
        return done
    }

    private func addProofs(to tallies: inout [ColumnTally], of drafts: [Draft]) {
        var message = 0
        for index in drafts.indices where drafts[index].message != nil {
            if let proof = proofTallies[message] {
                for (column, count) in proof.opaque { tallies[index].noteOpaque(count, column) }
                for (column, count) in proof.columns { tallies[index].noteColumn(count, column) }
            }
            message += 1
        }
    }

    private mutating func take(_ count: Int, _ column: BatchColumn) throws(ProtocolError) -> [UInt8] {
        let bytes = try opaque.take(count)
        tally?.noteOpaque(count, column)
        return bytes
    }

    /// An entry of a table is taken into use.
    private mutating func noteEntry(_ index: Int, field: Int, _ column: BatchColumn) {
        guard tally != nil, let sizes = entries[field], index < sizes.count else { return }
        tally?.noteColumn(sizes[index], column)
    }

    /// An item, and what is known of it as long as its signature has not been read.
    private struct Draft {
        /// Without its body if it is a message in columns.
        var item: BatchItem
        var message: MessageRow.Rebuilt?
    }

    /// What proves each message in columns, in their order.
    private mutating func proofs(of messages: [MessageRow.Rebuilt]) throws(ProtocolError) -> [MessageProof] {
        guard let runs else { return inlineProofs }
        var proofs = [MessageProof?](repeating: nil, count: messages.count)
        var (covers, opaque) = (covers, opaque)
        var tallies: [Int: ColumnTally] = [:]
        let isNoting = tally != nil
        let provers = try runs.provers { index throws(ProtocolError) in
            let before = covers.size
            let count = Int(covers.next())
            guard count <= MessageProof.hashesMax else { throw .malformed("a signature of the frame is too far away") }
            var hashes: [[UInt8]] = []
            for _ in 0..<count { hashes.append(try opaque.take(32)) }
            proofs[index] = MessageProof(of: messages[index].hash, hashes: hashes, signature: try opaque.take(64))
            if isNoting {
                tallies[index, default: ColumnTally()].noteColumn(covers.size - before, .covers)
                tallies[index]?.noteOpaque(32 * count, .covers)
                tallies[index]?.noteOpaque(64, .signature)
            }
            return count
        }
        (self.covers, self.opaque) = (covers, opaque)
        proofTallies = tallies
        for (index, prover) in provers.enumerated().reversed() {
            // It comes after what it proves, so its own proof is there.
            guard let prover, let proof = proofs[prover] else { continue }
            proofs[index] = proof.extended(by: messages[prover].bodyHash, to: messages[index].hash)
        }
        return proofs.compactMap(\.self)
    }

    private var isUsedUp: Bool {
        opaque.isAtEnd && bodies.isAtEnd && times.isAtEnd && ages.isAtEnd && lifetimes.isAtEnd && chains.isAtEnd
            && chainDevices.isAtEnd && chainConversations.isAtEnd && forms.isAtEnd && keys.isAtEnd && keyMarks.isAtEnd
            && headerLengths.isAtEnd && sequences.isAtEnd && positions.isAtEnd && lengths.isAtEnd
            && bodyLengths.isAtEnd && covers.isAtEnd && knownFrames.isAtEnd && knownEntries.isAtEnd
            && wrapCounts.isAtEnd && wrapCodes.isAtEnd && wrapUsers.isAtEnd && wrapHeaders.isAtEnd
            && wrapPositions.isAtEnd
            && recipientsRead == wire.recipients.count && authorsRead == wire.authors.count
            && conversationsRead == wire.conversations.count && formsRead == wire.forms.count
    }

    private mutating func draft(_ wireKind: UInt32, priority: UInt32) throws(ProtocolError) -> Draft {
        let time = state.expectedTime &+ times.next()
        guard FrameLimits.times.contains(time) else { throw .malformed("a time of the frame is out of range") }
        let age = state.expectedAge(at: time) &+ ages.next()
        guard (0...FrameLimits.ageMax).contains(age) else { throw .malformed("an age of the frame is out of range") }
        state.walked(time: time, age: age)
        var body: [UInt8] = []
        var message: MessageRow.Rebuilt?
        let usual: UsualCourse
        let kind = BatchItem.Kind(rawValue: Int(wireKind)) ?? .message
        if wireKind == ColumnWriter.columnMessage {
            let (row, rebuilt) = try row(time: time)
            usual = UsualCourse(row)
            message = rebuilt
            try checkSize(rebuilt.object.canonicalBytes().count + Self.signatureMember, kind: kind)
        } else {
            usual = UsualCourse(kind)
            body = try verbatimBody(kind: kind)
        }
        let lifetime = lifetimes.next()
        guard lifetime <= UInt64(JSONValue.integerMax) + 1 else {
            throw .malformed("a lifetime of the frame is out of range")
        }
        let item = BatchItem(
            kind: kind, body: body, created: Timestamp(milliseconds: time),
            lifetime: lifetime == 0 ? usual.lifetime : Int64(lifetime - 1), age: age * 1000,
            priority: PriorityClass(rawValue: (usual.priority.rawValue + Int(priority)) & 7) ?? usual.priority)
        return Draft(item: item, message: message)
    }

    /// A body that does not come in columns. Its size is checked before what was lifted out of it is put back.
    private mutating func verbatimBody(kind: BatchItem.Kind) throws(ProtocolError) -> [UInt8] {
        let length = Int(bodyLengths.next())
        if length == 0, kind == .object {
            let body = try EpochKeyRow.body { count throws(ProtocolError) in try take(count, .body) }
            try checkSize(body.count, kind: kind)
            return body
        }
        let text = try bodies.take(length)
        tally?.noteColumn(text.count, .body)
        guard wire.lifted == 1 else {
            try checkSize(text.count, kind: kind)
            return text
        }
        let marked = try MarkedBody(text)
        try checkSize(marked.count, kind: kind)
        return marked.body(with: try take(marked.liftedCount, .body))
    }

    /// Bytes of `"signature":"ed25519:…",`: sizes count as if each message had its own.
    private static let signatureMember = 111

    private mutating func checkSize(_ size: Int, kind: BatchItem.Kind) throws(ProtocolError) {
        let bodyMax = kind == .message ? FrameLimits.messageMax : FrameLimits.objectMax
        guard size <= bodyMax else {
            throw .tooLarge("an item of the frame is too large", actual: size, firstRefused: bodyMax + 1)
        }
        guard size > 0 else { throw .malformed("an item of the frame is empty") }
        total += size
        guard total <= FrameLimits.bodiesMax else {
            throw .tooLarge(
                "the items of the frame are too large", actual: total, firstRefused: FrameLimits.bodiesMax + 1)
        }
    }

    private mutating func row(time: Int64) throws(ProtocolError) -> (MessageRow, MessageRow.Rebuilt) {
        let chain = try chain()
        let device = state.chains[chain].device
        let form = try form(in: chain)
        let key = try key(in: chain)
        let salt: [UInt8]
        if let known = state.salts[device], !saltsGiven.contains(messages) {
            salt = known
        } else {
            salt = try take(4, .salt)
        }
        let position = state.expectedPosition(device: device, key: key) &+ UInt64(bitPattern: positions.next())
        let sequence = state.expectedSequence(in: chain) &+ sequences.next()
        guard (0...JSONValue.integerMax).contains(sequence) else {
            throw .malformed("a position in a chain is out of range")
        }
        let previous = try link(in: chain, sequence: sequence)
        let signature = runs == nil ? try take(64, .signature) : nil
        let ciphertext = try opaque.take(Int(lengths.next()))
        tally?.noteContent(ciphertext.count)
        let row = MessageRow(
            device: state.devices[device], conversation: state.conversations[state.chains[chain].conversation],
            form: state.forms[form], key: state.keys[key], salt: salt, position: position, sequence: sequence,
            previous: previous, time: time, ciphertext: ciphertext,
            recipients: try recipients(in: chain, salt: salt))
        let rebuilt = row.rebuild()
        if let signature { inlineProofs.append(MessageProof(of: rebuilt.hash, signature: signature)) }
        runs?.append(chain: chain, hash: rebuilt.hash, previous: previous)
        state.walked(row, hash: rebuilt.hash, chain: chain, form: form, key: key)
        messages += 1
        return (row, rebuilt)
    }

    /// `prev`: null at the beginning of the chain, else the chain's message before, unless it is given.
    private mutating func link(in chain: Int, sequence: Int64) throws(ProtocolError) -> MessageHash? {
        if sequence == 0 { return nil }
        if let end = state.ends[chain], !linksGiven.contains(messages) { return end.hash }
        return MessageHash(try take(32, .link))
    }

    private mutating func recipients(in chain: Int, salt: [UInt8]) throws(ProtocolError) -> JSONValue? {
        guard recipientsAt.contains(messages) else { return nil }
        let count = Int(wrapCounts.next())
        guard count == 0 else { return try wraps(count, in: chain, salt: salt) }
        guard recipientsRead < wire.recipients.count else { throw .malformed("recipients of a message are missing") }
        defer { recipientsRead += 1 }
        noteEntry(recipientsRead, field: 23, .recipients)
        return try JSONValue.parse(
            wire.recipients[recipientsRead], limits: JSONLimits(bytes: FrameLimits.messageMax))
    }

    private mutating func wraps(_ count: Int, in chain: Int, salt: [UInt8]) throws(ProtocolError) -> JSONValue {
        guard count <= BodyWrap.countMax else { throw .malformed("a message of the frame has too many recipients") }
        let author = state.devices[state.chains[chain].device].author
        let reader = String(state.conversations[state.chains[chain].conversation].name.dropFirst())
        var (used, entries): ([Int], [JSONValue]) = ([], [])
        for place in 0..<count {
            let entry = try wrapKey(usual: state.wraps.usual(place, in: chain))
            let position = state.wraps.expectedPosition(entry) &+ UInt64(bitPattern: wrapPositions.next())
            let wrap = WrapRow(
                key: state.wraps.keys[entry], position: position, wrapped: try take(BodyWrap.wrappedCount, .recipients))
            state.wraps.walked(wrap, entry: entry)
            used.append(entry)
            entries.append(.object(wrap.object(user: wrap.key.isAuthors ? author : reader, salt: salt)))
        }
        state.wraps.last[chain] = used
        return .array(entries)
    }

    private mutating func wrapKey(usual: Int?) throws(ProtocolError) -> Int {
        if case .entry(let known) = try TableCode.read(wrapCodes.next(), usual: usual, count: state.wraps.keys.count) {
            return known
        }
        let (user, header) = (wrapUsers.next(), Int(wrapHeaders.next()))
        guard user <= 1, header <= BodyWrap.headerMax else {
            throw .malformed("a recipient of the frame is of no user, or its header too long")
        }
        let names = try take(WrapRow.namesCount, .recipients)
        return state.wraps.keys.append(
            WrapRow.Key(
                isAuthors: user == 1, device: Array(names.prefix(WrapRow.deviceCount)),
                session: Array(names.dropFirst(WrapRow.deviceCount)), header: try take(header, .recipients)))
    }

    private mutating func chain() throws(ProtocolError) -> Int {
        if case .entry(let known) = try TableCode.read(
            chains.next(), usual: state.lastChain, count: state.chains.count)
        {
            return known
        }
        let back = knownFrames.next()
        guard back == 0 else { return state.introduce(try context(of: back)) }
        let device = try device()
        let conversation = try conversation(by: state.devices[device])
        return state.chains.append(.init(device: device, conversation: conversation))
    }

    private mutating func context(of back: UInt32) throws(ProtocolError) -> ChainContext {
        let entry = Int(knownEntries.next())
        guard let frame = contexts[back], entry < frame.chains.count else {
            throw .malformed("a chain of the frame goes on from one that is not there")
        }
        return frame.chains[entry]
    }

    private mutating func device() throws(ProtocolError) -> Int {
        let code = Int(chainDevices.next())
        if code > 0 {
            guard code <= state.devices.count else { throw .malformed("a chain of the frame has no device") }
            return code - 1
        }
        guard authorsRead < wire.authors.count else { throw .malformed("a device of the frame has no author") }
        defer { authorsRead += 1 }
        noteEntry(authorsRead, field: 4, .author)
        return state.devices.append(.init(author: wire.authors[authorsRead], id: try take(5, .author)))
    }

    private mutating func conversation(by device: MessageRow.Device) throws(ProtocolError) -> Int {
        let code = chainConversations.next()
        if case .entry(let known) = try TableCode.read(
            code, usual: state.lastConversation, count: state.conversations.count)
        {
            return known
        }
        guard conversationsRead < wire.conversations.count else {
            throw .malformed("a chain of the frame has no conversation")
        }
        defer { conversationsRead += 1 }
        noteEntry(conversationsRead, field: 5, .conversation)
        let next = wire.conversations[conversationsRead]
        let node = next.node == ConversationNode.authors ? device.node : next.node
        return state.conversations.append(.init(name: next.name, node: node))
    }

    private mutating func form(in chain: Int) throws(ProtocolError) -> Int {
        let usual = state.usualForm(in: chain)
        if case .entry(let known) = try TableCode.read(forms.next(), usual: usual, count: state.forms.count) {
            return known
        }
        guard formsRead < wire.forms.count else { throw .malformed("a message of the frame has no form") }
        defer { formsRead += 1 }
        noteEntry(formsRead, field: 6, .form)
        let next = wire.forms[formsRead]
        let metadata = try metadata(of: next)
        guard next.lifetime <= UInt64(JSONValue.integerMax) + 1 else {
            throw .malformed("a lifetime of the frame is out of range")
        }
        return state.forms.append(
            .init(
                type: next.type.isEmpty ? MessageType.text.rawValue : next.type, metadata: metadata,
                lifetime: next.lifetime == 0 ? nil : Int64(next.lifetime - 1)))
    }

    private func metadata(of form: WireForm) throws(ProtocolError) -> JSONObject {
        guard !form.client.isEmpty else {
            return try JSONObject.parse(
                Array(form.metadata.utf8), limits: JSONLimits(bytes: FrameLimits.messageMax))
        }
        guard form.metadata.isEmpty else { throw .malformed("a form of the frame has its metadata twice") }
        return ["client": .string(form.client)]
    }

    private mutating func key(in chain: Int) throws(ProtocolError) -> Int {
        let usual = state.usualKey(in: chain)
        if case .entry(let known) = try TableCode.read(keys.next(), usual: usual, count: state.keys.count) {
            return known
        }
        let (hasEpoch, keyIDLength) = try KeyMark.read(keyMarks.next())
        let headerLength = Int(headerLengths.next())
        let epoch = hasEpoch ? try take(32, .epoch) : []
        var keyID = Array(epoch.prefix(10))
        if let keyIDLength { keyID = try take(keyIDLength, .keyID) }
        return state.keys.append(.init(epoch: epoch, keyID: keyID, header: try take(headerLength, .sessionHeader)))
    }
}
