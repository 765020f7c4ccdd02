import GodwitProtocol

@testable import GodwitSpool

/// The implementations that the conformance suite runs on.
enum SpoolKind: String, CaseIterable, Sendable {
    case memory, sqlite

    /// Gives `body` a fresh spool of this kind.
    func with<Value>(
        _ configuration: SpoolConfiguration = .test, _ body: (AnySpool) async throws -> Value
    ) async throws -> Value {
        switch self {
        case .memory: return try await body(.memory(MemorySpool(configuration: configuration)))
        case .sqlite:
            let directory = try TemporaryDirectory()
            defer { directory.remove() }
            let spool = try SQLiteSpool(directory: directory.path, configuration: configuration)
            let value = try await body(.sqlite(spool))
            let verification = try await spool.verify()
            guard verification.isSound else { throw Unsound(problems: verification.problems) }
            try await spool.close()
            return value
        }
    }

    struct Unsound: Error { let problems: [String] }
}

/// A spool of either kind, so that one test can be written for both.
enum AnySpool: Sendable {
    case memory(MemorySpool)
    case sqlite(SQLiteSpool)

    func write<Value: Sendable>(
        _ body: @escaping @Sendable (any SpoolTransaction) throws -> Value
    ) async throws -> Value {
        switch self {
        case .memory(let spool): try await spool.write { try body($0) }
        case .sqlite(let spool): try await spool.write { try body($0) }
        }
    }

    func read<Value: Sendable>(
        _ body: @escaping @Sendable (any SpoolTransaction) throws -> Value
    ) async throws -> Value {
        switch self {
        case .memory(let spool): try await spool.read { try body($0) }
        case .sqlite(let spool): try await spool.read { try body($0) }
        }
    }
}

extension SpoolConfiguration {
    /// The defaults, but the disk of the machine that runs the test sets no limit.
    static var test: SpoolConfiguration { SpoolConfiguration(disk: { _ in nil }) }
}
