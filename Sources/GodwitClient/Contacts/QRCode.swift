public import GodwitProtocol

/// A QR code (ISO/IEC 18004:2015): byte mode, error correction level M, versions 1 to 10. That is enough for what people
/// compare, and a code of version 5 still fits into a terminal of 24 lines.
public struct QRCode: Sendable, Hashable {
    /// The most bytes that version 10 carries.
    public static let bytesMax = 213

    public let version: Int
    /// Modules of a side.
    public let size: Int
    /// Row by row; true is dark.
    private(set) var modules: [Bool]

    /// - Throws: `ProtocolError` 2001 for more than `bytesMax`.
    public init(_ bytes: [UInt8]) throws(ProtocolError) {
        var best: QRCode?
        var least = Int.max
        for mask in 0..<8 {
            let code = try QRCode(bytes, mask: mask)
            let penalty = code.penalty
            if penalty < least { (best, least) = (code, penalty) }
        }
        guard let best else { throw ProtocolError(.internalError, "No mask was chosen.") }
        self = best
    }

    /// With a mask of the eight, whatever its penalty.
    init(_ bytes: [UInt8], mask: Int) throws(ProtocolError) {
        guard let shape = QRShape.smallest(for: bytes.count) else {
            throw .tooLarge("The code is too large.", actual: bytes.count, firstRefused: Self.bytesMax + 1)
        }
        version = shape.version
        size = 17 + 4 * version
        modules = Array(repeating: false, count: size * size)
        var fixed = Array(repeating: false, count: size * size)
        drawPatterns(shape, &fixed)
        drawData(shape.interleaved(bytes), around: fixed)
        for y in 0..<size {
            for x in 0..<size where !fixed[y * size + x] && Self.isInverted(x, y, mask: mask) {
                modules[y * size + x].toggle()
            }
        }
        drawFormat(mask: mask)
    }

    /// Whether a module is dark.
    public func isDark(_ x: Int, _ y: Int) -> Bool {
        (0..<size).contains(x) && (0..<size).contains(y) && modules[y * size + x]
    }

    /// The code with its quiet zone of 4 modules, two rows a line, for light signs on a dark ground.
    public var lines: [String] {
        stride(from: -4, to: size + 4, by: 2).map { y in
            String(
                (-4..<size + 4).map { x -> Character in
                    switch (isDark(x, y), isDark(x, y + 1)) {
                    case (false, false): "█"
                    case (false, true): "▀"
                    case (true, false): "▄"
                    case (true, true): " "
                    }
                })
        }
    }

    // MARK: Drawing

    private mutating func set(_ x: Int, _ y: Int, _ isDark: Bool, _ fixed: inout [Bool]) {
        guard (0..<size).contains(x), (0..<size).contains(y) else { return }
        modules[y * size + x] = isDark
        fixed[y * size + x] = true
    }

    private mutating func drawPatterns(_ shape: QRShape, _ fixed: inout [Bool]) {
        for (left, top) in [(0, 0), (size - 7, 0), (0, size - 7)] {
            for y in -1...7 {
                for x in -1...7 {
                    let ring = max(abs(x - 3), abs(y - 3))
                    set(left + x, top + y, ring != 2 && ring != 4, &fixed)
                }
            }
        }
        let last = shape.alignment.last ?? 0
        for cy in shape.alignment {
            for cx in shape.alignment
            where !((cx == 6 && cy == 6) || (cx == 6 && cy == last) || (cx == last && cy == 6)) {
                for y in -2...2 {
                    for x in -2...2 { set(cx + x, cy + y, max(abs(x), abs(y)) != 1, &fixed) }
                }
            }
        }
        for place in 8..<size - 8 {
            set(place, 6, place % 2 == 0, &fixed)
            set(6, place, place % 2 == 0, &fixed)
        }
        // Room for the format, and the module that is always dark.
        for place in 0..<9 where place != 6 {
            set(8, place, false, &fixed)
            set(place, 8, false, &fixed)
        }
        for place in 0..<8 {
            set(size - 1 - place, 8, false, &fixed)
            set(8, size - 1 - place, place == 7, &fixed)
        }
        guard version >= 7 else { return }
        let bits = Self.remainder(version, by: 0x1F25, bits: 12)
        for bit in 0..<18 {
            let isDark = bits >> bit & 1 == 1
            set(size - 11 + bit % 3, bit / 3, isDark, &fixed)
            set(bit / 3, size - 11 + bit % 3, isDark, &fixed)
        }
    }

