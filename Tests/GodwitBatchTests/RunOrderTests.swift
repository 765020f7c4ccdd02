import GodwitProtocol
import Testing

@testable import GodwitBatch

/// The order in which the messages of a small frame cost least (D-5, D-7).
@Suite("Order of messages in small frames")
struct RunOrderTests {
    /// What a chain is, read by other means than the code under test.
    private static func chain(_ item: BatchItem) throws -> String? {
        let object = try JSONObject.parse(item.body)
        guard item.kind == .message, let device = object["device"]?.string, let name = object["channel"]?.string
        else { return nil }
        return device + " " + name + " " + (object["channel_node"]?.string ?? "")
    }

    @Test(
        "every item stays, once; chains hang together, in the order of their firsts and unchanged within",
        arguments: 1...8)
    func order(_ seed: UInt64) throws {
        var talk = SampleTalk(seed: seed, authors: 6)
        let items = talk.mixture(80)
        let order = RunOrder.order(of: items)
        #expect(order.sorted() == Array(items.indices))
        let chains = try order.map { try Self.chain(items[$0]) }
        var ended: Set<String> = []
        var firsts: [Int] = []
        for (place, index) in order.enumerated() {
            let before = place > 0 ? chains[place - 1] : nil
            if let chain = chains[place], chain == before {
                #expect(order[place - 1] < index)
            } else {
                if let before { ended.insert(before) }
                // What does not go in columns stands for itself.
                let isPlain = MessageRow.take(items[index].body) != nil
                if let chain = chains[place], isPlain { #expect(!ended.contains(chain)) }
                firsts.append(index)
            }
        }
        #expect(firsts == firsts.sorted())
    }

    @Test("frames of 1,500 bytes hold the talk of 25 authors in a quarter less than in the order of arrival")
    func saves() throws {
        var talk = SampleTalk(seed: 9, authors: 25)
        let items = (0..<100).map { _ in talk.item(talk.random.below(25), length: 40) }
        func bytes(_ pick: ([BatchItem]) -> [BatchItem]) throws -> Int {
            var (left, total) = (items, 0)
            while !left.isEmpty {
                left = pick(left)
                let packed = try FramePacker.pack(Frame(items: left), limit: ByteCount(1_500), runs: true)
                total += packed.bytes.count
                left.removeFirst(packed.count)
                // Back to the order of arrival, as a spool gives it.
                left.sort { $0.created < $1.created }
            }
            return total
        }
        let plain = try bytes { $0 }
        let ordered = try bytes { waiting in RunOrder.order(of: waiting).map { waiting[$0] } }
        #expect(ordered * 4 < plain * 3)
    }
}
