import GodwitBatch
import GodwitContact
import GodwitCrypto
import GodwitLink
import GodwitProtocol
import GodwitSpool
import Synchronization
import Testing

@testable import GodwitNode

/// Several links to one peer: classes, custody, budgets, and what an operator is told (issue "Several links at once").
@Suite("Several links to one peer")
struct SeveralLinksTests {
    /// A node that calls another one, with a log of the links that called.
    private struct Site: Sendable {
        let one: TestNode
        let other: TestNode
        let calls: Calls

        final class Calls: Sendable {
            private let names = Mutex<[String: Int]>([:])
            func note(_ name: String) { names.withLock { $0[name, default: 0] += 1 } }
            func count(_ name: String) -> Int { names.withLock { $0[name] ?? 0 } }
        }

        private struct Noted: Carrier {
            let name: String
            let calls: Calls
            let carrier: InProcess
            func exchange(
                _ request: any RecordSource, receive: @escaping @Sendable ([UInt8]) async throws -> Void
            ) async throws -> ExchangeStatistics {
                calls.note(name)
                return try await carrier.exchange(request, receive: receive)
            }
        }

        init(profiles: [String: Profile] = [:]) async throws {
            let (other, calls) = (try await TestNode(name: "other"), Calls())
            one = try await TestNode(
                name: "one", profiles: profiles,
                carrier: { peer, _ in
                    let carrier = InProcess(service: other.node.exchange)
                    return Noted(name: peer.over?.name ?? "main", calls: calls, carrier: carrier)
                })
            (self.other, self.calls) = (other, calls)
            try await one.add(other, calls: true)
            try await other.add(one)
        }

        func link(_ name: String, _ more: JSONObject) async throws -> JSONObject {
            var request: JSONObject = [
                "request": "add_link", "node": .string(other.id.text), "name": .string(name),
            ]
            for (key, value) in more.members { request[key] = value }
            return try await one.control(request).object ?? [:]
        }

        func enqueue(_ priority: PriorityClass) async throws -> ItemID {
            let object: JSONObject = ["noise": .string(Base64.encode(SystemRandom().bytes(300)))]
            let (body, party) = (object.canonicalBytes(), Party.node(other.id))
            let id = ItemID(SHA256Digest.of(body))
            let item = NewItem(
                id: id, kind: .object, body: body, destination: party, priority: priority, created: TestTime.start,
                lifetime: 100_000_000)
            try await one.node.core.write { try $0.enqueue(item) }
            return id
        }

        func why(_ id: ItemID) async throws -> JSONObject? {
            try await one.control(["request": "spool_why", "item": .string(Hex.encode(id.bytes))])
                .object?["copies"]?.array?.first?.object
        }

        func state(_ id: ItemID) async throws -> CustodyState? {
            try await one.node.core.spool.read { try $0.custody(of: id).first?.state }
        }

        func export(_ path: String) async throws -> JSONObject {
            try await one.control(["request": "export", "to": .string(other.id.text), "path": .string(path)]).object
                ?? [:]
        }

        /// Runs the node's links while the body runs.
        func running(_ body: () async throws -> Void) async throws {
            let running = Task { try await one.node.run() }
            try await body()
            running.cancel()
            try await running.value
            one.remove()
            other.remove()
        }
    }

