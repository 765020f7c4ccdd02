import GodwitProtocol

/// Reads one object of a profile. Every failure is a `ProtocolError` 2000 that names the key by its path.
struct ProfileReader {
    private let object: JSONObject
    private let path: String

    /// Longest key that is repeated in an error.
    private static let shownMax = 40

    init(_ value: JSONValue, at path: String, knows known: [String]) throws(ProtocolError) {
        self.path = path
        guard case .object(let object) = value else {
            throw Self.failure(path.isEmpty ? "The profile" : "\"\(path)\"", "must be a set of keys.", key: path)
        }
        self.object = object
        for key in object.keys.sorted() where !known.contains(key) {
            throw unknown(key, known: known)
        }
    }

    private func unknown(_ key: String, known: [String]) -> ProtocolError {
        let shown = name(String(key.prefix(Self.shownMax)))
        let nearest = key.count > Self.shownMax ? nil : EditDistance.nearest(to: key, among: known)
        var details: JSONObject = ["key": .string(shown), "known": .array(known.map { .string($0) })]
        if let nearest { details["nearest"] = .string(name(nearest)) }
        let hint = nearest.map { "Did you mean \"\(name($0))\"?" } ?? "Known keys: \(known.joined(separator: ", "))."
        return ProtocolError(
            .invalidMessageFormat, "The profile has the unknown key \"\(shown)\".", hint: hint, details: details)
    }

    private static func failure(_ what: String, _ rule: String, key: String) -> ProtocolError {
        ProtocolError(.invalidMessageFormat, "\(what) \(rule)", details: ["key": .string(key)])
    }

    private func name(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    func failure(_ key: String, _ rule: String) -> ProtocolError {
        Self.failure("\"\(name(key))\"", rule, key: name(key))
    }

    /// The path of a member, for a reader of it.
    func path(of key: String) -> String { name(key) }

    /// Nil if absent. A null is a value, and a wrong one.
    func value(_ key: String) -> JSONValue? { object[key] }

    func number(_ key: String, in range: ClosedRange<Double>) throws(ProtocolError) -> Double? {
        guard let value = object[key] else { return nil }
        guard let number = value.number, range.contains(number) else {
            throw failure(
                key, "must be a number from \(Self.text(range.lowerBound)) to \(Self.text(range.upperBound)).")
        }
        return number
    }

    func integer(_ key: String, in range: ClosedRange<Int>) throws(ProtocolError) -> Int? {
        guard let value = object[key] else { return nil }
        guard let number = value.number, let whole = Int(exactly: number), range.contains(whole) else {
            throw failure(key, "must be a whole number from \(range.lowerBound) to \(range.upperBound).")
        }
        return whole
    }

    func string(_ key: String) throws(ProtocolError) -> String? {
        guard let value = object[key] else { return nil }
        guard let text = value.string else { throw failure(key, "must be a text.") }
        return text
    }

    func choice<Choice: RawRepresentable & CaseIterable>(
        _ key: String, _ type: Choice.Type
    ) throws(ProtocolError) -> Choice? where Choice.RawValue == String {
        guard let value = object[key] else { return nil }
        guard let text = value.string, let choice = Choice(rawValue: text) else {
            throw failure(key, "must be one of \(Choice.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        return choice
    }

    private static func text(_ number: Double) -> String {
        Int64(exactly: number).map(String.init) ?? String(number)
    }
}
