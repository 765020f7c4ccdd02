import CSodium

/// Key material on the heap that is overwritten with zeros when its last owner lets go.
///
/// Immutable after it was made, so that it can stand in structs which are copied (a ratchet state, a chain) while the
/// bytes exist once. Comparison takes the same time wherever the first difference is.
public final class Secret: Sendable, Equatable, CustomStringConvertible {
    /// Number of bytes.
    public let count: Int

    // Written only inside the initialiser and wiped in `deinit`, when nobody else holds a reference.
    private nonisolated(unsafe) let storage: UnsafeMutablePointer<UInt8>

    /// Copies the bytes. The caller's array is the caller's to wipe.
    public convenience init(_ bytes: [UInt8]) {
        self.init(count: bytes.count, filling: { $0.copyBytes(from: bytes) })
    }

    /// `count` bytes of zero, handed to `fill` to be written once.
    public convenience init<Failure: Error>(
        count: Int, filling fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        try self.init(count: count) { (start: UnsafeMutablePointer<UInt8>) throws(Failure) in
            try fill(UnsafeMutableRawBufferPointer(start: start, count: count))
        }
    }

    /// The same as libsodium wants it: the address of `count` bytes.
    init<Failure: Error>(
        count: Int, writing write: (UnsafeMutablePointer<UInt8>) throws(Failure) -> Void
    ) throws(Failure) {
        self.count = count
        storage = .allocate(capacity: max(count, 1))
        storage.initialize(repeating: 0, count: max(count, 1))
        try write(storage)
    }

    deinit {
        sodium_memzero(storage, count)
        storage.deallocate()
    }

    /// A fresh secret of `count` random bytes.
    public static func random(_ count: Int, from random: some RandomSource) -> Secret {
        var bytes = random.bytes(count)
        defer { bytes.wipe() }
        return Secret(bytes)
    }

    /// Lends the bytes for the duration of the call; the pointer must not escape.
    public func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeRawBufferPointer(start: storage, count: count))
    }

    /// The same as `withBytes`, as libsodium wants it.
    func withPointer<Result, Failure: Error>(
        _ body: (UnsafePointer<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafePointer(storage))
    }

    /// A copy in the open, for storage that protects itself. Wipe it after use.
    public func copyBytes() -> [UInt8] {
        withBytes { Array($0) }
    }

    /// The part of the bytes in `range`, as a secret of its own.
    func slice(_ range: Range<Int>) -> Secret {
        withBytes { whole in
            Secret(count: range.count, filling: { $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: whole[range])) })
        }
    }

    public static func == (left: Secret, right: Secret) -> Bool {
        left.count == right.count && sodium_memcmp(left.storage, right.storage, left.count) == 0
    }

    /// Says how long it is, never what it is.
    public var description: String { "Secret(\(count) bytes)" }
}

extension [UInt8] {
    /// Overwrites the elements with zeros in a way that the compiler does not remove. Other copies of the array, if it
    /// was shared, keep theirs.
    mutating func wipe() {
        withUnsafeMutableBytes { buffer in
            if let start = buffer.baseAddress { sodium_memzero(start, buffer.count) }
        }
    }
}
