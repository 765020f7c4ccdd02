import GodwitBatch
import GodwitCompression
import GodwitProtocol
import Testing

@testable import GodwitClient

/// The phrase model is used where every reader holds it (D-9, COMP rows).
@Suite("The phrase model that readers have in common")
struct CommonModelTests {
    private static let text = "the boat is at the landing, send two people with the pump"

    private static func shipped() throws -> PhraseModelLibrary {
        let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
        return try PhraseModelLibrary([PhraseModel(path: root + "/models/phrases-1.gpm")])
    }

    /// Bytes of ciphertext of one text in a channel of devices, each with these models, and what the others read.
    private func send(
        with libraries: [PhraseModelLibrary]
    ) async throws -> (ciphertext: Int, texts: [[String]]) {
        let hub = try Hub()
        var scratches: [Scratch] = []
        var devices: [Device] = []
        for (index, models) in libraries.enumerated() {
            scratches.append(try Scratch())
            devices.append(try await hub.enrol("person-\(index)", in: scratches[index], models: models))
        }
        let id = try hub.channelID("#flood-response")
        try await devices[0].createChannel(id.name)
        try await hub.settle(devices)
        for device in devices.dropFirst() {
            try await device.joinChannel(id)
            try await hub.settle(devices)
        }
        try await devices[0].send(text: Self.text, to: .channel(id))
        let item = try #require(try await devices[0].handOver().first { $0.kind == .message })
        var texts: [[String]] = []
        for device in devices.dropFirst() {
            try await device.deliver([item])
            texts.append(try await device.texts())
        }
        return (try Message(parsing: item.body).ciphertext.count, texts)
    }

    @Test("where all members hold it, a text takes half; with one who does not, everybody reads all the same")
    func channel() async throws {
        let (model, none) = (try Self.shipped(), PhraseModelLibrary())
        let all = try await send(with: [model, model, model])
        let mixed = try await send(with: [model, model, none])
        #expect(all.texts == [[Self.text], [Self.text]] && mixed.texts == all.texts)
        // 16 of them are the tag.
        #expect((all.ciphertext - 16) * 2 <= mixed.ciphertext - 16)
    }

    @Test("a device whose announced model is gone takes no frame that needs it, and reads it when the model is back")
    func missing() async throws {
        let models = try Self.shipped()
        let hub = try Hub()
        let (one, two) = (try Scratch(), try Scratch())
        let author = try await hub.enrol("ines", in: one, models: models)
        var reader = try await hub.enrol("olena", in: two, models: models)
        let id = try hub.channelID("#flood-response")
        try await author.createChannel(id.name)
        try await hub.settle([author, reader])
        try await reader.joinChannel(id)
        try await hub.settle([author, reader])
        try await author.send(text: Self.text, to: .channel(id))
        let items = try await author.handOver()
        try await reader.close()
        reader = try await Device(directory: two.path, time: hub.time, models: PhraseModelLibrary())
        let error = await #expect(throws: ProtocolError.self) { try await reader.deliver(items) }
        #expect(error?.code == .internalError && error?.hint?.contains("dictionary") == true)
        try await reader.close()
        reader = try await Device(directory: two.path, time: hub.time, models: models)
        try await reader.deliver(items)
        #expect(try await reader.texts() == [Self.text])
    }

    @Test("an entry names at most 16 models, each once, from 1 to 127")
    func entries() async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        let device = try await hub.enrol("ines", in: scratch, models: try Self.shipped())
        let entry = try #require(try await device.publication().deviceList.devices.first)
        #expect(entry.models == [1])
        func read(_ models: JSONValue) -> ProtocolError? {
            do throws(ProtocolError) { _ = try DeviceEntry(entry.object.setting("models", models)) } catch {
                return error
            }
            return nil
        }
        #expect(read(.array((1...16).map { .integer($0) })) == nil && read([127]) == nil && read([]) == nil)
        for wrong in [[0], [128], [1, 1], ["1"], "1", .array((1...17).map { .integer($0) })] as [JSONValue] {
            #expect(read(wrong)?.details["member"]?.string == "models", "\(wrong)")
        }
    }
}
