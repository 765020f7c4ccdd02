import Testing

@testable import GodwitServer

@Suite struct ConnectionTimerTests {
    static func timer() -> ConnectionTimer {
        var configuration = ServerConfiguration(host: "localhost", port: 0, tls: nil)
        configuration.headTimeout = .seconds(10)
        configuration.stallTimeout = .seconds(100)
        configuration.idleTimeout = .seconds(1_000)
        return ConnectionTimer(configuration)
    }

    @Test("A first head that drips byte by byte gains no time (slowloris)")
    func slowHead() {
        var timer = Self.timer()
        for second in 1..<10 { timer.bytesArrived(at: .seconds(second)) }
        #expect(timer.deadline == .seconds(10))
    }

    @Test("A later head has its own time, from its first byte")
    func laterHead() {
        var timer = Self.timer()
        timer.headArrived(at: .seconds(1))
        timer.requestEnded(at: .seconds(1))
        timer.answered(at: .seconds(2))
        #expect(timer.deadline == .seconds(1_002))
        #expect(timer.isBetweenRequests)
        timer.bytesArrived(at: .seconds(500))
        timer.bytesArrived(at: .seconds(505))
        #expect(timer.deadline == .seconds(510))
    }

    @Test("A body may last as long as bytes come")
    func body() {
        var timer = Self.timer()
        timer.headArrived(at: .seconds(1))
        #expect(timer.deadline == .seconds(101))
        for second in stride(from: 90, through: 9_000, by: 90) { timer.bytesArrived(at: .seconds(second)) }
        #expect(timer.deadline == .seconds(9_100))
    }

    @Test("The node itself may take its time; an answer that is not taken may not")
    func answer() {
        var timer = Self.timer()
        timer.headArrived(at: .seconds(1))
        timer.requestEnded(at: .seconds(1))
        #expect(timer.deadline == nil)
        timer.writeBegan(at: .seconds(50))
        timer.writeBegan(at: .seconds(51))
        #expect(timer.deadline == .seconds(150))
        timer.writeEnded(at: .seconds(60))
        #expect(timer.deadline == .seconds(160))
        timer.writeEnded(at: .seconds(61))
        #expect(timer.deadline == nil)
    }

    @Test("An answer before the end of its request leaves the body's time running, then the connection is idle")
    func earlyAnswer() {
        var timer = Self.timer()
        timer.headArrived(at: .seconds(1))
        timer.answered(at: .seconds(2))
        #expect(timer.deadline == .seconds(101))
        timer.requestEnded(at: .seconds(3))
        #expect(timer.deadline == .seconds(1_003))
    }

    @Test("A WebSocket keeps its own time")
    func upgraded() {
        var timer = Self.timer()
        timer.disarm()
        timer.bytesArrived(at: .seconds(5))
        timer.headArrived(at: .seconds(5))
        #expect(timer.deadline == nil)
    }
}
