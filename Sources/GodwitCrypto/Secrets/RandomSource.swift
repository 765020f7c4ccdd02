import CSodium

/// Where random bytes come from. Injected, so that a test can replay a run from its seed; everything that is not a test
/// uses `SystemRandom`.
public protocol RandomSource: Sendable {
    /// `count` bytes, 0 or more.
    func bytes(_ count: Int) -> [UInt8]
}

/// The operating system's generator, through libsodium's `randombytes_buf` (`getrandom` on Linux).
public struct SystemRandom: RandomSource {
    public init() {}

    public func bytes(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        randombytes_buf(&bytes, count)
        return bytes
    }
}
