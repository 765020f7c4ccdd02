/// Texts to train with, one after the other in one memory, each with a zero byte behind it for its end.
public struct TrainingTexts: Sendable {
    /// Bytes, ends included: positions are numbered with 24 bits.
    public static let bytesMax = 1 << 24

    private(set) var bytes: [UInt8] = []
    /// Where each text begins.
    private(set) var starts: [Int] = []
    /// How often each text counts.
    private(set) var weights: [UInt8] = []

    public var count: Int { starts.count }
    /// Bytes of text, ends not counted.
    public var textBytes: Int { bytes.count - starts.count }

    public init() {}

    /// False when there is no more room.
    public mutating func append(_ text: some Collection<UInt8>, weight: UInt8 = 1) -> Bool {
        guard bytes.count + text.count + 1 <= Self.bytesMax else { return false }
        starts.append(bytes.count)
        weights.append(weight)
        bytes.append(contentsOf: text)
        bytes.append(0)
        return true
    }

    /// The text with its end.
    func withEnd(_ index: Int) -> ArraySlice<UInt8> {
        bytes[starts[index]..<(index + 1 < starts.count ? starts[index + 1] : bytes.count)]
    }

    /// The texts whose index is in `wanted`.
    func filtered(_ wanted: (Int) -> Bool) -> TrainingTexts {
        var kept = TrainingTexts()
        for index in starts.indices where wanted(index) {
            _ = kept.append(withEnd(index).dropLast(), weight: weights[index])
        }
        return kept
    }
}
