import GodwitBatch
import GodwitClient
import GodwitContact
import GodwitProtocol

/// What goes on beside the keys: orders are carried out one after the other, and the home node is called. Both answer
/// with events, so that no key waits for a disk or a link.
struct ChatSession: Sendable {
    /// What reaches the loop that owns the model.
    enum Event: Sendable {
        case model(ChatModel.Event)
        /// Something in the store is another: what is shown is loaded again.
        case changed
        /// An order was carried out.
        case done
        case resized, suspend, continued, quit
    }

    /// Events that wait; with more the oldest stay, and a key is lost rather than memory.
    static let eventsMax = 4_096
    private static let ordersMax = 256

    let device: Device
    let carrier: any Carrier
    /// Between calls.
    let every: Duration
    /// What was named on the command line.
    let opening: String?

    let events: AsyncStream<Event>
    let post: AsyncStream<Event>.Continuation
    private let orders: AsyncStream<ChatModel.Action>
    private let ordering: AsyncStream<ChatModel.Action>.Continuation
    private let bell = CallBell()

    init(device: Device, carrier: any Carrier, every: Duration, opening: String?) {
        self.device = device
        self.carrier = carrier
        self.every = every
        self.opening = opening
        (events, post) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.eventsMax))
        (orders, ordering) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.ordersMax))
    }

    func order(_ action: ChatModel.Action) { ordering.yield(action) }

    /// Runs until `body`, which owns the model, ends. What it has ordered is carried out before this returns: a text that
    /// was sent with the last key is in the outbox.
    func run(_ body: () async -> Void) async {
        let bell = bell
        _ = (carrier as? any AnnouncedCarrier)?.onAnnouncement { bell.ring(.announced) }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await call() }
            group.addTask {
                while !Task.isCancelled {
                    bell.ring(.timer)
                    try? await Task.sleep(for: .seconds(1))
                }
            }
            async let orders: Void = carryOut()
            await body()
            ordering.finish()
            await orders
            bell.finish()
            post.finish()
            group.cancelAll()
        }
    }

    // MARK: Orders

    private func carryOut() async {
        for await action in orders {
            do {
                for event in try await ChatWorker(device: device).carryOut(action) { post.yield(.model(event)) }
            } catch {
                post.yield(.model(.said(Self.word(error))))
            }
            defer { post.yield(.done) }
            switch action {
            case .load, .reload: continue
            case .sync: bell.ring(.person)
            case .send, .edit, .react, .delete, .join: bell.ring(.written)
            default: break
            }
            post.yield(.changed)
        }
    }

    // MARK: Calling

    private func call() async {
        let start = ContinuousClock.now
        var plan = CallPlan(every: every)
        for await _ in bell.rings {
            let now = ContinuousClock.now - start
            guard bell.take().contains(where: { plan.mayCall(for: $0, at: now) }) else { continue }
            do {
                while try await device.sync(over: carrier).more {}
                plan.succeeded(at: ContinuousClock.now - start)
                post.yield(.model(.link(.online)))
            } catch {
                let failure = error as? ProtocolError ?? ProtocolError(.internalError, "The call failed: \(error)")
                plan.failed(failure, at: ContinuousClock.now - start)
                post.yield(.model(.link(.offline(Self.word(failure)))))
            }
            post.yield(.changed)
        }
    }

    static func word(_ error: any Error) -> String {
        guard let failure = error as? ProtocolError else { return "\(error)" }
        return failure.message + (failure.hint.map { " " + $0 } ?? "")
    }
}
