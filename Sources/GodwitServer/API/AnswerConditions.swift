import GodwitProtocol
import HTTPTypes

/// What a request says of the answer that it has already (RFC 9110 §13, §14): nothing is sent twice over a thin link.
///
/// The ETag is strong: equal tags stand for equal bytes. An answer that broke off is gone on with by `Range` and
/// `If-Range`.
struct AnswerConditions {
    private let noneMatch: [String]
    private let range: String?
    private let ifRange: String?

    /// Shorter answers are sent whole: the header of a part would cost what it saves.
    static let rangeMin = 1_024

    init(_ headers: HTTPFields) {
        noneMatch = headers[values: .ifNoneMatch].flatMap { $0.split(separator: ",") }.map {
            Self.weakly($0.drop { $0 == " " || $0 == "\t" })
        }
        range = headers[.range]
        ifRange = headers[.ifRange]
    }

    /// 10 bytes of SHA-256 tell apart what one path ever answers.
    static func tag(of body: [UInt8]) -> String { "\"" + Base32.encode(SHA256Digest.of(body).prefix(10)) + "\"" }

    /// `If-None-Match` compares weakly (RFC 9110 §8.8.3.2).
    private static func weakly(_ tag: Substring) -> String {
        let bare = tag.hasPrefix("W/") ? tag.dropFirst(2) : tag
        return String(bare.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }

    /// The answer as this request wants it: whole, in part, or not at all.
    func apply(to answer: Answer) -> Answer {
        guard answer.status == .ok else { return answer }
        var answer = answer
        let tag = Self.tag(of: answer.body)
        answer.headers[.eTag] = tag
        if noneMatch.contains(tag) || noneMatch == ["*"] {
            answer.status = .notModified
            answer.contentType = nil
            answer.body = []
            return answer
        }
        let count = answer.body.count
        guard count >= Self.rangeMin else { return answer }
        answer.headers[.acceptRanges] = "bytes"
        // A tag that is weak, a date or another tag: the part would not fit what the client has.
        guard let range, ifRange == nil || ifRange == tag, let parsed = ByteRange(range) else { return answer }
        guard let bounds = parsed.bounds(in: count) else {
            var refusal = Answer.error(
                .malformed("The answer has no such bytes.", member: "Range"), status: .rangeNotSatisfiable)
            refusal.headers[.contentRange] = "bytes */\(count)"
            return refusal
        }
        answer.status = .partialContent
        answer.headers[.contentRange] = "bytes \(bounds.lowerBound)-\(bounds.upperBound - 1)/\(count)"
        answer.body = Array(answer.body[bounds])
        return answer
    }
}

/// One range of bytes; several are answered as if none had been asked for, which RFC 9110 §14.2 allows.
struct ByteRange: Hashable {
    private enum Kind: Hashable {
        case from(Int, to: Int?)
        case last(Int)
    }
    private let kind: Kind

    /// Nil for what is no single range of bytes.
    init?(_ header: String) {
        guard header.hasPrefix("bytes=") else { return nil }
        let ends = header.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false).map {
            $0.filter { $0 != " " }
        }
        guard ends.count == 2, ends.allSatisfy({ $0.utf8.count <= 18 && $0.utf8.allSatisfy { (48...57).contains($0) } })
        else { return nil }
        switch (Int(ends[0]), Int(ends[1])) {
        case (let first?, let last?) where first <= last: kind = .from(first, to: last)
        case (let first?, nil): kind = .from(first, to: nil)
        case (nil, let count?): kind = .last(count)
        default: return nil
        }
    }

    /// The part of `count` bytes; nil if none of it is there.
    func bounds(in count: Int) -> Range<Int>? {
        switch kind {
        case .from(let first, let last):
            guard first < count else { return nil }
            return first..<min(count, (last ?? count - 1) + 1)
        case .last(let length): return length > 0 && count > 0 ? max(0, count - length)..<count : nil
        }
    }
}
