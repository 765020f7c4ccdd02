/// Who may import whom: the table of `docs/architecture.md` as a value.
enum HousePlan {
    /// Rooms that each room may import.
    static let rooms: [String: Set<String>] = [
        "GodwitProtocol": [],
        "GodwitCrypto": ["GodwitProtocol"],
        "GodwitCompression": ["GodwitProtocol"],
        "GodwitLink": ["GodwitProtocol"],
        "GodwitBatch": ["GodwitProtocol", "GodwitCrypto", "GodwitCompression"],
        "GodwitSpool": ["GodwitProtocol"],
        "GodwitContact": ["GodwitProtocol", "GodwitCrypto", "GodwitBatch", "GodwitLink", "GodwitSpool"],
        "GodwitCarrier": ["GodwitProtocol", "GodwitBatch", "GodwitLink"],
        "GodwitNode": [
            "GodwitProtocol", "GodwitCrypto", "GodwitBatch", "GodwitLink", "GodwitSpool", "GodwitContact",
        ],
        "GodwitServer": ["GodwitProtocol", "GodwitBatch", "GodwitNode"],
        "GodwitClient": [
            "GodwitProtocol", "GodwitCrypto", "GodwitCompression", "GodwitBatch", "GodwitLink", "GodwitSpool",
            "GodwitContact",
        ],
        "GodwitSimulator": [
            "GodwitProtocol", "GodwitCrypto", "GodwitCompression", "GodwitBatch", "GodwitLink", "GodwitSpool",
            "GodwitContact", "GodwitNode", "GodwitClient",
        ],
        "godwit": [
            "GodwitProtocol", "GodwitCrypto", "GodwitCompression", "GodwitLink", "GodwitBatch", "GodwitSpool",
            "GodwitContact", "GodwitCarrier", "GodwitNode", "GodwitServer", "GodwitClient",
        ],
    ]

    /// Foreign modules that only the rooms named may import. A name that ends in `*` stands for all that begin so.
    static let owners: [String: Set<String>] = [
        "CSodium": ["GodwitCrypto"],
        "CVault": ["GodwitSpool"],
        "CBrotli": ["GodwitCompression"],
        "CCurl": ["GodwitCarrier"],
        "GRDB": ["GodwitSpool", "GodwitNode", "GodwitClient", "GodwitSimulator"],
        "GRDBSQLite": ["GodwitSpool"],
        "SwiftProtobuf": ["GodwitBatch"],
        "Hummingbird*": ["GodwitServer"],
        "JWTKit": ["GodwitNode"],
        "Yams": ["godwit"],
        "ArgumentParser": ["godwit"],
        "Configuration": ["godwit"],
        "Metrics": ["GodwitNode", "GodwitServer", "godwit"],
        "CoreMetrics": ["GodwitServer"],
        "NIO*": ["GodwitCarrier", "GodwitServer", "godwit"],
    ]

    /// System libraries: a module map and a header, no Swift.
    static let systemLibraries: Set<String> = ["CSodium", "CBrotli", "CCurl"]

    /// What is written in C, because it hangs between libraries of C: no Swift.
    static let writtenInC: Set<String> = ["CVault"]

    /// Rooms that decide and compute, and so need nothing of the operating system.
    static let pure: Set<String> = [
        "GodwitProtocol", "GodwitLink", "GodwitCompression", "GodwitCrypto", "GodwitBatch",
    ]

    /// What tests of a room may import besides: the server is tried with the carriers that will call it and with
    /// whole contacts over them, carriers with the contacts that they carry.
    static let testImports: [String: Set<String>] = [
        "GodwitCarrier": ["GodwitContact", "GodwitCrypto", "GodwitSpool"],
        "GodwitServer": ["GodwitCarrier", "GodwitContact", "GodwitCrypto", "GodwitLink", "GodwitSpool"],
    ]

    /// Test targets that belong to no single room.
    static let houseTests: Set<String> = ["HouseTests", "EndToEndTests", "SimulationTests"]

    /// Targets in `Benchmarks/`, which nothing imports.
    static let benchmarks: Set<String> = ["CSpoolBaseline", "godwit-bench"]

    static func owners(of module: String) -> Set<String>? {
        if let exact = owners[module] { return exact }
        return owners.first { $0.key.hasSuffix("*") && module.hasPrefix($0.key.dropLast()) }?.value
    }
}
