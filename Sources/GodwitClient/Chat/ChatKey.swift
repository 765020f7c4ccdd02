/// A key, or what was pasted.
public enum ChatKey: Sendable, Hashable {
    case text(String)
    case pasted(String)
    case enter, newline, tab, escape, backspace, delete
    case up, down, left, right, home, end, pageUp, pageDown, wordLeft, wordRight
    /// A letter with Control, `a` to `z`.
    case control(Character)
}

/// Bytes of a terminal to keys.
public struct ChatKeyDecoder: Sendable {
    /// Bytes of one paste; what is beyond is dropped.
    public static let pasteMax = 65_536
    private static let sequenceMax = 16

    private enum State: Sendable {
        case plain
        case escape
        case sequence([UInt8])
        case paste
    }

    private var state = State.plain
    /// Of a character that is not whole yet.
    private var partial: [UInt8] = []
    private var pasted: [UInt8] = []
    /// Bytes of the paste, kept or not, and its last ones.
    private var length = 0
    private var tail: [UInt8] = []

    public init() {}

    /// Something is begun that more bytes may end: a lone Escape key looks so.
    public var isWaiting: Bool {
        switch state {
        case .escape, .sequence: true
        case .plain, .paste: false
        }
    }

    public mutating func decode(_ bytes: [UInt8]) -> [ChatKey] {
        var keys: [ChatKey] = []
        for byte in bytes {
            switch state {
            case .plain: plain(byte, &keys)
            case .escape: escape(byte, &keys)
            case .sequence(let begun): sequence(begun, byte, &keys)
            case .paste: paste(byte, &keys)
            }
        }
        return joined(keys)
    }

    /// Nothing more came: what was begun was the Escape key.
    public mutating func flush() -> [ChatKey] {
        guard isWaiting else { return [] }
        state = .plain
        return [.escape]
    }

    private mutating func plain(_ byte: UInt8, _ keys: inout [ChatKey]) {
        switch byte {
        case 0x1B: state = .escape
        case 0x0D: keys.append(.enter)
        case 0x0A: keys.append(.newline)
        case 0x09: keys.append(.tab)
        case 0x7F, 0x08: keys.append(.backspace)
        case 0x01...0x1A: keys.append(.control(Character(Unicode.Scalar(byte + 0x60))))
        case 0x00...0x1F: break
        default: character(byte, &keys)
        }
    }

    private mutating func character(_ byte: UInt8, _ keys: inout [ChatKey]) {
        if byte < 0x80 { partial = [] }
        partial.append(byte)
        if let text = String(validating: partial, as: UTF8.self) {
            keys.append(.text(text))
            partial = []
        } else if partial.count >= 4 {
            partial = []
        }
    }

    private mutating func escape(_ byte: UInt8, _ keys: inout [ChatKey]) {
        switch byte {
        case UInt8(ascii: "["), UInt8(ascii: "O"): state = .sequence([byte])
        case 0x1B: keys.append(.escape)
        default:
            state = .plain
            switch byte {
            case 0x0D: keys.append(.newline)
            case UInt8(ascii: "b"): keys.append(.wordLeft)
            case UInt8(ascii: "f"): keys.append(.wordRight)
            default: keys.append(.escape)
            }
        }
    }

    private mutating func sequence(_ begun: [UInt8], _ byte: UInt8, _ keys: inout [ChatKey]) {
        let whole = begun + [byte]
        guard (0x40...0x7E).contains(byte) else {
            state = whole.count > Self.sequenceMax ? .plain : .sequence(whole)
            return
        }
        state = .plain
        let name = String(decoding: whole.dropFirst(), as: UTF8.self)
        if name == "200~" {
            state = .paste
            (pasted, length, tail) = ([], 0, [])
        } else if let key = Self.named[name] {
            keys.append(key)
        }
    }

    private static let named: [String: ChatKey] = [
        "A": .up, "B": .down, "C": .right, "D": .left, "H": .home, "F": .end, "1~": .home, "7~": .home, "4~": .end,
        "8~": .end, "3~": .delete, "5~": .pageUp, "6~": .pageDown, "1;5C": .wordRight, "1;5D": .wordLeft,
        "1;3C": .wordRight, "1;3D": .wordLeft,
    ]

    private static let pasteEnd = Array("\u{1B}[201~".utf8)

    private mutating func paste(_ byte: UInt8, _ keys: inout [ChatKey]) {
        if pasted.count < Self.pasteMax { pasted.append(byte) }
        length += 1
        tail = Array((tail + [byte]).suffix(Self.pasteEnd.count))
        guard tail == Self.pasteEnd else { return }
        state = .plain
        // As much of the end's mark as was kept.
        pasted.removeLast(max(0, pasted.count - (length - Self.pasteEnd.count)))
        let text = String(decoding: pasted, as: UTF8.self)
        pasted = []
        keys.append(.pasted(text.replacing("\r\n", with: "\n").replacing("\r", with: "\n")))
    }

    /// Characters that came together are one key, so that one pass draws them.
    private func joined(_ keys: [ChatKey]) -> [ChatKey] {
        keys.reduce(into: []) { joined, key in
            if case .text(let more) = key, case .text(let text)? = joined.last {
                joined[joined.count - 1] = .text(text + more)
            } else {
                joined.append(key)
            }
        }
    }
}
