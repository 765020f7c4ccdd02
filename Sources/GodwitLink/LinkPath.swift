public import GodwitProtocol

/// One of several links to a peer, each with a profile, ways and classes of its own.
public struct LinkPath: Sendable, Hashable {
    /// The link that every peer has.
    public static let mainName = "main"
    /// Links to a peer, the main one included. With more, acknowledgements could need more ranges than a frame may have.
    public static let pathsMax = 4
    /// Ways of a link.
    public static let waysMax = CarrierWay.preferenceMax
    /// The way of a link that nobody calls over: `godwit spool export`.
    public static let byHand = "file"
    /// Longest time after which another link takes over.
    public static let alsoAfterMax = Duration.seconds(365 * 86_400)

    /// 1 to 32 characters a-z, 0-9, `-`.
    public let name: String
    /// Name of a network profile.
    public let profile: String
    /// Kinds of ways, or endpoints, in the order in which they are tried; empty: all ways to the peer.
    public let ways: [String]
    /// Nil: what no link of the peer names.
    public let classes: Set<PriorityClass>?
    /// A frame that was built for this link and is not acknowledged goes over the main one when it is so old.
    public let alsoAfter: Duration?

    /// - Throws: `ProtocolError` 2000 naming the member that is wrong.
    public init(
        name: String, profile: String, ways: [String], classes: Set<PriorityClass>?, alsoAfter: Duration? = nil
    ) throws(ProtocolError) {
        guard Profile.isName(name) else {
            throw .malformed("A link's name has 1 to 32 characters of a-z, 0-9 and -.", member: "name")
        }
        guard ways.count <= Self.waysMax, ways.allSatisfy(Self.isWay) || ways == [Self.byHand] else {
            throw .malformed(
                "A link's ways are file alone, or kinds and endpoints.", member: "ways",
                hint: "Kinds: " + CarrierWay.Kind.allCases.map(\.rawValue).joined(separator: ", ")
                    + ". Endpoints: udp://host:port, https://host.")
        }
        guard classes.map({ !$0.isEmpty }) ?? true else {
            throw .malformed("A link carries at least one class.", member: "classes")
        }
        if let alsoAfter, alsoAfter < .seconds(60) || alsoAfter > Self.alsoAfterMax || name == Self.mainName {
            throw .malformed(
                "Another link takes over after 1 minute to 365 days.", member: "also_after",
                hint: "It is the main link that takes over, so that one has no such time.")
        }
        self.name = name
        self.profile = profile
        self.ways = ways
        self.classes = classes
        self.alsoAfter = alsoAfter
    }

    private init(main profile: String, ways: [String], classes: Set<PriorityClass>?) {
        name = Self.mainName
        self.profile = profile
        self.ways = ways
        self.classes = classes
        alsoAfter = nil
    }

    /// The link that every peer has; its ways were checked with the peer.
    public static func main(profile: String, ways: [String], classes: Set<PriorityClass>?) -> LinkPath {
        LinkPath(main: profile, ways: ways, classes: classes)
    }

    private static func isWay(_ text: String) -> Bool {
        CarrierWay.Kind(rawValue: text) != nil || (text.utf8.count <= 2_048 && CarrierWay(text) != nil)
    }

    public var isByHand: Bool { ways == [Self.byHand] }

    /// What each of a peer's links carries, by name: the classes that it names, or all that none of them does.
    public static func carried(by paths: [LinkPath]) -> [String: Set<PriorityClass>] {
        let named = paths.reduce(into: Set<PriorityClass>()) { $0.formUnion($1.classes ?? []) }
        let rest = Set(PriorityClass.allCases).subtracting(named)
        return Dictionary(paths.map { ($0.name, $0.classes ?? rest) }) { first, _ in first }
    }

    /// - Throws: `ProtocolError` 2000 if a class would be carried by none of the links.
    public static func check(_ paths: [LinkPath]) throws(ProtocolError) {
        let carried = Self.carried(by: paths).values.reduce(into: Set<PriorityClass>()) { $0.formUnion($1) }
        let missing = Set(PriorityClass.allCases).subtracting(carried)
        guard missing.isEmpty else {
            throw .malformed(
                "No link to the peer would carry: \(text(missing))", member: "classes",
                hint: "A link without --classes carries all that the others do not name.")
        }
    }

    /// Class names separated by commas.
    /// - Throws: `ProtocolError` 2000 for a name that is none, stands twice, or is missing.
    public static func classes(_ text: String) throws(ProtocolError) -> Set<PriorityClass> {
        let names = text.split(separator: ",", omittingEmptySubsequences: false)
        let known = Dictionary(uniqueKeysWithValues: PriorityClass.allCases.map { ($0.name, $0) })
        let classes = Set(names.compactMap { known[String($0)] })
        guard classes.count == names.count else {
            throw .malformed(
                "This is no list of classes.", member: "classes",
                hint: "Known: " + PriorityClass.allCases.map(\.name).joined(separator: ", "))
        }
        return classes
    }

    /// As `classes(_:)` reads them, most urgent first.
    public static func text(_ classes: Set<PriorityClass>) -> String {
        classes.sorted().map(\.name).joined(separator: ",")
    }
}

extension CarrierWay {
    /// The ways of a link that names them, in its order: of a kind all that the peer has.
    public static func named(_ names: [String], endpoints: [String], serial: SerialEndpoint?) -> [CarrierWay] {
        let known = ([serial?.text].compactMap { $0 } + endpoints).compactMap { CarrierWay($0) }
        var ways: [CarrierWay] = []
        for name in names {
            let found = Kind(rawValue: name).map { kind in known.filter { $0.kind == kind } }
            for way in found ?? [CarrierWay(name)].compactMap(\.self) where !ways.contains(way) { ways.append(way) }
        }
        return ways
    }
}
