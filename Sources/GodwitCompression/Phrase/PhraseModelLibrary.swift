import Glibc
public import GodwitProtocol

/// The phrase models that are at hand, by number.
public struct PhraseModelLibrary: Sendable {
    /// Models whose numbers are given away by `docs/protocol.md`: SHA-256 of the body. Another model with such a number
    /// is refused, since contents would be read as something else.
    public static let assigned: [UInt8: String] = [
        1: "021a2abc761fd11fa5410305232133841971a1410c9d62cc9e4081ad78f17d53"
    ]
    /// The model that comes with Godwit.
    public static let shippedNumber: UInt8 = 1
    static let shippedFile = "phrases-1.gpm"
    /// Files that `GODWIT_MODEL` may name.
    private static let filesMax = 16

    /// What this process finds: the shipped model, and the files that `GODWIT_MODEL` names.
    ///
    /// The shipped model is looked for in `../share/godwit/models` from the executable, then in `models` of every directory
    /// above it. `GODWIT_MODEL` holds paths of further files, with colons between them; `none` stands for no model at all.
    /// Found once, at first use; what cannot be read is left out and named in `complaints`.
    public static let shared = found()

    private var models: [UInt8: PhraseModel] = [:]
    /// Why files were left out.
    public private(set) var complaints: [ProtocolError] = []

    public init() {}

    /// - Throws: `ProtocolError` 2000 when a number is taken by another model.
    public init(_ models: [PhraseModel]) throws(ProtocolError) {
        for model in models { try add(model) }
    }

    /// A library of one model whatever its number, for measuring.
    public init(trusting model: PhraseModel) { models[model.manifest.number] = model }

    /// Numbers of the models at hand, in order.
    public var numbers: [UInt8] { models.keys.sorted() }

    /// The model that comes with Godwit; nil when it was not found.
    public var shipped: PhraseModel? { models[Self.shippedNumber] }

    public subscript(number: UInt8) -> PhraseModel? { models[number] }

    /// - Throws: `ProtocolError` 2000 when the number is taken, or given away to another model.
    public mutating func add(_ model: PhraseModel) throws(ProtocolError) {
        let number = model.manifest.number
        let digest = Hex.encode(model.manifest.digest)
        if number <= PhraseManifest.assignedMax, Self.assigned[number] != digest {
            throw .malformed(
                "the model \(model.manifest.id) has a number that belongs to another",
                hint: "Train it with a number from \(PhraseManifest.assignedMax + 1) to 255.")
        }
        if let other = models[number], other.manifest.digest != model.manifest.digest {
            throw .malformed("the models \(other.manifest.id) and \(model.manifest.id) have the same number")
        }
        models[number] = model
    }

    /// Where the shipped model is; nil when it is nowhere.
    public static func shippedPath() -> String? {
        var path = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &path, path.count)
        guard count > 0 else { return nil }
        var parts = String(decoding: path[..<count], as: UTF8.self).split(separator: "/").dropLast()
        var candidates = ["/" + parts.dropLast().joined(separator: "/") + "/share/godwit/models/" + shippedFile]
        while !parts.isEmpty {
            candidates.append("/" + parts.joined(separator: "/") + "/models/" + shippedFile)
            parts = parts.dropLast()
        }
        return candidates.first { access($0, R_OK) == 0 }
    }

    private static func found() -> PhraseModelLibrary {
        var library = PhraseModelLibrary()
        let named = getenv("GODWIT_MODEL").map { String(cString: $0) } ?? ""
        if named == "none" { return library }
        let paths = [shippedPath()].compactMap(\.self) + named.split(separator: ":").prefix(filesMax).map(String.init)
        for path in paths {
            do throws(ProtocolError) {
                try library.add(try PhraseModel(path: path))
            } catch {
                library.complaints.append(error)
            }
        }
        return library
    }
}