    @Test("the link of a class carries it, the status and `why` name it, and the other link leaves it alone")
    func classes() async throws {
        let site = try await Site()
        _ = try await site.link("bike", ["ways": "file", "classes": "document,image,bulk"])
        try await site.running {
            let (urgent, bulk) = (try await site.enqueue(.directText), try await site.enqueue(.bulk))
            try await eventually("the urgent one has gone") { try await site.state(urgent) == .forwarded }
            #expect(try await site.state(bulk) == .waiting)
            let copy = try await site.why(bulk)
            #expect(copy?["path"]?.string == "bike" && copy?["forecast"] == .null && copy?["paths"]?.array?.count == 1)
            #expect(copy?["holds"]?.array?.first?.object?["reason"]?.string == "by_hand")
            let status = try await site.one.control(["request": "links"]).array?.compactMap(\.object) ?? []
            #expect(status.compactMap { $0["path"]?.string } == ["main", "bike"])
            #expect(status.map { $0["queue"]?.array?.count } == [0, 1], "each shows what waits for it")
            let parcel = try await site.export("bike")
            #expect(parcel["frames"] == 1 && parcel["left"] == false)
            #expect(try await site.state(bulk) == .framed)
            let framed = try await site.why(bulk)
            #expect(framed?["path"]?.string == "bike")
            #expect(framed?["holds"]?.array?.first?.object?["reason"]?.string == "unacknowledged")
            // The stick arrives; the acknowledgement comes over the live link.
            let taken = try await site.other.control(["request": "import", "records": parcel["records"] ?? .null])
            #expect(taken.object?["items"] == 1)
            try await eventually("the stick's acknowledgement") {
                _ = try await site.one.control(["request": "contact", "node": .string(site.other.id.text)])
                return try await site.state(bulk) == .forwarded
            }
        }
    }

    @Test("after its time, not before, what a stick has not delivered goes over the main link, as the same frame")
    func alsoAfter() async throws {
        let site = try await Site()
        _ = try await site.link("bike", ["ways": "file", "classes": "bulk", "also_after": 3_600_000])
        let bulk = try await site.enqueue(.bulk)
        let parcel = try await site.export("bike")
        let number = try await site.why(bulk)?["frame"]
        try await site.one.node.expire(elapsed: 3_599_999)
        try await site.one.node.links.takeOver()
        #expect(try await site.why(bulk)?["path"]?.string == "bike")
        try await site.one.node.expire(elapsed: 1)
        try await site.one.node.links.takeOver()
        let moved = try await site.why(bulk)
        #expect(moved?["path"]?.string == "main" && moved?["frame"] == number)
        try await site.running {
            try await eventually("the main link took over") { try await site.state(bulk) == .forwarded }
            let late = try await site.other.control(["request": "import", "records": parcel["records"] ?? .null])
            #expect(late.object?["items"] == 0, "the stick brings nothing new")
        }
    }

    @Test("an order sends the frame of a stick over another link; what waits in no frame is refused")
    func resend() async throws {
        let site = try await Site()
        _ = try await site.link("bike", ["ways": "file", "classes": "bulk"])
        try await site.running {
            let bulk = try await site.enqueue(.bulk)
            func resend(over path: String) async throws -> JSONValue {
                try await site.one.control([
                    "request": "spool_resend", "item": .string(Hex.encode(bulk.bytes)), "over": .string(path),
                ])
            }
            #expect(try await refusal { _ = try await resend(over: "main") }.hint?.contains("spool why") == true)
            _ = try await site.export("bike")
            #expect(try await refusal { _ = try await resend(over: "boat") }.details["member"] == "path")
            let frames = try await resend(over: "main").object?["frames"]?.array
            #expect(frames?.first?.object?["from"] == "bike")
            try await eventually("it went over the main link") {
                // A contact that moved nothing may have been just before: the next one comes after its pause.
                site.one.time.advance(milliseconds: 100)
                return try await site.state(bulk) == .forwarded
            }
        }
    }

