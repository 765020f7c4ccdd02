public import GodwitProtocol

/// What a link may cost (D-20). Everything left nil is without limit. Days and months are those of UTC.
public struct Budget: Sendable, Hashable {
    public static let defaultReserve = 0.1

    public var bytesPerDay: ByteCount?
    public var bytesPerMonth: ByteCount?
    /// In `currency`.
    public var moneyPerMonth: Double?
    /// ISO 4217 code.
    public var currency: String
    /// Share of any hour that the sender may be on the air, 0 to 1.
    public var dutyCycle: Double?
    /// Share of every budget that is kept for control, revocations and direct texts, 0 to 0.9.
    public var urgentReserve: Double

    public init(
        bytesPerDay: ByteCount? = nil, bytesPerMonth: ByteCount? = nil, moneyPerMonth: Double? = nil,
        currency: String = "USD", dutyCycle: Double? = nil, urgentReserve: Double = Budget.defaultReserve
    ) {
        self.bytesPerDay = bytesPerDay
        self.bytesPerMonth = bytesPerMonth
        self.moneyPerMonth = moneyPerMonth
        self.currency = currency
        self.dutyCycle = dutyCycle
        self.urgentReserve = urgentReserve
    }

    public var isUnlimited: Bool {
        bytesPerDay == nil && bytesPerMonth == nil && moneyPerMonth == nil && dutyCycle == nil
    }

    /// No limits.
    public static let unlimited = Budget()
}

extension PriorityClass {
    /// May use the reserve of a budget, and does not wait for a batch.
    public var isUrgent: Bool { self <= .directText }
}
