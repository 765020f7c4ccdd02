import GodwitBatch
import GodwitProtocol
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore

/// `POST /batch/v1/probe?down=N`: a record that says who asks, padding up, padding down (NET-05).
struct ProbeResponder {
    let service: any ProbeService
    let logger: Logger

    func respond(to request: Request, _ writer: consuming ResponseWriter) async throws {
        let down: Int
        do {
            down = try Self.down(request.head.path ?? "")
            try await receive(request)
        } catch let error as ProtocolError {
            return try await Answer.error(error).write(to: writer)
        }
        let answer = Answer(status: .ok, contentType: "application/octet-stream", body: Probe.padding(down))
        try await answer.write(to: writer)
    }

    static func down(_ target: String) throws(ProtocolError) -> Int {
        let query = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false).dropFirst().first
        guard let query else { return 0 }
        guard query.hasPrefix("down="), query.utf8.count <= 12, let down = Int(query.dropFirst(5)) else {
            throw .malformed("A probe takes `down`, a number of bytes, and nothing else.", member: "down")
        }
        try Probe.check(up: 0, down: down)
        return down
    }

    /// Who asks has to be known before anything more is read; the padding is only counted.
    private func receive(_ request: Request) async throws {
        let most = Exchange.recordMax + 3 + Probe.bytesMax
        var head: [UInt8]? = []
        var size = 0
        for try await chunk in request.body {
            size += chunk.readableBytes
            guard size <= most else {
                throw ProtocolError.tooLarge("The body of a probe is too large.", actual: size, firstRefused: most + 1)
            }
            guard var bytes = head else { continue }
            bytes += chunk.readableBytesView
            guard let record = try Self.record(at: bytes) else {
                head = bytes
                continue
            }
            head = nil
            try await admit(record)
        }
        guard head == nil else { throw ProtocolError.malformed("A probe begins with a frame that says who asks.") }
    }

    /// The record at the front; nil: not all of it is there.
    static func record(at bytes: [UInt8]) throws(ProtocolError) -> [UInt8]? {
        guard let (length, header) = try Varint.read(bytes[...]) else { return nil }
        guard (1...UInt64(Exchange.recordMax)).contains(length) else {
            throw .malformed("The first record of a probe has a size that none may have.")
        }
        guard bytes.count >= header + Int(length) else { return nil }
        return Array(bytes[header..<header + Int(length)])
    }

    private func admit(_ record: [UInt8]) async throws {
        do { try await service.admitProbe(record) } catch {
            if error is ProtocolError || error is CancellationError { throw error }
            logger.error("a probe failed on this node", metadata: ["kind": "\(type(of: error))"])
            throw ProtocolError(.internalError, "The node could not take the probe.", hint: "Try again later.")
        }
    }
}
