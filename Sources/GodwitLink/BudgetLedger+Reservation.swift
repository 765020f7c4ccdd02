public import GodwitProtocol

extension BudgetLedger {
    /// What was booked before it went.
    public struct Reservation: Sendable, Hashable {
        public let bytes: ByteCount
        public let airtime: Duration
        let money: Int64
        /// The ledger's time when it was booked.
        let at: Timestamp
    }

    /// What has been used.
    public struct Usage: Sendable, Hashable {
        public var bytesToday: ByteCount
        public var bytesThisMonth: ByteCount
        /// In the budget's currency.
        public var moneyThisMonth: Double
        /// In the last hour.
        public var airtime: Duration
    }

    /// Books an upper estimate of what is about to go. A ledger that is saved now has it also if nobody comes back to
    /// settle it, so a crash forgets nothing that went.
    ///
    /// - Parameters:
    ///   - bytes: of both directions; at least what will go.
    ///   - airtime: of this side's sender; at least what it will take.
    public mutating func reserve(_ bytes: ByteCount, airtime: Duration, at now: Timestamp) -> Reservation {
        advance(to: now)
        let before = moneyThisMonth
        spend(bytes, airtime: airtime, at: now)
        return Reservation(bytes: bytes, airtime: airtime, money: moneyThisMonth - before, at: latest)
    }

    /// Books what went in place of what was reserved. Of a day or month that has ended nothing is given back.
    public mutating func settle(
        _ reservation: Reservation, bytes: ByteCount, airtime spent: Duration, at now: Timestamp
    ) {
        advance(to: now)
        let booked = CivilDate(daysSince1970: reservation.at.milliseconds / Self.day)
        let today = CivilDate(daysSince1970: latest.milliseconds / Self.day)
        let reserved = Int64(max(reservation.bytes.bytes, 0))
        if booked == today { bytesToday = max(bytesToday - reserved, 0) }
        if booked.year == today.year, booked.month == today.month {
            bytesThisMonth = max(bytesThisMonth - reserved, 0)
            moneyThisMonth = max(moneyThisMonth - reservation.money, 0)
        }
        let minute = reservation.at.milliseconds / Self.minute
        if let booked = airtime[minute] {
            let left = booked - max(reservation.airtime.inMillisecondsRoundedUp, 0)
            airtime[minute] = left > 0 ? left : nil
        }
        spend(bytes, airtime: spent, at: now)
    }

    public func usage(at now: Timestamp) -> Usage {
        var ledger = self
        ledger.advance(to: now)
        return Usage(
            bytesToday: ByteCount(Int(ledger.bytesToday)), bytesThisMonth: ByteCount(Int(ledger.bytesThisMonth)),
            moneyThisMonth: ledger.spentThisMonth, airtime: .milliseconds(ledger.airtime.values.reduce(0, +)))
    }
}
