public import GodwitContact
public import GodwitProtocol
import Synchronization

/// The time that really passes in a simulation: milliseconds since its beginning. Only the world moves it.
public final class WorldTime: Sendable {
    private let elapsed = Mutex<Int64>(0)

    public init() {}

    public var milliseconds: Int64 { elapsed.withLock { $0 } }

    /// - Precondition: time does not go back.
    func advance(to milliseconds: Int64) {
        elapsed.withLock { now in
            precondition(milliseconds >= now, "time does not go back")
            now = milliseconds
        }
    }
}

/// The clocks of one box: the one on the wall, which may be wrong by years and drift, and the uptime, which stands while
/// the box is off and begins anew when it is turned on (D-16).
public final class VirtualClock: TimeSource {
    private struct State {
        /// What the wall clock said at `since`.
        var wall: Int64
        var since: Int64
        /// Parts in a million by which the wall clock is fast.
        var drift: Int64 = 0
        /// When the box was turned on; nil while it is off.
        var on: Int64?
        /// Uptime that a box has had before its system told it the time.
        var boot: Int64
    }

    /// Uptime that passes before anything of ours runs.
    private static let bootTime: Int64 = 20_000

    private let world: WorldTime
    private let state: Mutex<State>

    public init(_ world: WorldTime, showing wall: Timestamp) {
        self.world = world
        let now = world.milliseconds
        state = Mutex(State(wall: wall.milliseconds, since: now, on: now, boot: Self.bootTime))
    }

    public func now() -> Timestamp {
        let now = world.milliseconds
        return Timestamp(milliseconds: state.withLock { Self.wall($0, at: now) })
    }

    public func uptime() -> Duration {
        let now = world.milliseconds
        return .milliseconds(state.withLock { $0.boot + now - ($0.on ?? now) })
    }

    /// Somebody sets the clock, or it falls back to its factory setting.
    public func jump(by milliseconds: Int64) { restate { $0.wall += milliseconds } }

    /// - Parameter drift: parts in a million by which the clock is fast from now on.
    public func set(drift: Int64) { restate { $0.drift = drift } }

    public func turnOff() { restate { $0.on = nil } }

    /// The box starts: its uptime begins anew.
    public func turnOn() {
        let now = world.milliseconds
        restate { $0.on = now }
    }

    private func restate(_ change: (inout State) -> Void) {
        let now = world.milliseconds
        state.withLock { state in
            state.wall = Self.wall(state, at: now)
            state.since = now
            change(&state)
        }
    }

    private static func wall(_ state: State, at now: Int64) -> Int64 {
        let passed = now - state.since
        return state.wall + passed + passed * state.drift / 1_000_000
    }
}
