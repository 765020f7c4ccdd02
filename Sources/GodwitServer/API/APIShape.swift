import GodwitProtocol

/// What a JSON value has to look like. One value says it twice: to whoever sends, as JSON Schema (OpenAPI 3.1), and to
/// the node, which refuses what does not fit before any command sees it.
indirect enum APIShape: Sendable {
    case any
    case boolean
    case integer(ClosedRange<Int64>)
    case text(APIText)
    case list(APIShape, counts: ClosedRange<Int>)
    /// Members that are not named may be there too: readers keep what they do not know.
    case object([APIMember])
    case nullable(APIShape)
    /// A shape of `APIComponents`, told once and referred to by name.
    case named(String)

    static let anyObject = APIShape.object([])
    static func list(_ shape: APIShape, most: Int = 10_000) -> APIShape { .list(shape, counts: 0...most) }
}

/// A member of an object.
struct APIMember: Sendable {
    var name: String
    var shape: APIShape
    var isRequired = true

    static func needed(_ name: String, _ shape: APIShape) -> APIMember { APIMember(name: name, shape: shape) }
    static func optional(_ name: String, _ shape: APIShape) -> APIMember {
        APIMember(name: name, shape: .nullable(shape), isRequired: false)
    }
}

/// A kind of text: what the document says of it, and what is accepted.
struct APIText: Sendable {
    /// ECMA-262, as JSON Schema wants it. Everything that is accepted fits it.
    var pattern: String?
    var lengths: ClosedRange<Int>?
    var choices: [String]?
    var note: String?
    var accepts: @Sendable (String) -> Bool = { _ in true }
}

extension APIShape {
    /// - Parameter path: where the value stands, for the error's `member`.
    /// - Throws: `ProtocolError` 2000 that names the member at fault.
    func check(_ value: JSONValue, at path: String) throws(ProtocolError) {
        switch self {
        case .any: return
        case .boolean: guard value.bool != nil else { throw Self.wrong(path, "true or false") }
        case .integer(let range):
            guard let number = value.integer else { throw Self.wrong(path, "a whole number") }
            guard range.contains(number) else {
                throw Self.wrong(path, "between \(range.lowerBound) and \(range.upperBound)")
            }
        case .text(let text): try Self.check(value, text, path)
        case .list(let shape, let counts):
            guard let values = value.array else { throw Self.wrong(path, "a list") }
            guard counts.contains(values.count) else {
                throw Self.wrong(path, "a list of \(counts.lowerBound) to \(counts.upperBound)")
            }
            for value in values { try shape.check(value, at: path) }
        case .object(let members):
            guard let object = value.object else { throw Self.wrong(path, "an object") }
            for member in members {
                guard let value = object[member.name] else {
                    guard member.isRequired else { continue }
                    throw .malformed("A required member is missing.", member: member.name)
                }
                try member.shape.check(value, at: member.name)
            }
        case .nullable(let shape): if !value.isNull { try shape.check(value, at: path) }
        case .named(let name):
            guard let shape = APIComponents.shapes[name] else { return }
            try shape.check(value, at: path)
        }
    }

    private static func check(_ value: JSONValue, _ kind: APIText, _ path: String) throws(ProtocolError) {
        guard let text = value.string else { throw wrong(path, "a text") }
        if let choices = kind.choices, !choices.contains(text) { throw wrong(path, choices.joined(separator: ", ")) }
        if let lengths = kind.lengths, !lengths.contains(text.unicodeScalars.count) {
            throw wrong(path, "a text of \(lengths.lowerBound) to \(lengths.upperBound) characters")
        }
        guard kind.accepts(text) else { throw wrong(path, kind.note ?? "of another form") }
    }

    private static func wrong(_ path: String, _ kind: String) -> ProtocolError {
        .malformed("A member is not what it has to be: \(kind).", member: path)
    }
}

extension APIShape {
    /// The shape as JSON Schema, draft 2020-12.
    var schema: JSONObject {
        switch self {
        case .any: return [:]
        case .boolean: return ["type": "boolean"]
        case .integer(let range):
            return [
                "type": "integer", "minimum": .integer(range.lowerBound), "maximum": .integer(range.upperBound),
            ]
        case .text(let text): return text.schema
        case .list(let shape, let counts):
            var schema: JSONObject = [
                "type": "array", "items": .object(shape.schema), "maxItems": .integer(Int64(counts.upperBound)),
            ]
            if counts.lowerBound > 0 { schema["minItems"] = .integer(Int64(counts.lowerBound)) }
            return schema
        case .object(let members):
            var schema: JSONObject = ["type": "object"]
            guard !members.isEmpty else { return schema }
            schema["properties"] = .object(
                JSONObject(uniqueKeysWithValues: members.map { ($0.name, .object($0.shape.schema)) }))
            let required = members.filter(\.isRequired).map { JSONValue.string($0.name) }
            if !required.isEmpty { schema["required"] = .array(required) }
            return schema
        case .nullable(let shape): return ["anyOf": [.object(shape.schema), ["type": "null"]]]
        case .named(let name): return ["$ref": .string("#/components/schemas/\(name)")]
        }
    }
}

extension APIText {
    var schema: JSONObject {
        var schema: JSONObject = ["type": "string"]
        if let pattern { schema["pattern"] = .string(pattern) }
        if let lengths {
            schema["minLength"] = .integer(Int64(lengths.lowerBound))
            schema["maxLength"] = .integer(Int64(lengths.upperBound))
        }
        if let choices { schema["enum"] = .array(choices.map { .string($0) }) }
        if let note { schema["description"] = .string(note) }
        return schema
    }
}
