import GodwitProtocol

/// An operation that a path fits, with what stands in the path.
struct APIMatch {
    let route: APIRoute
    private let values: [String: String]

    /// Nil if the path is another.
    init?(_ route: APIRoute, _ segments: [String]) {
        let template = route.segments
        guard template.count == segments.count else { return nil }
        var values: [String: String] = [:]
        for (part, segment) in zip(template, segments) {
            if part.hasPrefix("{") {
                guard !segment.isEmpty else { return nil }
                values[String(part.dropFirst().dropLast())] = segment
            } else if part != segment {
                return nil
            }
        }
        self.route = route
        self.values = values
    }

    /// Puts what path and query say into a command's data; they go before members of the body.
    /// - Throws: `ProtocolError` 2000 for a value of another form, and for a query that the operation does not know.
    func fill(_ data: inout JSONObject, from path: APIPath) throws(ProtocolError) {
        for field in path.query {
            guard route.parameters.contains(where: { $0.place == .query && $0.name == field.name }) else {
                throw .malformed("The query has a parameter that is not known here.", member: field.name)
            }
            guard path.query.count(where: { $0.name == field.name }) == 1 else {
                throw .malformed("A parameter stands twice in the query.", member: field.name)
            }
        }
        for parameter in route.parameters {
            let text =
                switch parameter.place {
                case .path: values[parameter.name].map { parameter.isConversation ? APIPath.address($0) : $0 }
                case .query: path.query.first { $0.name == parameter.name }?.value
                }
            guard let text else { continue }
            let value = try parameter.value(text)
            try parameter.shape.check(value, at: parameter.name)
            data[parameter.member] = value
        }
    }
}

extension APIParameter {
    /// Stands for a channel or a direct conversation, in one of the three ways of writing it.
    var isConversation: Bool { place == .path && member == "channel" }

    fileprivate func value(_ text: String) throws(ProtocolError) -> JSONValue {
        guard case .integer = shape else { return .string(text) }
        guard let number = Int64(text), text.first != "+" else {
            throw .malformed("The parameter is no whole number.", member: name)
        }
        return .integer(number)
    }
}
