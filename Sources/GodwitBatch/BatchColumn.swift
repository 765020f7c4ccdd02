/// What a byte of a batch is spent on. The raw value is its name in tables and JSON.
public enum BatchColumn: String, CaseIterable, Hashable, Sendable {
    // Of a file or an exchange.
    case fileHeader = "file_header"
    case fileEnd = "file_end"
    case recordLength = "record_length"
    // Of a sealed frame.
    case sealHeader = "seal_header"
    case sealKey = "seal_key"
    case sealTag = "seal_tag"
    /// Only the receiver can open it, and nothing here says what it held.
    case sealed
    // Of a frame.
    case floor
    case more
    case acknowledgements
    /// Field numbers and lengths of Protocol Buffers.
    case fieldHeaders = "field_headers"
    /// Fields that this version does not know, or that a later one of the same number replaces.
    case unknownFields = "unknown_fields"
    // Of items.
    case kind
    case priority
    case time
    case age
    case lifetime
    case body
    case bodyLength = "body_length"
    // Of messages in columns.
    case chain
    case author
    case conversation
    case recipients
    case form
    case key
    case epoch
    case keyID = "key_id"
    case sessionHeader = "session_header"
    case salt
    case position
    case sequence
    case link
    case signature
    case covers
    case length
    /// Ciphertext: the text with its codec byte and padding, which only devices can tell apart.
    case content
    case contentTag = "content_tag"

    /// Columns that are shown as one where there is little room.
    public enum Group: String, CaseIterable, Sendable {
        case content, tag, proof, author, chain, key, time, form, body, frame, seal, file
    }

    public var group: Group {
        switch self {
        case .content: .content
        case .contentTag: .tag
        case .signature, .covers: .proof
        case .author, .conversation, .recipients: .author
        case .chain, .sequence, .link: .chain
        case .key, .epoch, .keyID, .sessionHeader, .salt, .position: .key
        case .time, .age, .lifetime: .time
        case .kind, .priority, .form, .length: .form
        case .body, .bodyLength: .body
        case .floor, .more, .acknowledgements, .fieldHeaders, .unknownFields: .frame
        case .sealHeader, .sealKey, .sealTag, .sealed: .seal
        case .fileHeader, .fileEnd, .recordLength: .file
        }
    }

    /// Of a field of `Columns` in batch.proto; nil for one that is unknown.
    init?(field: Int) {
        switch field {
        case 1: self = .kind
        case 2: self = .time
        case 3: self = .age
        case 4: self = .author
        case 5: self = .conversation
        case 6: self = .form
        case 7, 8, 19: self = .key
        case 9, 16, 17, 27, 29: self = .chain
        case 10: self = .sequence
        case 11: self = .position
        case 12: self = .length
        case 13: self = .bodyLength
        case 14, 35: self = .body
        case 18: self = .form
        case 20: self = .link
        case 21: self = .salt
        case 22, 23, 30...34: self = .recipients
        case 24: self = .lifetime
        case 25: self = .priority
        case 26: self = .signature
        case 28: self = .covers
        default: return nil
        }
    }
}
