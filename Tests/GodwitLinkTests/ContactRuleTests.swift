import GodwitLink
import GodwitProtocol
import Testing

/// Plans against a table of minutes that is filled by walking through the calendar one minute after the other (G-81).
@Suite("Contact plans by calendar rule and list")
struct ContactRuleTests {
    /// A calendar of its own: year, month, day and weekday are counted up, not computed.
    private struct Walk {
        /// 2023-12-01 was a Friday.
        var (year, month, day, weekday) = (2023, 12, 1, 4)

        private var isLeap: Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }
        var length: Int { [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] }

        mutating func next() {
            weekday = (weekday + 1) % 7
            day += 1
            guard day > length else { return }
            day = 1
            month += 1
            guard month > 12 else { return }
            month = 1
            year += 1
        }
    }

    private static let days = 800
    private static let start = Timestamp(iso8601: "2023-12-01T00:00:00Z") ?? Timestamp(milliseconds: 0)
    private static func at(minute: Int) -> Timestamp { start.adding(milliseconds: Int64(minute) * 60_000) }
    private static func dayNumber(_ index: Int) -> Int64 { start.milliseconds / 86_400_000 + Int64(index) }

    private static func model(_ windows: [ContactPlan.Window], _ rules: [ContactRule]) -> [Bool] {
        var open = [Bool](repeating: false, count: (days + 2) * 1_440)
        func fill(_ from: Int, _ count: Int) {
            for minute in max(from, 0)..<max(min(from + count, open.count), max(from, 0)) { open[minute] = true }
        }
        func length(_ from: Int, _ to: Int) -> Int { to > from ? to - from : to + 1_440 - from }
        var walk = Walk()
        for index in 0..<days + 2 {
            for window in windows where window.days.contains(Weekday.allCases[walk.weekday]) {
                fill(index * 1_440 + window.from, length(window.from, window.to))
            }
            for case .days(let rule) in rules where !rule.except.contains(dayNumber(index)) {
                let isOn =
                    switch rule.days {
                    case .week(let days): days.contains(Weekday.allCases[walk.weekday])
                    case .month(let days): days.contains(walk.day) || days.contains(walk.day - walk.length - 1)
                    }
                if isOn { fill(index * 1_440 + rule.from, length(rule.from, rule.to)) }
            }
            walk.next()
        }
        for rule in rules {
            switch rule {
            case .days: break
            case .once(let from, let to): fill(minute(from), minute(to) - minute(from))
            case .every(let rule):
                var at = rule.from
                while minute(at) < open.count, rule.until.map({ at < $0 }) ?? true {
                    let day = dayNumber(0) + Int64(minute(at) / 1_440)
                    if !rule.except.contains(day) { fill(minute(at), Int(rule.length / 60_000)) }
                    at = at.adding(milliseconds: rule.every)
                }
            }
        }
        return open
    }

    private static func minute(_ time: Timestamp) -> Int { Int((time.milliseconds - start.milliseconds) / 60_000) }

    private static func rule(_ random: inout SeededGenerator) -> ContactRule {
        func exceptions() -> Set<Int64> {
            let count = Int.random(in: 0...4, using: &random) * Int.random(in: 0...15, using: &random)
            return Set((0..<count).map { _ in dayNumber(Int.random(in: 0..<days, using: &random)) })
        }
        let from = Int.random(in: 0...1_439, using: &random)
        let to = (from + Int.random(in: 1...1_440, using: &random)) % 1_440
        switch Int.random(in: 0..<5, using: &random) {
        case 0:
            let first = Int.random(in: 0..<days * 1_440, using: &random)
            return .once(from: at(minute: first), to: at(minute: first + Int.random(in: 1...9_000, using: &random)))
        case 1:
            let days = Set(Weekday.allCases.filter { _ in Int.random(in: 0..<3, using: &random) == 0 })
            return .days(.init(days: .week(days), from: from, to: to, except: exceptions()))
        case 2:
            let every = Int.random(in: 2...4_000, using: &random)
            let first = at(minute: Int.random(in: 0..<days * 700, using: &random))
            let until = Bool.random(using: &random) ? first.adding(milliseconds: 20_000_000_000) : nil
            return .every(
                .init(
                    from: first, every: Int64(every) * 60_000,
                    length: Int64(Int.random(in: 1..<every, using: &random)) * 60_000, until: until,
                    except: exceptions()))
        default:
            let count = Int.random(in: 1...3, using: &random)
            let days = Set(
                (0..<count).map { _ in [28, 29, 30, 31, -1, -28, -29, -31, 1, 15].randomElement(using: &random) ?? 1 })
            return .days(.init(days: .month(days), from: from, to: to, except: exceptions()))
        }
    }

    @Test(
        "random plans agree with a walk through more than two years of minutes, leap day and ends of months included",
        arguments: 1...20)
    func random(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let rules = (0..<Int.random(in: 1...3, using: &random)).map { _ in Self.rule(&random) }
        let windows =
            seed.isMultiple(of: 4) ? [ContactPlan.Window(days: [.tuesday], from: 1_400, to: 30)] : []
        let open = Self.model(windows, rules)
        let plan = ContactPlan(windows: windows, rules: rules)
        let last = Self.days * 1_440
        // The next minute with the other state, for every minute.
        var change = [Int](repeating: open.count, count: open.count)
        for minute in (0..<open.count - 1).reversed() {
            change[minute] = open[minute] == open[minute + 1] ? change[minute + 1] : minute + 1
        }
        for minute in stride(from: 1_440, to: last, by: 211) {
            let now = Self.at(minute: minute).adding(milliseconds: Int64.random(in: 0..<60_000, using: &random))
            guard plan.isOpen(at: now) == open[minute] else {
                Issue.record("seed \(seed), minute \(minute): open is \(!open[minute])")
                return
            }
            // What the walk does not reach is not compared.
            let next = change[minute] < last ? Self.at(minute: change[minute]) : nil
            let told = open[minute] ? plan.closes(after: now) : plan.opens(after: now)
            if let next { #expect(told == next, "seed \(seed), minute \(minute), \(rules)") }
            #expect(open[minute] ? plan.opens(after: now) == now : plan.closes(after: now) == nil)
        }
    }

    @Test("what has ended is never open again, and a plan of such windows never opens")
    func ended() throws {
        let (from, to) = (Self.at(minute: 10), Self.at(minute: 20))
        let once = ContactPlan(windows: [], rules: [.once(from: from, to: to)])
        #expect(once.opens(after: Self.start) == from && once.closes(after: from) == to)
        #expect(!once.isOpen(at: to) && once.opens(after: to) == nil)
        let orbit = ContactPlan(
            windows: [], rules: [.every(.init(from: from, every: 120_000, length: 60_000, until: to))])
        #expect(orbit.opens(after: to) == nil && orbit.opens(after: Self.at(minute: 17)) == Self.at(minute: 18))
        #expect(!orbit.isAlways && !once.isAlways)
    }

    @Test("windows that touch are one; beyond 4,096 of them no more is promised")
    func touching() {
        let minute: Int64 = 60_000
        let rules: [ContactRule] = [
            .every(.init(from: Self.start, every: 2 * minute, length: minute)),
            .every(.init(from: Self.start.adding(milliseconds: minute), every: 2 * minute, length: minute)),
        ]
        #expect(ContactPlan(windows: [], rules: rules).closes(after: Self.start) == Self.at(minute: 4_097))
        let days = ContactPlan(
            windows: [], rules: [.days(.init(days: .month(Set(1...30)), from: 0, to: 1_440))])
        // 2023-12-31 is left out.
        #expect(days.closes(after: Self.start) == Timestamp(iso8601: "2023-12-31T00:00:00Z"))
        #expect(days.opens(after: Self.at(minute: 30 * 1_440)) == Timestamp(iso8601: "2024-01-01T00:00:00Z"))
    }

    // MARK: Reading

    private static func profile(_ windows: String) throws -> Profile {
        try Profile(YAMLProfile.value("{name: x, network_profile: {type: mobile}, windows: \(windows)}"))
    }

    @Test("each kind of window is read as it is written")
    func reading() throws {
        func time(_ text: String) throws -> Timestamp { try #require(Timestamp(iso8601: text)) }
        let plan = try Self.profile(
            """
            [{from: '2026-12-01T06:00Z', to: '2026-12-01T06:12:30Z'}, \
            {month_days: [1, -1], from: '06:00', to: '07:00', except: ['2026-12-31']}, \
            {days: [sun], from: '22:00', to: '01:00', except: ['2026-12-06']}, \
            {every: 1h38m, for: 10m, from: '2027-06-01T00:00Z', until: '2027-06-02T00:00Z'}, \
            {days: [mon], from: '01:00', to: '02:00'}]
            """
        ).contactPlan
        let expected = ContactPlan(
            windows: [.init(days: [.monday], from: 60, to: 120)],
            rules: [
                .once(from: try time("2026-12-01T06:00:00Z"), to: try time("2026-12-01T06:12:30Z")),
                .days(.init(days: .month([1, -1]), from: 360, to: 420, except: [20_818])),
                .days(.init(days: .week([.sunday]), from: 1_320, to: 60, except: [20_793])),
                .every(
                    .init(
                        from: try time("2027-06-01T00:00:00Z"), every: 5_880_000, length: 600_000,
                        until: try time("2027-06-02T00:00:00Z"))),
            ])
        #expect(plan == expected)
        #expect(try !plan.isOpen(at: time("2026-12-31T06:30:00Z")) && plan.isOpen(at: time("2026-11-30T06:30:00Z")))
    }

    @Test(
        "what is wrong is named by its path",
        arguments: [
            ("{from: '2026-12-01T06:00Z', to: '2026-12-01T06:00Z'}", "to"),
            ("{from: '2026-12-01T06:00Z', to: '2027-12-02T06:01Z'}", "to"),
            ("{from: '2026-12-01T06:00+01:00', to: '2026-12-01T07:00Z'}", "from"),
            ("{from: '2026-12-32T06:00Z', to: '2026-12-01T07:00Z'}", "from"),
            ("{days: [mon], from: '2026-12-01T06:00Z', to: '2026-12-01T07:00Z'}", "days"),
            ("{from: '2026-12-01T06:00Z', to: '2026-12-01T07:00Z', except: ['2026-12-25']}", "except"),
            ("{month_days: [], from: '06:00', to: '07:00'}", "month_days"),
            ("{month_days: [0], from: '06:00', to: '07:00'}", "month_days"),
            ("{month_days: [32], from: '06:00', to: '07:00'}", "month_days"),
            ("{month_days: [-32], from: '06:00', to: '07:00'}", "month_days"),
            ("{month_days: [1, 1], from: '06:00', to: '07:00'}", "month_days"),
            ("{month_days: [1], days: [mon], from: '06:00', to: '07:00'}", "days"),
            ("{month_days: [1], from: '06:00', to: '06:00'}", "to"),
            ("{every: 10m, for: 10m, from: '2026-12-01T06:00Z'}", "for"),
            ("{every: 10m, for: 0s, from: '2026-12-01T06:00Z'}", "for"),
            ("{every: 32d, for: 10m, from: '2026-12-01T06:00Z'}", "every"),
            ("{every: 10, for: 1m, from: '2026-12-01T06:00Z'}", "every"),
            ("{every: 10m, from: '2026-12-01T06:00Z'}", "for"), ("{every: 10m, for: 1m}", "from"),
            ("{every: 10m, for: 1m, from: '2026-12-01T06:00Z', until: '2026-12-01T06:00Z'}", "until"),
            ("{every: 10m, for: 1m, from: '2026-12-01T06:00Z', to: '2026-12-01T06:00Z'}", "to"),
            ("{days: [mon], from: '06:00', to: '07:00', except: []}", "except"),
            ("{days: [mon], from: '06:00', to: '07:00', except: ['2027-02-29']}", "except"),
            ("{days: [mon], from: '06:00', to: '07:00', except: ['2026-12-25', '2026-12-25']}", "except"),
            ("{evry: 10m, for: 1m, from: '2026-12-01T06:00Z'}", "evry"),
        ])
    func refusals(_ window: String, _ key: String) {
        let error = #expect(throws: ProtocolError.self) { try Self.profile("[\(window)]") }
        #expect(error?.details["key"] == .string("windows[0].\(key)"), "\(window): \(error?.message ?? "")")
    }

    @Test("31 days and 366 exceptions are accepted, more are not; a misspelt key is guessed")
    func limits() throws {
        _ = try Self.profile("[{every: 31d, for: 30d23h59m59s, from: '2026-12-01T06:00Z'}]")
        _ = try Self.profile("[{from: '2026-12-01T06:00Z', to: '2027-12-02T06:00Z'}]")
        let first = try #require(Timestamp(iso8601: "2026-01-01T00:00:00Z"))
        func except(_ count: Int) -> String {
            let days = (0..<count).map {
                "'" + first.adding(milliseconds: Int64($0) * 86_400_000).description.prefix(10) + "'"
            }
            return "[{from: '06:00', to: '07:00', except: [\(days.joined(separator: ", "))]}]"
        }
        let plan = try Self.profile(except(366)).contactPlan
        #expect(plan.opens(after: first) == Timestamp(iso8601: "2027-01-02T06:00:00Z"), "all of 2026 and a day more")
        #expect(throws: ProtocolError.self) { try Self.profile(except(367)) }
        let error = #expect(throws: ProtocolError.self) {
            try Self.profile("[{evry: 10m, for: 1m, from: '2026-12-01T06:00Z'}]")
        }
        #expect(error?.details["nearest"] == "windows[0].every")
    }

    @Test("times are read as they are written, and nothing else is")
    func spans() {
        let good: [(String, Int64)] = [
            ("90s", 90), ("15m", 900), ("1h38m", 5_880), ("14d", 1_209_600), ("1d1h1m1s", 90_061), ("0s", 0),
            ("9999999s", 9_999_999),
        ]
        for (text, seconds) in good { #expect(TimeSpan.read(text) == .seconds(seconds), "\(text)") }
        for text in ["", "s", "90", "1m1h", "1m1m", "-1s", "1.5h", " 1s", "1s ", "10000000s", "1w", "١s"] {
            #expect(TimeSpan.read(text) == nil, "\(text)")
        }
        for seconds: Int64 in [0, 1, 59, 60, 3_599, 5_880, 86_400, 1_209_600, 90_061] {
            #expect(TimeSpan.read(TimeSpan.text(.seconds(seconds))) == .seconds(seconds))
        }
    }
}
