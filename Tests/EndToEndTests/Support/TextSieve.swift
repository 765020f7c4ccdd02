/// Finds twelve bytes of any of many texts in many bytes.
struct TextSieve {
    static let width = 12

    private struct Window: Hashable {
        var head: UInt64
        var tail: UInt32
    }
    private var windows: Set<Window> = []
    /// Marks which hashes of a head occur: nearly all places are passed over by this alone.
    private var marks = [Bool](repeating: false, count: 1 << 20)

    init(_ texts: [String]) {
        for text in texts {
            Self.walk(Array(text.utf8)) { head, tail, _ in
                windows.insert(Window(head: head, tail: tail))
                marks[Self.hash(head)] = true
                return false
            }
        }
    }

    var isEmpty: Bool { windows.isEmpty }

    /// Where the first twelve bytes of a text stand; nil if there are none.
    func place(in bytes: [UInt8]) -> Int? {
        marks.withUnsafeBufferPointer { marks in
            Self.walk(bytes) { head, tail, _ in
                marks[Self.hash(head)] && windows.contains(Window(head: head, tail: tail))
            }
        }
    }

    private static func hash(_ head: UInt64) -> Int { Int((head &* 0x9E37_79B9_7F4A_7C15) >> 44) }

    /// Calls `found` with every window (eight bytes, four bytes, start) until it says true.
    @discardableResult
    private static func walk(_ bytes: [UInt8], _ found: (UInt64, UInt32, Int) -> Bool) -> Int? {
        guard bytes.count >= width else { return nil }
        return bytes.withUnsafeBufferPointer { bytes in
            var head: UInt64 = 0
            var tail: UInt32 = 0
            for index in 0..<bytes.count {
                head = head << 8 | UInt64(tail >> 24)
                tail = tail << 8 | UInt32(bytes[index])
                if index >= width - 1, found(head, tail, index - width + 1) { return index - width + 1 }
            }
            return nil
        }
    }
}
