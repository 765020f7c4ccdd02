import Testing

@testable import GodwitServer

/// One line of a case list: frames in, what the machine says to the last of them.
struct SocketCase: Sendable, CustomTestStringConvertible {
    var name: String
    var frames: [IncomingFrame]
    var last: WebSocketMachine.Effect?
    var testDescription: String { name }

    init(_ name: String, _ frames: [IncomingFrame], _ last: WebSocketMachine.Effect?) {
        (self.name, self.frames, self.last) = (name, frames, last)
    }
}

extension IncomingFrame {
    static func frame(
        _ opcode: UInt8, _ payload: [UInt8] = [], final: Bool = true, masked: Bool = true, reserved: Bool = false
    ) -> IncomingFrame {
        IncomingFrame(
            isFinal: final, hasReservedBits: reserved, opcode: opcode, isMasked: masked, payload: payload)
    }
    static func text(_ text: String, final: Bool = true) -> IncomingFrame { frame(1, Array(text.utf8), final: final) }
    static func more(_ text: String, final: Bool = true) -> IncomingFrame { frame(0, Array(text.utf8), final: final) }
    static func close(_ code: UInt16, _ reason: [UInt8] = []) -> IncomingFrame {
        frame(8, [UInt8(code >> 8), UInt8(code & 0xFF)] + reason)
    }
}

@Suite struct WebSocketMachineTests {
    static func machine(messageMax: Int = 16) -> WebSocketMachine {
        WebSocketMachine(limits: .init(messageMax: messageMax), timeouts: SocketTimeouts())
    }

    @Test("where binary messages are spoken any bytes are taken, fragments too, and a text is refused with 1003")
    func binary() {
        var machine = WebSocketMachine(
            limits: .init(messageMax: 4, content: .binary), timeouts: SocketTimeouts())
        #expect(machine.receive(.frame(2, [0xFF, 0x00]), at: .zero) == .deliver([0xFF, 0x00]))
        #expect(machine.receive(.frame(2), at: .zero) == .deliver([]))
        #expect(machine.receive(.frame(2, [0xC3], final: false), at: .zero) == nil)
        #expect(machine.receive(.frame(0, [0x28, 1, 2]), at: .zero) == .deliver([0xC3, 0x28, 1, 2]))
        var other = machine
        #expect(machine.receive(.frame(2, [1, 2, 3, 4, 5]), at: .zero) == .close(1009, "Message too large."))
        #expect(other.receive(.text("a"), at: .zero) == .close(1003, "Only binary messages are spoken here."))
    }

    static let messages: [SocketCase] = [
        SocketCase("empty text", [.text("")], .deliver([])),
        SocketCase("text of the largest size", [.text("0123456789abcdef")], .deliver(Array("0123456789abcdef".utf8))),
        SocketCase(
            "fragments", [.text("a", final: false), .more("b", final: false), .more("c")], .deliver([97, 98, 99])),
        SocketCase("empty fragments", [.text("", final: false), .more("", final: false), .more("")], .deliver([])),
        SocketCase("a ping between fragments", [.text("a", final: false), .frame(9, [7])], .pong([7])),
        SocketCase(
            "the message after a ping between its fragments",
            [.text("a", final: false), .frame(9), .frame(10), .more("b")], .deliver([97, 98])),
        SocketCase(
            "a character cut by a fragment", [.frame(1, [0xE2, 0x82], final: false), .frame(0, [0xAC])],
            .deliver([0xE2, 0x82, 0xAC])),
        SocketCase(
            "a ping of 125 bytes", [.frame(9, Array(repeating: 1, count: 125))], .pong(Array(repeating: 1, count: 125))),
        SocketCase("a pong that nobody asked for", [.frame(10, [1])], nil),
        SocketCase("a second message", [.text("a"), .text("b")], .deliver([98])),
        SocketCase("a message that is not finished", [.text("a", final: false)], nil),
    ]

    static let violations: [(SocketCase, UInt16)] = [
        (SocketCase("unmasked frame", [.frame(1, [97], masked: false)], nil), 1002),
        (SocketCase("reserved bit", [.frame(1, [97], reserved: true)], nil), 1002),
        (SocketCase("binary", [.frame(2, [97])], nil), 1003),
        (SocketCase("opcode 3", [.frame(3)], nil), 1002),
        (SocketCase("opcode 7", [.frame(7)], nil), 1002),
        (SocketCase("opcode 11", [.frame(11)], nil), 1002),
        (SocketCase("opcode 15", [.frame(15)], nil), 1002),
        (SocketCase("continuation of nothing", [.more("a")], nil), 1002),
        (SocketCase("continuation after a whole message", [.text("a"), .more("b")], nil), 1002),
        (SocketCase("new text within a message", [.text("a", final: false), .text("b")], nil), 1002),
        (SocketCase("ping in fragments", [.frame(9, final: false)], nil), 1002),
        (SocketCase("ping of 126 bytes", [.frame(9, Array(repeating: 1, count: 126))], nil), 1002),
        (SocketCase("one byte too many", [.text("0123456789abcdefg")], nil), 1009),
        (
            SocketCase("one byte too many over fragments", [.text("0123456789abcdef", final: false), .more("g")], nil),
            1009
        ),
        (SocketCase("overlong slash", [.frame(1, [0xC0, 0xAF])], nil), 1007),
        (SocketCase("surrogate", [.frame(1, [0xED, 0xA0, 0x80])], nil), 1007),
        (SocketCase("above U+10FFFF", [.frame(1, [0xF4, 0x90, 0x80, 0x80])], nil), 1007),
        (SocketCase("text that ends within a character", [.frame(1, [0xE2, 0x82])], nil), 1007),
        (SocketCase("wrong byte in a fragment, before the end", [.frame(1, [0xFF], final: false)], nil), 1007),
        (
            SocketCase(
                "character broken over fragments", [.frame(1, [0xE2], final: false), .frame(0, [0x28], final: false)],
                nil),
            1007
        ),
    ]

