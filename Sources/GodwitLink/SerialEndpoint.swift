public import GodwitProtocol

/// A serial line of this machine: `serial:///dev/ttyUSB0?baud=9600`, optionally `&mtu=256`. It is this node's own
/// setting for a peer and never stands in a descriptor.
public struct SerialEndpoint: Sendable, Hashable {
    /// Bit rates of the line that every system knows, start and stop bits included.
    public static let bauds = [
        300, 600, 1_200, 2_400, 4_800, 9_600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600,
    ]
    public static let baudDefault = 9_600
    /// Bytes between the marks of a KISS frame, command byte and escapes not counted.
    public static let mtus = 40...4_096
    public static let mtuDefault = 512
    /// Bytes of a device's path.
    public static let pathMax = 255

    /// Absolute path of the device.
    public let device: String
    /// One of `bauds`.
    public let baud: Int
    /// Within `mtus`.
    public let mtu: Int

    /// - Throws: `ProtocolError` 2000 naming the member that is out of its range.
    public init(device: String, baud: Int = baudDefault, mtu: Int = mtuDefault) throws(ProtocolError) {
        guard device.hasPrefix("/"), device.utf8.count <= Self.pathMax, device != "/",
            device.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !Self.refused.contains($0) })
        else {
            throw .malformed("A serial line is named by its device.", member: "serial", hint: "Example: /dev/ttyUSB0")
        }
        guard Self.bauds.contains(baud) else {
            throw .malformed(
                "The line has no such bit rate.", member: "baud",
                hint: "Known: " + Self.bauds.map(String.init).joined(separator: ", "))
        }
        guard Self.mtus.contains(mtu) else {
            throw .malformed("The largest frame of a line has 40 to 4,096 bytes.", member: "mtu")
        }
        self.device = device
        self.baud = baud
        self.mtu = mtu
    }

    /// Reads what `text` writes; members in any order, each at most once, no others.
    public init(_ text: String) throws(ProtocolError) {
        let malformed = ProtocolError.malformed(
            "The serial line is not written as one.", member: "serial", hint: "Example: serial:///dev/ttyUSB0?baud=9600"
        )
        let parts = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = parts.first, address.hasPrefix(Self.prefix) else { throw malformed }
        var values: [Substring: Int] = [:]
        for member in parts.count > 1 ? parts[1].split(separator: "&", omittingEmptySubsequences: false) : [] {
            let pair = member.split(separator: "=", omittingEmptySubsequences: false)
            guard pair.count == 2, pair[0] == "baud" || pair[0] == "mtu", values[pair[0]] == nil,
                (1...7).contains(pair[1].utf8.count), pair[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let value = Int(pair[1])
            else { throw malformed }
            values[pair[0]] = value
        }
        try self.init(
            device: String(address.dropFirst(Self.prefix.count)), baud: values["baud"] ?? Self.baudDefault,
            mtu: values["mtu"] ?? Self.mtuDefault)
    }

    private static let prefix = "serial://"
    private static let refused = Set("?&#\\\"<>".utf8)

    /// Bit rate and frame size always written, where the size is not the usual one.
    public var text: String {
        "\(Self.prefix)\(device)?baud=\(baud)" + (mtu == Self.mtuDefault ? "" : "&mtu=\(mtu)")
    }

    /// Bits of bytes in a second: eight of the ten that a byte takes on the line.
    public var bitRate: BitRate { BitRate(bitsPerSecond: baud * 8 / 10) }
}
