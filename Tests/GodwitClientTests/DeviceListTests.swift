import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

/// Publishing a device list over a socket, against a node that answers by hand (AUTH-15, docs/protocol.md §6.2).
@Suite("Publishing a device list")
struct DeviceListTests {
    private struct Scene {
        var families: Families
        var device: Device
        var list: DeviceList
        var conversation: DeviceListConversation

        init() async throws {
            families = try await Families(amina: 1, layla: 1)
            device = families.amina[0]
            list = try #require(await families.hub.newestList(of: device.userID))
            conversation = DeviceListConversation(
                identity: device.identityFile, key: families.aminaKey, device: device.deviceID)
        }

        /// Up to the question for the list.
        mutating func logIn() throws {
            let start = conversation.start()
            #expect(start["type"] == "auth_challenge_request")
            let now = families.hub.time.now()
            let challenge = AuthChallenge(challenge: [UInt8](repeating: 3, count: 32), timestamp: now)
            guard case .send(let proof) = try conversation.receive(challenge.object) else {
                Issue.record("a challenge is answered")
                return
            }
            #expect(proof["type"] == "auth_proof" && proof["device"]?.string == device.deviceID.text)
            let success = AuthSuccess(token: "t", expires: now, nodeInfo: [:])
            try expectAsked(conversation.receive(success.object))
        }

        func expectAsked(_ step: DeviceListConversation.Step) throws {
            guard case .send(let frame) = step else {
                Issue.record("the list is asked for")
                return
            }
            #expect(frame["command"] == "list_devices")
        }

        mutating func answer(_ list: DeviceList) throws -> DeviceListConversation.Step {
            try conversation.receive(
                SocketEvent("ack", ["request_id": "device-list", "device_list": .object(list.object)]).object)
        }

        func successor(of list: DeviceList, version: Int64) throws -> DeviceList {
            try DeviceList(
                families.aminaKey.signed(
                    list.object.setting("version", .integer(version)), purpose: .deviceList))
        }
    }

    private static func refusal(_ version: Int64) -> JSONObject {
        let error = ProtocolError(
            .invalidMessageFormat, "There is a newer list.", hint: "Fetch it.",
            details: ["member": "version", "version": .integer(version)])
        return SocketEvent(
            "error",
            error.object(at: Timestamp(milliseconds: 0)).setting("request_id", "publish-keys")
        ).object
    }

    @Test("login, list, its successor and this device's keys")
    func straight() async throws {
        var scene = try await Scene()
        try scene.logIn()
        #expect(try scene.conversation.receive(SocketEvent("user_status", [:]).object) == .wait)
        #expect(try scene.answer(scene.list) == .sign(scene.list))
        let publication = try await scene.device.join(scene.list, signedBy: scene.families.aminaKey)
        #expect(publication.deviceList.version == 2)
        let frame = scene.conversation.publish(publication)
        #expect(frame["command"] == "publish_keys" && frame["data"]?.object == publication.object)
        let done = try scene.conversation.receive(
            SocketEvent("ack", ["request_id": "publish-keys", "one_time_pre_keys": 100]).object)
        #expect(done == .done)
    }

    @Test("where another device was faster all goes on from the newer list, four times at most")
    func conflict() async throws {
        var scene = try await Scene()
        try scene.logIn()
        var list = scene.list
        for attempt in 1...DeviceListConversation.attemptsMax {
            guard case .sign(let current) = try scene.answer(list) else {
                Issue.record("a list is to be signed")
                return
            }
            let publication = try await scene.device.join(current, signedBy: scene.families.aminaKey)
            #expect(publication.deviceList.version > current.version)
            _ = scene.conversation.publish(publication)
            let refused = Self.refusal(publication.deviceList.version)
            guard attempt < DeviceListConversation.attemptsMax else {
                let error = #expect(throws: ProtocolError.self) { try scene.conversation.receive(refused) }
                #expect(error?.details["member"] == "version")
                return
            }
            try scene.expectAsked(scene.conversation.receive(refused))
            list = try scene.successor(of: list, version: publication.deviceList.version)
        }
    }

    @Test("any other refusal ends it, and so does a frame that has no place")
    func refused() async throws {
        var scene = try await Scene()
        try scene.logIn()
        let error = ProtocolError(.userNotFound, "The user has no device list here.", hint: "Publish one.")
        let frame = SocketEvent(
            "error", error.object(at: Timestamp(milliseconds: 0)).setting("request_id", "device-list")
        ).object
        #expect(#expect(throws: ProtocolError.self) { try scene.conversation.receive(frame) }?.code == .userNotFound)
        #expect(throws: ProtocolError.self) { try scene.conversation.receive(["type": "auth_success"]) }
    }
}