    /// Two columns at a time from the lower right corner, up and down in turn.
    private mutating func drawData(_ bytes: [UInt8], around fixed: [Bool]) {
        var bit = 0
        var isUpwards = true
        for right in stride(from: size - 1, to: 0, by: -2) {
            // The timing column is passed over.
            let right = right <= 6 ? right - 1 : right
            for step in 0..<size {
                let y = isUpwards ? size - 1 - step : step
                for x in [right, right - 1] where !fixed[y * size + x] {
                    if bit / 8 < bytes.count { modules[y * size + x] = bytes[bit / 8] >> (7 - bit % 8) & 1 == 1 }
                    bit += 1
                }
            }
            isUpwards.toggle()
        }
    }

    private mutating func drawFormat(mask: Int) {
        // Level M is 00.
        let bits = Self.remainder(mask, by: 0x537, bits: 10) ^ 0x5412
        for bit in 0..<15 {
            let isDark = bits >> bit & 1 == 1
            let (x, y) =
                switch bit {
                case 0...5: (8, bit)
                case 6: (8, 7)
                case 7: (8, 8)
                case 8: (7, 8)
                default: (14 - bit, 8)
                }
            modules[y * size + x] = isDark
            if bit < 8 {
                modules[8 * size + size - 1 - bit] = isDark
            } else {
                modules[(size - 15 + bit) * size + 8] = isDark
            }
        }
    }

    /// A value with the check bits of a BCH code behind it.
    private static func remainder(_ value: Int, by generator: Int, bits: Int) -> Int {
        var rest = value
        for _ in 0..<bits { rest = (rest << 1) ^ ((rest >> (bits - 1)) * generator) }
        return value << bits | rest
    }

    private static func isInverted(_ x: Int, _ y: Int, mask: Int) -> Bool {
        switch mask {
        case 0: (x + y) % 2 == 0
        case 1: y % 2 == 0
        case 2: x % 3 == 0
        case 3: (x + y) % 3 == 0
        case 4: (x / 3 + y / 2) % 2 == 0
        case 5: x * y % 2 + x * y % 3 == 0
        case 6: (x * y % 2 + x * y % 3) % 2 == 0
        default: ((x + y) % 2 + x * y % 3) % 2 == 0
        }
    }

    // MARK: Choosing a mask

    /// What makes a code hard to read, by the four rules of the standard.
    private var penalty: Int {
        var points = 0
        for line in 0..<size {
            points +=
                linePenalty((0..<size).map { isDark($0, line) }) + linePenalty((0..<size).map { isDark(line, $0) })
        }
        for y in 0..<size - 1 {
            for x in 0..<size - 1 {
                let first = isDark(x, y)
                if first == isDark(x + 1, y), first == isDark(x, y + 1), first == isDark(x + 1, y + 1) { points += 3 }
            }
        }
        let dark = modules.count { $0 } * 20
        let steps = abs(dark - modules.count * 10) / modules.count
        return points + steps * 10
    }

    private static let finder = [true, false, true, true, true, false, true]

    private func linePenalty(_ line: [Bool]) -> Int {
        var points = 0
        var run = 0
        for place in line.indices {
            run = place > 0 && line[place] == line[place - 1] ? run + 1 : 1
            if run == 5 { points += 3 } else if run > 5 { points += 1 }
        }
        for start in 0...line.count - 7 where Array(line[start..<start + 7]) == Self.finder {
            let before = (1...4).allSatisfy { start - $0 < 0 || !line[start - $0] }
            let after = (7...10).allSatisfy { start + $0 >= line.count || !line[start + $0] }
            if before || after { points += 40 }
        }
        return points
    }
}

