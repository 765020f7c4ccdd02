import CBrotli

/// One owner of a libbrotli decoder.
struct BrotliDecoder: ~Copyable {
    /// Why a stream was not read.
    enum Failure: Error {
        case noMemory, corrupt, cutShort, trailingBytes
        /// The output would be longer than `limit`.
        case tooLong
    }

    private let handle: OpaquePointer

    init() throws(Failure) {
        guard let created = BrotliDecoderCreateInstance(nil, nil, nil) else { throw .noMemory }
        handle = created
    }

    deinit { BrotliDecoderDestroyInstance(handle) }

    /// Reads what must be the beginning of a stream up to a flush, and not its end; returns what it decodes to.
    mutating func begin(_ input: [UInt8], limit: Int) throws(Failure) -> [UInt8] {
        let (output, ended) = try run(input, limit: limit)
        guard !ended else { throw .corrupt }
        return output
    }

    /// Reads the rest of a stream, which must end exactly at the end of `input`.
    mutating func finish(_ input: [UInt8], limit: Int) throws(Failure) -> [UInt8] {
        let (output, ended) = try run(input, limit: limit)
        guard ended else { throw .cutShort }
        return output
    }

    private mutating func run(_ input: [UInt8], limit: Int) throws(Failure) -> (output: [UInt8], ended: Bool) {
        var output: [UInt8] = []
        var failure: Failure?
        var ended = false
        input.withUnsafeBufferPointer { source in
            var availableIn = source.count
            var nextIn = source.baseAddress
            steps: while true {
                var availableOut = 0
                let result = BrotliDecoderDecompressStream(
                    handle, &availableIn, &nextIn, &availableOut, nil, nil)
                if !takeOutput(into: &output, limit: limit) {
                    failure = .tooLong
                    return
                }
                switch result {
                case BROTLI_DECODER_RESULT_SUCCESS:
                    ended = true
                    if availableIn > 0 { failure = .trailingBytes }
                    return
                case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
                    return
                case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
                    continue steps
                default:
                    failure = .corrupt
                    return
                }
            }
        }
        if let failure { throw failure }
        return (output, ended)
    }

    /// False as soon as there is more than `limit` bytes.
    private func takeOutput(into output: inout [UInt8], limit: Int) -> Bool {
        while BrotliDecoderHasMoreOutput(handle) == BROTLI_TRUE {
            var size = 0
            guard let bytes = BrotliDecoderTakeOutput(handle, &size), size > 0 else { return true }
            if output.count + size > limit { return false }
            output.append(contentsOf: UnsafeBufferPointer(start: bytes, count: size))
        }
        return true
    }
}
