import GodwitProtocol
import Testing

@Suite("The record of a user's move (G-34)")
struct UserMoveTests {
    @Test("what is built to be signed is read back with the same values")
    func unsigned() throws {
        let move = try UserMove(Sample.userMoved)
        #expect(
            UserMove.unsigned(move.userID, to: move.to, publicKey: move.publicKey, at: move.at)
                == Sample.userMoved.omitting(["signature"]))
        #expect(try ProtocolObject(Sample.userMoved).object == Sample.userMoved)
    }

    @Test("a record has at most 1,024 bytes, whatever a later version puts into it")
    func size() throws {
        let room = UserMove.bytesMax - Sample.userMoved.setting("x_future", "").canonicalBytes().count
        func padded(_ count: Int) -> JSONObject {
            Sample.userMoved.setting("x_future", .string(String(repeating: "x", count: count)))
        }
        #expect(try UserMove(padded(room)).object == padded(room))
        let error = #expect(throws: ProtocolError.self) { try UserMove(padded(room + 1)) }
        #expect(error?.code == .messageTooLarge && error?.details["max_size"] == 1_025)
    }
}
