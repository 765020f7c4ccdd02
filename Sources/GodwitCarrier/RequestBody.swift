import Dispatch
import Synchronization

/// Hands the body of a request from a task to curl's thread, each record when curl has sent those before it. One reader,
/// one writer.
///
/// Keeps what was handed over: curl begins again when a kept connection turns out to be dead.
final class RequestBody: Sendable {
    private struct State {
        var bytes: [UInt8] = []
        var isWhole = false
        /// Nobody reads any more, or nothing more can come.
        var isOver = false
        var isWanted = false
        var readerWaits = false
        var writer: CheckedContinuation<Void, Never>?
        var failure: (any Error)?
    }
    private enum Step { case copied(Int), wait(CheckedContinuation<Void, Never>?), over }

    private let state = Mutex(State())
    private let supply = DispatchSemaphore(value: 0)

    /// What goes with the header, at most about a packet.
    private static let togetherMax = 1_200

    /// Takes from `records` what fits into a packet. A body that is whole then needs no chunks.
    init(beginning records: inout OutgoingRecords) async throws {
        var bytes: [UInt8] = []
        var isWhole = false
        while !isWhole, bytes.count < Self.togetherMax {
            if let more = try await records.next() { bytes += more } else { isWhole = true }
        }
        let (start, isAll) = (bytes, isWhole)
        state.withLock { state in
            state.bytes = start
            state.isWhole = isAll
        }
    }

    init(whole bytes: [UInt8]) {
        state.withLock { state in
            state.bytes = bytes
            state.isWhole = true
        }
    }

    /// Bytes of the whole; nil: not known yet.
    var size: Int? { state.withLock { $0.isWhole ? $0.bytes.count : nil } }
    /// What the source of records threw.
    var failure: (any Error)? { state.withLock { $0.failure } }

    func contains(offset: Int) -> Bool { state.withLock { (0...$0.bytes.count).contains(offset) } }

    /// Copies what stands at `position`, waiting until there is something. Only on curl's thread.
    /// - Returns: bytes copied, 0 at the end, and whether it waited; nil: break off.
    func read(at position: Int, into target: UnsafeMutableRawBufferPointer) -> (count: Int, hasWaited: Bool)? {
        var hasWaited = false
        while true {
            switch step(position, target) {
            case .copied(let count): return (count, hasWaited)
            case .over: return nil
            case .wait(let writer):
                writer?.resume()
                supply.wait()
                hasWaited = true
            }
        }
    }

    private func step(_ position: Int, _ target: UnsafeMutableRawBufferPointer) -> Step {
        // The lock's closure runs here and now, on the thread that lent the buffer.
        nonisolated(unsafe) let target = target
        return state.withLock { state in
            if state.isOver { return .over }
            let count = min(target.count, state.bytes.count - position)
            guard count == 0, !state.isWhole else {
                state.bytes.withUnsafeBytes { bytes in
                    target.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[position..<position + count]))
                }
                return .copied(count)
            }
            state.isWanted = true
            state.readerWaits = true
            defer { state.writer = nil }
            return .wait(state.writer)
        }
    }

    /// Hands over the rest of the records as they are wanted. Returns when nothing more is.
    func fill(from records: OutgoingRecords) async throws {
        var records = records
        while await isWanted() {
            do { give(try await records.next()) } catch {
                state.withLock { $0.failure = error }
                end()
                throw error
            }
        }
    }

    private func give(_ more: [UInt8]?) {
        let wakesReader = state.withLock { state in
            state.isWanted = false
            if let more { state.bytes += more } else { state.isWhole = true }
            defer { state.readerWaits = false }
            return state.readerWaits
        }
        if wakesReader { supply.signal() }
    }

    /// The transfer is over, or should be. From any thread.
    func end() {
        let (wakesReader, writer) = state.withLock { state in
            state.isOver = true
            defer { (state.readerWaits, state.writer) = (false, nil) }
            return (state.readerWaits, state.writer)
        }
        if wakesReader { supply.signal() }
        writer?.resume()
    }

    /// False when the body is whole or nobody reads it.
    private func isWanted() async -> Bool {
        await withCheckedContinuation { continuation in
            let goesOn = state.withLock { state in
                if state.isWanted || state.isWhole || state.isOver { return true }
                state.writer = continuation
                return false
            }
            if goesOn { continuation.resume() }
        }
        return state.withLock { $0.isWanted && !$0.isWhole && !$0.isOver }
    }
}
