import CBrotli

/// One owner of a libbrotli encoder.
struct BrotliEncoder: ~Copyable {
    private let handle: OpaquePointer

    /// Nil when there is no memory or a parameter is out of range (quality 0 to 11, window 10 to 24).
    init?(quality: Int, window: Int) {
        guard let created = BrotliEncoderCreateInstance(nil, nil, nil) else { return nil }
        let accepted =
            BrotliEncoderSetParameter(created, BROTLI_PARAM_QUALITY, UInt32(clamping: quality)) == BROTLI_TRUE
            && BrotliEncoderSetParameter(created, BROTLI_PARAM_LGWIN, UInt32(clamping: window)) == BROTLI_TRUE
        guard accepted, (0...11).contains(quality), (10...24).contains(window) else {
            BrotliEncoderDestroyInstance(created)
            return nil
        }
        handle = created
    }

    deinit { BrotliEncoderDestroyInstance(handle) }

    /// Compresses `input` and brings the stream to a byte boundary. Nil when libbrotli gives up.
    mutating func flush(_ input: [UInt8]) -> [UInt8]? { run(input, BROTLI_OPERATION_FLUSH) }

    /// Compresses `input` and ends the stream. Nil when libbrotli gives up.
    mutating func finish(_ input: [UInt8]) -> [UInt8]? { run(input, BROTLI_OPERATION_FINISH) }

    private mutating func run(_ input: [UInt8], _ operation: BrotliEncoderOperation) -> [UInt8]? {
        var output: [UInt8] = []
        let succeeded = input.withUnsafeBufferPointer { source in
            var availableIn = source.count
            var nextIn = source.baseAddress
            while true {
                var availableOut = 0
                guard
                    BrotliEncoderCompressStream(
                        handle, operation, &availableIn, &nextIn, &availableOut, nil, nil) == BROTLI_TRUE
                else { return false }
                let before = output.count
                takeOutput(into: &output)
                // While there is output, input that was taken in may still wait to be compressed.
                if availableIn == 0 && output.count == before { return true }
            }
        }
        return succeeded ? output : nil
    }

    private func takeOutput(into output: inout [UInt8]) {
        var size = 0
        while let bytes = BrotliEncoderTakeOutput(handle, &size), size > 0 {
            output.append(contentsOf: UnsafeBufferPointer(start: bytes, count: size))
            size = 0
        }
    }
}
