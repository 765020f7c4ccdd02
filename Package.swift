// swift-tools-version: 6.2
import PackageDescription

/// One strict settings array for every target of ours. In CI a warning is an error.
let strict: [SwiftSetting] =
    [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
    ] + (Context.environment["CI"] == nil ? [] : [.treatAllWarnings(as: .error)])

/// What a debug build compiles with optimisation.
let optimised: [SwiftSetting] = [.unsafeFlags(["-O"], .when(configuration: .debug))]

extension Target.Dependency {
    static let crypto = product(name: "Crypto", package: "swift-crypto")
    static let cryptoExtras = product(name: "CryptoExtras", package: "swift-crypto")
    static let protobuf = product(name: "SwiftProtobuf", package: "swift-protobuf")
    static let grdb = product(name: "GRDB", package: "GRDB.swift")
    static let sqlite = product(name: "GRDBSQLite", package: "GRDB.swift")
    static let log = product(name: "Logging", package: "swift-log")
    static let metrics = product(name: "Metrics", package: "swift-metrics")
    static let coreMetrics = product(name: "CoreMetrics", package: "swift-metrics")
    static let lifecycle = product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
    static let unixSignals = product(name: "UnixSignals", package: "swift-service-lifecycle")
    static let jwt = product(name: "JWTKit", package: "jwt-kit")
    static let nioCore = product(name: "NIOCore", package: "swift-nio")
    static let nioPosix = product(name: "NIOPosix", package: "swift-nio")
    static let nioHTTP1 = product(name: "NIOHTTP1", package: "swift-nio")
    static let nioWebSocket = product(name: "NIOWebSocket", package: "swift-nio")
    static let nioSSL = product(name: "NIOSSL", package: "swift-nio-ssl")
    static let hummingbird = product(name: "Hummingbird", package: "hummingbird")
    static let hummingbirdCore = product(name: "HummingbirdCore", package: "hummingbird")
    static let hummingbirdTLS = product(name: "HummingbirdTLS", package: "hummingbird")
    static let httpTypes = product(name: "HTTPTypes", package: "swift-http-types")
    static let nioHTTPTypes = product(name: "NIOHTTPTypes", package: "swift-nio-extras")
    static let nioHTTPTypesHTTP1 = product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras")
    static let x509 = product(name: "X509", package: "swift-certificates")
    static let asn1 = product(name: "SwiftASN1", package: "swift-asn1")
    static let arguments = product(name: "ArgumentParser", package: "swift-argument-parser")
    static let configuration = product(name: "Configuration", package: "swift-configuration")
    static let yams = product(name: "Yams", package: "Yams")
}

/// A room of the house: sources in `Sources/<name>`, tests in `Tests/<name>Tests`.
struct Room {
    var name: String
    var rooms: [String] = []
    var libraries: [Target.Dependency] = []
    var resources: [Resource] = []
    var exclude: [String] = []
    /// For rooms that look at every byte. Without optimisation coding takes fifty times as long, and reading and writing
    /// JSON is a third of what the nodes and clients of the tests do.
    var isOptimised = false
    var testLibraries: [Target.Dependency] = []
    /// Files beside the tests that are read by path.
    var fixtures: [String] = []

    var target: Target {
        .target(
            name: name, dependencies: rooms.map { .byName(name: $0) } + libraries,
            exclude: exclude, resources: resources,
            swiftSettings: strict + (isOptimised ? optimised : []))
    }
    var tests: Target {
        .testTarget(
            name: "\(name)Tests",
            dependencies: [.byName(name: name)] + rooms.map { .byName(name: $0) } + libraries + testLibraries,
            exclude: fixtures,
            swiftSettings: strict)
    }
}

