import GodwitProtocol
import GodwitSpool

/// Items as a node spools them: canonical JSON of about 350 bytes, for sixteen neighbours, from a hundred authors.
struct SampleItems {
    static let destinations: [Party] = (0..<16).compactMap { try? Party("node\(letter($0))aaa") }
    static let owners: [Party] = (0..<100).compactMap { try? Party("nodeaaaa.user-\($0)/abcdefgh") }

    static func item(_ number: Int) -> NewItem {
        let body = body(number)
        return NewItem(
            id: ItemID(digest(Array("id \(number)".utf8))), kind: .message, body: body,
            destination: destinations[number % destinations.count], priority: .channelText,
            created: Timestamp(milliseconds: 1_700_000_000_000 + Int64(number)), lifetime: 60 * 86_400_000,
            owner: owners[number % owners.count])
    }

    static func body(_ number: Int) -> [UInt8] {
        let noise = digest(Array("noise \(number)".utf8)) + digest(Array("more \(number)".utf8))
        let signature = digest(Array("signature \(number)".utf8))
        return Array(
            """
            {"author":"nodeaaaa.user-\(number % owners.count)","channel":"#general","content":{"ciphertext":"\
            \(Base64.encode(noise))"},"device":"abcdefgh","epoch":"\(Base64.encode(digest([1])))",\
            "metadata":{"client":"godwit/0.1.0"},"seq":\(number),"signature":"\(Base64.encode(signature))","type":"text"}
            """.utf8)
    }

    static func digest(_ bytes: [UInt8]) -> [UInt8] { SHA256Digest.of(bytes) }

    /// Limits that no benchmark meets.
    static var configuration: SpoolConfiguration {
        var configuration = SpoolConfiguration()
        configuration.bytesMax = ByteCount(1 << 40)
        configuration.itemsMaxPerDestination = 1 << 40
        configuration.bytesPerOwner = ByteCount(1 << 40)
        return configuration
    }

    private static func letter(_ number: Int) -> String {
        String(UnicodeScalar(UInt8(ascii: "a") + UInt8(number)))
    }
}
