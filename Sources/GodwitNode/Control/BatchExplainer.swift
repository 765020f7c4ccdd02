import GodwitBatch
import GodwitContact
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

/// Says what each byte of sealed frames is spent on.
///
/// A frame for this node is opened with the node's key. One that this node made for somebody else cannot be opened again,
/// for the key of its seal was thrown away; but its inside is in the spool until it is acknowledged.
struct BatchExplainer {
    let spool: SQLiteSpool
    let directory: NodeDirectory
    let identity: ContactIdentity

    /// How the inside of a frame was come by.
    private enum Opened {
        case seal(PeerKey, [UInt8])
        case spool(PeerKey, [UInt8])
        /// Made here; its inside is not kept (loose frames), or no more.
        case not(PeerKey)
    }

    /// - Parameter place: of the record in its file, from 1, for the error.
    /// - Throws: `ProtocolError` 2000 for a record that is no sealed frame, or whose frame is malformed; 1000 for one that
    ///   was altered or is between others.
    func explain(_ record: [UInt8], place: Int64) async throws -> JSONObject {
        guard let sealed = try? SealedFrame(record) else {
            throw ProtocolError.malformed(
                "Record \(place) is no sealed frame.", hint: "It was cut, altered or is of another version.")
        }
        let header = sealed.header
        let opened = try await open(sealed, size: record.count, place)
        var object: JSONObject = [
            "bytes": .integer(Int64(record.count)), "incarnation": .integer(Int64(header.incarnation)),
            "number": .integer(Int64(clamping: header.number)),
        ]
        var columns: [BatchColumn: FrameAccount.Bytes] = [:]
        func note(_ count: Int, _ column: BatchColumn) { columns[column] = .init(wire: count, raw: count) }
        note(header.bytes.count, .sealHeader)
        note(AgreementPublicKey.count, .sealKey)
        note(NoiseK.overhead - AgreementPublicKey.count, .sealTag)
        switch opened {
        case .seal(let peer, let payload):
            object["from"] = .string(peer.party.text)
            object["to"] = .string(identity.party.text)
            object["opened"] = "seal"
            try enter(await account(of: payload, header, from: peer.party), &object, &columns)
        case .spool(let peer, let payload):
            object["from"] = .string(identity.party.text)
            object["to"] = .string(peer.party.text)
            object["opened"] = "spool"
            try enter(await account(of: payload, header, to: peer.party), &object, &columns)
        case .not(let peer):
            object["from"] = .string(identity.party.text)
            object["to"] = .string(peer.party.text)
            object["opened"] = "no"
            object["items"] = []
            let rest = record.count - header.bytes.count - NoiseK.overhead
            // A loose frame has a floor and acknowledgements, nothing else.
            note(rest, header.number == 0 ? .acknowledgements : .sealed)
        }
        object["columns"] = Self.object(columns)
        guard columns.values.reduce(0, { $0 + $1.wire }) == record.count else {
            throw ProtocolError(.internalError, "The account of record \(place) does not add up.")
        }
        return object
    }

    /// Of a frame that came.
    private func account(
        of payload: [UInt8], _ header: FrameHeader, from peer: Party
    ) async throws -> FrameAccount {
        let numbers = try FrameCodec.open(payload, number: header.number).references
        let kept = try await spool.read {
            try $0.contexts(from: peer, incarnation: header.incarnation, numbers: numbers)
        }
        return try account(of: payload, header, numbers, kept)
    }

    /// Of a frame that goes.
    private func account(
        of payload: [UInt8], _ header: FrameHeader, to peer: Party
    ) async throws -> FrameAccount {
        let numbers = try FrameCodec.open(payload, number: header.number).references
        let kept = try await spool.read { try $0.contexts(to: peer, from: numbers.first ?? header.number) }
        return try account(
            of: payload, header, numbers, Dictionary(kept.map { ($0.number, $0.bytes) }) { one, _ in one })
    }

    private func account(
        of payload: [UInt8], _ header: FrameHeader, _ numbers: [UInt64], _ kept: [UInt64: [UInt8]]
    ) throws -> FrameAccount {
        guard numbers.allSatisfy({ kept[$0] != nil }) else {
            throw ProtocolError.malformed(
                "Frame \(header.number) goes on from frames that are not known here.",
                hint: "Take in the files before it first, in their order.")
        }
        return try FrameCodec.account(
            of: payload, number: header.number, contexts: kept.mapValues { try FrameContexts(parsing: $0) })
    }

    private func enter(
        _ account: FrameAccount, _ object: inout JSONObject, _ columns: inout [BatchColumn: FrameAccount.Bytes]
    ) throws {
        columns.merge(account.total) { one, _ in one }
        object["block"] = account.block.map { .object(Self.object($0)) } ?? .null
        object["items"] = .array(
            account.items.map { item in
                [
                    "item": .string(Base32.encode(item.id.prefix(10))), "kind": .string("\(item.kind)"),
                    "json_bytes": .integer(Int64(item.body)), "wire": .integer(Int64(item.wire)),
                    "columns": Self.object(item.columns),
                ]
            })
    }

    private static func object(_ columns: [BatchColumn: FrameAccount.Bytes]) -> JSONValue {
        var object: JSONObject = [:]
        for (column, bytes) in columns { object[column.rawValue] = .object(self.object(bytes)) }
        return .object(object)
    }

    private static func object(_ bytes: FrameAccount.Bytes) -> JSONObject {
        ["wire": .integer(Int64(bytes.wire)), "raw": .integer(Int64(bytes.raw))]
    }

    private func open(_ sealed: SealedFrame, size: Int, _ place: Int64) async throws -> Opened {
        for sender in try await directory.candidates(for: sealed.header.hint) {
            let hop = Hop(sender: sender.party, receiver: identity.party)
            let payload = try? sealed.open(over: hop, receiverKey: identity.noiseKey, senderKey: sender.noiseKey)
            if let payload { return .seal(sender, payload) }
        }
        let own = identity.noiseKey.publicKey
        let receivers = try await directory.keys().filter {
            FrameHint(sender: own, receiver: $0.noiseKey) == sealed.header.hint
        }
        let number = FrameNumber(incarnation: sealed.header.incarnation, number: sealed.header.number)
        let inside = size - sealed.header.bytes.count - NoiseK.overhead
        for receiver in receivers {
            let held = try await spool.read { try $0.unacknowledged(to: receiver.party) }
            guard let frame = held.first(where: { $0.number == number }) else { continue }
            guard frame.bytes.count == inside else {
                throw ProtocolError.malformed("Record \(place) is not as long as the frame that was made here.")
            }
            return .spool(receiver, frame.bytes)
        }
        if let receiver = receivers.first { return .not(receiver) }
        throw ProtocolError(
            .invalidCredentials, "No key of this node opens record \(place).",
            hint: "It was altered, or is between two others.", details: ["record": .integer(place)])
    }
}
