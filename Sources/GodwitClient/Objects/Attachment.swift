import GodwitCrypto
public import GodwitProtocol

/// A file, or a part of one, that travels inside messages (MSG-09, MSG-11, docs/protocol.md §5.5): one custody and one
/// ciphertext with the words about it, and no service that has to be reached besides.
public struct Attachment: Sendable, Hashable {
    /// Bytes of a file; what is larger is nothing for a message.
    public static let bytesMax = 1_048_576
    /// Bytes of it in one message: with a caption the message stays below its limit, and other devices of the user can
    /// be told of it.
    static let partMax = 32_768
    /// Messages of one file.
    static var partsMax: Int { (bytesMax + partMax - 1) / partMax }
    /// Bytes of UTF-8 of a file's name.
    static let nameMax = 255

    public var name: String
    public var mimeType: String
    /// Of the whole file, in bytes.
    public var size: Int
    /// SHA-256 of the whole file.
    public var digest: [UInt8]
    /// Where `data` stands in the file.
    public var offset = 0
    public var data: [UInt8]
    /// Seconds of a voice message, rounded up.
    public var duration: Int?

    public var isVoice: Bool { duration != nil }
    public var isWhole: Bool { data.count == size }

    /// A file as its parts, in their order.
    ///
    /// - Parameter isVoice: it is a voice message, and has to be Opus in Ogg.
    /// - Throws: `ProtocolError` 2000 for a name that is none, an empty file, or a voice message in another form; 2001
    ///   beyond `bytesMax`.
    public static func parts(
        of bytes: [UInt8], named name: String, isVoice: Bool = false
    ) throws(ProtocolError) -> [Attachment] {
        guard isName(name) else { throw .malformed("This is no name of a file.", member: "filename") }
        guard !bytes.isEmpty else { throw .malformed("The file is empty.", member: "size") }
        guard bytes.count <= bytesMax else {
            throw ProtocolError(
                .messageTooLarge, "The file has \(bytes.count) bytes; in messages go \(bytesMax) at most.",
                hint: "Make it smaller, or carry it another way.",
                details: ["max_size": .integer(Int64(bytesMax) + 1), "actual_size": .integer(Int64(bytes.count))])
        }
        let duration = isVoice ? OggOpus.seconds(bytes) : nil
        guard !isVoice || duration != nil else {
            throw .malformed(
                "A voice message is Opus in Ogg.", member: "codec", hint: "Convert it, for example with opusenc.")
        }
        let whole = Attachment(
            name: name, mimeType: isVoice ? "audio/ogg" : mimeType(of: name), size: bytes.count,
            digest: SHA256Digest.of(bytes), data: [], duration: duration)
        return stride(from: 0, to: bytes.count, by: partMax).map { offset in
            var part = whole
            part.offset = offset
            part.data = Array(bytes[offset..<min(offset + partMax, bytes.count)])
            return part
        }
    }

    /// The file of which these are parts, in any order, also if some came twice.
    ///
    /// - Returns: nil if some are missing, or they do not come to what their digest says.
    static func joined(_ parts: [Attachment]) -> [UInt8]? {
        guard let first = parts.first else { return nil }
        var bytes: [UInt8] = []
        for part in parts.sorted(by: { $0.offset < $1.offset }) where part.offset == bytes.count { bytes += part.data }
        guard bytes.count == first.size, SHA256Digest.of(bytes) == first.digest else { return nil }
        return bytes
    }

    /// Nobody who saves a file may be led elsewhere than where it is saved, or shown another name than it gets.
    static func isName(_ text: String) -> Bool {
        (1...nameMax).contains(text.utf8.count) && text != "." && text != ".." && !text.contains("/")
            && !text.unicodeScalars.contains { [.control, .format].contains($0.properties.generalCategory) }
    }

    static func mimeType(of name: String) -> String {
        guard let dot = name.lastIndex(of: ".") else { return "application/octet-stream" }
        return mimeTypes[name[name.index(after: dot)...].lowercased()] ?? "application/octet-stream"
    }

    private static let mimeTypes = [
        "csv": "text/csv", "gif": "image/gif", "jpeg": "image/jpeg", "jpg": "image/jpeg", "json": "application/json",
        "md": "text/markdown", "ogg": "audio/ogg", "opus": "audio/ogg", "pdf": "application/pdf", "png": "image/png",
        "txt": "text/plain", "webp": "image/webp", "zip": "application/zip",
    ]
}

// MARK: Content

extension Attachment {
    /// What is said of a file in a content object; nil where there is none, or not in this form.
    public init?(_ content: JSONObject) {
        let refs = content["media_refs"]?.array
        guard let ref = content["media_ref"]?.object ?? (refs?.count == 1 ? refs?.first?.object : nil),
            let name = ref["filename"]?.string, Self.isName(name),
            let size = ref["size"]?.integer, (1...Int64(Self.bytesMax)).contains(size),
            let hash = ref["hash"]?.string, hash.hasPrefix("sha256:"),
            let digest = Hex.decode(String(hash.dropFirst(7))),
            digest.count == 32, let data = ref["data"]?.string.flatMap({ Base64.decode($0) }), !data.isEmpty,
            let offset = ref["offset"].map(\.integer) ?? 0, offset >= 0, offset <= size - Int64(data.count)
        else { return nil }
        self.init(
            name: name, mimeType: ref["mime_type"]?.string ?? "application/octet-stream", size: Int(size),
            digest: digest, offset: Int(offset), data: data)
        if content["media_ref"] != nil { duration = ref["duration"]?.integer.map { max(0, Int(clamping: $0)) } ?? 0 }
    }

    func content(caption: String) -> JSONObject {
        var ref: JSONObject = [
            "data": .string(Base64.encode(data)), "filename": .string(name),
            "hash": .string("sha256:" + Hex.encode(digest)),
            "mime_type": .string(mimeType), "offset": .integer(Int64(offset)), "size": .integer(Int64(size)),
        ]
        guard let duration else { return ["caption": .string(caption), "media_refs": .array([.object(ref)])] }
        ref["codec"] = "opus"
        ref["duration"] = .integer(Int64(duration))
        ref["sample_rate"] = 48_000
        return ["caption": .string(caption), "media_ref": .object(ref)]
    }

    /// The same without its bytes, for lists.
    public var summary: JSONObject {
        var object: JSONObject = [
            "filename": .string(name), "hash": .string("sha256:" + Hex.encode(digest)), "mime_type": .string(mimeType),
            "size": .integer(Int64(size)),
        ]
        if !isWhole {
            object["offset"] = .integer(Int64(offset))
            object["bytes"] = .integer(Int64(data.count))
        }
        if let duration { object["duration"] = .integer(Int64(duration)) }
        return object
    }

    /// What of a message with this content is looked through for words.
    static func words(_ text: String, _ content: JSONObject) -> String {
        guard let file = Attachment(content), !file.isVoice, file.offset == 0 else { return text }
        return text.isEmpty ? file.name : text + " " + file.name
    }

    /// One line: what it is, and of a part which.
    public var line: String {
        let what = duration.map { "voice, \($0) s" } ?? name
        guard !isWhole else { return "[\(what), \(ByteCount(size))]" }
        return "[\(what), \(ByteCount(size)): bytes \(offset + 1) to \(offset + data.count)]"
    }
}

extension MessageType {
    /// The type of a message with this content.
    init(of content: JSONObject) {
        self = content["media_ref"] != nil ? .voice : content["media_refs"] != nil ? .media : .text
    }
}
