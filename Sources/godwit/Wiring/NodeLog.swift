import Glibc
import GodwitProtocol
import Logging
import Synchronization

/// Log lines of a node on standard error, as text or as one JSON object each. Level and form can change while it runs.
struct NodeLog: LogHandler {
    /// For all loggers of the process.
    struct Setting: Hashable, Sendable {
        var level = Logger.Level.warning
        var isJSON = false
    }
    private static let shared = Mutex(Setting())

    static var setting: Setting {
        get { shared.withLock { $0 } }
        set { shared.withLock { $0 = newValue } }
    }

    let label: String
    var metadata = Logger.Metadata()
    var logLevel: Logger.Level {
        get { Self.setting.level }
        set { Self.setting.level = newValue }
    }

    init(label: String) { self.label = label }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let fields = metadata.merging(event.metadata ?? [:]) { $1 }
        let line = Self.line(
            at: Wiring.now, level: event.level, label: label, message: "\(event.message)", fields,
            isJSON: Self.setting.isJSON)
        var bytes = Array(line.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }

    static func line(
        at time: Timestamp, level: Logger.Level, label: String, message: String, _ fields: Logger.Metadata,
        isJSON: Bool
    ) -> String {
        guard isJSON else {
            let pairs = fields.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
            return Console.printable("\(time) \(level) \(label):\(pairs) \(message)").replacing("\n", with: " ") + "\n"
        }
        var object: JSONObject = [
            "at": .string(time.description), "level": .string(level.rawValue), "label": .string(label),
            "message": .string(message),
        ]
        for (key, value) in fields where object[key] == nil { object[key] = .string("\(value)") }
        return object.canonicalText + "\n"
    }
}
