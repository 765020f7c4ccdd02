public import CoreMetrics
import Synchronization

/// Keeps what is measured, and writes it as Prometheus reads it (text format 0.0.4).
///
/// Memory is bounded: beyond `seriesMax` series further ones are counted as dropped and not kept, so that a label whose
/// values somebody else chooses cannot fill it.
public final class PrometheusRegistry: MetricsFactory, Sendable {
    /// Series over all names.
    public static let seriesMax = 2_048

    private struct Series: Hashable {
        var name: String
        var labels: String
    }
    enum Kind: String { case counter, gauge, summary }

    private struct State {
        var kinds: [String: Kind] = [:]
        var values: [Series: Cell] = [:]
        var dropped: Int64 = 0
    }
    private let state = Mutex(State())

    public init() {}

    private func cell(_ label: String, _ dimensions: [(String, String)], _ kind: Kind) -> Cell {
        let series = Series(name: Self.name(label), labels: Self.labels(dimensions))
        return state.withLock { state in
            if let known = state.values[series] { return known }
            // One name has one kind; and there is an end to names.
            guard state.values.count < Self.seriesMax, state.kinds[series.name] ?? kind == kind else {
                state.dropped += 1
                return Cell()
            }
            let made = Cell()
            state.kinds[series.name] = kind
            state.values[series] = made
            return made
        }
    }

    /// Everything, sorted, one series a line.
    public func text() -> String {
        let (kinds, values, dropped) = state.withLock { ($0.kinds, $0.values, $0.dropped) }
        var lines: [String] = []
        for name in kinds.keys.sorted() {
            lines.append("# TYPE \(name) \(kinds[name]?.rawValue ?? "untyped")")
            for (series, cell) in values.filter({ $0.key.name == name }).sorted(by: { $0.key.labels < $1.key.labels }) {
                let (sum, count) = cell.read()
                guard kinds[name] == .summary else {
                    lines.append("\(name)\(series.labels) \(Self.number(sum))")
                    continue
                }
                lines.append("\(name)_sum\(series.labels) \(Self.number(sum))")
                lines.append("\(name)_count\(series.labels) \(count)")
            }
        }
        lines += ["# TYPE godwit_dropped_series_total counter", "godwit_dropped_series_total \(dropped)"]
        return lines.joined(separator: "\n") + "\n"
    }

    private static func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : String(value)
    }

    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`
    static func name(_ label: String) -> String {
        let text = String(
            label.map { $0.isASCII && ($0.isLetter || $0.isNumber) || $0 == "_" || $0 == ":" ? $0 : "_" })
        return text.first?.isNumber ?? true ? "_" + text : text
    }

    static func labels(_ dimensions: [(String, String)]) -> String {
        guard !dimensions.isEmpty else { return "" }
        let pairs = dimensions.sorted { $0.0 < $1.0 }.map { "\(name($0.0))=\"\(escaped($0.1))\"" }
        return "{" + pairs.joined(separator: ",") + "}"
    }

    private static func escaped(_ value: String) -> String {
        value.reduce(into: "") { text, character in
            switch character {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.append(character)
            }
        }
    }

    // MARK: MetricsFactory

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        CellCounter(cell: cell(label, dimensions, .counter))
    }

    /// What is not added up shows its latest value.
    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        CellRecorder(cell: cell(label, dimensions, aggregate ? .summary : .gauge), adds: aggregate)
    }

    /// In seconds.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        CellTimer(cell: cell(label, dimensions, .summary))
    }

    // Series stay: what was counted must not fall back to nothing.
    public func destroyCounter(_ handler: any CounterHandler) {}
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    public func destroyTimer(_ handler: any TimerHandler) {}
}

/// One series' number.
final class Cell: Sendable {
    private let state = Mutex<(sum: Double, count: Int64)>((0, 0))

    func read() -> (sum: Double, count: Int64) { state.withLock { $0 } }
    func add(_ value: Double) {
        state.withLock {
            $0.sum += value
            $0.count += 1
        }
    }
    func set(_ value: Double) { state.withLock { $0 = (value, 1) } }
}

private final class CellCounter: CounterHandler {
    let cell: Cell
    init(cell: Cell) { self.cell = cell }
    func increment(by amount: Int64) { cell.add(Double(amount)) }
    func reset() { cell.set(0) }
}

private final class CellRecorder: RecorderHandler {
    let cell: Cell
    let adds: Bool
    init(cell: Cell, adds: Bool) {
        self.cell = cell
        self.adds = adds
    }
    func record(_ value: Int64) { record(Double(value)) }
    func record(_ value: Double) { if adds { cell.add(value) } else { cell.set(value) } }
}

private final class CellTimer: TimerHandler {
    let cell: Cell
    init(cell: Cell) { self.cell = cell }
    func recordNanoseconds(_ duration: Int64) { cell.add(Double(duration) * 1e-9) }
}