    @Test("two live links run beside each other, each with its classes, its calls and its budget")
    func twoLive() async throws {
        var dear = Profile.preset(.satellite)
        dear.name = "dear"
        dear.budget = Budget(bytesPerDay: ByteCount(1_000_000))
        let site = try await Site(profiles: ["dear": dear])
        let added = try await site.link("modem", ["profile": "dear", "ways": "https", "classes": "direct"])
        let links = added["links"]?.array?.compactMap(\.object) ?? []
        #expect(links.map { $0["classes"]?.array?.count } == [7, 1])
        try await site.running {
            let (direct, channel) = (try await site.enqueue(.directText), try await site.enqueue(.channelText))
            try await eventually("both have gone") {
                // Channel texts wait for company for half a second.
                site.one.time.advance(milliseconds: 100)
                _ = try await site.one.control(["request": "contact", "node": .string(site.other.id.text)])
                guard try await site.state(direct) == .forwarded else { return false }
                return try await site.state(channel) == .forwarded
            }
            #expect(site.calls.count("modem") > 0 && site.calls.count("main") > 0)
            let (id, core) = (site.other.id.text, site.one.node.core)
            let spent = try await core.read { try $0.ledger(for: id + "/modem")?.object?["bytes_today"]?.integer ?? 0 }
            #expect(spent > 0, "the modem has a ledger of its own")
            // An exchange is settled after what it acknowledged.
            try await eventually("each link has a ledger of its own") { try await site.one.count("node_budget") == 2 }
        }
    }

    @Test("links are stated within limits: names, ways, number, and every class has one")
    func limits() async throws {
        let site = try await Site()
        func refused(_ name: String, _ more: JSONObject) async throws -> String? {
            try await refusal { _ = try await site.link(name, more) }.details["member"]?.string
        }
        #expect(try await refused("Bike", ["ways": "file"]) == "name")
        #expect(try await refused(String(repeating: "a", count: 33), ["ways": "file"]) == "name")
        #expect(try await refused("main", ["ways": "file"]) == "name")
        #expect(try await refused("bike", ["ways": "serial"]) == "ways", "the peer has no line")
        #expect(try await refused("bike", ["ways": "pigeon"]) == "ways")
        #expect(try await refused("bike", ["ways": "file", "classes": "bulk,bulk"]) == "classes")
        #expect(try await refused("bike", ["ways": "file", "profile": "none"]) == "profile")
        #expect(try await refused("bike", ["ways": "file", "also_after": 59_999]) == "also_after")
        _ = try await site.link("bike", ["ways": "file", "also_after": 60_000])
        _ = try await site.link(String(repeating: "a", count: 32), ["ways": "https://elsewhere.example"])
        _ = try await site.link("third", ["ways": "file", "classes": "bulk"])
        #expect(try await refused("fourth", ["ways": "file"]) == "name")
        _ = try await site.link("third", ["ways": "file", "classes": "bulk,image"])
        // The main link names its classes, and those without a name carry the rest: nothing may be left over.
        let all = PriorityClass.allCases.map(\.name).joined(separator: ",")
        _ = try await site.link("bike", ["ways": "file", "classes": .string(all)])
        _ = try await site.link(String(repeating: "a", count: 32), ["ways": "file", "classes": "bulk"])
        let descriptor = site.other.node.home.descriptor.object
        _ = try await site.one.control([
            "request": "add_peer", "descriptor": .object(descriptor), "classes": "direct", "profile": "satellite",
        ])
        #expect(try await refused("bike", ["ways": "file", "classes": "control"]) == "classes")
        let removed = try await refusal {
            _ = try await site.one.control([
                "request": "remove_link", "node": .string(site.other.id.text), "name": "bike",
            ])
        }
        #expect(removed.details["member"] == "classes" && removed.message.contains("control,revocation,channel"))
        #expect(try await site.one.count("node_link") == 3)
        site.one.remove()
        site.other.remove()
    }

    @Test("what was written for a link that is removed goes over the main one")
    func removal() async throws {
        let site = try await Site()
        _ = try await site.link("bike", ["ways": "file", "classes": "bulk"])
        let bulk = try await site.enqueue(.bulk)
        _ = try await site.export("bike")
        let removed = try await site.one.control([
            "request": "remove_link", "node": .string(site.other.id.text), "name": "bike",
        ])
        #expect(removed.object?["moved_frames"] == 1)
        try await site.running {
            try await eventually("it went over the main link") { try await site.state(bulk) == .forwarded }
        }
    }
}
