import FoundationEssentials
import GRDB
import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Testing

@testable import GodwitNode

/// Messages of an epoch from before a ban that come after it wait for a moderator (MSG-18, G-53).
@Suite("Messages held for a moderator")
struct ModerationTests {
    @Test("a text from before its author's ban is held: nobody gets it, its author hears nothing, moderators do")
    func held() async throws {
        try await TestNode.with { node in
            let scene = try await BannedScene(node)
            let texts = try await scene.holding(2)
            #expect(try await node.count("node_moderated") == 2)
            #expect(try await node.count("node_message") == 0)
            // The same again, for its acknowledgement was lost, is held once.
            #expect(try await scene.target.send(texts[0], over: .batch) == nil)
            #expect(try await node.count("node_moderated") == 2)
            let hashes = try texts.map { try Message($0).hash.base64 }
            for role in [Role.owner, .admin, .moderator] {
                #expect(try await scene.listed(by: scene.room[role]) == hashes)
                #expect(scene.room[role].client.outbox.objects("held_messages").count == 1)
                #expect(scene.room[role].client.outbox.messages.isEmpty)
                let info = try await scene.room[role].client.command("channel_info", ["channel": "#room"])
                #expect(info["held"]?.integer == 2)
            }
            let member = scene.room[.member]
            #expect(member.client.outbox.objects("held_messages").isEmpty && member.client.outbox.messages.isEmpty)
            #expect(try await member.client.command("channel_info", ["channel": "#room"])["held"] == nil)
            #expect(try await node.node.core.read { try $0.counts() }["for_moderators"] == 2)
        }
    }

    @Test(
        "refused as ever: what comes live, is of an epoch after the ban or an unknown one, or by one who was only removed"
    )
    func refused() async throws {
        try await TestNode.with { node in
            let scene = try await BannedScene(node)
            let (owner, target) = (scene.room[.owner], scene.target)
            let early = scene.text()
            try await owner.must(owner.order("remove_member", "#room", owner.about(target)))
            #expect(try await target.send(early, over: .batch) == .insufficientPermissions)
            try await scene.ban()
            #expect(try await target.send(scene.text(), over: .socket) == .insufficientPermissions)
            let unknown = target.person.message(to: "#room", at: node.id)
            #expect(try await target.send(unknown, over: .batch) == .insufficientPermissions)
            // Removed first and banned then: banned since, whatever came before.
            let late = scene.text()
            #expect(try await target.send(late, over: .batch) == nil)
            // The epoch after the departure is none of the banned one's.
            let people = Role.allCases.map { scene.room[$0] }
            let after = try await BannedScene.startEpoch(among: people, seenBy: owner)
            let forged = target.person.message(to: "#room", at: node.id, changing: ["epoch": after])
            #expect(try await target.send(forged, over: .batch) == .insufficientPermissions)
            // A stranger who is banned was never a member.
            try await scene.ban(scene.room.stranger)
            let strange = scene.text(by: scene.room.stranger)
            #expect(try await scene.room.stranger.send(strange, over: .batch) == .insufficientPermissions)
            #expect(try await node.count("node_moderated") == 1)
        }
    }