/// What versions of QR codes of level M are like.
struct QRShape {
    var version: Int
    /// Bytes of error correction in each block.
    var check: Int
    /// Data bytes of each block.
    var blocks: [Int]
    /// Middles of the alignment patterns.
    var alignment: [Int]

    private static let all = [
        QRShape(version: 1, check: 10, blocks: [16], alignment: []),
        QRShape(version: 2, check: 16, blocks: [28], alignment: [6, 18]),
        QRShape(version: 3, check: 26, blocks: [44], alignment: [6, 22]),
        QRShape(version: 4, check: 18, blocks: [32, 32], alignment: [6, 26]),
        QRShape(version: 5, check: 24, blocks: [43, 43], alignment: [6, 30]),
        QRShape(version: 6, check: 16, blocks: [27, 27, 27, 27], alignment: [6, 34]),
        QRShape(version: 7, check: 18, blocks: [31, 31, 31, 31], alignment: [6, 22, 38]),
        QRShape(version: 8, check: 22, blocks: [38, 38, 39, 39], alignment: [6, 24, 42]),
        QRShape(version: 9, check: 22, blocks: [36, 36, 36, 37, 37], alignment: [6, 26, 46]),
        QRShape(version: 10, check: 26, blocks: [43, 43, 43, 43, 44], alignment: [6, 28, 50]),
    ]

    /// Bits of the count of bytes.
    private var lengthBits: Int { version < 10 ? 8 : 16 }
    private var capacity: Int { (blocks.reduce(0, +) * 8 - 4 - lengthBits) / 8 }

    static func smallest(for count: Int) -> QRShape? { all.first { $0.capacity >= count } }

    /// Data and error correction in the order in which they are drawn.
    func interleaved(_ bytes: [UInt8]) -> [UInt8] {
        var rest = data(bytes)[...]
        var parts: [[UInt8]] = []
        for count in blocks {
            parts.append(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        let checks = parts.map { ReedSolomon.check(of: $0, count: check) }
        var drawn: [UInt8] = []
        for place in 0..<(blocks.max() ?? 0) {
            for part in parts where place < part.count { drawn.append(part[place]) }
        }
        for place in 0..<check {
            for part in checks { drawn.append(part[place]) }
        }
        return drawn
    }

    /// Mode, count, bytes, end, and what fills up.
    private func data(_ bytes: [UInt8]) -> [UInt8] {
        var bits: [Bool] = []
        func append(_ value: Int, _ count: Int) {
            for bit in stride(from: count - 1, through: 0, by: -1) { bits.append(value >> bit & 1 == 1) }
        }
        append(4, 4)
        append(bytes.count, lengthBits)
        for byte in bytes { append(Int(byte), 8) }
        let most = blocks.reduce(0, +) * 8
        append(0, min(4, most - bits.count))
        append(0, (8 - bits.count % 8) % 8)
        var filling = 0xEC
        while bits.count < most {
            append(filling, 8)
            filling ^= 0xEC ^ 0x11
        }
        return stride(from: 0, to: most, by: 8).map { start in
            bits[start..<start + 8].reduce(0) { $0 << 1 | ($1 ? 1 : 0) }
        }
    }
}

/// Error correction over GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1.
private enum ReedSolomon {
    static func check(of data: [UInt8], count: Int) -> [UInt8] {
        var generator: [UInt8] = [1]
        var root: UInt8 = 1
        for _ in 0..<count {
            var next = generator + [0]
            for place in generator.indices { next[place + 1] ^= product(generator[place], root) }
            generator = next
            root = product(root, 2)
        }
        var rest = Array(repeating: UInt8(0), count: count)
        for byte in data {
            let factor = byte ^ rest[0]
            rest = Array(rest.dropFirst()) + [0]
            for place in rest.indices { rest[place] ^= product(generator[place + 1], factor) }
        }
        return rest
    }

    private static func product(_ one: UInt8, _ other: UInt8) -> UInt8 {
        var product: UInt8 = 0
        var one = one
        for bit in 0..<8 {
            if other >> bit & 1 == 1 { product ^= one }
            one = one << 1 ^ (one & 0x80 == 0 ? 0 : 0x1D)
        }
        return product
    }
}
