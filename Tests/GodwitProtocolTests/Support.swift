import Foundation
import GodwitProtocol

/// Files that tests compare with.
enum Vectors {
    /// Lines of a file of `Tests/Vectors`.
    static func lines(_ name: String) throws -> [String] { try lines(at: "Tests/Vectors/" + name) }

    /// Lines that are not empty, of a file given from the root of the checkout.
    static func lines(at path: String, file: String = #filePath) throws -> [String] {
        let root = URL(fileURLWithPath: file).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
        return text.split(separator: "\n").map(String.init)
    }
}

/// SplitMix64: the same draws on every run.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

/// The refusal of whatever `body` does; nil if it is accepted.
func refusal<Value>(_ body: () throws(ProtocolError) -> Value) -> ProtocolError? {
    do {
        _ = try body()
        return nil
    } catch {
        return error
    }
}

/// One wrong value, and the member that the refusal must name.
struct WrongMember: Sendable, CustomStringConvertible {
    var path: [String]
    /// Nil takes the member away.
    var value: JSONValue?

    init(_ path: String, _ value: JSONValue?) {
        self.path = path.split(separator: ".").map(String.init)
        self.value = value
    }

    var description: String {
        path.joined(separator: ".") + " = " + (value?.canonicalText.prefix(40).description ?? "absent")
    }

    func applied(to object: JSONObject) -> JSONObject { object.replacing(path[...], with: value) }

    /// True if `error` is a 2000 that names the member.
    func isNamed(by error: ProtocolError?) -> Bool {
        guard let error, let name = path.last else { return false }
        return error.code == .invalidMessageFormat && error.details["member"] == .string(name)
    }
}

extension JSONObject {
    func replacing(_ path: ArraySlice<String>, with value: JSONValue?) -> JSONObject {
        guard let first = path.first else { return self }
        var copy = self
        copy[first] =
            path.count == 1
            ? value : .object((self[first]?.object ?? [:]).replacing(path.dropFirst(), with: value))
        return copy
    }

    /// The object with a member `padding` that makes its canonical form `size` bytes long.
    func padded(to size: Int) -> JSONObject {
        let bare = setting("padding", "").canonicalBytes().count
        return setting("padding", .string(String(repeating: "x", count: size - bare)))
    }
}
