import GodwitProtocol
import NIOCore
import Synchronization

/// The exchanges of a listener by address and id, and who may open one.
final class ListenerTable: Sendable {
    struct Key: Hashable, Sendable {
        var address: PathAddress
        var id: UInt32
    }
    struct Opened: Sendable {
        var key: Key
        var conversation: DatagramConversation
    }

    private enum Phase { case strange, accepted, ended }
    private struct Entry {
        var conversation: DatagramConversation
        var phase = Phase.strange
        var order: Int
    }
    private struct State {
        var entries: [Key: Entry] = [:]
        var nextOrder = 0
    }
    private enum Verdict {
        case known(DatagramConversation)
        case opened(Opened, instead: DatagramConversation?)
        case refused
    }

    private static let busy = ProtocolError(
        .rateLimited, "Too many exchanges at the same time.", hint: "Wait a little.")
    private static let displaced = ProtocolError(
        .rateLimited, "Another exchange was let in instead.", hint: "Wait a little.")

    private let limits: ListenerLimits
    private let path: any DatagramPath
    private let onOpened: @Sendable (Opened) -> Bool
    private let state = Mutex(State())

    /// - Parameter onOpened: takes an exchange to serve; false: it cannot.
    init(
        _ limits: ListenerLimits, _ path: any DatagramPath,
        onOpened: @escaping @Sendable (Opened) -> Bool
    ) {
        self.limits = limits
        self.path = path
        self.onOpened = onOpened
    }

    /// Takes what came from an address. What is nothing is dropped without a word.
    func take(_ bytes: [UInt8], from address: PathAddress) {
        if let datagram = Datagram(bytes) {
            guard !datagram.isFromAnswerer else { return }
            take(datagram, size: bytes.count, key: Key(address: address, id: datagram.id))
        } else if let close = DatagramClose(bytes), !close.isFromAnswerer {
            let key = Key(address: address, id: close.id)
            state.withLock { $0.entries[key]?.conversation }?.with { stream, now in
                stream.receive(close, size: bytes.count, at: now)
            }
        }
    }

    private func take(_ datagram: Datagram, size: Int, key: Key) {
        switch state.withLock({ admit(datagram, key, &$0) }) {
        case .known(let conversation):
            conversation.with { stream, now in stream.receive(datagram, size: size, at: now) }
        case .opened(let opened, let instead):
            instead?.with { stream, _ in stream.close(Self.displaced) }
            opened.conversation.with { stream, now in stream.receive(datagram, size: size, at: now) }
            guard !onOpened(opened) else { return }
            opened.conversation.with { stream, _ in stream.close(Self.busy) }
            end(key)
        case .refused:
            // Never longer than what it answers, so that nothing is won by a false address.
            guard datagram.number != nil else { return }
            let error = datagram.opening == nil ? DatagramClose.unknown : Self.busy
            let close = DatagramClose(id: datagram.id, isFromAnswerer: true, error: error)
            path.send(close.encoded(limit: max(size, DatagramClose.sizeMin)), to: key.address)
        }
    }

    private func admit(_ datagram: Datagram, _ key: Key, _ state: inout State) -> Verdict {
        if let entry = state.entries[key] { return .known(entry.conversation) }
        guard let opening = datagram.opening else { return .refused }
        let running = state.entries.filter { $0.value.phase != .ended }
        let fromThere = running.count { $0.key.address.host == key.address.host }
        guard fromThere < limits.exchangesPerAddressMax else { return .refused }
        var instead: DatagramConversation?
        if running.count >= limits.exchangesMax {
            let strangers = running.filter { $0.value.phase == .strange }
            guard let oldest = strangers.min(by: { $0.value.order < $1.value.order }) else { return .refused }
            instead = oldest.value.conversation
            state.entries[oldest.key]?.phase = .ended
        }
        dropEnded(&state)
        var link = DatagramLink(
            opening, rateMax: limits.rateMax, payloadMax: limits.payloadMax, header: path.header(of: key.address),
            silence: limits.silence)
        link.isLine = key.address.isLine
        let conversation = DatagramConversation(
            role: .answerer, id: key.id, link: link, over: path, to: key.address)
        state.entries[key] = Entry(conversation: conversation, order: state.nextOrder)
        state.nextOrder += 1
        return .opened(Opened(key: key, conversation: conversation), instead: instead)
    }

    /// Ended ones are kept as long as there is room for them.
    private func dropEnded(_ state: inout State) {
        let ended = state.entries.filter { $0.value.phase == .ended }
        guard ended.count >= limits.exchangesMax * 4,
            let oldest = ended.min(by: { $0.value.order < $1.value.order })
        else { return }
        oldest.value.conversation.release()
        state.entries[oldest.key] = nil
    }

    /// A record of the exchange was accepted: its caller is no stranger.
    func accept(_ key: Key) {
        state.withLock { state in
            if state.entries[key]?.phase == .strange { state.entries[key]?.phase = .accepted }
        }
    }

    /// The exchange was served; late datagrams of it are answered for a while.
    func end(_ key: Key) {
        guard
            let conversation = state.withLock({ state -> DatagramConversation? in
                state.entries[key]?.phase = .ended
                return state.entries[key]?.conversation
            })
        else { return }
        path.eventLoop.scheduleTask(in: .init(limits.lingering)) { [weak self] in
            self?.forget(key, conversation)
        }
    }

    private func forget(_ key: Key, _ conversation: DatagramConversation) {
        conversation.release()
        state.withLock { state in
            if state.entries[key]?.conversation === conversation { state.entries[key] = nil }
        }
    }
}
