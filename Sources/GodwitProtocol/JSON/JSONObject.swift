/// The members of a JSON object. Order carries no meaning and is not kept; output is always canonical.
///
/// Names are told apart by their bytes, as RFC 8259 §8.3 and RFC 7493 §2.3 ask: no Unicode normalisation.
public struct JSONObject: Hashable, Sendable, ExpressibleByDictionaryLiteral {
    private var storage: [MemberName: JSONValue]

    public init() { storage = [:] }
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self.init(uniqueKeysWithValues: elements)
    }
    /// - Precondition: no key comes twice.
    public init(uniqueKeysWithValues elements: some Sequence<(String, JSONValue)>) {
        storage = Dictionary(uniqueKeysWithValues: elements.map { (MemberName(text: $0.0), $0.1) })
    }

    public subscript(key: String) -> JSONValue? {
        get { storage[MemberName(text: key)] }
        set { storage[MemberName(text: key)] = newValue }
    }

    /// In no particular order.
    public var members: [(key: String, value: JSONValue)] { storage.map { (key: $0.key.text, value: $0.value) } }
    public var keys: [String] { storage.keys.map(\.text) }
    public var count: Int { storage.count }
    public var isEmpty: Bool { storage.isEmpty }

    /// The object without some members.
    public func omitting(_ keys: Set<String>) -> JSONObject {
        var copy = self
        for key in keys { copy[key] = nil }
        return copy
    }

    /// The object with one more member.
    public func setting(_ key: String, _ value: JSONValue) -> JSONObject {
        var copy = self
        copy[key] = value
        return copy
    }
}

/// A name that equals another when its bytes do.
private struct MemberName: Hashable, Sendable {
    let text: String

    static func == (left: Self, right: Self) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

    func hash(into hasher: inout Hasher) {
        var copy = text
        copy.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}