    @Test("RFC 6455 §5: messages and control frames", arguments: messages)
    func message(_ sample: SocketCase) {
        var machine = Self.machine()
        var last: WebSocketMachine.Effect?
        for frame in sample.frames { last = machine.receive(frame, at: .zero) }
        #expect(last == sample.last)
    }

    @Test("RFC 6455 §5, §7.4: what breaks the rules is closed with its code", arguments: violations)
    func violation(_ sample: SocketCase, _ code: UInt16) {
        var machine = Self.machine()
        var last: WebSocketMachine.Effect?
        for frame in sample.frames { last = machine.receive(frame, at: .zero) }
        guard case .close(let actual, let reason) = last else {
            Issue.record("\(String(describing: last)) is no close")
            return
        }
        #expect(actual == code)
        #expect(reason.utf8.count <= 123)
        #expect(machine.receive(.text("late"), at: .zero) == nil, "nothing is delivered after a close")
    }

    @Test("A message of 1,024 fragments is taken, one of 1,025 is not")
    func fragments() {
        for count in [1_024, 1_025] {
            var machine = Self.machine()
            var effect = machine.receive(.text("", final: false), at: .zero)
            for index in 1..<count { effect = machine.receive(.more("", final: index == count - 1), at: .zero) }
            #expect(effect == (count == 1_024 ? .deliver([]) : .close(1009, "Message too large.")))
        }
    }

    @Test(
        "A close is answered with its code, if that is one",
        arguments: [
            (1000, 1000), (1001, 1001), (1003, 1003), (1007, 1007), (1011, 1011), (3000, 3000), (4999, 4999),
            (0, 1002), (999, 1002), (1004, 1002), (1005, 1002), (1006, 1002), (1015, 1002), (2999, 1002), (5000, 1002),
        ] as [(UInt16, UInt16)])
    func closeCodes(_ code: UInt16, _ answer: UInt16) {
        var machine = Self.machine()
        #expect(machine.receive(.close(code), at: .zero) == .close(answer, ""))
    }

    @Test("A close without code, with half a code, and with a reason that is no UTF-8")
    func closePayloads() {
        #expect(WebSocketMachine.answer(toClose: []) == 1005)
        #expect(WebSocketMachine.answer(toClose: [3]) == 1002)
        #expect(WebSocketMachine.answer(toClose: [3, 0xE8, 0xFF]) == 1007)
        #expect(WebSocketMachine.answer(toClose: [3, 0xE8] + Array("bye".utf8)) == 1000)
    }

    @Test("The connection is cut when both close frames have crossed, in either order")
    func handshake() {
        var first = Self.machine()
        #expect(first.receive(.close(1000), at: .zero) == .close(1000, ""))
        #expect(first.wroteClose() == .cut)
        #expect(first.deadline == nil)
        var second = Self.machine()
        #expect(second.close(1001, "x", at: .zero) == .close(1001, "x"))
        #expect(second.close(1002, "y", at: .zero) == nil, "a close begins once")
        #expect(second.wroteClose() == nil)
        #expect(second.receive(.frame(9), at: .zero) == nil)
        #expect(second.receive(.close(1001), at: .zero) == .cut)
    }

    @Test("A silent peer is pinged once, and cut when it does not answer; any frame is a sign of life")
    func silence() {
        var machine = Self.machine()
        let timeouts = SocketTimeouts()
        #expect(machine.deadline == timeouts.idle)
        #expect(machine.tick(at: timeouts.idle - .milliseconds(1)) == nil)
        #expect(machine.tick(at: timeouts.idle) == .ping)
        #expect(machine.deadline == timeouts.idle + timeouts.answer)
        _ = machine.receive(.frame(10), at: timeouts.idle + .seconds(1))
        #expect(machine.deadline == timeouts.idle * 2 + .seconds(1))
        #expect(machine.tick(at: timeouts.idle * 2 + .seconds(1)) == .ping)
        #expect(machine.tick(at: timeouts.idle * 2 + .seconds(1) + timeouts.answer) == .cut)
        #expect(machine.tick(at: .seconds(999_999)) == nil)
    }

    @Test("A close that is not answered is cut after its time")
    func closeTimeout() {
        var machine = Self.machine()
        _ = machine.close(1001, "", at: .seconds(10))
        #expect(machine.tick(at: .seconds(15) - .milliseconds(1)) == nil)
        #expect(machine.tick(at: .seconds(15)) == .cut)
    }
}
