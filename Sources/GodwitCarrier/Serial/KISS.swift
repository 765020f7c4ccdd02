/// Frames on a serial line as radio modems take them: KISS (Chepponis and Karn, 1987). A frame stands between two marks;
/// its first byte is port and command, 0 for data on port 0; a mark or an escape inside is written as two bytes.
enum KISS {
    static let mark: UInt8 = 0xC0
    static let escape: UInt8 = 0xDB
    static let escapedMark: UInt8 = 0xDC
    static let escapedEscape: UInt8 = 0xDD
    /// The command byte for data on port 0, the only one that is used and taken.
    static let data: UInt8 = 0x00
    /// Bytes around the contents: mark, command, mark.
    static let overhead = 3

    /// The bytes of a data frame on the line. A mark goes before it, too, which ends whatever noise came before.
    static func frame(_ contents: some Collection<UInt8>) -> [UInt8] {
        var bytes = [mark, data]
        bytes.reserveCapacity(contents.count + contents.count / 32 + overhead)
        for byte in contents {
            switch byte {
            case mark: bytes += [escape, escapedMark]
            case escape: bytes += [escape, escapedEscape]
            default: bytes.append(byte)
            }
        }
        bytes.append(mark)
        return bytes
    }

    /// Cuts what comes from a line into the contents of its data frames. Never holds more than a frame may have.
    struct Decoder: Sendable {
        /// Bytes of contents, command byte not counted; longer frames are dropped.
        let contentsMax: Int
        private var frame: [UInt8] = []
        private var isEscaped = false
        /// Nothing of this frame is wanted.
        private var isDropping = false

        /// - Parameter contentsMax: 1 and up.
        init(contentsMax: Int) { self.contentsMax = contentsMax }

        /// - Returns: contents of the frames that these bytes complete, none of them empty.
        mutating func feed(_ bytes: some Sequence<UInt8>) -> [[UInt8]] {
            var frames: [[UInt8]] = []
            for byte in bytes {
                if byte == KISS.mark {
                    if let contents = finish() { frames.append(contents) }
                } else if !isDropping {
                    take(byte)
                }
            }
            return frames
        }

        private mutating func take(_ byte: UInt8) {
            var byte = byte
            if isEscaped {
                isEscaped = false
                switch byte {
                case KISS.escapedMark: byte = KISS.mark
                case KISS.escapedEscape: byte = KISS.escape
                default: return drop()
                }
            } else if byte == KISS.escape {
                isEscaped = true
                return
            }
            // Another command than data: the rest is not looked at.
            guard frame.count <= contentsMax, !frame.isEmpty || byte == KISS.data else { return drop() }
            frame.append(byte)
        }

        private mutating func drop() {
            isDropping = true
            frame.removeAll(keepingCapacity: true)
        }

        /// At a mark. An escape that nothing follows makes no frame.
        private mutating func finish() -> [UInt8]? {
            defer {
                frame.removeAll(keepingCapacity: true)
                isEscaped = false
                isDropping = false
            }
            guard !isDropping, !isEscaped, frame.count > 1 else { return nil }
            return Array(frame.dropFirst())
        }
    }
}