let rooms = [
    Room(name: "GodwitProtocol", libraries: [.crypto], isOptimised: true),
    Room(name: "GodwitCrypto", rooms: ["GodwitProtocol", "CSodium"], libraries: [.crypto, .cryptoExtras]),
    Room(
        name: "GodwitCompression", rooms: ["GodwitProtocol", "CBrotli"], libraries: [.crypto], isOptimised: true),
    Room(name: "GodwitLink", rooms: ["GodwitProtocol"], testLibraries: [.yams]),
    Room(
        name: "GodwitBatch", rooms: ["GodwitProtocol", "GodwitCrypto", "GodwitCompression"],
        libraries: [.protobuf, .crypto], exclude: ["batch.proto", "content.proto"], isOptimised: true),
    Room(
        name: "GodwitSpool", rooms: ["GodwitProtocol", "CVault"], libraries: [.grdb, .sqlite, .crypto],
        fixtures: ["schema.sql"]),
    Room(
        name: "GodwitContact",
        rooms: ["GodwitProtocol", "GodwitCrypto", "GodwitBatch", "GodwitLink", "GodwitSpool"],
        libraries: [.log]),
    Room(
        name: "GodwitCarrier", rooms: ["GodwitProtocol", "GodwitBatch", "GodwitLink", "CCurl"],
        libraries: [.nioCore, .nioPosix, .nioHTTP1, .nioWebSocket, .nioSSL, .crypto, .log],
        testLibraries: [.x509, .asn1, "GodwitContact", "GodwitCrypto", "GodwitSpool"]),
    Room(
        name: "GodwitNode",
        rooms: ["GodwitProtocol", "GodwitCrypto", "GodwitBatch", "GodwitLink", "GodwitSpool", "GodwitContact"],
        libraries: [.grdb, .jwt, .x509, .asn1, .crypto, .log, .metrics], fixtures: ["Fixtures"]),
    Room(
        name: "GodwitServer", rooms: ["GodwitProtocol", "GodwitBatch", "GodwitNode"],
        libraries: [
            .hummingbird, .hummingbirdCore, .hummingbirdTLS, .httpTypes, .nioHTTPTypes, .nioHTTPTypesHTTP1,
            .nioCore, .nioPosix, .nioHTTP1, .nioWebSocket, .nioSSL, .log, .metrics, .coreMetrics, .lifecycle,
        ],
        testLibraries: [
            .x509, .asn1, .crypto, "GodwitCarrier", "GodwitContact", "GodwitCrypto", "GodwitLink", "GodwitSpool",
        ]),
    Room(
        name: "GodwitClient",
        rooms: [
            "GodwitProtocol", "GodwitCrypto", "GodwitCompression", "GodwitBatch", "GodwitLink", "GodwitSpool",
            "GodwitContact",
        ],
        libraries: [.grdb, .crypto, .log]),
]

/// Whole networks in virtual time. Nothing that is shipped depends on it.
let simulator = Room(
    name: "GodwitSimulator",
    rooms: [
        "GodwitProtocol", "GodwitCrypto", "GodwitCompression", "GodwitBatch", "GodwitLink", "GodwitSpool",
        "GodwitContact", "GodwitNode", "GodwitClient",
    ],
    libraries: [.grdb, .log])

/// Built only for `make bench`, which says so: tests need not wait for what measures.
let benchmarks: [Target] =
    Context.environment["GODWIT_BENCH"] == nil
    ? []
    : [
        .target(
            name: "CSpoolBaseline", path: "Benchmarks/CSpoolBaseline",
            linkerSettings: [.linkedLibrary("sqlite3")]),
        .executableTarget(
            name: "godwit-bench",
            dependencies: [
                "CSpoolBaseline", "GodwitProtocol", "GodwitCrypto", "GodwitCompression", "GodwitBatch", "GodwitSpool",
                "GodwitContact", "GodwitCarrier", "GodwitClient",
                .arguments, .crypto,
            ],
            path: "Benchmarks/godwit-bench", swiftSettings: strict),
    ]

let package = Package(
    name: "godwit",
    products: [.executable(name: "godwit", targets: ["godwit"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: ["YAML"]),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .systemLibrary(name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
        .systemLibrary(name: "CBrotli", pkgConfig: "libbrotlienc", providers: [.apt(["libbrotli-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .target(name: "CVault", dependencies: ["CSodium"], linkerSettings: [.linkedLibrary("sqlite3")]),
        .executableTarget(
            name: "godwit",
            dependencies: rooms.map { .byName(name: $0.name) } + [
                .arguments, .configuration, .yams, .log, .metrics, .lifecycle, .unixSignals, .nioCore, .nioPosix,
                .nioSSL,
                .crypto,
            ],
            swiftSettings: strict),
        .testTarget(name: "HouseTests", swiftSettings: strict + optimised),
        .testTarget(
            name: "EndToEndTests", dependencies: ["GodwitProtocol", "GodwitCrypto"], swiftSettings: strict),
        simulator.target,
    ] + benchmarks + rooms.map(\.target)
        + (rooms.map(\.tests) + [
            .testTarget(
                name: "SimulationTests", dependencies: ["GodwitSimulator", "GodwitProtocol"], swiftSettings: strict)
        ]).filter { tests in
            guard let only = Context.environment["GODWIT_TESTS"] else { return true }
            return only.split(separator: ",").contains { tests.name == "\($0)Tests" }
        }
)
