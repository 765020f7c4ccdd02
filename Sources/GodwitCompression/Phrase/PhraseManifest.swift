public import GodwitProtocol

/// What a model file says of itself.
public struct PhraseManifest: Hashable, Sendable {
    /// Numbers that `docs/protocol.md` gives away; those above are for sites.
    public static let assignedMax: UInt8 = 127

    /// A short name, such as `phrases-1`.
    public var id: String
    /// How contents name the model: 1 to 255.
    public var number: UInt8
    /// SHA-256 of the body, 32 bytes: two models are the same exactly if this is.
    public var digest: [UInt8]
    /// Where the texts come from that it was trained with.
    public var provenance: String
    public var licence: String
    /// Parameters and figures of the training.
    public var training: JSONObject

    public init(
        id: String, number: UInt8, digest: [UInt8] = [], provenance: String, licence: String, training: JSONObject = [:]
    ) {
        self.id = id
        self.number = number
        self.digest = digest
        self.provenance = provenance
        self.licence = licence
        self.training = training
    }

    /// {`format`, `id`, `licence`, `number`, `provenance`, `sha256`, `training`}.
    public var object: JSONObject {
        [
            "format": .integer(Int64(PhraseModelFile.format)), "id": .string(id), "number": .integer(Int64(number)),
            "sha256": .string(Hex.encode(digest)), "provenance": .string(provenance), "licence": .string(licence),
            "training": .object(training),
        ]
    }

    /// - Throws: `ProtocolError` 2000 naming the member at fault.
    init(_ bytes: [UInt8]) throws(ProtocolError) {
        let object = try JSONObject.parse(bytes, limits: JSONLimits(bytes: PhraseModelFile.manifestMax))
        func text(_ member: String) throws(ProtocolError) -> String {
            guard let text = object[member]?.string, text.utf8.count <= 4096 else {
                throw .malformed("the model's manifest lacks a member", member: member)
            }
            return text
        }
        guard object["format"] == .integer(Int64(PhraseModelFile.format)) else {
            throw .malformed("the model's format is not known here", member: "format")
        }
        guard case .integer(let number)? = object["number"], (1...255).contains(number) else {
            throw .malformed("a model's number is 1 to 255", member: "number")
        }
        guard let digest = Hex.decode(try text("sha256")), digest.count == 32 else {
            throw .malformed("the model's digest has 32 bytes", member: "sha256")
        }
        self.init(
            id: try text("id"), number: UInt8(number), digest: digest, provenance: try text("provenance"),
            licence: try text("licence"), training: object["training"]?.object ?? [:])
    }
}
