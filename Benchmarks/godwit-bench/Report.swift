import Glibc
import GodwitProtocol

/// The result of one benchmark: a name, what was measured and under which circumstances.
struct Report {
    let name: String
    var figures: [(name: String, value: JSONValue)] = []

    /// - Parameter places: digits after the point that mean something.
    mutating func add(_ name: String, _ value: Double, places: Int = 0) {
        let scale = pow(10, Double(places))
        let rounded = (value * scale).rounded() / scale
        figures.append((name, places == 0 ? .integer(Int64(rounded)) : .double(rounded)))
    }

    mutating func add(_ name: String, _ value: Int) { figures.append((name, .integer(Int64(value)))) }
    mutating func add(_ name: String, _ text: String) { figures.append((name, .string(text))) }

    private var object: JSONObject {
        var object = JSONObject(uniqueKeysWithValues: figures.map { ($0.name, $0.value) })
        object["benchmark"] = .string(name)
        return object
    }

    func publish(_ options: ReportOptions) throws {
        let line = object.canonicalText + "\n"
        if let directory = options.save {
            mkdir(directory, 0o755)
            try Self.write(line, to: directory + "/" + name + ".json")
        }
        if options.json {
            Self.out(line)
            return
        }
        let width = figures.map(\.name.count).max() ?? 0
        Self.out(name + "\n")
        for (figure, value) in figures {
            let text = value.string ?? Self.text(value)
            Self.out("  " + figure + String(repeating: " ", count: width - figure.count + 2) + text + "\n")
        }
    }

    private static func text(_ value: JSONValue) -> String {
        if case .double(let number) = value { return "\(number)" }
        return value.integer.map { "\($0)" } ?? ""
    }

    private static func out(_ text: String) {
        let bytes = Array(text.utf8)
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            written += count
        }
    }

    private static func write(_ text: String, to path: String) throws {
        guard let file = fopen(path, "w") else { throw ProtocolError.malformed("\(path) cannot be written.") }
        fputs(text, file)
        fclose(file)
    }
}

/// Seconds by the clock on the wall.
struct Watch {
    private let start = ContinuousClock.now
    var seconds: Double { start.duration(to: .now) / .seconds(1) }
}

func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    return sorted.isEmpty ? 0 : (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
}

/// A directory of a benchmark's own, removed with what is in it.
struct Scratch {
    let path: String

    init(in parent: String) throws {
        var template = Array((parent + "/godwit-bench-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else {
            throw ProtocolError.malformed("No directory can be made in \(parent).")
        }
        path = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func remove() {
        for name in ["spool.sqlite", "spool.sqlite-wal", "spool.sqlite-shm", "lock"] { unlink(path + "/" + name) }
        rmdir(path + "/blobs")
        rmdir(path)
    }
}
