import GodwitLink
import GodwitProtocol
import Testing

@testable import GodwitNode

/// Pings by the link over which devices come (G-46).
@Suite("Silent sockets")
struct SocketIdleTests {
    @Test("a socket is asked after four minutes over a fast link without a price, after an hour over any other")
    func idle() throws {
        var free = Profile.preset(.broadband)
        free.costPerMegabyte = 0
        var dear = free
        dear.costPerMegabyte = 0.01
        var thin = free
        thin.tierUp = .low
        for (profile, seconds) in [(free, 240), (dear, 3_600), (thin, 3_600)] {
            let configuration = NodeConfiguration(profiles: ["local": profile], localProfile: "local")
            #expect(try configuration.socketIdle == .seconds(seconds))
        }
        #expect(throws: ProtocolError.self) { try NodeConfiguration(localProfile: "nowhere").socketIdle }
    }
}
