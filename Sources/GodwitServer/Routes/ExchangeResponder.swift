import GodwitBatch
import GodwitProtocol
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore

/// `POST /batch/v1/exchange` (D-11): records in as they arrive, then records out as they come.
struct ExchangeResponder {
    static let path = "/batch/v1/exchange"

    let service: any ExchangeService
    let bodyMax: Int
    let logger: Logger

    private static let failure = ProtocolError(
        .internalError, "The node could not take the exchange.", hint: "It is retried; records handed over stay valid.")

    /// An error before the answer has begun is answered with its status and error object. One after it cuts the
    /// connection, so that the caller sees a broken answer and keeps the records that it has.
    func respond(to request: Request, _ writer: consuming ResponseWriter) async throws {
        let first: (session: any ExchangeSession, record: [UInt8]?)
        do {
            if request.headers[.expect] == "100-continue" {
                try await writer.writeInformationalHead(HTTPResponse(status: .continue))
            }
            let session = try await receive(request)
            first = (session, try await asking { try await session.next() })
        } catch let error as ProtocolError {
            return try await Answer.error(error).write(to: writer)
        }
        try await send(first.record, of: first.session, to: writer)
    }

    private func receive(_ request: Request) async throws -> any ExchangeSession {
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > bodyMax {
            throw tooLarge(length)
        }
        let session = await service.openExchange()
        var reader = ExchangeReader()
        var size = 0
        for try await chunk in request.body {
            size += chunk.readableBytes
            guard size <= bodyMax else { throw tooLarge(size) }
            for record in try reader.feed(Array(chunk.readableBytesView)) {
                try await asking { try await session.receive(record) }
            }
            let beginning = reader.beginning
            if !beginning.isEmpty { await session.keep(beginning) }
        }
        try reader.end()
        return session
    }

    /// What fails behind the service in its own words, such as a damaged spool, is answered as 9000. Its text stays here:
    /// it may hold what the caller should not read.
    private func asking<Value: Sendable>(_ call: () async throws -> Value) async throws -> Value {
        do { return try await call() } catch {
            if error is ProtocolError || error is CancellationError { throw error }
            logger.error("an exchange failed on this node", metadata: ["kind": "\(type(of: error))"])
            throw Self.failure
        }
    }

    private func tooLarge(_ size: Int) -> ProtocolError {
        .tooLarge("The body of an exchange is too large.", actual: size, firstRefused: bodyMax + 1)
    }

    /// An answer of one record, or none, has a length; a longer one is sent in chunks, one a record.
    private func send(
        _ first: [UInt8]?, of session: any ExchangeSession, to writer: consuming ResponseWriter
    ) async throws {
        guard let first else { return try await Self.octets([]).write(to: writer) }
        guard let second = try await session.next() else {
            return try await Self.octets(Self.frame(first)).write(to: writer)
        }
        var body = try await writer.writeHead(
            HTTPResponse(status: .ok, headerFields: [.contentType: "application/octet-stream"]))
        try await body.write(ByteBuffer(bytes: Self.frame(first)))
        var next: [UInt8]? = second
        while let record = next {
            try await body.write(ByteBuffer(bytes: Self.frame(record)))
            // Writes nothing, but waits until what was written before has nearly left: the next record is made only then.
            try await body.write(ByteBuffer())
            next = try await session.next()
        }
        try await body.finish(nil)
    }

    private static func frame(_ record: [UInt8]) throws(ProtocolError) -> [UInt8] {
        guard (1...Exchange.recordMax).contains(record.count) else {
            throw ProtocolError(.internalError, "A record of the answer has a size that none may have.")
        }
        return ExchangeWriter.frame(record)
    }

    private static func octets(_ bytes: [UInt8]) -> Answer {
        Answer(status: .ok, contentType: "application/octet-stream", body: bytes)
    }
}
