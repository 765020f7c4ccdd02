import Glibc
import GodwitBatch
import GodwitCarrier
import GodwitClient
import GodwitContact
import GodwitProtocol

/// A person whose home `godwit identity create` made and `godwit register` made known: the device, and the way to its node.
final class ClientHome: Sendable {
    let directory: String
    let device: Device
    let carrier: any Carrier

    init(_ directory: String) async throws {
        self.directory = directory
        let client = directory + "/client"
        let node = try NodeDescriptor(Self.object(client + "/node.json"))
        guard let endpoint = try Self.object(client + "/client.json")["endpoint"]?.string else {
            throw ProtocolError.malformed("\(client)/client.json names no endpoint.")
        }
        carrier = try HTTPBatchCarrier(
            HTTPCarrierConfiguration(
                endpoint: try Endpoint(endpoint),
                pins: try node.pins.map { digest in try CertificatePin(digest: digest) }))
        device = try await Device(directory: client + "/device", time: SystemTime())
    }

    /// All homes of a directory, by their names.
    static func all(in parent: String) async throws -> [ClientHome] {
        guard let stream = opendir(parent) else { throw ProtocolError.malformed("\(parent) is no directory.") }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if access("\(parent)/\(name)/client/identity.json", R_OK) == 0 { names.append(name) }
        }
        var homes: [ClientHome] = []
        for name in names.sorted() { homes.append(try await ClientHome("\(parent)/\(name)")) }
        return homes
    }

    /// One contact after the other, until neither side has more.
    @discardableResult
    func sync() async throws -> Int {
        var items = 0
        while true {
            let report = try await device.sync(over: carrier, exchangesMax: 64)
            items += report.receivedItems + report.releasedItems
            if !report.more { return items }
        }
    }

    private static func object(_ path: String) throws -> JSONObject {
        try JSONObject.parse(ProcessFile.bytes(path))
    }
}

extension [ClientHome] {
    /// Contacts of everybody in turn, until nothing moves any more: what one has sent makes others answer.
    func settle() async throws {
        for _ in 0..<100 {
            var moved = 0
            for home in self { moved += try await home.sync() }
            if moved == 0 { return }
        }
        throw ProtocolError.malformed("The devices never came to rest.")
    }

    func close() async throws { for home in self { try await home.device.close() } }
}
