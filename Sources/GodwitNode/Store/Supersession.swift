import GodwitProtocol

/// Decides what a newer item makes needless while an older one still waits for the same node.
///
/// Only what leaves the receiver in the same state may vanish. Messages never do: what edits another is inside the
/// encryption, and every message is a link of its author's chain. Memberships and epochs are chains as well. An answer to
/// a lookup holds a one-time key of its own.
enum Supersession {
    /// Only items of the same key can supersede each other; nil: nothing supersedes this one.
    static func key(of object: ProtocolObject) -> String? {
        switch object {
        case .introduction(let introduction): "introduction/\(introduction.userID.text)"
        case .receipt(let receipt): "receipt/\(receipt.from.text)/\(receipt.to.text)"
        case .lookup(let lookup):
            "lookup/\(lookup.requester.text)/\(lookup.userID.text)"
                + (lookup.isRefresh ? "/refresh" : lookup.isProfile ? "/profile" : "")
        // An empty list is a question.
        case .memberList(let list): list.devices.isEmpty ? "question/\(list.channel.text)" : nil
        case .presence(let notice): "presence/\(notice.userID.text)"
        case .typing(let notice): "typing/\(notice.userID.text)/\(notice.conversation.text)"
        case .userMoved(let move): "user_moved/\(move.userID.text)"
        case .command, .membership, .memberKeys, .invitation, .epoch, .epochKey, .lookupResult, .refusal, .linkStatus,
            .deletion, .readMarker, .erasure, .preKeyStock, .messageRequest, .messageAnswer, .resealed, .moved,
            .heldMessages, .custodyQuestion, .custody, .conversationHeads, .cover:
            nil
        }
    }

    /// Whether `newer`, going in the place of `older`, leaves the receiver as both would have, one after the other.
    static func replaces(_ newer: ProtocolObject, _ older: ProtocolObject) -> Bool {
        switch (newer, older) {
        case (.introduction(let newer), .introduction(let older)):
            newer.publicKey == older.publicKey && newer.deviceList.version > older.deviceList.version
                && Self.tells(newer.deviceList, ofAllIn: older.deviceList)
        case (.receipt(let newer), .receipt(let older)):
            says(newer.state, atLeast: older.state) && Set(newer.items).isSuperset(of: older.items)
        case (.lookup(let newer), .lookup(let older)): newer.requestingNode == older.requestingNode
        case (.memberList(let newer), .memberList(let older)): newer.version <= older.version
        // Of what a user is and does now only the last word counts.
        case (.presence, .presence), (.typing, .typing): true
        case (.userMoved(let newer), .userMoved(let older)):
            newer.publicKey == older.publicKey && newer.at > older.at
        default: false
        }
    }

    /// What waits between the two may be by a device that only the older list has, or calls revoked.
    private static func tells(_ newer: DeviceList, ofAllIn older: DeviceList) -> Bool {
        let known = newer.devices.map(\.device) + newer.revoked.map(\.device)
        return Set(older.devices.map(\.device) + older.revoked.map(\.device)).isSubset(of: known)
    }

    private static func says(_ newer: Receipt.State, atLeast older: Receipt.State) -> Bool {
        let way: [Receipt.State] = [.accepted, .forwarded, .delivered, .read]
        guard let new = way.firstIndex(of: newer), let old = way.firstIndex(of: older) else { return newer == older }
        return new >= old
    }
}
