import GodwitProtocol
import HTTPTypes

/// What headers of a request have to say.
enum APIHeaders {
    /// - Throws: `APIRefusal` 415 for a body that does not say that it is JSON.
    static func checkContentType(_ values: [String]) throws {
        let types = values.map { mediaType($0) }
        guard types == ["application/json"] else {
            throw APIRefusal(
                .unsupportedMediaType, .malformed("A body is JSON.", hint: "Send Content-Type: application/json."))
        }
    }

    /// - Throws: `APIRefusal` 406 if the client takes no JSON (RFC 9110 §12.5.1).
    static func checkAccept(_ values: [String]) throws {
        let ranges = values.flatMap { $0.split(separator: ",") }
        guard !ranges.isEmpty else { return }
        let taken: Set<String> = ["*/*", "application/*", "application/json"]
        // The most specific range that fits decides.
        let fitting = ranges.map { (type: mediaType($0), isZero: isZero($0)) }.filter { taken.contains($0.type) }
        let best = fitting.max { $0.type.filter { $0 != "*" }.count < $1.type.filter { $0 != "*" }.count }
        guard let best, !best.isZero else {
            throw APIRefusal(
                .notAcceptable, .malformed("Answers are JSON.", hint: "Send Accept: application/json, or none."))
        }
    }

    private static func mediaType(_ value: some StringProtocol) -> String {
        String(value.prefix { $0 != ";" }).filter { $0 != " " && $0 != "\t" }.lowercased()
    }

    /// `q=0`: not wanted.
    private static func isZero(_ value: Substring) -> Bool {
        value.split(separator: ";").dropFirst().contains { parameter in
            let text = String(parameter).filter { $0 != " " }.lowercased()
            return text.hasPrefix("q=") && text.dropFirst(2).allSatisfy { $0 == "0" || $0 == "." }
        }
    }
}