    @Test("a private channel stays unknown to strangers, and holds what a banned member wrote")
    func privately() async throws {
        try await TestNode.with { node in
            let scene = try await BannedScene(node, visibility: "private")
            _ = try await scene.holding(1)
            #expect(try await node.count("node_moderated") == 1)
            #expect(
                try await scene.room.stranger.send(scene.text(by: scene.room.stranger), over: .batch)
                    == .channelNotFound)
            for name in ["release_held", "discard_held"] {
                let order = try scene.decide(name, [scene.text()], by: scene.room.stranger)
                #expect(try await scene.room.stranger.ask(order, over: .socket) == .channelNotFound)
            }
        }
    }

    @Test("who may ban decides, and nobody else, on every way (CH-20)", arguments: Way.allCases)
    func cells(_ way: Way) async throws {
        for name in ["release_held", "discard_held"] {
            for role in Role.allCases {
                try await TestNode.with { node in
                    let scene = try await BannedScene(node)
                    let texts = try await scene.holding(1)
                    let actor = scene.room[role]
                    let code = try await actor.ask(try scene.decide(name, texts, by: actor), over: way)
                    let may = role >= .moderator
                    #expect(code == (may ? nil : .insufficientPermissions), "\(name) by \(role) over \(way)")
                    #expect(try await node.count("node_moderated") == (may ? 0 : 1))
                    #expect(try await node.count("node_message") == (may && name == "release_held" ? 1 : 0))
                    if role < .moderator {
                        let error = try await refusal { _ = try await scene.listed(by: actor) }
                        #expect(error.code == .insufficientPermissions)
                    }
                }
            }
        }
    }

    @Test("nobody sees or decides about a text whose author's role was not below the own one (G-52)")
    func rank() async throws {
        for author in [Role.admin, .moderator, .member] {
            try await TestNode.with { node in
                let scene = try await BannedScene(node)
                let text = scene.text(by: scene.room[author])
                try await scene.ban(scene.room[author])
                #expect(try await scene.room[author].send(text, over: .batch) == nil)
                for actor in [Role.moderator, .admin, .owner] where actor != author {
                    let may = actor > author
                    #expect(try await scene.listed(by: scene.room[actor]).count == (may ? 1 : 0), "\(actor), \(author)")
                    guard !may else { continue }
                    let order = try scene.decide("discard_held", [text], by: scene.room[actor])
                    #expect(try await scene.room[actor].ask(order, over: .socket) == .insufficientPermissions)
                }
                let owner = scene.room[.owner]
                #expect(try await owner.ask(try scene.decide("release_held", [text], by: owner), over: .socket) == nil)
            }
        }
    }

    @Test("what is released comes to those who were members then, in the author's order, once, and to nobody else")
    func release() async throws {
        try await TestNode.with { node in
            let scene = try await BannedScene(node)
            let (moderator, stranger) = (scene.room[.moderator], scene.room.stranger)
            let texts = try await scene.holding(3)
            try await stranger.must(stranger.join("#room"))
            // The author's order is not to be turned round.
            let later = try scene.decide("release_held", [texts[1]], by: moderator)
            #expect(try await moderator.ask(later, over: .socket) == .invalidMessageFormat)
            #expect(try await node.count("node_moderated") == 3)
            try await moderator.must(scene.decide("release_held", [texts[1], texts[0]], by: moderator))
            for role in Role.allCases {
                try await eventually("the texts at \(role)") {
                    scene.room[role].client.outbox.messages.count == 2
                }
                let hashes = scene.room[role].client.outbox.messages.compactMap { $0["id"]?.string }
                #expect(hashes == texts.prefix(2).compactMap { $0["id"]?.string })
            }
            #expect(try await node.queue(for: stranger.person.party).allSatisfy { $0["type"]?.string != "text" })
            #expect(try await node.count("node_message") == 2)
            #expect(try await scene.listed(by: moderator).count == 1)
            // It was taken over long ago: again it is no news.
            #expect(try await scene.target.send(texts[0], over: .batch) == nil)
            #expect(try await node.count("node_message") == 2)
            #expect(try await node.count("node_moderated") == 1)
            let again = try scene.decide("release_held", [texts[0]], by: moderator)
            #expect(try await moderator.ask(again, over: .socket) == .invalidMessageFormat)
        }
    }

    @Test("what is discarded is refused to its author with its code; the log notes who and how many, and no content")
    func discard() async throws {
        try await TestNode.with { node in
            let scene = try await BannedScene(node)
            let texts = try await scene.holding(2)
            let moderator = scene.room[.moderator]
            #expect(try await scene.refusal(of: texts[1]) == nil)
            try await moderator.must(scene.decide("discard_held", [texts[1]], by: moderator))
            let refusal = try #require(try await scene.refusal(of: texts[1]))
            #expect(refusal.code == .insufficientPermissions && refusal.details["reason"]?.string == "discarded")
            #expect(try await scene.refusal(of: texts[0]) == nil)
            try await moderator.must(scene.decide("release_held", [texts[0]], by: moderator))
            let log = try await node.node.core.read { try $0.auditRows(subject: scene.target.person.id.text, limit: 9) }
            let entries = log.compactMap(\.object).filter { $0["kind"]?.string?.hasPrefix("held_") == true }
            #expect(entries.map { $0["kind"]?.string } == ["held_released", "held_discarded"])
            #expect(entries.allSatisfy { $0["count"] == 1 && $0["detail"] == .null })
        }
    }

    @Test("pages go on where the one before has ended, and bring the sealed texts")
    func pages() async throws {
        try await TestNode.with { node in
            let scene = try await BannedScene(node)
            let texts = try await scene.holding(5)
            let admin = scene.room[.admin]
            var (found, after): ([JSONObject], JSONValue?) = ([], nil)
            repeat {
                var query: JSONObject = ["channel": "#room", "limit": 2]
                if let after { query["after"] = after }
                let page = try await admin.client.command("list_held", query)
                found += page["messages"]?.array?.compactMap(\.object) ?? []
                after = page["next"]
            } while after != nil
            #expect(found.compactMap { $0["message"]?.object?["id"] } == texts.compactMap { $0["id"] })
            #expect(found.allSatisfy { $0["left"]?.integer == Message.defaultLifetime })
            let wrong = try await refusal { _ = try await scene.listed(by: admin, ["after": "x"]) }
            #expect(wrong.code == .invalidMessageFormat)
        }
    }

    @Test("an author fills the own share and no more: what is beyond it is refused, what was held stays")
    func bounds() async throws {
        try await TestNode.with { node in
            let scene = try await BannedScene(node)
            let most = Int(NodeTransaction.moderatedMax.author)
            let other = scene.room[.member]
            let (texts, others) = ((0...most).map { _ in scene.text() }, scene.text(by: other))
            try await scene.ban()
            try await scene.ban(other)
            let bodies = try texts.map { try Message($0) }
            try await node.node.core.write { transaction in
                for message in bodies {
                    try transaction.take(
                        BatchItem(
                            kind: .message, body: message.canonicalBytes, created: message.timestamp,
                            priority: .channelText), from: scene.target.person.party)
                }
            }
            #expect(try await node.count("node_moderated") == most)
            #expect(try await scene.refusal(of: texts[most])?.details["reason"]?.string == "full")
            #expect(try await scene.refusal(of: texts[0]) == nil)
            #expect(try await other.send(others, over: .batch) == nil)
            #expect(try await node.count("node_moderated") == most + 1)
            // All of the node's places are taken: by whom does not matter.
            try await node.node.core.write { transaction in
                for number in 0..<(NodeTransaction.moderatedMax.all - Int64(most) - 1) {
                    try transaction.run(
                        """
                        INSERT INTO node_moderated (channel, hash, author, device, seq, role, membership, source, body,
                          timestamp, received, age, since, ends)
                        SELECT channel, ?, 'x', 'y', 0, 'member', 1, source, x'00', 0, 0, 0, 0, 1 << 60
                        FROM node_moderated LIMIT 1
                        """, [Data(SHA256Digest.of(Array("\(number)".utf8)))])
                }
            }
            let last = scene.text(by: other)
            #expect(try await other.send(last, over: .batch) == .insufficientPermissions)
        }
    }

    @Test("what nobody decides about ends with its lifetime by uptime, and its author is told (D-16)")
    func expiry() async throws {
        try await TestNode.with { node in
            let scene = try await BannedScene(node)
            let text = scene.text(with: ["lifetime": 60_000])
            try await scene.ban()
            #expect(try await scene.target.send(text, over: .batch) == nil)
            node.time.setWall(back: -86_400_000)
            try await node.pass(59_999)
            #expect(try await node.count("node_moderated") == 1)
            try await node.pass(1)
            #expect(try await node.count("node_moderated") == 0)
            #expect(try await scene.refusal(of: text)?.details["reason"]?.string == "expired")
        }
    }

    @Test("a released text is as old as it is: the time that it was held counts")
    func age() async throws {
        try await TestNode.with { node in
            let scene = try await BannedScene(node)
            let texts = try await scene.holding(1)
            try await node.pass(50_000)
            let (owner, member) = (scene.room[.owner], scene.room[.member])
            await member.client.session.closed()
            try await owner.must(scene.decide("release_held", texts, by: owner))
            let items = try await node.node.core.spool.read { try $0.items(for: member.person.party, limit: 99) }
            #expect(items.filter { $0.kind == .message }.map(\.age) == [50_000])
        }
    }

    @Test("a channel that ends refuses what it held")
    func ended() async throws {
        try await TestNode.with { node in
            let scene = try await BannedScene(node)
            let texts = try await scene.holding(1)
            let owner = scene.room[.owner]
            try await owner.must(owner.order("delete_channel", "#room"))
            #expect(try await node.count("node_moderated") == 0)
            #expect(try await scene.refusal(of: texts[0])?.details["reason"]?.string == "channel_ended")
        }
    }

    @Test("a lifted ban decides nothing about what is held, and what comes then is a member's again")
    func lifted() async throws {
        try await TestNode.with { node in
            let scene = try await BannedScene(node)
            let texts = try await scene.holding(1)
            let (owner, target) = (scene.room[.owner], scene.target)
            try await owner.must(owner.order("unban_user", "#room", owner.about(target)))
            #expect(try await target.send(scene.text(), over: .batch) == .insufficientPermissions)
            #expect(try await scene.listed(by: owner).count == 1)
            try await target.must(target.join("#room"))
            try await owner.must(scene.decide("release_held", texts, by: owner))
            #expect(try await node.count("node_message") == 1)
        }
    }
}
