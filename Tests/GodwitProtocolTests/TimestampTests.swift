import GodwitProtocol
import Testing

/// The one signed form of a time (D-21, MSG-03), and what else is read.
@Suite("Timestamps")
struct TimestampTests {
    @Test("419 moments agree with Python's datetime, in the signed form and with offsets")
    func python() throws {
        let lines = try Vectors.lines("timestamps.txt")
        #expect(lines.count == 419)
        for line in lines {
            let parts = line.split(separator: " ").map(String.init)
            let moment = Timestamp(milliseconds: try #require(Int64(parts[0])))
            #expect(moment.description == parts[1])
            #expect(Timestamp(iso8601: parts[1]) == moment)
            #expect(Timestamp(iso8601: parts[2]) == moment, "\(line)")
        }
    }

    @Test("29 February exists in leap years only")
    func leapYears() {
        for year in ["0000", "0004", "0400", "1600", "2000", "2024", "2400"] {
            #expect(Timestamp(iso8601: year + "-02-29T00:00:00Z") != nil)
        }
        for year in ["0001", "0100", "1900", "2023", "2100", "2200", "2300"] {
            #expect(Timestamp(iso8601: year + "-02-29T00:00:00Z") == nil)
        }
    }

    @Test("the years 0000 and 9999 are the edges, also where an offset leads beyond")
    func edges() {
        let first = Timestamp(iso8601: "0000-01-01T00:00:00.000Z")
        let last = Timestamp(iso8601: "9999-12-31T23:59:59.999Z")
        #expect(first?.milliseconds == Timestamp.writable.lowerBound)
        #expect(last?.milliseconds == Timestamp.writable.upperBound)
        #expect(first?.description == "0000-01-01T00:00:00.000Z")
        #expect(last?.description == "9999-12-31T23:59:59.999Z")
        #expect(Timestamp(iso8601: "0000-01-01T00:00:00+00:01") == nil)
        #expect(Timestamp(iso8601: "9999-12-31T23:59:59-00:01") == nil)
        #expect(Timestamp(iso8601: "0000-01-01T00:00:00-00:01") != nil)
    }

    @Test("times beyond the edges stop there when added to or written")
    func saturation() {
        #expect(Timestamp(milliseconds: .max).adding(milliseconds: 1).milliseconds == .max)
        #expect(Timestamp(milliseconds: .min).adding(milliseconds: -1).milliseconds == .min)
        #expect(Timestamp(milliseconds: .max).description == "9999-12-31T23:59:59.999Z")
        #expect(Timestamp(milliseconds: .min).description == "0000-01-01T00:00:00.000Z")
    }

    @Test("fractions of 1 to 9 digits are cut to milliseconds")
    func fractions() {
        let second: Int64 = 1_757_154_600_000
        for (fraction, milliseconds) in [
            ("", 0), (".1", 100), (".12", 120), (".123", 123), (".1239", 123), (".000999", 0), (".123456789", 123),
            (",5", 500),
        ] as [(String, Int64)] {
            #expect(Timestamp(iso8601: "2025-09-06T10:30:00\(fraction)Z")?.milliseconds == second + milliseconds)
        }
    }

    @Test(
        "other texts are refused",
        arguments: [
            "", "2025", "2025-09-06", "2025-09-06T10:30Z", "2025-09-06T10:30:00", "2025-09-06T10:30:60Z",
            "2025-09-06T10:60:00Z", "2025-09-06T24:00:00Z", "2025-13-06T10:30:00Z", "2025-00-06T10:30:00Z",
            "2025-09-31T10:30:00Z", "2025-09-00T10:30:00Z", "2025-9-6T10:30:00Z", "20250906T103000Z",
            "2025-09-06T10:30:00.Z", "2025-09-06T10:30:00.1234567890Z", "2025-09-06T10:30:00+0200",
            "2025-09-06T10:30:00+24:00", "2025-09-06T10:30:00+02:60", "2025-09-06T10:30:00ZZ", " 2025-09-06T10:30:00Z",
            "2025-09-06T10:30:00Z ", "+2025-09-06T10:30:00Z", "-2025-09-06T10:30:00Z", "12025-09-06T10:30:00Z",
            "2025-09-06T1٠:30:00Z", "2025-09-06T10:30:00−02:00",
        ])
    func refused(text: String) { #expect(Timestamp(iso8601: text) == nil) }

    @Test("small letters and a space between date and time are read")
    func lenient() {
        let moment = Timestamp(iso8601: "2025-09-06T10:30:00Z")
        #expect(moment != nil)
        #expect(Timestamp(iso8601: "2025-09-06t10:30:00z") == moment)
        #expect(Timestamp(iso8601: "2025-09-06 10:30:00Z") == moment)
        #expect(Timestamp(iso8601: "2025-09-06T16:00:00+05:30") == moment)
    }
}
